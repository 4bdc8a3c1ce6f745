"""A trade that does the worst a door's code tells it to; it shows and remembers the codes that it outlived."""

from __future__ import annotations

import ctypes
import os

import msgspec

from ondijon import Declaration, Emit, EventKind, Publish, Reads, Text, View, hookimpl

T = Text("essai", "trial")
HELD = []

EXIT, HANG, LEAK, RAISE, NONSENSE, MANY, BURN = 101, 102, 103, 104, 105, 106, 107


class Config(msgspec.Struct, forbid_unknown_fields=True):
    pass


class State(msgspec.Struct):
    codes: list[int] = []


class Opened(msgspec.Struct):
    code: int


class Codes(msgspec.Struct):
    codes: list[int]


@hookimpl
def declare():
    return Declaration(
        name="nasty",
        text=T,
        config=Config,
        state=State,
        reads=Reads(events={"watch.door.opened": Opened}),
        events=(EventKind(name="nasty.code.outlived", data=Opened, text=T),),
        views=(View(name="nasty.codes", row=Codes),),
    )


@hookimpl
def start(state):
    return state or State()


@hookimpl
def on_events(events, state):
    proposals = []
    for event in events:
        code = event.data.code
        proposals += worst(code) or []
        state.codes.append(code)
        proposals.append(Emit(kind="nasty.code.outlived", data=Opened(code)))
    return [*proposals, Publish(view="nasty.codes", key="all", row=Codes(state.codes))]


def worst(code):
    if code == EXIT:
        os._exit(3)
    if code == HANG:
        # Without giving the GIL away, as a native extension may.
        ctypes.PyDLL(None).sleep(60)
    while code == LEAK:
        HELD.append(bytearray(16 << 20))
    if code == RAISE:
        raise ValueError("as it was told")
    if code == NONSENSE:
        return ["no proposal"]
    if code == MANY:
        return [Emit(kind="nasty.code.outlived", data=Opened(code))] * 10_000
    while code == BURN:
        pass
    return None
