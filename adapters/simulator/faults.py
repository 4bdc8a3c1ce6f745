"""What does not work, and when: a function of (seed, asset, city time), the same in every process."""

from __future__ import annotations

import enum
from typing import NamedTuple

import numpy as np

from adapters.simulator.draws import Stream, uniform

DAY_US = 86_400_000_000
MINUTE_US = 60_000_000


class Ailment(enum.IntEnum):
    """What may be wrong with a lamp."""

    NONE = 0
    DARK = 1
    STUCK = 2
    WEAK = 3


#: Of broken lamps: this share is dark though commanded, this one burns day and night; the rest is weak.
_DARK_SHARE, _STUCK_SHARE = 0.6, 0.15


class Kind(NamedTuple):
    """A kind of fault: its number among the streams of draws, and how long it lasts, in minutes."""

    number: int
    shortest_min: float
    longest_min: float


LAMP = Kind(0, 8 * 60, 3 * 1440)
SENSOR = Kind(1, 4 * 60, 3 * 1440)
GATEWAY = Kind(2, 3, 15)
FEEDER = Kind(3, 10, 90)
#: Not a fault: somebody works at a cabinet, with its door open.
VISIT = Kind(4, 5, 60)


class Outages:
    """The outages of things [n], each known by a number that is the same everywhere."""

    def __init__(self, seed: int, kind: Kind, who: np.ndarray, share: float, a_day: float) -> None:
        self._seed, self._kind, self._who, self._a_day = seed, kind, who, a_day
        self._for_good = self._draw(0) < share
        self._day = -1
        self._row = np.empty(0, np.int64)
        self._begin = np.empty(0, np.int64)
        self._end = np.empty(0, np.int64)
        self._valid_until = -1
        self._valid_from = 0
        self._out = self._for_good

    def at(self, utc: int) -> np.ndarray:
        """bool[n]: what is out of order at ``utc`` µs. Do not change it."""
        day = utc // DAY_US
        if day != self._day:
            self._load(day)
        if not self._valid_from <= utc < self._valid_until:
            self._out = self._for_good.copy()
            self._out[self._row[(self._begin <= utc) & (utc < self._end)]] = True
            bounds = np.concatenate([self._begin, self._end, [day * DAY_US, (day + 1) * DAY_US]])
            self._valid_from = int(bounds[bounds <= utc].max())
            self._valid_until = int(bounds[bounds > utc].min())
        return self._out

    def ailments(self) -> np.ndarray:
        """u8[n]: what is wrong with each thing whenever something is, for lamps."""
        draw = self._draw(4)
        return np.select(
            [draw < _DARK_SHARE, draw < _DARK_SHARE + _STUCK_SHARE],
            [Ailment.DARK, Ailment.STUCK],
            Ailment.WEAK,
        ).astype(np.uint8)

    def _load(self, day: int) -> None:
        """Find the outages that touch ``day``: those of the days before may last until now."""
        self._day, self._valid_until = day, -1
        kind = self._kind
        rows, begins, ends = [], [], []
        for each in range(day - int(np.ceil(kind.longest_min / 1440)), day + 1):
            hit = np.flatnonzero(self._draw(1, each) < self._a_day)
            begin = each * DAY_US + (self._draw(2, each)[hit] * DAY_US).astype(np.int64)
            minutes = kind.shortest_min + (kind.longest_min - kind.shortest_min) * self._draw(3, each)[hit]
            rows.append(hit)
            begins.append(begin)
            ends.append(begin + (minutes * MINUTE_US).astype(np.int64))
        self._row, self._begin, self._end = (np.concatenate(each) for each in (rows, begins, ends))

    def _draw(self, purpose: int, day: int = 0) -> np.ndarray:
        return uniform(self._seed, Stream.FAULT + 8 * self._kind.number + purpose, self._who, day)
