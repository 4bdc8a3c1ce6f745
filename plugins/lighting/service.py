"""How lamps, sensors and cabinets serve, for the contract's ledger: from what is known of them, not from alarms."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ondijon import Serves, TableView
from plugins.lighting.faults import silent_sensors
from plugins.lighting.park import Park
from plugins.lighting.state import State

_UNKNOWN, _UP, _DEGRADED, _DOWN, _RETIRED = "unknown", "up", "degraded", "down", "excluded"


def states(park: Park, state: State, table: TableView) -> Iterator[Serves]:
    """What each asset's service is now; of several rules that hold the last one counts."""
    health, lamps, cabinets = state.health, park.lamps, park.cabinets
    unpowered = np.append(health.cabinet_fault.found & health.cabinet_dark, False)[lamps.cabinet]
    cut_off = np.append(health.cabinet_fault.found & ~health.cabinet_dark, False)[lamps.cabinet]
    yield from _of(
        lamps.asset,
        (_UP, "", _heard(table, "lamp.power", lamps.position, len(lamps))),
        (_DEGRADED, "day_burner", health.day_burner.found),
        (_DEGRADED, "lamp_fault", health.lamp_fault.found),
        (_UNKNOWN, "lamp_silent", health.lamp_silent.found),
        (_UNKNOWN, "cabinet_silent", cut_off),
        (_DOWN, "cabinet_fault", unpowered),
        (_RETIRED, "retired", ~lamps.in_service),
    )
    yield from _of(
        cabinets.asset,
        (_UP, "", _heard(table, "cabinet.power", cabinets.position, len(cabinets))),
        (_UNKNOWN, "silent", health.cabinet_fault.found & ~health.cabinet_dark),
        (_DOWN, "cabinet_fault", health.cabinet_fault.found & health.cabinet_dark),
        (_RETIRED, "retired", ~cabinets.in_service),
    )
    silent = silent_sensors(park, table)
    yield from _of(
        park.sensors.asset,
        (_UP, "", ~silent),
        (_UNKNOWN, "sensor_silent", silent & health.sensor_silent.found),
    )


def _heard(table: TableView, metric: str, position: np.ndarray, n: int) -> np.ndarray:
    """bool[n]: a value of the metric is known and not stale."""
    column = table.column(metric)
    out = np.zeros(n, bool)
    out[position[column.asset]] = column.valid & ~column.stale
    return out


def _of(asset: np.ndarray, *rules: tuple[str, str, np.ndarray]) -> Iterator[Serves]:
    """One proposal for each rule that decides of somebody. Of what no rule speaks nothing is said."""
    decided = np.full(len(asset), -1)
    for number, (_, _, holds) in enumerate(rules):
        decided[holds] = number
    for number, (state, reason, _) in enumerate(rules):
        chosen = asset[decided == number]
        if len(chosen):
            yield Serves(assets=chosen, state=state, reason=reason)
