"""A trade for measuring: each call of a meter raises its alarm and is answered with a command to it.

It publishes what the table holds, so that whoever sent knows whether the newest value of each meter is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

from ondijon import (
    AlarmKind,
    AssetKind,
    Authorisation,
    Command,
    Declaration,
    Event,
    EventKind,
    Metric,
    Proposal,
    Publish,
    Raise,
    Reads,
    TableView,
    Text,
    Verb,
    View,
    hookimpl,
)

TEXT = Text("compteur", "meter")


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A meter has no attributes, the trade no settings."""


class State(msgspec.Struct):
    """How many calls were answered."""

    calls: int = 0


class Call(msgspec.Struct, frozen=True):
    """A meter calls, for the ``number``-th time in all."""

    number: int


class Known(msgspec.Struct, frozen=True):
    """How many meters have a value, the sum of all of them, and the calls that were answered."""

    meters: int
    sum: float
    calls: int


@hookimpl
def declare() -> Declaration:
    """One kind of asset, with a metric, an event, an alarm and a verb."""
    return Declaration(
        name="called",
        text=TEXT,
        config=Nothing,
        state=State,
        ticks={"tell": 0.5},
        reads=Reads(events={"called.meter.rang": Call}),
        assets=(AssetKind(name="meter", attributes=Nothing, text=TEXT),),
        metrics=(Metric(name="meter.count", kind="meter", unit="1", low=0.0, high=1e15, text=TEXT),),
        events=(EventKind(name="called.meter.rang", data=Call, from_field=True, text=TEXT),),
        verbs=(
            Verb(name="meter.answer", targets="meter", low=0, high=1e9, unit="1", lease_max_s=900, text=TEXT),
        ),
        authorisations=(
            Authorisation(name="all", verb="meter.answer", low=0, high=1e9, lease_max_s=900, rate=600),
        ),
        alarms=(AlarmKind(code="rang", priority=3, text=TEXT),),
        views=(View(name="called.known", row=Known),),
    )


@hookimpl
def start() -> State:
    """A fresh state."""
    return State()


@hookimpl
def on_events(events: Sequence[Event], state: State) -> Iterator[Proposal]:
    """Answer each."""
    for event in events:
        state.calls += 1
        target = np.array([event.asset], np.uint32)
        yield Raise(asset=event.asset, code="rang")
        yield Command(
            verb="meter.answer",
            targets=target,
            values=np.array([float(event.data.number)]),
            lease_s=60,
            reason="a call",
        )


@hookimpl
def on_tick(table: TableView, state: State) -> Iterator[Proposal]:
    """Tell what is known."""
    column = table.column("meter.count")
    known = column.value[column.valid]
    yield Publish(view="called.known", key="all", row=Known(len(known), float(known.sum()), state.calls))
