"""Finds what does not do as it should. A cabinet without power is ONE fault, not one for each lamp."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from ondijon import NONE, Clear, Emit, Now, Raise, TableView
from plugins.lighting import energy
from plugins.lighting.park import Park
from plugins.lighting.state import State, Watch
from plugins.lighting.vocabulary import FaultCleared, FaultFound

#: A lamp or cabinet that draws less than this share of what it should is without power, not dimmed.
DARK_SHARE = 0.1

#: Fewer dark lamps than this say nothing about their cabinet (unless they are all it has).
DARK_LAMPS_MIN = 3

#: The cause of what is not heard of any more.
SILENT = "silent"

#: No examination counts for more than this (s): after a pause nothing is known of the time between.
ELAPSED_MAX_S = 60.0


class Evidence(NamedTuple):
    """What is known of some assets, arrays [n]: ``bad`` and ``good`` bool; where neither, nothing is known.

    ``expected`` and ``measured`` f64 in W; ``cause`` and ``affected`` are texts and numbers for the event.
    """

    bad: np.ndarray
    good: np.ndarray
    expected: np.ndarray
    measured: np.ndarray
    cause: np.ndarray
    affected: np.ndarray


class Draw(NamedTuple):
    """Power of lamps in W, arrays [lamps]: ``measured`` f64 at ``utc`` i64 µs; ``expected`` f64 by programme.

    ``fresh`` bool: sampled since the programme last changed, and not stale.
    """

    measured: np.ndarray
    utc: np.ndarray
    fresh: np.ndarray
    expected: np.ndarray


def examine(park: Park, state: State, now: Now, table: TableView) -> list[Raise | Clear | Emit]:
    """Look at everything once; propose an alarm and an event for each fault that came or went."""
    elapsed = _elapsed_s(state, now.mono)
    settings = park.settings.faults
    state.health.moved_utc[state.people.level != state.schedule.base_pct.astype(np.int16) * 256] = now.utc
    draw = _lamp_draw(park, state, table)

    cabinets = _cabinets(park, state, table, draw)
    found, gone = judge(
        state.health.cabinet_fault, cabinets, elapsed, settings.cabinet_delay_s, settings.found_max
    )
    state.health.returned_utc[gone] = now.utc
    state.health.cabinet_dark[found] = cabinets.cause[found] != SILENT
    out = list(_proposals("cabinet_fault", park.cabinets.asset, cabinets, found, gone))

    lamps, burners = _lamps(park, state, draw)
    for code, watch, evidence in (
        ("lamp_fault", state.health.lamp_fault, lamps),
        ("day_burner", state.health.day_burner, burners),
    ):
        found, gone = judge(
            watch, evidence, elapsed, settings.lamp_delay_s, settings.found_max - len(out) // 2
        )
        out += _proposals(code, park.lamps.asset, evidence, found, gone)

    for code, watch, asset, silent, delay_s in (
        (
            "lamp_silent",
            state.health.lamp_silent,
            park.lamps.asset,
            _silent_lamps(park, state, table),
            settings.lamp_delay_s,
        ),
        (
            "sensor_silent",
            state.health.sensor_silent,
            park.sensors.asset,
            silent_sensors(park, table),
            settings.sensor_delay_s,
        ),
    ):
        evidence = _silence(silent)
        found, gone = judge(watch, evidence, elapsed, delay_s, settings.found_max - len(out) // 2)
        out += _proposals(code, asset, evidence, found, gone)
    return out


def judge(
    watch: Watch, evidence: Evidence, elapsed_s: float, delay_s: float, at_most: int
) -> tuple[np.ndarray, np.ndarray]:
    """Count how long it has been bad; return the positions where a fault is found and where one is gone.

    At most ``at_most`` of both together a round, so that a storm stays within a step's proposals: the rest
    is said in the next rounds.
    """
    watch.bad_s[evidence.bad] += elapsed_s
    watch.bad_s[evidence.good] = 0.0
    found = np.flatnonzero(evidence.bad & ~watch.found & (watch.bad_s >= delay_s))[: max(at_most, 0)]
    gone = np.flatnonzero(evidence.good & watch.found)[: max(at_most - len(found), 0)]
    watch.found[found] = True
    watch.found[gone] = False
    return found, gone


def silent_sensors(park: Park, table: TableView) -> np.ndarray:
    """bool[sensors]: in service, and nothing was heard of it lately or ever."""
    alive = table.column("presence_sensor.alive")
    out: np.ndarray = park.sensors.row != NONE
    heard = park.sensors.position[alive.asset[alive.valid & ~alive.stale]]
    out[heard] = False
    return out


def _lamp_draw(park: Park, state: State, table: TableView) -> Draw:
    lamps = park.lamps
    measured, utc, fresh = _column(table, "lamp.power", lamps.position, len(lamps))
    expected = energy.power_w(state.schedule.base_pct, lamps.power_w, park.settings.energy.standby_pct)
    # What was sampled before its cabinet came back tells of the outage, not of the lamp.
    returned = np.append(state.health.returned_utc, 0)[lamps.cabinet]
    since = np.maximum(state.schedule.changed_utc[lamps.commune], returned) + _settle_us(park)
    return Draw(measured, utc, fresh & (utc >= since) & lamps.in_service, expected)


def _cabinets(park: Park, state: State, table: TableView, draw: Draw) -> Evidence:
    cabinets, lamps = park.cabinets, park.lamps
    n = len(cabinets)

    def total(weights: np.ndarray) -> np.ndarray:
        return np.bincount(lamps.cabinet, weights, n + 1)[:n]

    lit = draw.expected > 0
    heard = total(draw.fresh & lit)
    dark = total(draw.fresh & lit & (draw.measured < DARK_SHARE * draw.expected))
    fed = total(lamps.in_service)
    enough = heard >= np.minimum(DARK_LAMPS_MIN, np.maximum(fed, 1))
    all_dark = enough & (dark * 100 >= heard * park.settings.faults.dark_share_pct)

    measured, utc, fresh = _column(table, "cabinet.power", cabinets.position, n)
    expected = total(np.where(lit, draw.expected, 0.0))
    settled = fresh & (utc >= state.schedule.changed_utc.max(initial=0) + _settle_us(park))
    unpowered = settled & (expected > 0) & (measured < DARK_SHARE * expected)
    silent = _silent(park, table)

    bad = cabinets.in_service & (silent | unpowered | all_dark)
    # Dawn repairs nothing: what was found dark is good again when it has been seen alight.
    alight = (settled & (expected > 0)) | (enough & (heard > 0))
    good = ~bad & (alight | ~state.health.cabinet_dark | ~cabinets.in_service)
    cause = np.select([silent, unpowered], [SILENT, "unpowered"], "dark")
    return Evidence(bad, good, expected, np.where(fresh, measured, 0.0), cause, fed.astype(np.int64))


def _silent(park: Park, table: TableView) -> np.ndarray:
    """bool[cabinets]: spoke once, and all that it measures has become stale."""
    n = len(park.cabinets)
    spoke, speaks = np.zeros(n, bool), np.zeros(n, bool)
    for metric in ("cabinet.power", "cabinet.energy"):
        column = table.column(metric)
        at = park.cabinets.position[column.asset]
        spoke[at] |= column.valid
        speaks[at] |= column.valid & ~column.stale
    return spoke & ~speaks


def _lamps(park: Park, state: State, draw: Draw) -> tuple[Evidence, Evidence]:
    """Lamps that deviate by night, and lamps that burn by day."""
    settings, lamps = park.settings.faults, park.lamps
    tolerance = np.maximum(lamps.power_w * settings.tolerance_pct / 100, settings.tolerance_w)
    # Presence raises a lamp: too much is judged only where it has long been back on its programme.
    settled = draw.fresh & (draw.utc >= state.health.moved_utc + _settle_us(park))
    low = draw.fresh & (
        draw.measured < draw.expected - np.minimum(tolerance, draw.expected * (1 - DARK_SHARE))
    )
    high = settled & (draw.measured > draw.expected + tolerance)
    replaced = _replaced(park, state)
    deviates, burns = (
        (low | high) & state.schedule.night & ~replaced,
        high & (not state.schedule.night) & ~replaced,
    )
    cause, one = np.broadcast_to("deviates", len(lamps)), np.broadcast_to(1, len(lamps))

    def evidence(bad: np.ndarray, fine: np.ndarray) -> Evidence:
        return Evidence(bad, fine | replaced, draw.expected, draw.measured, cause, one)

    return (
        evidence(deviates, settled & ~deviates & state.schedule.night),
        evidence(burns, settled & ~burns),
    )


def _silent_lamps(park: Park, state: State, table: TableView) -> np.ndarray:
    """bool[lamps]: spoke once and no more, and no fault of its cabinet stands for it."""
    power = table.column("lamp.power")
    out = np.zeros(len(park.lamps), bool)
    out[park.lamps.position[power.asset]] = power.valid & power.stale
    return out & ~_replaced(park, state)


def _replaced(park: Park, state: State) -> np.ndarray:
    """bool[lamps]: one fault stands for all, a lamp without its cabinet is not at fault; nor is a retired one."""
    return np.append(state.health.cabinet_fault.found, False)[park.lamps.cabinet] | ~park.lamps.in_service


def _silence(silent: np.ndarray) -> Evidence:
    n = len(silent)
    nothing = np.broadcast_to(0.0, n)
    return Evidence(silent, ~silent, nothing, nothing, np.broadcast_to(SILENT, n), np.broadcast_to(1, n))


def _proposals(
    code: str, asset: np.ndarray, evidence: Evidence, found: np.ndarray, gone: np.ndarray
) -> Iterator[Raise | Clear | Emit]:
    for i, index in _rows(asset, found):
        data = FaultFound(
            code,
            str(evidence.cause[i]),
            round(float(evidence.expected[i]), 1),
            round(float(evidence.measured[i]), 1),
            int(evidence.affected[i]),
        )
        yield Raise(asset=index, code=code, data={"cause": data.cause, "affected": data.affected})
        yield Emit(kind="lighting.fault.found", data=data, asset=index)
    for _, index in _rows(asset, gone):
        yield Clear(asset=index, code=code)
        yield Emit(kind="lighting.fault.cleared", data=FaultCleared(code), asset=index)


def _rows(asset: np.ndarray, at: np.ndarray) -> Iterable[tuple[int, int]]:
    return zip(at.tolist(), asset[at].tolist(), strict=True)


def _column(
    table: TableView, metric: str, position: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Value f64[n], time i64[n] and freshness bool[n] of a metric, by our own positions."""
    column = table.column(metric)
    at = position[column.asset]
    value, utc, fresh = np.zeros(n), np.zeros(n, np.int64), np.zeros(n, bool)
    value[at], utc[at], fresh[at] = column.value, column.time, column.valid & ~column.stale
    return value, utc, fresh


def _settle_us(park: Park) -> int:
    return int(park.settings.faults.settle_s * 1e6)


def _elapsed_s(state: State, mono: int) -> float:
    before, state.health.examined_mono = state.health.examined_mono, mono
    return min((mono - before) / 1e6, ELAPSED_MAX_S) if 0 <= before <= mono else 0.0
