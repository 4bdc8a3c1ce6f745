"""Times along the streets between many places at once: who is nearest by road, and in which order to go round.

The search itself is scipy's Dijkstra; here is what leads from places on streets to the nodes that it knows.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.sparse import csr_array  # type: ignore[import-untyped]
from scipy.sparse.csgraph import dijkstra  # type: ignore[import-untyped]

from core.assets import NONE
from core.city import STREET_CLASSES, Streets
from ondijon.streets import Places

#: What a service vehicle makes of each street class by day, stops and turns included (km/h) [K: usual, not measured].
SPEED_KMH = {"structuring": 42.0, "distributor": 32.0, "collector": 27.0, "local": 19.0, "path": 8.0}

#: Sources searched at once: bounds the memory, whatever the city and however many places.
_SOURCES = 256


def drive_seconds(streets: Streets) -> np.ndarray:
    """Seconds that each street takes to drive, f64[edges]."""
    pace = np.array([SPEED_KMH[name] / 3.6 for name in STREET_CLASSES])
    seconds: np.ndarray = streets.edge_length_m.astype(np.float64) / pace[streets.edge_class]
    return seconds


class Travel:
    """What it costs to go from places to places, where each edge costs ``cost`` f64[edges] >= 0 (inf: closed)."""

    def __init__(self, streets: Streets, cost: np.ndarray) -> None:
        cost = np.asarray(cost, np.float64)
        if cost.shape != (streets.edges,) or not np.all(cost >= 0):
            raise ValueError("an edge has a negative cost or none: give each a cost >= 0, inf to close it")
        self._streets, self._cost = streets, cost
        self._length = np.maximum(streets.edge_length_m.astype(np.float64), 1e-9)
        self._graph = _graph(streets, cost)

    def table(self, start: Places, goal: Places) -> np.ndarray:
        """The cost of the cheapest way from each start to each goal, f64[starts, goals]; inf where there is none.

        One-way rules are obeyed. A place without a street (edge NONE) is not reached and reaches nothing.
        """
        out_node, out_cost = self._ends(start, leaving=True)
        in_node, in_cost = self._ends(goal, leaving=False)
        sources, source = np.unique(out_node, return_inverse=True)
        targets, target = np.unique(in_node, return_inverse=True)
        between = self._between(sources, targets)
        best = np.full((len(start.edge), len(goal.edge)), math.inf)
        for a in range(2):
            for b in range(2):
                way = between[np.ix_(source.reshape(2, -1)[a], target.reshape(2, -1)[b])]
                np.minimum(best, out_cost[a][:, None] + way + in_cost[b][None, :], out=best)
        np.minimum(best, self._along(start, goal), out=best)
        return best

    def _ends(self, places: Places, leaving: bool) -> tuple[np.ndarray, np.ndarray]:
        """The node at either end of each place's street i64[2, n], and what it costs to get there or from there."""
        streets, known = self._streets, places.edge != NONE
        if not streets.edges:
            return np.zeros((2, len(known)), np.int64), np.full((2, len(known)), math.inf)
        edge = np.where(known, places.edge, 0).astype(np.int64)
        share = np.clip(places.offset_m / self._length[edge], 0.0, 1.0)
        oneway = streets.edge_oneway[edge]
        # To the `from` end one drives backward when leaving, and forward when arriving from there.
        to_from, to_to = (oneway <= 0, oneway >= 0) if leaving else (oneway >= 0, oneway <= 0)
        node = np.stack([streets.edge_from[edge], streets.edge_to[edge]]).astype(np.int64)
        cost = np.stack([_part(self._cost[edge], share), _part(self._cost[edge], 1.0 - share)])
        return node, np.where(np.stack([to_from, to_to]) & known, cost, math.inf)

    def _between(self, sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
        found = np.empty((len(sources), len(targets)))
        if not self._streets.nodes:
            return found
        for first in range(0, len(sources), _SOURCES):
            rows = slice(first, first + _SOURCES)
            found[rows] = dijkstra(self._graph, indices=sources[rows])[:, targets]
        return found

    def _along(self, start: Places, goal: Places) -> np.ndarray:
        """The cost of going along the one street that both stand on; inf for all others."""
        a, b = start.edge[:, None], goal.edge[None, :]
        same = (a == b) & (a != NONE)
        if not same.any():
            return np.full(same.shape, math.inf)
        edge = np.where(same, a, 0).astype(np.int64)
        moved = goal.offset_m[None, :] - start.offset_m[:, None]
        oneway = self._streets.edge_oneway[edge]
        allowed = same & (((moved >= 0) & (oneway >= 0)) | ((moved <= 0) & (oneway <= 0)))
        along = _part(self._cost[edge], np.clip(np.abs(moved) / self._length[edge], 0.0, 1.0))
        return np.where(allowed, along, math.inf)


def _part(cost: np.ndarray, share: np.ndarray) -> np.ndarray:
    """The cost of a share of an edge. Of a closed one none at all is free: one may stand at its end."""
    part: np.ndarray = np.multiply(cost, share, out=np.zeros(cost.shape), where=share > 0)
    return part


def _graph(streets: Streets, cost: np.ndarray) -> csr_array:
    """The arcs as a sparse matrix; of parallel ones the cheapest, and none that is closed."""
    first_arc = streets.arc_start.astype(np.int64)
    tail = np.repeat(np.arange(streets.nodes), first_arc[1:] - first_arc[:-1])
    head, price = streets.arc_to.astype(np.int64), cost[streets.arc_edge]
    kept = np.isfinite(price)
    tail, head, price = tail[kept], head[kept], price[kept]
    order = np.lexsort((price, head, tail))
    tail, head, price = tail[order], head[order], price[order]
    first = np.ones(len(tail), bool)
    first[1:] = (tail[1:] != tail[:-1]) | (head[1:] != head[:-1])
    # scipy takes a stored zero for no arc at all.
    price = np.maximum(price[first], 1e-12)
    return csr_array((price, (tail[first], head[first])), shape=(streets.nodes, streets.nodes))
