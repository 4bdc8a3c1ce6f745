"""The programme in the lamps: what they do from dusk to dawn without the centre.

The rules are those of the lighting trade, written once more: this is the device's side, and it must stay
right when the centre's is wrong.
"""

from __future__ import annotations

import bisect
import datetime
import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple
from zoneinfo import ZoneInfo

import astral
import astral.sun
import numpy as np

from adapters.simulator.settings import Calendar, Delivered, Floors, Settings
from core.city import City
from core.errors import CityError, ConfigError

SECOND = 1_000_000

#: Dark lamps, by day: neither lit nor put out.
BY_DAY = -1

#: Lamps' own clocks differ by up to so many seconds.
CLOCKS_S = 4

#: Maintained average of each class of EN 13201-2:2015, cd/m² or lx.
MAINTAINED: Mapping[str, float] = MappingProxyType(
    {
        "M1": 2.0,
        "M2": 1.5,
        "M3": 1.0,
        "M4": 0.75,
        "M5": 0.5,
        "M6": 0.3,
        "C0": 50.0,
        "C1": 30.0,
        "C2": 20.0,
        "C3": 15.0,
        "C4": 10.0,
        "C5": 7.5,
        "P1": 15.0,
        "P2": 10.0,
        "P3": 7.5,
        "P4": 5.0,
        "P5": 3.0,
        "P6": 2.0,
    }
)


class Night(NamedTuple):
    """Levels of one calendar from noon to noon: ``level[i]`` from ``since[i]`` µs UTC; BY_DAY is day."""

    since: list[int]
    level: list[int]

    def at(self, utc: int) -> int:
        """The level (%) at ``utc`` µs."""
        return self.level[max(bisect.bisect_right(self.since, utc) - 1, 0)]


class Programme:
    """What each lamp does by itself. Lamps [n] are given as asset indexes."""

    def __init__(self, city: City, settings: Settings, lamps: np.ndarray, clock: np.ndarray) -> None:
        """``clock`` f64[n] in [0, 1) is how far each lamp's clock is behind, in CLOCKS_S."""
        self._zone = ZoneInfo(city.description.timezone)
        lon, lat = city.centre
        self._observer = astral.Observer(lat, lon)
        self._depression = settings.depression_deg
        self._calendars: list[Calendar] = list(settings.calendars)
        self._delivered = _calendar_of(city, settings.calendars)[
            np.minimum(city.assets.commune[lamps], len(city.communes.names))
        ]
        self._calendar = self._delivered.copy()
        self._deliverable = len(settings.calendars)
        self._late_s = (clock * (CLOCKS_S + 1)).astype(np.int64)
        conflict = _of_lamps(city, "conflict", lamps).astype(bool)
        self._conflict = conflict
        self._floor = _floors(_of_lamps(city, "lighting_class", lamps), conflict, settings.floors)
        self._noon: datetime.date | None = None
        self._nights: list[Night] = []
        self._second = -1
        self._table: list[list[int]] = []
        self._level = np.zeros(len(lamps))

    def hold(self, lamps: np.ndarray, calendars: Sequence[tuple[np.ndarray, Calendar]]) -> None:
        """``lamps`` i64[k] hold the calendar that names them last, from now on; else what they were delivered with."""
        self._calendar[lamps] = self._delivered[lamps]
        for of, calendar in calendars:
            if calendar not in self._calendars:
                self._calendars.append(calendar)
            self._calendar[of] = self._calendars.index(calendar)
        # Those that nobody holds any more are forgotten, but for those that a lamp may go back to.
        used = np.union1d(np.arange(self._deliverable), self._calendar)
        self._calendars = [self._calendars[i] for i in used.tolist()]
        self._calendar = np.searchsorted(used, self._calendar)
        self._noon, self._second, self._table = None, -1, []

    def at(self, utc: int) -> np.ndarray:
        """f64[n]: the level (%) of each lamp at ``utc`` µs of city time. Do not change it."""
        second = utc // SECOND
        if second != self._second:
            self._second = second
            table = [
                [night.at((second - late) * SECOND) for late in range(CLOCKS_S + 1)]
                for night in self._tonight(second)
            ]
            if table != self._table:
                self._table = table
                self._level = self._levels(np.array(table))
        return self._level

    def _levels(self, table: np.ndarray) -> np.ndarray:
        level = table[self._calendar, self._late_s]
        floor = np.where((level == 0) & ~self._conflict, 0, self._floor)
        return np.where(level == BY_DAY, 0, np.maximum(level, floor)).astype(np.float64)

    def _tonight(self, second: int) -> list[Night]:
        local = datetime.datetime.fromtimestamp(second, self._zone)
        day = local.date() if local.hour >= 12 else local.date() - datetime.timedelta(days=1)
        if day != self._noon:
            self._noon = day
            dusk, dawn = self._dark(day)
            self._nights = [_night(calendar, day, dusk, dawn, self._zone) for calendar in self._calendars]
        return self._nights

    def _dark(self, day: datetime.date) -> tuple[int, int]:
        """Dusk and dawn in µs UTC; beyond the polar circles the whole night or nothing of it."""
        morning = day + datetime.timedelta(days=1)
        try:
            dusk = astral.sun.dusk(self._observer, day, self._depression, self._zone)
            dawn = astral.sun.dawn(self._observer, morning, self._depression, self._zone)
            return _micros(dusk), _micros(dawn)
        except ValueError:
            noon = datetime.datetime.combine(day, datetime.time(12), self._zone)
            midnight = noon + datetime.timedelta(hours=12)
            dark = astral.sun.elevation(self._observer, midnight) < -self._depression
            return _micros(noon), _micros(noon + datetime.timedelta(days=dark))


