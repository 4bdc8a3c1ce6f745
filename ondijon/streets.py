"""What plugins and tools ask of the street graph: nearest street, neighbours, ways, map matching.

Make one ``StreetMap`` per city (in ``prepare``) and keep it: the index is built once. All answers are
functions of the city and the arguments alone, ties included, so a replay finds the same street again.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely  # type: ignore[import-untyped]

from core.assets import NONE
from core.city import City

#: Candidate streets per fix in map matching: at the widest junctions more than this are never near.
CANDIDATES = 8

#: Metres by which the way driven may typically differ from the straight line between two fixes.
DETOUR_M = 30.0


@dataclass(frozen=True)
class Places:
    """Positions on streets: ``edge`` u32[n] (NONE: no street), ``offset_m`` f64[n] from the edge's
    ``from`` end, and ``distance_m`` f64[n] between the position asked for and the street (inf without)."""

    edge: np.ndarray
    offset_m: np.ndarray
    distance_m: np.ndarray


@dataclass(frozen=True)
class Path:
    """A way: ``nodes`` u32[n+1] and ``edges`` u32[n] in driving order, its length and its cost."""

    nodes: np.ndarray
    edges: np.ndarray
    length_m: float
    cost: float


class StreetMap:
    """Questions about the streets of one city."""

    def __init__(self, city: City) -> None:
        self.city = city
        self._streets = city.streets
        self._length = city.streets.edge_length_m.astype(np.float64)
        x, y = city.project(city.streets.point_lon, city.streets.point_lat)
        start = city.streets.point_start.astype(np.int64)
        edge_of = np.repeat(np.arange(city.streets.edges), start[1:] - start[:-1])
        self._lines = np.atleast_1d(shapely.linestrings(np.column_stack([x, y]), indices=edge_of))
        self._index = shapely.STRtree(self._lines)

    # Where is it?

    def nearest(self, lon: np.ndarray, lat: np.ndarray, *, within_m: float = math.inf) -> Places:
        """The nearest street of each position (degrees, f64[n]); of equally near ones the lowest edge.

        A position that is not finite, or has no street within ``within_m`` metres, gets the edge NONE.
        """
        x, y = self.city.project(np.atleast_1d(lon), np.atleast_1d(lat))
        asked = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
        points = shapely.points(x[asked], y[asked])
        limit = within_m if math.isfinite(within_m) else None
        (which, edge), distance = self._index.query_nearest(points, max_distance=limit, return_distance=True)
        order = np.lexsort((edge, which))
        which, first = np.unique(which[order], return_index=True)
        chosen = order[first]
        return self._places(len(x), asked[which], points[which], edge[chosen], distance[chosen])

    def point_at(self, edge: np.ndarray, offset_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Degrees (lon, lat) f64[n] at ``offset_m`` along each ``edge``; beyond an end, the end."""
        edge = np.atleast_1d(edge)
        length = self._length[edge]
        share = np.divide(offset_m, length, out=np.zeros(len(edge)), where=length > 0)
        along = shapely.line_interpolate_point(self._lines[edge], np.clip(share, 0.0, 1.0), normalized=True)
        lon0, lat0 = self.city.centre
        # The projection is linear, so one degree measured at the centre undoes it everywhere.
        east, north = self.city.project(np.array(lon0 + 1.0), np.array(lat0 + 1.0))
        return lon0 + shapely.get_x(along) / east, lat0 + shapely.get_y(along) / north

    def _places(
        self, n: int, rows: np.ndarray, points: np.ndarray, edge: np.ndarray, distance: np.ndarray
    ) -> Places:
        places = Places(np.full(n, NONE, np.uint32), np.zeros(n), np.full(n, math.inf))
        places.edge[rows] = edge
        places.offset_m[rows] = self._offset(edge, points)
        places.distance_m[rows] = distance
        return places

    def _offset(self, edge: np.ndarray, points: np.ndarray) -> np.ndarray:
        # Measured as a share: an edge keeps the length its city declares, whatever the projection says.
        share = shapely.line_locate_point(self._lines[edge], points, normalized=True)
        offset: np.ndarray = np.nan_to_num(share) * self._length[edge]
        return offset

    # What is around it?

    def neighbours(self, edge: int) -> np.ndarray:
        """Edges (u32, ascending) that share a node with ``edge``. Light and people ignore one-way rules."""
        around, hops = self.within_hops([edge], 1)
        others: np.ndarray = around[hops == 1]
        return others

    def within_hops(self, edges: Sequence[int] | np.ndarray, hops: int) -> tuple[np.ndarray, np.ndarray]:
        """Edges (u32, ascending) at most ``hops`` junctions away from any of ``edges``, and how many (u16).

        One-way rules are ignored. The edges asked for are 0 hops away.
        """
        far = np.iinfo(np.uint16).max
        away = np.full(self._streets.edges, far, np.uint16)
        frontier = np.unique(np.asarray(edges, np.int64))
        away[frontier] = 0
        for hop in range(1, min(hops, far - 1) + 1):
            ends = np.unique([self._streets.edge_from[frontier], self._streets.edge_to[frontier]])
            touched = self._edges_at(ends)
            frontier = np.unique(touched[away[touched] == far])
            if not len(frontier):
                break
            away[frontier] = hop
        found = np.flatnonzero(away < far)
        return found.astype(np.uint32), away[found]

    def _edges_at(self, nodes: np.ndarray) -> np.ndarray:
        start, edge = self._incidence
        count = start[nodes + 1] - start[nodes]
        skipped = np.cumsum(count) - count
        touching: np.ndarray = edge[np.arange(count.sum()) + np.repeat(start[nodes] - skipped, count)]
        return touching

    @cached_property
    def _incidence(self) -> tuple[np.ndarray, np.ndarray]:
        """Per node (CSR) the edges that touch it, in either direction."""
        ends = np.concatenate([self._streets.edge_from, self._streets.edge_to]).astype(np.int64)
        order = np.argsort(ends, kind="stable")
        start = np.searchsorted(ends[order], np.arange(self._streets.nodes + 1))
        return start, order % max(self._streets.edges, 1)

    # How does one get there?

    def shortest_path(self, start: int, goal: int, cost: np.ndarray | None = None) -> Path | None:
        """The cheapest way from node ``start`` to node ``goal``, one-way rules obeyed; None without one.

        ``cost`` f64[edges] >= 0 prices each edge (inf closes it); without it the way is the shortest.
        """
        if cost is not None and not np.all(np.asarray(cost) >= 0):
            raise ValueError("an edge has a negative cost or none: give each a cost >= 0, inf to close it")
        prices = self._lengths if cost is None else np.asarray(cost, np.float64).tolist()
        reached, came = self._search({start: 0.0}, {goal}, prices)
        if goal not in reached:
            return None
        nodes, edges = [goal], []
        while nodes[-1] != start:
            node, edge = came[nodes[-1]]
            nodes.append(node)
            edges.append(edge)
        way = np.array(edges[::-1], np.uint32)
        return Path(np.array(nodes[::-1], np.uint32), way, float(self._length[way].sum()), reached[goal])

    def _search(
        self, starts: Mapping[int, float], goals: set[int], prices: list[float], limit: float = math.inf
    ) -> tuple[dict[int, float], dict[int, tuple[int, int]]]:
        """Dijkstra: cost of every node settled before the last goal, and from where each was reached."""
        first, to, edge_of = self._arcs
        best = dict(starts)
        came: dict[int, tuple[int, int]] = {}
        reached: dict[int, float] = {}
        wanted = set(goals)
        heap = [(cost, node) for node, cost in sorted(starts.items())]
        heapq.heapify(heap)
        while heap and wanted:
            cost, node = heapq.heappop(heap)
            if node in reached:
                continue
            reached[node] = cost
            wanted.discard(node)
            for arc in range(first[node], first[node + 1]):
                head, edge = to[arc], edge_of[arc]
                after = cost + prices[edge]
                if after <= limit and after < best.get(head, math.inf):
                    best[head] = after
                    came[head] = (node, edge)
                    heapq.heappush(heap, (after, head))
        return reached, came

    @cached_property
    def _arcs(self) -> tuple[list[int], list[int], list[int]]:
        # Lists, because indexing an array from Python costs several times more.
        streets = self._streets
        return streets.arc_start.tolist(), streets.arc_to.tolist(), streets.arc_edge.tolist()

    @cached_property
    def _lengths(self) -> list[float]:
        lengths: list[float] = self._length.tolist()
        return lengths

    # Which way did it go?

    def match(
        self, lon: np.ndarray, lat: np.ndarray, *, noise_m: float = 10.0, within_m: float = 50.0
    ) -> Places:
        """Put a trace (degrees f64[n], in order of time) on the streets it most probably followed.

        A hidden Markov model after Newson & Krumm, ACM GIS 2009: a fix is off its street by ``noise_m``
        (standard deviation); a way much longer than the straight line between two fixes is improbable.
        Fixes without a street within ``within_m`` get the edge NONE; where no way joins two fixes the
        trace starts anew.
        """
        x, y = self.city.project(np.atleast_1d(lon), np.atleast_1d(lat))
        fixes, points, edge, distance = self._candidates(x, y, within_m)
        offset = self._offset(edge, points)
        chance = -0.5 * (distance / noise_m) ** 2
        layers = np.split(np.arange(len(fixes)), np.flatnonzero(np.diff(fixes)) + 1) if len(fixes) else []
        back = np.full(len(fixes), -1)
        score = chance.copy()
        for before, after in itertools.pairwise(layers):
            i, j = fixes[before[0]], fixes[after[0]]
            straight = math.hypot(x[j] - x[i], y[j] - y[i])
            ways = self._ways(edge, offset, before, after, straight, noise_m)
            through = score[before, None] - np.abs(ways - straight) / DETOUR_M
            if np.isfinite(through).any():
                back[after] = before[np.argmax(through, axis=0)]
                score[after] += through.max(axis=0)
        chosen = _backtrack(layers, score, back)
        return self._places(len(x), fixes[chosen], points[chosen], edge[chosen], distance[chosen])

    def _candidates(
        self, x: np.ndarray, y: np.ndarray, within_m: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Per fix its nearest few streets: fix, point, edge and distance of each, by fix then distance."""
        asked = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
        points = shapely.points(x[asked], y[asked])
        which, edge = self._index.query(points, predicate="dwithin", distance=within_m)
        distance = shapely.distance(points[which], self._lines[edge])
        order = np.lexsort((edge, distance, which))
        which, edge, distance = which[order], edge[order], distance[order]
        rank = np.arange(len(which)) - np.searchsorted(which, which)
        kept = rank < CANDIDATES
        return asked[which[kept]], points[which[kept]], edge[kept], distance[kept]

    def _ways(
        self,
        edge: np.ndarray,
        offset: np.ndarray,
        before: np.ndarray,
        after: np.ndarray,
        straight: float,
        noise_m: float,
    ) -> np.ndarray:
        """Driving distance f64[before, after] between candidates; inf where it is absurdly long."""
        streets, length = self._streets, self._length
        limit = 2.0 * straight + 10.0 * DETOUR_M
        a, b = edge[before], edge[after]
        goals = set(streets.edge_from[b].tolist()) | set(streets.edge_to[b].tolist())
        onward, backward = streets.edge_oneway >= 0, streets.edge_oneway <= 0
        ways = np.full((len(a), len(b)), math.inf)
        for row, e in enumerate(a.tolist()):
            along = float(offset[before[row]])
            starts: dict[int, float] = {}
            if onward[e]:
                starts[int(streets.edge_to[e])] = length[e] - along
            if backward[e]:
                tail = int(streets.edge_from[e])
                starts[tail] = min(along, starts.get(tail, math.inf))
            reached, _ = self._search(starts, goals, self._lengths, limit)
            by_from = np.array([reached.get(node, math.inf) for node in streets.edge_from[b].tolist()])
            by_to = np.array([reached.get(node, math.inf) for node in streets.edge_to[b].tolist()])
            moved = offset[after] - along
            # On one street a step back within the noise is a vehicle standing still, not a U-turn.
            stays = (b == e) & (
                (onward[e] & (moved >= -2.0 * noise_m)) | (backward[e] & (moved <= 2.0 * noise_m))
            )
            ways[row] = np.minimum(
                np.where(onward[b], by_from + offset[after], math.inf),
                np.where(backward[b], by_to + length[b] - offset[after], math.inf),
            )
            ways[row, stays] = np.minimum(ways[row, stays], np.abs(moved[stays]))
        return ways


def _backtrack(layers: Sequence[np.ndarray], score: np.ndarray, back: np.ndarray) -> np.ndarray:
    """The candidates of the most probable trace, one a layer; a layer without a way begins a new trace."""
    chosen: list[int] = []
    follow = -1
    for layer in reversed(layers):
        best = follow if follow >= 0 else int(layer[np.argmax(score[layer])])
        chosen.append(best)
        follow = int(back[best])
    return np.array(chosen[::-1], np.int64)
