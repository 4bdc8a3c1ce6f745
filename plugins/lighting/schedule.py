"""Follows the programmes: which calendar is in force where, and what each lamp does by itself at this instant."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from ondijon import Emit, Now
from plugins.lighting import calendar, energy
from plugins.lighting.park import Park
from plugins.lighting.settings import Calendar
from plugins.lighting.state import State
from plugins.lighting.vocabulary import CalendarChanged, ProgrammeChanged

#: The kind of programme that a calendar is.
CALENDAR = "lighting.calendar"

#: The level of a calendar by day: neither lit nor put out.
BY_DAY = -1


def in_force(park: Park, state: State) -> list[Calendar]:
    """[communes + 1]: the calendar of each commune and of what lies in none.

    What persons approved for it, else for all others, else what its devices were delivered with.
    """
    approved = state.schedule.approved
    others = approved.get("")
    return [
        approved.get(name) or others or delivered
        for name, delivered in zip((*park.communes, ""), park.delivered, strict=True)
    ]


def approve(park: Park, state: State, changed: Sequence[ProgrammeChanged]) -> None:
    """Take the calendars that persons have set; ``follow`` finds out what they say."""
    for each in changed:
        if each.kind == CALENDAR:
            state.schedule.approved[each.zone] = msgspec.convert(each.content, Calendar)
    reckon(park, state)


def reckon(park: Park, state: State) -> None:
    """Work out what the calendars in force mean over a year."""
    state.schedule.year_kwh = energy.calendar_kwh(park, in_force(park, state))


def follow(park: Park, state: State, now: Now) -> list[Emit]:
    """Bring ``state`` to the programmes' levels at ``now.utc``; say which communes changed to which level."""
    night = calendar.night_at(now.utc, park.place)
    calendars = in_force(park, state)
    levels = {
        each: calendar.programme(each, night, park.place.zone).level_at(now.utc)
        for each in dict.fromkeys(calendars)
    }
    new = np.array([_or_day(levels[each]) for each in calendars], np.int16)
    changed = np.flatnonzero(new != state.schedule.level_pct)
    if not len(changed):
        return []
    dark = night.holds(now.utc)
    first = not state.schedule.changed_utc.any()
    state.schedule.night = dark
    state.schedule.level_pct[:] = new
    state.schedule.changed_utc[changed] = now.utc
    before = state.schedule.base_pct.copy()
    state.schedule.base_pct[:] = base_pct(park, new)
    state.health.moved_utc[state.schedule.base_pct != before] = now.utc
    if first:
        # The post starts, the lamps do not: they have been on their programme all along.
        state.people.level[:] = state.schedule.base_pct.astype(np.int16) * 256
    if not dark:
        # Nobody is followed with light by day: what was asked for ends with the night.
        state.people.hold[:] = 0
        state.schedule.keep_pct[:] = 0
    return _told(park, new, changed, dark)


def _told(park: Park, level_pct: np.ndarray, changed: np.ndarray, dark: bool) -> list[Emit]:
    lit = changed[np.isin(changed, park.lamps.commune)]
    return [
        Emit(
            kind="lighting.calendar.changed",
            data=CalendarChanged(
                [park.communes[i] for i in lit[level_pct[lit] == level].tolist() if i < len(park.communes)],
                max(level, 0),
                dark,
            ),
        )
        for level in dict.fromkeys(level_pct[lit].tolist())
    ]


def _or_day(level: int | None) -> int:
    return BY_DAY if level is None else level


def base_pct(park: Park, level_pct: np.ndarray) -> np.ndarray:
    """u8[lamps]: what each lamp does by itself where its commune's calendar says ``level_pct`` i16[communes + 1]."""
    lamps = park.lamps
    level = level_pct[lamps.commune]
    return np.where((level == BY_DAY) | ~lamps.in_service, 0, lamps.held_pct(level)).astype(np.uint8)
