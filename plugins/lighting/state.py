"""All that evolves in this trade. The kernel keeps it, stores it, and puts it back when a hook fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from plugins.lighting.park import Park
from plugins.lighting.settings import Calendar


class Watch(msgspec.Struct):
    """Conditions that must last: ``bad_s`` f64[n] how long they did, ``found`` bool[n] they are faults."""

    bad_s: np.ndarray
    found: np.ndarray


class Schedule(msgspec.Struct):
    """What devices do by themselves. ``night``: it is dark.

    ``approved``: the calendars that persons set since the devices were delivered, by commune ("": all without one of
    their own); ``year_kwh`` is what those in force mean over a year. ``level_pct`` i16[communes + 1] (-1 by day)
    changed at ``changed_utc`` i64[communes + 1] µs; ``base_pct`` u8[lamps] is their programme's level, ``keep_pct``
    u8[lamps] what the silence of their sensors asks for.
    """

    approved: dict[str, Calendar]
    year_kwh: float
    night: bool
    level_pct: np.ndarray
    changed_utc: np.ndarray
    base_pct: np.ndarray
    keep_pct: np.ndarray


class People(msgspec.Struct):
    """Who was seen and which lamps were raised. The arrays [lamps] are those of ``ondijon.dimming``.

    ``want`` u8 % asked for, as long as ``hold`` i16 (0.1 s) lasts; ``leased`` u8 % held by the device, as long
    as ``lease`` i16 (0.1 s) lasts; ``level`` i16 (1/256 %) where the lamp is thought to be now.
    ``seen_utc`` µs of the oldest sample not yet answered (0: none); ``ticked_ds`` mono of the last pass in
    tenths of a second (-1: none); the others count since the ledger was opened.
    """

    want: np.ndarray
    hold: np.ndarray
    leased: np.ndarray
    lease: np.ndarray
    level: np.ndarray
    seen_utc: int
    ticked_ds: int
    sightings: int
    commands: int
    leases: int


class Wish(msgspec.Struct, frozen=True):
    """Light that another trade wants: ``level_pct`` at least, within ``radius_m`` metres, until ``until`` (mono µs)."""

    x: float
    y: float
    radius_m: float
    level_pct: int
    until: int


class Health(msgspec.Struct):
    """What is being watched. ``moved_utc`` i64[lamps] µs: when a lamp was last off its programme's level.

    ``returned_utc`` i64[cabinets] µs: when a cabinet's fault was over; ``cabinet_dark`` bool[cabinets]: it
    was found by darkness, not by silence. One Watch a kind; ``examined_mono`` µs of the last look (-1: none).
    """

    moved_utc: np.ndarray
    returned_utc: np.ndarray
    cabinet_dark: np.ndarray
    lamp_fault: Watch
    day_burner: Watch
    cabinet_fault: Watch
    lamp_silent: Watch
    sensor_silent: Watch
    examined_mono: int


class Ledger(msgspec.Struct):
    """Energy. ``account_kwh`` f64[4, cabinets + 1], rows as in ``energy.Account``, last column: no cabinet.

    ``read_kwh`` f64[4, cabinets]: the accounts when each meter was last read; ``matched_kwh`` likewise: what
    they grew by between readings, and ``metered_kwh`` f64[cabinets] what the meters did. ``register_kwh``
    f64[cabinets] (-1: not read yet) was read at ``read_utc`` i64[cabinets] µs. ``accrued_mono`` µs of the
    last booking (-1: none), ``accrued_s`` seconds booked, ``meter_restarts`` how often a register jumped.
    """

    account_kwh: np.ndarray
    read_kwh: np.ndarray
    matched_kwh: np.ndarray
    metered_kwh: np.ndarray
    register_kwh: np.ndarray
    read_utc: np.ndarray
    accrued_mono: int
    accrued_s: float
    meter_restarts: int


class State(msgspec.Struct):
    """All of it, a room for each concern."""

    schedule: Schedule
    people: People
    health: Health
    ledger: Ledger
    #: By the seq of the request, as text.
    wishes: dict[str, Wish] = {}


def fresh(park: Park) -> State:
    """The state before the first step: day, no lease, an empty ledger."""
    lamps, cabinets = len(park.lamps), len(park.cabinets)
    communes = len(park.delivered)
    return State(
        Schedule(
            approved={},
            year_kwh=0.0,
            night=False,
            level_pct=np.full(communes, -1, np.int16),
            changed_utc=np.zeros(communes, np.int64),
            base_pct=np.zeros(lamps, np.uint8),
            keep_pct=np.zeros(lamps, np.uint8),
        ),
        People(
            want=np.zeros(lamps, np.uint8),
            hold=np.zeros(lamps, np.int16),
            leased=np.zeros(lamps, np.uint8),
            lease=np.zeros(lamps, np.int16),
            level=np.zeros(lamps, np.int16),
            seen_utc=0,
            ticked_ds=-1,
            sightings=0,
            commands=0,
            leases=0,
        ),
        Health(
            moved_utc=np.zeros(lamps, np.int64),
            returned_utc=np.zeros(cabinets, np.int64),
            cabinet_dark=np.zeros(cabinets, bool),
            lamp_fault=_watch(lamps),
            day_burner=_watch(lamps),
            cabinet_fault=_watch(cabinets),
            lamp_silent=_watch(lamps),
            sensor_silent=_watch(len(park.sensors)),
            examined_mono=-1,
        ),
        Ledger(
            account_kwh=np.zeros((4, cabinets + 1)),
            read_kwh=np.zeros((4, cabinets)),
            matched_kwh=np.zeros((4, cabinets)),
            metered_kwh=np.zeros(cabinets),
            register_kwh=np.full(cabinets, -1.0),
            read_utc=np.zeros(cabinets, np.int64),
            accrued_mono=-1,
            accrued_s=0.0,
            meter_restarts=0,
        ),
    )


def fitted(state: State, park: Park) -> State:
    """The state made as long as ``park``: new assets stand behind the old ones of their kind.

    The same object where it fits already. Raises ValueError if it belongs to a larger city.
    """
    wanted = fresh(park)
    if _shapes(state) == _shapes(wanted):
        return state
    lamps, cabinets = len(state.schedule.base_pct), len(state.health.returned_utc)
    if lamps > len(park.lamps) or cabinets > len(park.cabinets):
        raise ValueError("the stored state has more lamps or cabinets than the city: is it another city's?")
    _fill(wanted, state)
    if cabinets != len(park.cabinets):
        # Lamps without cabinet are booked behind the last one, which is another one now.
        new, old = wanted.ledger.account_kwh, state.ledger.account_kwh
        new[:, cabinets] = 0.0
        new[:, -1] = old[:, -1]
    if len(state.schedule.level_pct) != len(wanted.schedule.level_pct):
        # Other communes: the next tick finds out what their calendars say.
        wanted.schedule.level_pct[:] = -1
        wanted.schedule.changed_utc[:] = 0
    return wanted


def migrated(state: Mapping[str, Any], version: int) -> dict[str, Any]:
    """The fields of today's state from those of ``version`` 1, which kept a level for each calendar of the settings."""
    schedule = {
        **state["schedule"],
        "approved": {},
        "year_kwh": 0.0,
        # Of no commune yet: `fitted` makes room, and the next tick finds out.
        "level_pct": np.empty(0, np.int16),
        "changed_utc": np.empty(0, np.int64),
    }
    return {**state, "schedule": schedule}


def _watch(n: int) -> Watch:
    return Watch(np.zeros(n), np.zeros(n, bool))


def _shapes(struct: msgspec.Struct) -> list[object]:
    values = (getattr(struct, name) for name in struct.__struct_fields__)
    return [_shapes(v) if isinstance(v, msgspec.Struct) else getattr(v, "shape", None) for v in values]


def _fill(new: msgspec.Struct, old: msgspec.Struct) -> None:
    """Copy every field of ``old`` into ``new``; of arrays, the part that both have."""
    for name in new.__struct_fields__:
        value, room = getattr(old, name), getattr(new, name)
        if isinstance(value, msgspec.Struct):
            _fill(room, value)
        elif isinstance(value, np.ndarray):
            both = tuple(slice(min(a, b)) for a, b in zip(value.shape, room.shape, strict=True))
            room[both] = value[both]
        else:
            setattr(new, name, value)
