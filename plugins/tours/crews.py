"""The teams of a city: what each can do, where it is at home, and when it is on duty."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from ondijon import City
from ondijon.streets import Places, StreetMap
from ondijon.travel import drive_seconds

#: A position further than this from every street tells nothing of where one drives (m).
OFF_STREET_M = 250.0

#: Faster than this between two positions, and one of them is wrong (m/s).
JUMP_M_S = 45.0

_SHIFT = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True)
class Crews:
    """Teams [n] in the order of their assets: ``asset`` u32[n], ``home`` their bases, ``shifts`` minutes of the day."""

    city: City
    street_map: StreetMap
    seconds: np.ndarray
    zone: ZoneInfo
    ids: tuple[str, ...]
    asset: np.ndarray
    home: Places
    skills: tuple[frozenset[str], ...]
    shifts: tuple[tuple[int, int], ...]

    def duty(self, team: int, utc: int) -> tuple[int, int]:
        """The shift that runs at ``utc`` or begins next, as µs from and until."""
        begin, end = self.shifts[team]
        local = datetime.datetime.fromtimestamp(utc / 1e6, self.zone)
        for days in (-1, 0, 1, 2):
            day = local.date() + datetime.timedelta(days)
            start = self._instant(day, begin)
            stop = self._instant(day + datetime.timedelta(end <= begin), end)
            if stop > utc:
                return start, stop
        raise AssertionError("a day has a shift")

    def _instant(self, day: datetime.date, minute: int) -> int:
        at = datetime.datetime.combine(day, datetime.time(minute // 60, minute % 60), self.zone)
        return round(at.timestamp() * 1e6)


def build(city: City) -> Crews:
    """What follows from the register. Raises ValueError where a team's shift is none."""
    street_map = StreetMap(city)
    asset = city.assets.of_kind("team")
    kept = city.assets.attributes.get("team", {})
    return Crews(
        city=city,
        street_map=street_map,
        seconds=drive_seconds(city.streets),
        zone=ZoneInfo(city.description.timezone),
        ids=tuple(city.assets.ids[i] for i in asset.tolist()),
        asset=asset,
        home=street_map.nearest(city.assets.lon[asset], city.assets.lat[asset]),
        skills=tuple(frozenset(each) for each in kept.get("skills", ())),
        shifts=tuple(_shift(each) for each in kept.get("shift", ())),
    )


def _shift(text: str) -> tuple[int, int]:
    match = _SHIFT.fullmatch(text)
    if match is None:
        raise ValueError(f"a team's shift is {text!r}, it must be like 07:00-15:00")
    hour, minute, end_hour, end_minute = map(int, match.groups())
    return hour * 60 + minute, end_hour * 60 + end_minute