def _night(calendar: Calendar, day: datetime.date, dusk: int, dawn: int, zone: ZoneInfo) -> Night:
    spans = [
        (_instant(day, rule.start, zone), _instant(day, rule.end, zone), rule.level_pct)
        for rule in calendar.rules
    ]
    bounds = sorted({dusk} | {at for start, end, _ in spans for at in (start, end) if dusk <= at < dawn})
    levels = [
        min((level for start, end, level in spans if start <= at < end), default=calendar.level_pct)
        for at in bounds
    ]
    if dusk >= dawn:
        return Night([0], [BY_DAY])
    return Night([0, *bounds, dawn], [BY_DAY, *levels, BY_DAY])


def _instant(day: datetime.date, clock: str, zone: ZoneInfo) -> int:
    time = datetime.time.fromisoformat(clock)
    return _micros(datetime.datetime.combine(day + datetime.timedelta(days=time.hour < 12), time, zone))


def _micros(at: datetime.datetime) -> int:
    return int(at.timestamp()) * SECOND


def _calendar_of(city: City, calendars: Sequence[Delivered]) -> np.ndarray:
    """i64[communes + 1]: the calendar of each commune, and of what lies in none. Raises ConfigError."""
    names = city.communes.names
    out = np.full(len(names) + 1, next(i for i, each in enumerate(calendars) if not each.communes))
    for i, each in enumerate(calendars):
        for name in each.communes:
            if name not in names:
                raise ConfigError(
                    f"a calendar names the commune {name!r}.",
                    where="[adapters.simulator]",
                    next=f"The city has {', '.join(names)}.",
                )
            out[names.index(name)] = i
    return out


def _floors(installed: np.ndarray, conflict: np.ndarray, floors: Floors) -> np.ndarray:
    """i64[n]: the level (%) below which a lamp leaves the lowest class that its street accepts."""
    known = {
        (name, is_conflict): _floor(name, is_conflict, floors)
        for name, is_conflict in set(zip(installed.tolist(), conflict.tolist(), strict=True))
    }
    return np.array(
        [known[pair] for pair in zip(installed.tolist(), conflict.tolist(), strict=True)], np.int64
    )


def _floor(installed: str, conflict: bool, floors: Floors) -> int:
    if installed not in MAINTAINED:
        raise CityError(
            f"there is no lighting class {installed!r}.",
            where="lamp",
            next="EN 13201-2 has M1-M6, C0-C5, P1-P6.",
        )
    family = [name for name in MAINTAINED if name[0] == installed[0]]
    down = floors.classes_down_conflict if conflict else floors.classes_down
    lowest = family[min(family.index(installed) + down, len(family) - 1)]
    if not conflict:
        lowest = floors.lowest.get(installed, lowest)
    return math.ceil(100 * MAINTAINED[lowest] / MAINTAINED[installed])


def _of_lamps(city: City, name: str, lamps: np.ndarray) -> np.ndarray:
    """An attribute of the given lamps."""
    if not len(lamps):
        return np.empty(0, object)
    return city.assets.attribute("lamp", name)[np.searchsorted(city.assets.of_kind("lamp"), lamps)]
