"""A small trade with personal data: citizens call, and it shows their cases."""

from __future__ import annotations

from typing import Annotated

import msgspec

from ondijon import Declaration, Emit, EventKind, Publish, Reads, Retention, Sealed, Text, View, hookimpl

T = Text("essai", "trial")
Phone = Annotated[str, msgspec.Meta(max_length=40)]


class Config(msgspec.Struct, forbid_unknown_fields=True):
    leaks: bool = False


class Called(msgspec.Struct, frozen=True):
    """Somebody called: who, what they said, what they showed; and about what, which is not personal."""

    caller: Sealed[Phone] | None = None
    words: Sealed[str] | None = None
    photo: Sealed[bytes] | None = None
    about: str = ""


class Opened(msgspec.Struct, frozen=True):
    words: Sealed[str] | None


class State(msgspec.Struct):
    cases: list[Sealed[str]] = []
    callers: dict[str, int] = {}


class Row(msgspec.Struct):
    words: Sealed[str]


@hookimpl
def declare() -> Declaration:
    return Declaration(
        name="calls",
        text=T,
        config=Config,
        state=State,
        reads=Reads(events={"calls.call.received": Called}),
        events=(
            EventKind(
                name="calls.call.received",
                data=Called,
                from_field=True,
                personal={"caller": "calls.contact", "words": "calls.case", "photo": "calls.case"},
                subject="caller",
                text=T,
            ),
            EventKind(name="calls.case.opened", data=Opened, text=T),
        ),
        views=(View(name="calls.cases", row=Row),),
        retention=(
            Retention(name="calls.contact", days=30, basis="consent", text=T),
            Retention(name="calls.case", days=365, basis="public task", text=T),
        ),
    )


@hookimpl
def prepare(config):
    return config


@hookimpl
def start(state):
    return state or State()


@hookimpl
def on_events(events, fixed, state):
    for event in events:
        said = event.data
        if said.caller:
            state.callers[said.caller.person] = state.callers.get(said.caller.person, 0) + 1
        if said.words:
            state.cases.append(said.words)
            yield Publish(view="calls.cases", key=str(len(state.cases)), row=Row(said.words))
            words = "in clear" if fixed.leaks else said.words
            yield Emit(kind="calls.case.opened", data=Opened(words))
