"""Follows the programmes: what each lamp does by itself at this instant."""

from __future__ import annotations

import numpy as np

from ondijon import Emit, Now
from plugins.lighting import calendar
from plugins.lighting.park import Park
from plugins.lighting.state import State
from plugins.lighting.vocabulary import CalendarChanged

#: The level of a calendar by day: neither lit nor put out.
BY_DAY = -1


def follow(park: Park, state: State, now: Now) -> list[Emit]:
    """Bring ``state`` to the programmes' levels at ``now.utc``; say which calendars changed."""
    night = calendar.night_at(now.utc, park.place)
    levels = [
        calendar.programme(each, night, park.place.zone).level_at(now.utc) for each in park.settings.calendars
    ]
    new = np.array([BY_DAY if level is None else level for level in levels], np.int16)
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
    return [
        Emit(
            kind="lighting.calendar.changed",
            data=CalendarChanged(list(park.settings.calendars[i].communes), max(int(new[i]), 0), dark),
        )
        for i in changed.tolist()
    ]


def base_pct(park: Park, level_pct: np.ndarray) -> np.ndarray:
    """u8[lamps]: what each lamp does by itself where its calendar says ``level_pct`` i16[calendars]."""
    lamps = park.lamps
    level = level_pct[lamps.calendar]
    return np.where((level == BY_DAY) | ~lamps.in_service, 0, lamps.held_pct(level)).astype(np.uint8)
