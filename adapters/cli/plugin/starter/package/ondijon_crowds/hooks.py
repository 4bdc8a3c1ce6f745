"""Who is called when. The only file of this trade that the kernel knows; the logic lives beside it."""

from __future__ import annotations

from collections.abc import Iterator

from ondijon import Batch, City, Declaration, Proposal, TableView, hookimpl
from ondijon_crowds import places
from ondijon_crowds.declaration import DECLARATION, PRESENCE
from ondijon_crowds.places import Places
from ondijon_crowds.settings import Settings
from ondijon_crowds.state import State, fitted, fresh


@hookimpl
def declare() -> Declaration:
    """All that check, alarms and screens need."""
    return DECLARATION


@hookimpl
def prepare(city: City, config: Settings) -> Places:
    """Where the sensors stand."""
    return places.build(city, config)


@hookimpl
def start(fixed: Places, state: State | None) -> State:
    """Nobody is anywhere, or what there was, fitted to the sensors."""
    return fresh(len(fixed.sensor)) if state is None else fitted(state, len(fixed.sensor))


@hookimpl
def on_batch(batch: Batch, fixed: Places, state: State) -> None:
    """Count who was seen; the next look answers."""
    places.count(fixed, state, batch.of(PRESENCE))


@hookimpl
def on_tick(table: TableView, fixed: Places, state: State) -> Iterator[Proposal]:
    """Look at the places, and show them."""
    yield from places.look(fixed, state)
    yield from places.show(fixed, state, table)
