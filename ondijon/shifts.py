"""Shifts: when teams and units are on duty, as local times of each day."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from zoneinfo import ZoneInfo

#: How a shift is written: ``07:00-15:00``; one that ends before it begins runs over midnight.
PATTERN = r"^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)$"


class Shifts:
    """The shifts of several, by position. Raises ValueError for one that is not written as PATTERN says."""

    def __init__(self, texts: Sequence[str], zone: ZoneInfo) -> None:
        self._zone = zone
        self._minutes = [_minutes(text) for text in texts]

    def duty(self, i: int, utc: int) -> tuple[int, int]:
        """The shift that runs at ``utc`` or begins next, as µs from and until. The clock changes with the zone's."""
        begin, end = self._minutes[i]
        local = datetime.datetime.fromtimestamp(utc / 1e6, self._zone)
        for days in (-1, 0, 1, 2):
            day = local.date() + datetime.timedelta(days)
            stop = self._instant(day + datetime.timedelta(end <= begin), end)
            if stop > utc:
                return self._instant(day, begin), stop
        raise AssertionError("each day has a shift")

    def on_duty(self, i: int, utc: int) -> bool:
        """Whether the shift runs at ``utc`` µs."""
        return self.duty(i, utc)[0] <= utc

    def _instant(self, day: datetime.date, minute: int) -> int:
        at = datetime.datetime.combine(day, datetime.time(minute // 60, minute % 60), self._zone)
        return round(at.timestamp() * 1e6)


def _minutes(text: str) -> tuple[int, int]:
    match = re.fullmatch(PATTERN, text)
    if match is None:
        raise ValueError(f"a shift is {text!r}, it must be like 07:00-15:00")
    hour, minute, end_hour, end_minute = map(int, match.groups())
    return hour * 60 + minute, end_hour * 60 + end_minute
