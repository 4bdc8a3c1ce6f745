"""The lamps as a graph along the streets: who stands next to whom for somebody on foot."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ondijon import City


class Ends(NamedTuple):
    """Lamps nearest to the ends of streets, arrays [n]: ``lamp`` stands ``distance_m`` from ``node``."""

    node: np.ndarray
    lamp: np.ndarray
    distance_m: np.ndarray


def lamp_graph(city: City, lamps: np.ndarray, link_m: float) -> tuple[np.ndarray, np.ndarray]:
    """Link lamps that follow each other on a street or around a junction, at most ``link_m`` metres apart.

    ``lamps`` u32[n] are asset indexes; a lamp without a street stays alone. A junction may be crossed, and
    one street without lamps beyond it. One-way signs are ignored: light goes both ways. Returns CSR
    ``start`` u32[n + 1] and ``to`` u32[arcs]: symmetric, ascending, without doubles.
    """
    edge, offset = city.assets.edge[lamps], city.assets.offset_m[lamps].astype(np.float64)
    placed = np.flatnonzero(edge < city.streets.edges)
    order = placed[np.lexsort((placed, offset[placed], edge[placed]))]
    pairs = [_along(order, edge, offset, link_m), _across(city, order, edge, offset, link_m)]
    return _csr(np.concatenate(pairs), len(lamps))


def _along(order: np.ndarray, edge: np.ndarray, offset: np.ndarray, link_m: float) -> np.ndarray:
    """Pairs (i64[m, 2]) of lamps that follow each other on one street."""
    before, after = order[:-1], order[1:]
    linked = (edge[before] == edge[after]) & (offset[after] - offset[before] <= link_m)
    return np.stack([before[linked], after[linked]], axis=1)


def _across(city: City, order: np.ndarray, edge: np.ndarray, offset: np.ndarray, link_m: float) -> np.ndarray:
    """Pairs (i64[m, 2]) of lamps of different streets around one junction."""
    ends = _ends(city, order, edge, offset)
    ends = _carried(city, ends, np.unique(edge[order]))
    near = ends.distance_m <= link_m
    node, lamp, distance = ends.node[near], ends.lamp[near], ends.distance_m[near]
    by_node = np.lexsort((lamp, node))
    node, lamp, distance = node[by_node], lamp[by_node], distance[by_node]
    first = np.searchsorted(node, node)
    size = np.searchsorted(node, node, side="right") - first
    a = np.repeat(np.arange(len(node)), size)
    b = np.arange(len(a)) - np.repeat(np.cumsum(size) - size, size) + np.repeat(first, size)
    linked = (lamp[a] != lamp[b]) & (distance[a] + distance[b] <= link_m)
    return np.stack([lamp[a[linked]], lamp[b[linked]]], axis=1)


def _ends(city: City, order: np.ndarray, edge: np.ndarray, offset: np.ndarray) -> Ends:
    """The first lamp of each street at its ``from`` node, the last at its ``to`` node."""
    streets, on = city.streets, edge[order]
    first = order[np.flatnonzero(np.diff(on, prepend=-1))] if len(order) else order
    last = order[np.flatnonzero(np.diff(on, append=-1))] if len(order) else order
    return Ends(
        np.concatenate([streets.edge_from[edge[first]], streets.edge_to[edge[last]]]).astype(np.int64),
        np.concatenate([first, last]),
        np.concatenate([offset[first], np.maximum(streets.edge_length_m[edge[last]] - offset[last], 0.0)]),
    )


def _carried(city: City, ends: Ends, lit: np.ndarray) -> Ends:
    """``ends``, and each of them again at the far end of every street without lamps that leaves its node."""
    streets = city.streets
    dark = np.setdiff1d(np.arange(streets.edges), lit)
    tail = np.concatenate([streets.edge_from[dark], streets.edge_to[dark]]).astype(np.int64)
    head = np.concatenate([streets.edge_to[dark], streets.edge_from[dark]]).astype(np.int64)
    length = np.tile(streets.edge_length_m[dark].astype(np.float64), 2)
    by_tail = np.argsort(tail, kind="stable")
    tail, head, length = tail[by_tail], head[by_tail], length[by_tail]
    first = np.searchsorted(tail, ends.node)
    count = np.searchsorted(tail, ends.node, side="right") - first
    which = np.repeat(np.arange(len(ends.node)), count)
    way = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
    return Ends(
        np.concatenate([ends.node, head[way]]),
        np.concatenate([ends.lamp, ends.lamp[which]]),
        np.concatenate([ends.distance_m, ends.distance_m[which] + length[way]]),
    )


def _csr(pairs: np.ndarray, lamps: int) -> tuple[np.ndarray, np.ndarray]:
    both = np.concatenate([pairs, pairs[:, ::-1]])
    arcs = np.unique(both[:, 0] * lamps + both[:, 1])
    start = np.searchsorted(arcs, np.arange(lamps + 1) * lamps)
    return start.astype(np.uint32), (arcs % max(lamps, 1)).astype(np.uint32)
