"""Crowds: sensors say how many people pass, an operator is told where many gather."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import msgspec
import numpy as np

from ondijon import (
    AlarmKind,
    Batch,
    City,
    Clear,
    Declaration,
    Emit,
    EventKind,
    Proposal,
    Publish,
    Raise,
    Reads,
    TableView,
    Text,
    View,
    hookimpl,
)

#: The sensors and what they say are the lighting's, so `lighting` runs beside this trade.
SENSOR, PRESENCE, ALIVE = "presence_sensor", "presence_sensor.presence", "presence_sensor.alive"

#: How often (s) the places are looked at.
LOOK_S = 5.0

Positive = Annotated[float, msgspec.Meta(gt=0)]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[plugins.crowds]: what a city decides."""

    limit: Positive = 6.0  # people at a sensor, those of a while ago counting less
    half_life_s: Positive = 60.0  # after so long somebody counts half


class Filled(msgspec.Struct, frozen=True):
    """Many people gathered at some ``places`` of a commune since the last look."""

    commune: str
    places: int


class Emptied(msgspec.Struct, frozen=True):
    """They have gone from some ``places`` of a commune."""

    commune: str
    places: int


class Row(msgspec.Struct, frozen=True):
    """A commune on the screens. ``people`` is None where no sensor is heard: that is not the same as nobody."""

    people: float | None
    full: int


class State(msgspec.Struct):
    """All that evolves: ``people`` f64[sensors] lately, ``full`` bool[sensors]; in the order of the register."""

    people: np.ndarray
    full: np.ndarray


DECLARATION = Declaration(
    name="crowds",
    text=Text(fr="Affluence", en="Crowds"),
    config=Settings,
    state=State,
    ticks={"look": LOOK_S},
    reads=Reads(metrics=(PRESENCE,)),
    events=(
        EventKind(
            name="crowds.place.filled", data=Filled, text=Text(fr="Affluence à un endroit", en="Place filled")
        ),
        EventKind(
            name="crowds.place.emptied", data=Emptied, text=Text(fr="Fin d'affluence", en="Place emptied")
        ),
    ),
    alarms=(AlarmKind(code="crowds_full", priority=3, text=Text(fr="Forte affluence", en="Crowded place")),),
    views=(View(name="crowds.communes", row=Row),),
)


@dataclass(frozen=True)
class Places:
    """What stands still: ``sensor`` u32[n] and ``commune`` u16[n], ascending by sensor."""

    settings: Settings
    sensor: np.ndarray
    commune: np.ndarray
    communes: tuple[str, ...]


@hookimpl
def declare() -> Declaration:
    """All that check, alarms and screens need."""
    return DECLARATION


@hookimpl
def prepare(city: City, config: Settings) -> Places:
    """Where the sensors stand."""
    sensor = city.assets.of_kind(SENSOR)
    return Places(config, sensor, city.assets.commune[sensor], tuple(city.communes.names))


@hookimpl
def start(fixed: Places, state: State | None) -> State:
    """Nobody is anywhere, or what there was; sensors that were added stand behind the old ones."""
    begun = State(np.zeros(len(fixed.sensor)), np.zeros(len(fixed.sensor), bool))
    if state is not None:
        begun.people[: len(state.people)] = state.people
        begun.full[: len(state.full)] = state.full
    return begun


@hookimpl
def on_batch(batch: Batch, fixed: Places, state: State) -> None:
    """Count who was seen; the next look answers."""
    seen = batch.of(PRESENCE)
    state.people[np.searchsorted(fixed.sensor, seen.asset)] += seen.value


@hookimpl
def on_tick(table: TableView, fixed: Places, state: State) -> Iterator[Proposal]:
    """Look at the places: who came a while ago counts less, and a full one must half empty to be so no more."""
    settings = fixed.settings
    state.people *= 0.5 ** (LOOK_S / settings.half_life_s)
    full = state.people >= np.where(state.full, settings.limit / 2, settings.limit)
    filled, emptied = full & ~state.full, state.full & ~full
    state.full = full
    if filled.any():
        yield Raise(asset=fixed.sensor[filled], code="crowds_full")
    if emptied.any():
        yield Clear(asset=fixed.sensor[emptied], code="crowds_full")
    yield from tell(fixed, filled, emptied)
    yield from show(fixed, state, table)


def tell(fixed: Places, filled: np.ndarray, emptied: np.ndarray) -> Iterator[Proposal]:
    """One event a commune, however many places: a fair must not cost a thousand proposals."""
    for kind, data, changed in (
        ("crowds.place.filled", Filled, filled),
        ("crowds.place.emptied", Emptied, emptied),
    ):
        for i, places in enumerate(by_commune(fixed, changed)):
            if places:
                first = fixed.sensor[changed & (fixed.commune == i)][0]
                yield Emit(kind=kind, data=data(fixed.communes[i], int(places)), asset=int(first))


def show(fixed: Places, state: State, table: TableView) -> Iterator[Proposal]:
    """One row a commune."""
    alive = table.column(ALIVE)
    heard = by_commune(fixed, alive.valid & ~alive.stale)
    people, full = by_commune(fixed, state.people), by_commune(fixed, state.full)
    for i, name in enumerate(fixed.communes):
        row = Row(round(float(people[i]), 1) if heard[i] else None, int(full[i]))
        yield Publish(view="crowds.communes", key=name, row=row)


def by_commune(fixed: Places, of: np.ndarray) -> np.ndarray:
    """f64[communes]: the sum over the sensors of each."""
    return np.bincount(fixed.commune, of, len(fixed.communes))
