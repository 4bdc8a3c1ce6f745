"""Who moves in the streets: walkers, cyclists and cars on trips, as arrays.

The world of a tick is a function of (seed, tick) alone: each mover begins a new trip every TRIP_TICKS, from a
place that is drawn anew, so whoever steps the world through one length of trip knows it exactly, from
whenever he came. That is why every part of the simulator, and one that was started again, sees the same.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import numpy as np

from adapters.simulator.draws import Stream, uniform
from adapters.simulator.settings import Movers
from core.city import City, Streets, arcs

#: City time between two ticks of the world, µs and s.
TICK_US = 200_000
TICK_S = TICK_US / 1e6

#: A trip lasts five minutes: people come out of doors and go in, cars leave and park.
TRIP_TICKS = 1500

WALKER, CYCLIST, CAR = range(3)
KINDS = ("walker", "cyclist", "car")

#: Share of each kind that is out, by local hour [K: the usual shape of a French town's day, not a count].
HOURLY = (
    np.array(
        [
            [15, 9, 6, 5, 5, 8, 16, 40, 62, 48, 50, 60, 78, 70, 60, 62, 75, 92, 100, 80, 55, 40, 30, 22],
            [8, 5, 3, 2, 3, 7, 20, 60, 85, 50, 40, 45, 60, 55, 48, 55, 75, 95, 100, 75, 45, 28, 20, 13],
            [12, 7, 5, 5, 7, 16, 38, 75, 92, 68, 62, 66, 74, 70, 66, 72, 86, 98, 100, 78, 52, 36, 27, 19],
        ]
    )
    / 100.0
)

#: How much a metre of street draws each kind, by street class.
_DRAWS = np.array([[0.6, 0.8, 1.2, 1.0, 1.5], [1.0, 1.2, 1.2, 0.8, 1.5], [3.0, 2.5, 1.5, 0.6, 0.0]])

#: Slowest and fastest pace (m/s), and how much of it each street class allows.
_PACE = np.array([[1.0, 1.7], [3.2, 6.0], [11.0, 14.0]])
_ALLOWED = np.array([[1.0] * 5, [1.0, 1.0, 1.0, 0.9, 0.8], [1.0, 0.95, 0.8, 0.6, 0.3]])

#: People gather in the middle of the town: this much more there, within about so many metres.
_CENTRE_MORE, _CENTRE_M = 4.0, 1500.0


class World:
    """Movers [m], numbered kind by kind: ``edge`` (the number of edges: not out), ``gone`` and ``length`` in m.

    ``gone`` is counted from the end where the mover came in; ``forward``: from the edge's ``from`` node.
    """

    def __init__(self, city: City, movers: Movers, seed: int) -> None:
        self.seed = seed
        self._zone = ZoneInfo(city.description.timezone)
        self._streets = streets = city.streets
        self._km = float(streets.edge_length_m.sum()) / 1000
        wanted = np.array([movers.walkers, movers.cyclists, movers.cars]) * movers.activity * self._km
        count = np.ceil(wanted).astype(np.int64) if streets.edges else np.zeros(3, np.int64)
        self._edge_length = np.append(streets.edge_length_m.astype(np.float64), np.inf)
        self._edge_class = np.append(streets.edge_class, 0).astype(np.int64)
        self._from = np.append(streets.edge_from, 0).astype(np.int64)
        self._to = np.append(streets.edge_to, 0).astype(np.int64)
        self._corners = _Corners(streets)
        self._attraction = _attraction(city)
        self._nowhere = streets.edges

        m = int(count.sum())
        self.kind = np.repeat(np.arange(3), count)
        self.pace = np.zeros(m)
        self.edge = np.full(m, self._nowhere, np.int64)
        self.forward = np.ones(m, bool)
        self.gone = np.zeros(m)
        self.length = np.full(m, np.inf)
        self._stride = np.zeros(m)
        self._born, self._born_start = _phases(count)
        self.tick = -1

    def warm_up(self, tick: int) -> None:
        """Bring the world to ``tick`` from nothing, by one length of trip."""
        self.edge[:], self.length[:], self._stride[:] = self._nowhere, np.inf, 0.0
        for each in range(tick - TRIP_TICKS + 1, tick + 1):
            self.step(each)

    def step(self, tick: int) -> None:
        """Move everybody on to ``tick``; ticks come in order."""
        self.tick = tick
        self.gone += self._stride
        arrived = np.flatnonzero(self.gone >= self.length)
        if len(arrived):
            self._turn(arrived)
        phase = -tick % TRIP_TICKS
        born = self._born[self._born_start[phase] : self._born_start[phase + 1]]
        if len(born):
            self._begin(born)

    def offsets(self, who: np.ndarray) -> np.ndarray:
        """Metres from the ``from`` end of their edge, f64; of those that are out."""
        return np.where(self.forward[who], self.gone[who], self.length[who] - self.gone[who])

    def out(self) -> np.ndarray:
        """i64[3]: how many of each kind are out."""
        return np.bincount(self.kind[self.edge < self._nowhere], minlength=3)

    def _turn(self, who: np.ndarray) -> None:
        edge, over = self.edge[who], self.gone[who] - self.length[who]
        node = np.where(self.forward[who], self._to[edge], self._from[edge])
        draw = uniform(self.seed, Stream.CORNER, who, self.tick)
        arc, stuck = self._corners.choose(self.kind[who], node, edge, draw)
        self._enter(who, np.where(stuck, self._nowhere, self._corners.edge[arc]), self._corners.forward[arc])
        # At most one corner a tick: on a very short street one waits at its end.
        self.gone[who] = np.minimum(over, self.length[who])

    def _begin(self, who: np.ndarray) -> None:
        kind = self.kind[who]
        out = uniform(self.seed, Stream.OUT, who, self.tick) < self._share_out()[kind]
        place = uniform(self.seed, Stream.WHERE, who, self.tick)
        edge = np.empty(len(who), np.int64)
        for each in range(3):
            of = kind == each
            edge[of] = np.searchsorted(
                self._attraction[each], place[of] * self._attraction[each][-1], "right"
            )
        edge = np.minimum(edge, self._nowhere - 1)
        way = uniform(self.seed, Stream.WAY, who, self.tick)
        oneway = self._streets.edge_oneway[edge]
        forward = np.where((oneway == 0) | (kind == WALKER), way < 0.5, oneway > 0)
        pace = uniform(self.seed, Stream.PACE, who, self.tick)
        self.pace[who] = _PACE[kind, 0] + (_PACE[kind, 1] - _PACE[kind, 0]) * pace
        self._enter(who, np.where(out, edge, self._nowhere), forward)
        along = np.where(out, self.length[who], 0.0)
        self.gone[who] = (way * 2.0 % 1.0) * along

    def _enter(self, who: np.ndarray, edge: np.ndarray, forward: np.ndarray) -> None:
        self.edge[who] = edge
        self.forward[who] = forward
        self.length[who] = self._edge_length[edge]
        speed = self.pace[who] * _ALLOWED[self.kind[who], self._edge_class[edge]]
        self._stride[who] = np.where(edge < self._nowhere, speed * TICK_S, 0.0)

    def _share_out(self) -> np.ndarray:
        local = datetime.datetime.fromtimestamp(self.tick * TICK_S, self._zone)
        hour = local.hour + local.minute / 60
        i = math.floor(hour)
        return HOURLY[:, i] + (HOURLY[:, (i + 1) % 24] - HOURLY[:, i]) * (hour - i)


class _Corners:
    """Where one may go on from each node: the arcs of walkers, then of cyclists, then of cars, as one CSR.

    ``start`` i64[3 * nodes + 1]; ``edge`` i64[arcs], ``forward`` bool[arcs]. Walkers ignore one-way signs;
    cars do not use paths.
    """

    def __init__(self, streets: Streets) -> None:
        self._nodes = streets.nodes
        anyway = np.zeros(streets.edges, np.int8)
        everywhere = np.ones(streets.edges, bool)
        layers = [
            _arcs(streets, anyway, everywhere),
            _arcs(streets, streets.edge_oneway, everywhere),
            _arcs(streets, streets.edge_oneway, streets.edge_class < 4),
        ]
        degrees = np.concatenate([degree for degree, _, _ in layers])
        self.start = np.concatenate([[0], np.cumsum(degrees)])
        self.edge = np.concatenate([edge for _, edge, _ in layers] + [np.zeros(1, np.int64)])
        self.forward = np.concatenate([forward for _, _, forward in layers] + [np.ones(1, bool)])

    def choose(
        self, kind: np.ndarray, node: np.ndarray, edge: np.ndarray, draw: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The arc each takes by its ``draw``, back only in a dead end; bool[n] who cannot go anywhere."""
        at = kind * self._nodes + node
        first = self.start[at]
        degree = self.start[at + 1] - first
        pick = (draw * degree).astype(np.int64)
        arc = first + pick
        back = (self.edge[arc] == edge) & (degree > 1)
        arc[back] = first[back] + (pick[back] + 1) % degree[back]
        return arc, degree == 0


