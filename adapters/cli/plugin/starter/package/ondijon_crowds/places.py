"""The places: how many people are at each, which are full, and what is told of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ondijon import Batch, City, Clear, Emit, Proposal, Publish, Raise, TableView
from ondijon_crowds.declaration import ALIVE, COMMUNES, EMPTIED, FILLED, FULL, LOOK_S, SENSOR
from ondijon_crowds.settings import Settings
from ondijon_crowds.state import State
from ondijon_crowds.vocabulary import Emptied, Filled, Row


@dataclass(frozen=True)
class Places:
    """What stands still: ``sensor`` u32[n] and ``commune`` u16[n], ascending by sensor."""

    settings: Settings
    sensor: np.ndarray
    commune: np.ndarray
    communes: tuple[str, ...]


def build(city: City, settings: Settings) -> Places:
    """Where the sensors stand."""
    sensor = city.assets.of_kind(SENSOR)
    return Places(settings, sensor, city.assets.commune[sensor], tuple(city.communes.names))


def count(fixed: Places, state: State, seen: Batch) -> None:
    """Count who was seen."""
    state.people[np.searchsorted(fixed.sensor, seen.asset)] += seen.value


def look(fixed: Places, state: State) -> Iterator[Proposal]:
    """Who came a while ago counts less, and a full place must half empty to be so no more."""
    settings = fixed.settings
    state.people *= 0.5 ** (LOOK_S / settings.half_life_s)
    full = state.people >= np.where(state.full, settings.limit / 2, settings.limit)
    filled, emptied = full & ~state.full, state.full & ~full
    state.full = full
    if filled.any():
        yield Raise(asset=fixed.sensor[filled], code=FULL)
    if emptied.any():
        yield Clear(asset=fixed.sensor[emptied], code=FULL)
    yield from tell(fixed, filled, emptied)


def tell(fixed: Places, filled: np.ndarray, emptied: np.ndarray) -> Iterator[Proposal]:
    """One event a commune, however many places: a fair must not cost a thousand proposals."""
    for kind, data, changed in ((FILLED, Filled, filled), (EMPTIED, Emptied, emptied)):
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
        yield Publish(view=COMMUNES, key=name, row=row)


def by_commune(fixed: Places, of: np.ndarray) -> np.ndarray:
    """f64[communes]: the sum over the sensors of each."""
    return np.bincount(fixed.commune, of, len(fixed.communes))
