"""Presence sensors: who stands or passes within their range, on their own street."""

from __future__ import annotations

import numpy as np

from adapters.simulator.world import World
from core.city import City

#: Streets are cut into cells of this length (m); each cell knows the sensors that reach into it.
CELL_M = 5.0


class Sensors:
    """Sensors [n]: ``edge`` i64 (the number of edges: on no street), ``offset_m``, ``range_m`` f64.

    A sensor speaks when somebody comes into its range, and every ``repeat_ticks`` while somebody is there;
    these beats lie on a fixed grid, so what it says is a function of this tick's world and the last one's.
    """

    def __init__(self, city: City, asset: np.ndarray, range_m: np.ndarray, repeat_ticks: int) -> None:
        edges = city.streets.edges
        self.edge = np.minimum(city.assets.edge[asset], edges).astype(np.int64)
        self.offset_m = city.assets.offset_m[asset].astype(np.float64)
        self.range_m = range_m
        self._repeat_ticks = repeat_ticks
        self._stagger = asset.astype(np.int64) % repeat_ticks
        self._cells = _Cells(city.streets.edge_length_m.astype(np.float64), self.edge, self.offset_m, range_m)
        self._was = np.zeros(len(asset), bool)

    def look(self, world: World) -> np.ndarray:
        """bool[n]: somebody is within range now."""
        seen = np.zeros(len(self.edge), bool)
        who = np.flatnonzero(self._cells.lit[world.edge])
        if not len(who):
            return seen
        edge, offset = world.edge[who], world.offsets(who)
        cell = self._cells.of(edge, offset)
        count = self._cells.count[cell]
        near = np.flatnonzero(count)
        offset, first, count = offset[near], self._cells.start[cell[near]], count[near]
        for i in range(int(count.max(initial=0))):
            more = count > i
            sensor = self._cells.sensor[first[more] + i]
            within = np.abs(self.offset_m[sensor] - offset[more]) <= self.range_m[sensor]
            seen[sensor[within]] = True
        return seen

    def detect(self, world: World) -> np.ndarray:
        """Positions of the sensors that speak at the world's tick; call it at every tick."""
        seen = self.look(world)
        beat = (world.tick + self._stagger) % self._repeat_ticks == 0
        speaks = seen & (beat | ~self._was)
        self._was = seen
        return np.flatnonzero(speaks)


class _Cells:
    """``start`` i64, ``count`` i64 [cells] into ``sensor``; ``lit`` bool[edges + 1]: the edge has sensors."""

    def __init__(
        self, length_m: np.ndarray, edge: np.ndarray, offset_m: np.ndarray, range_m: np.ndarray
    ) -> None:
        cells = np.floor(length_m / CELL_M).astype(np.int64) + 1
        self._first = np.concatenate([[0], np.cumsum(cells)])
        self._last = np.append(cells - 1, 0)
        placed = np.flatnonzero(edge < len(length_m))
        on = edge[placed]
        low = self.of(on, np.maximum(offset_m[placed] - range_m[placed], 0.0))
        high = self.of(on, offset_m[placed] + range_m[placed])
        reach = high - low + 1
        sensor = np.repeat(placed, reach)
        cell = np.repeat(low - np.cumsum(reach) + reach, reach) + np.arange(int(reach.sum()))
        self.sensor = sensor[np.argsort(cell, kind="stable")]
        self.count = np.bincount(cell, minlength=int(self._first[-1]) + 1)
        self.start = np.cumsum(self.count) - self.count
        self.lit = np.zeros(len(length_m) + 1, bool)
        self.lit[on] = True

    def of(self, edge: np.ndarray, offset_m: np.ndarray) -> np.ndarray:
        """The cell of each place."""
        return self._first[edge] + np.minimum((offset_m / CELL_M).astype(np.int64), self._last[edge])
