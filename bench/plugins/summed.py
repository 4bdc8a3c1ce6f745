"""A trade that looks at each changed slot, and says one thing of them."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from ondijon import AssetKind, Batch, Declaration, Metric, Publish, Reads, Text, View, hookimpl


class Nothing(msgspec.Struct):
    """Neither settings nor attributes."""


class State(msgspec.Struct):
    """The sum of all that came."""

    sum: float = 0.0


@hookimpl
def declare() -> Declaration:
    """One kind of asset, one metric, one view."""
    text = Text("compteur", "meter")
    return Declaration(
        name="summed",
        text=text,
        config=Nothing,
        state=State,
        reads=Reads(metrics=("meter.sent",)),
        assets=(AssetKind(name="meter", attributes=Nothing, text=text),),
        metrics=(Metric(name="meter.sent", kind="meter", unit="µs", low=0.0, high=1e15, text=text),),
        views=(View(name="summed.sums", row=State),),
    )


@hookimpl
def start(state: State | None) -> State:
    """A fresh state."""
    return state or State()


@hookimpl
def on_batch(batch: Batch, state: State) -> Iterator[Publish]:
    """Add the values."""
    state.sum += float(batch.value.sum())
    yield Publish(view="summed.sums", key="all", row=State(state.sum))
