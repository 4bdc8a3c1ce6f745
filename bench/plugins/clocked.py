"""A trade for measuring: each sample's value is the moment (µs of CLOCK_MONOTONIC) it was meant to be sent at.

Not an example: it reads the clock and writes a file, which a plugin must not. ``hold_ms`` makes its hook
hold the GIL for so long in each step, without using the CPU, so that only the GIL is in the way.
"""

from __future__ import annotations

import ctypes
import time

import msgspec
import numpy as np

from ondijon import AssetKind, Batch, Declaration, Metric, Reads, Text, hookimpl

#: usleep through PyDLL keeps the GIL, through CDLL it would not.
_usleep = ctypes.PyDLL(None).usleep


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``out``: where rows and ages go; ``hold_ms``: how long each call holds the GIL."""

    out: str
    hold_ms: float = 0.0


class State(msgspec.Struct):
    """Nothing to remember."""

    calls: int = 0


class Nothing(msgspec.Struct, frozen=True):
    """A meter has no attributes."""


@hookimpl
def declare() -> Declaration:
    """One kind of asset, one metric."""
    text = Text("compteur", "meter")
    return Declaration(
        name="clocked",
        text=text,
        config=Settings,
        state=State,
        reads=Reads(metrics=("meter.sent",)),
        assets=(AssetKind(name="meter", attributes=Nothing, text=text),),
        metrics=(Metric(name="meter.sent", kind="meter", unit="µs", low=0.0, high=1e15, text=text),),
    )


@hookimpl
def prepare(config: Settings) -> Settings:
    """The settings are all that is fixed."""
    return config


@hookimpl
def start() -> State:
    """A fresh state."""
    return State()


@hookimpl
def on_batch(batch: Batch, fixed: Settings, state: State) -> None:
    """Write down when the batch came, how many samples and slots it has, and each slot's age."""
    now = time.monotonic_ns() // 1000
    state.calls += 1
    row = np.array([now, int(batch.count.sum()), len(batch)], np.int64)
    with open(f"{fixed.out}.rows", "ab") as rows, open(f"{fixed.out}.ages", "ab") as ages:
        rows.write(row.tobytes())
        ages.write((now - batch.value).astype(np.int64).tobytes())
    if fixed.hold_ms:
        _usleep(int(fixed.hold_ms * 1000))