def _arcs(
    streets: Streets, oneway: np.ndarray, open_edge: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    start, head, edge = arcs(streets.nodes, streets.edge_from, streets.edge_to, oneway)
    tail = np.repeat(np.arange(streets.nodes), np.diff(start.astype(np.int64)))
    keep = open_edge[edge]
    tail, head, edge = tail[keep], head[keep], edge[keep].astype(np.int64)
    forward = (streets.edge_from[edge] == tail) & (streets.edge_to[edge] == head)
    return np.bincount(tail, minlength=streets.nodes), edge, forward


def _attraction(city: City) -> np.ndarray:
    """f64[3, edges]: running sums of how much each edge draws each kind."""
    streets = city.streets
    if not streets.edges:
        return np.zeros((3, 0))
    x, y = city.project(streets.node_lon[streets.edge_from], streets.node_lat[streets.edge_from])
    busy = 1.0 + _CENTRE_MORE * np.exp(-np.hypot(x, y) / _CENTRE_M)
    return np.cumsum(_DRAWS[:, streets.edge_class] * streets.edge_length_m * busy, axis=1)


def _phases(count: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Movers in the order of the phase at which their trips begin, evenly spread, and where each phase starts."""
    phase = np.concatenate([np.arange(n) * TRIP_TICKS // max(n, 1) for n in count])
    order = np.argsort(phase, kind="stable")
    return order, np.searchsorted(phase[order], np.arange(TRIP_TICKS + 1))
