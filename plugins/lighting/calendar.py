"""What a calendar means, night by night: what each lamp does by itself from dusk to dawn, in µs UTC.

Rules speak local time and machines UTC. On two nights a year local times are missing or come twice; all
conversions go through ``instant``, which never goes back: no rule is lost, lasts an hour too long, or
begins again.
"""

from __future__ import annotations

import bisect
import datetime
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import astral
import astral.sun

from plugins.lighting.settings import Calendar, after_noon

SECOND = 1_000_000


class Place(NamedTuple):
    """Where the sun sets: degrees, the city's time zone, and how far below the horizon dusk is (degrees)."""

    lon: float
    lat: float
    zone: ZoneInfo
    depression_deg: float


class Night(NamedTuple):
    """One night: the local day it begins on, and dusk and dawn in µs UTC (equal: it does not get dark)."""

    day: datetime.date
    dusk: int
    dawn: int

    def holds(self, utc: int) -> bool:
        """Whether it is dark at ``utc`` µs."""
        return self.dusk <= utc < self.dawn


class Programme(NamedTuple):
    """Levels through one night: ``level_pct[i]`` from ``since[i]`` (µs UTC) to the next, the last to dawn."""

    night: Night
    since: tuple[int, ...]
    level_pct: tuple[int, ...]

    def level_at(self, utc: int) -> int | None:
        """The level (%) at ``utc`` µs; None by day."""
        if not self.night.holds(utc):
            return None
        return self.level_pct[bisect.bisect_right(self.since, utc) - 1]

    def hours(self) -> dict[int, float]:
        """How many hours of the night each level lasts."""
        out: dict[int, float] = {}
        for since, until, level in zip(
            self.since, (*self.since[1:], self.night.dawn), self.level_pct, strict=True
        ):
            out[level] = out.get(level, 0.0) + (until - since) / SECOND / 3600
        return out


def night_at(utc: int, place: Place) -> Night:
    """The night that the instant ``utc`` µs belongs to, from local noon to local noon."""
    local = datetime.datetime.fromtimestamp(utc // SECOND, place.zone)
    return night_of(local.date() if local.hour >= 12 else local.date() - datetime.timedelta(days=1), place)


@lru_cache(maxsize=64)
def night_of(day: datetime.date, place: Place) -> Night:
    """The night that begins on ``day``."""
    try:
        dusk = astral.sun.dusk(_observer(place), day, place.depression_deg, place.zone)
        dawn = astral.sun.dawn(
            _observer(place), day + datetime.timedelta(days=1), place.depression_deg, place.zone
        )
    except ValueError:
        return _polar(day, place)
    return Night(day, _micros(dusk), _micros(dawn))


def programme(calendar: Calendar, night: Night, zone: ZoneInfo) -> Programme:
    """What ``calendar`` means in this night. Where rules overlap, the lowest level holds."""
    if night.dusk >= night.dawn:
        return Programme(night, (), ())
    spans = [
        (_in_night(rule.start, night.day, zone), _in_night(rule.end, night.day, zone), rule.level_pct)
        for rule in calendar.rules
    ]
    bounds = {night.dusk} | {at for start, end, _ in spans for at in (start, end) if night.holds(at)}
    since: list[int] = []
    levels: list[int] = []
    for at in sorted(bounds):
        level = min((level for start, end, level in spans if start <= at < end), default=calendar.level_pct)
        if not levels or level != levels[-1]:
            since.append(at)
            levels.append(level)
    return Programme(night, tuple(since), tuple(levels))


def instant(day: datetime.date, clock: str, zone: ZoneInfo) -> int:
    """The µs UTC at which clocks show ``clock`` on ``day``; it never decreases from one time to a later one.

    A time that comes twice is taken the first time. One that is skipped is taken when it is skipped.
    """
    local = datetime.datetime.combine(day, datetime.time.fromisoformat(clock), zone)
    first, second = _micros(local), _micros(local.replace(fold=1))
    if first <= second:
        return first
    # Skipped: the two readings lie on both sides of the change, which is found by halving.
    before = zone.utcoffset(local)
    while first - second > SECOND:
        middle = (first + second) // 2 // SECOND * SECOND
        shown = datetime.datetime.fromtimestamp(middle // SECOND, zone).utcoffset()
        first, second = (first, middle) if shown == before else (middle, second)
    return first


def year_nights(place: Place, year: int) -> tuple[Night, ...]:
    """The nights of the 15th of each month: they stand for all 365 (within 0.5 %)."""
    return tuple(night_of(datetime.date(year, month, 15), place) for month in range(1, 13))


def year_hours(calendar: Calendar, nights: Sequence[Night], zone: ZoneInfo) -> dict[int, float]:
    """Hours a year at each level (%), where ``nights`` stand for all."""
    out: dict[int, float] = {}
    for night in nights:
        for level, hours in programme(calendar, night, zone).hours().items():
            out[level] = out.get(level, 0.0) + hours * 365 / len(nights)
    return out


def _in_night(clock: str, day: datetime.date, zone: ZoneInfo) -> int:
    past_midnight = after_noon(clock) >= 12 * 60
    return instant(day + datetime.timedelta(days=past_midnight), clock, zone)


def _polar(day: datetime.date, place: Place) -> Night:
    """Beyond the polar circles: all dark or not at all, judged by the sun at midnight."""
    noon, next_noon = (instant(day + datetime.timedelta(days=i), "12:00", place.zone) for i in (0, 1))
    midnight = datetime.datetime.fromtimestamp((noon + next_noon) // 2 // SECOND, datetime.UTC)
    dark = astral.sun.elevation(_observer(place), midnight) < -place.depression_deg
    return Night(day, noon, next_noon if dark else noon)


def _observer(place: Place) -> astral.Observer:
    return astral.Observer(place.lat, place.lon)


def _micros(at: datetime.datetime) -> int:
    return int(at.timestamp()) * SECOND
