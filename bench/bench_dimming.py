"""One dimming tick of a whole city against what else one would write: numpy + scipy, a numpy frontier, numba.

    pytest bench/bench_dimming.py --benchmark-json=dimming.json

All peers do the same work and give the same leases (checked before timing): presence scattered five hops
along chains of 25 lamps, hold, lease, slow fade, floor and silent level, compaction of what is due. Each
round runs every peer for a few ticks on the same sightings, so that a busy machine is busy for all. Times are
CPU time of the thread; ``extra_info`` holds medians in ns per lamp, the ratios, and the load average.

``presence`` is the share of lamps whose sensor reports in each tick of 0.2 s. ``cold`` is the first tick of a
round, after the other peers have filled the caches: nearer to a post that does other things in between.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import pytest

from core._fast import dimming

HOLD_DS, RENEW_DS, KEEP_LEASE_DS, ELAPSED_DS, RISE, FALL = 300, 50, 3000, 2, 5120, 86
BOOST = np.array([100, 100, 90, 80, 70, 60], np.uint8)
CHAIN = 25

#: Ticks of one peer in a row.
TICKS = 8

Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


def street_graph(lamps: int) -> tuple[np.ndarray, np.ndarray]:
    """CSR of chains of 25 lamps; the heads of neighbouring chains meet at a junction."""
    i = np.arange(lamps)
    along = i[i % CHAIN > 0]
    heads = np.arange(0, lamps - CHAIN, CHAIN)
    a, b = np.concatenate([along - 1, heads]), np.concatenate([along, heads + CHAIN])
    tail, head = np.concatenate([a, b]), np.concatenate([b, a])
    order = np.lexsort((head, tail))
    start = np.searchsorted(tail[order], np.arange(lamps + 1))
    return start.astype(np.uint32), head[order].astype(np.uint32)


class Peer(Protocol):
    """One way to do a tick; keeps its own arrays."""

    def tick(self, seen: np.ndarray) -> Rows: ...


class Lamps:
    """The arrays that every peer has. One lamp in seven is dark by order and guarded against silence."""

    def __init__(self, lamps: int) -> None:
        self.lamps = lamps
        self.base = np.where(np.arange(lamps) % 7 == 0, 0, 50).astype(np.uint8)
        self.keep = np.where(np.arange(lamps) % 14 == 0, 40, 0).astype(np.uint8)
        self.want, self.leased = np.zeros(lamps, np.uint8), np.zeros(lamps, np.uint8)
        self.hold, self.lease = np.zeros(lamps, np.int16), np.zeros(lamps, np.int16)
        self.level = self.base.astype(np.int16) * 256
        self.out = np.empty(lamps, np.uint32), np.empty(lamps, np.uint8), np.empty(lamps, np.int16)


class Ours(Lamps):
    """core._fast.dimming."""

    def __init__(self, reach: dimming.Reach) -> None:
        super().__init__(reach.lamps)
        self.reach = reach

    def tick(self, seen: np.ndarray) -> Rows:
        self.reach.notice(seen, self.want, self.hold, HOLD_DS)
        return self.dense()

    def dense(self) -> Rows:
        """The pass over all lamps alone."""
        rows = dimming.tick(
            base=self.base,
            keep=self.keep,
            want=self.want,
            hold=self.hold,
            leased=self.leased,
            lease=self.lease,
            level=self.level,
            out_lamp=self.out[0],
            out_level=self.out[1],
            out_lease=self.out[2],
            elapsed_ds=ELAPSED_DS,
            renew_ds=RENEW_DS,
            keep_lease_ds=KEEP_LEASE_DS,
            rise=RISE,
            fall=FALL,
        )
        return self.out[0][:rows], self.out[1][:rows], self.out[2][:rows]


class Vectors(Lamps):
    """The pass over all lamps in numpy, shared by the two numpy peers."""

    def notice(self, lamp: np.ndarray, level: np.ndarray) -> None:
        """Each lamp comes once."""
        before = np.where(self.hold[lamp] > 0, self.want[lamp], 0)
        self.want[lamp] = np.maximum(before, level)
        self.hold[lamp] = HOLD_DS

    def dense(self) -> Rows:
        hold, lease, base = self.hold, self.lease, self.base
        np.maximum(hold - np.int16(ELAPSED_DS), 0, out=hold)
        np.maximum(lease - np.int16(ELAPSED_DS), 0, out=lease)
        wanted = np.maximum(np.where(hold > 0, self.want, 0), self.keep)
        device = np.maximum(np.where(lease > 0, self.leased, 0), base)
        way = device.astype(np.int16) * np.int16(256) - self.level
        self.level += np.clip(way, -FALL, RISE)
        ends = (lease <= RENEW_DS) & ((self.keep > base) | (hold > lease))
        due = np.flatnonzero((wanted > device) | ((wanted > base) & ends))
        kept = self.keep[due] >= np.where(hold[due] > 0, self.want[due], 0)
        self.leased[due] = wanted[due]
        lease[due] = np.where(kept, KEEP_LEASE_DS, hold[due] + RENEW_DS)
        hold[due] = 0
        return due, self.leased[due], lease[due]


class Scipy(Vectors):
    """numpy + scipy: a product of the whole graph's sparse matrix for each hop."""

    def __init__(self, start: np.ndarray, to: np.ndarray) -> None:
        sparse = pytest.importorskip("scipy.sparse", reason="scipy is not installed")
        super().__init__(len(start) - 1)
        ones = np.ones(len(to), np.float32)
        self.graph = sparse.csr_matrix((ones, to.astype(np.int32), start.astype(np.int32)))

    def tick(self, seen: np.ndarray) -> Rows:
        reached = np.zeros(self.lamps, np.float32)
        reached[seen] = 1
        level = np.zeros(self.lamps, np.uint8)
        level[seen] = BOOST[0]
        for boost in BOOST[1:]:
            reached = np.minimum(reached + self.graph @ reached, 1)
            level[(reached > 0) & (level == 0)] = boost
        lamp = np.flatnonzero(level)
        self.notice(lamp, level[lamp])
        return self.dense()


class Frontier(Vectors):
    """numpy alone: only the lamps reached by the last hop are followed."""

    def __init__(self, start: np.ndarray, to: np.ndarray) -> None:
        super().__init__(len(start) - 1)
        self.start, self.to = start.astype(np.int64), to.astype(np.int64)

    def tick(self, seen: np.ndarray) -> Rows:
        level = np.zeros(self.lamps, np.uint8)
        edge = np.unique(seen)
        level[edge] = BOOST[0]
        rings = [edge]
        for boost in BOOST[1:]:
            first, count = self.start[edge], self.start[edge + 1] - self.start[edge]
            arcs = np.arange(count.sum()) + np.repeat(first - np.cumsum(count) + count, count)
            edge = self.to[arcs]
            edge = np.unique(edge[level[edge] == 0])
            level[edge] = boost
            rings.append(edge)
        lamp = np.concatenate(rings)
        self.notice(lamp, level[lamp])
        return self.dense()


class Numba(Lamps):
    """Our algorithm, reach and all, compiled by numba."""

    def __init__(self, reach: dimming.Reach) -> None:
        numba = pytest.importorskip("numba", reason="numba is not installed")
        super().__init__(reach.lamps)
        self.rows = (reach.start, reach.lamp, reach.level)
        self.notice, self.dense = (numba.njit(function) for function in (_notice, _dense))

    def tick(self, seen: np.ndarray) -> Rows:
        self.notice(*self.rows, seen, self.want, self.hold)
        rows = self.dense(
            self.base, self.keep, self.want, self.hold, self.leased, self.lease, self.level, *self.out
        )
        return self.out[0][:rows], self.out[1][:rows], self.out[2][:rows]


def _notice(start: Any, lamps: Any, levels: Any, seen: Any, want: Any, hold: Any) -> None:
    for sensor in seen:
        for row in range(start[sensor], start[sensor + 1]):
            lamp = lamps[row]
            if hold[lamp] <= 0 or want[lamp] < levels[row]:
                want[lamp] = levels[row]
            hold[lamp] = HOLD_DS


def _dense(
    base: Any,
    keep: Any,
    want: Any,
    hold: Any,
    leased: Any,
    lease: Any,
    level: Any,
    out_lamp: Any,
    out_level: Any,
    out_lease: Any,
) -> int:
    # Plain on purpose: in blocks, with masks and narrow types, as our C is, numba took half as long again.
    rows = 0
    for i in range(len(base)):
        h = max(hold[i] - ELAPSED_DS, 0)
        left = max(lease[i] - ELAPSED_DS, 0)
        b, k = base[i], keep[i]
        asked = want[i] if h > 0 else np.uint8(0)
        wanted = max(asked, k)
        device = max(leased[i] if left > 0 else np.uint8(0), b)
        level[i] += min(max(device * 256 - level[i], -FALL), RISE)
        if wanted > device or (wanted > b and left <= RENEW_DS and (k > b or h > left)):
            left = KEEP_LEASE_DS if k >= asked else h + RENEW_DS
            leased[i], h = wanted, 0
            out_lamp[rows], out_level[rows], out_lease[rows] = i, wanted, left
            rows += 1
        hold[i], lease[i] = h, left
    return rows


PEERS: dict[str, Callable[..., Peer]] = {"scipy": Scipy, "frontier": Frontier, "numba": Numba}


def sightings(lamps: int, presence: float, seed: int) -> list[np.ndarray]:
    """A ring of ticks; ascending, as batches are."""
    rng = np.random.default_rng(seed)
    seen = max(int(lamps * presence), 1)
    return [np.sort(rng.choice(lamps, seen, replace=False)).astype(np.uint32) for _ in range(16)]


def agree(ours: Ours, peer: Peer, ring: list[np.ndarray]) -> None:
    """Run both through the ring: same leases, same levels."""
    for seen in ring:
        for a, b in zip(ours.tick(seen), peer.tick(seen), strict=True):
            np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(ours.level, peer.level)  # type: ignore[attr-defined]


def timed(function: Callable[[], object]) -> int:
    began = time.thread_time_ns()
    function()
    return time.thread_time_ns() - began


@pytest.mark.parametrize("presence", [0.001, 0.01])
@pytest.mark.parametrize(
    ("lamps", "rounds"),
    [(34_000, 40), (1_000_000, 4), pytest.param(11_000_000, 2, marks=pytest.mark.slow)],
)
def test_tick(benchmark: Any, lamps: int, rounds: int, presence: float) -> None:
    graph, ring = street_graph(lamps), sightings(lamps, presence, seed=1)
    reach = dimming.Reach(*graph, np.arange(lamps, dtype=np.uint32), BOOST)
    ours, peers, skipped = Ours(reach), {}, {}
    for name, make in PEERS.items():
        try:
            peers[name] = make(reach) if make is Numba else make(*graph)
            agree(Ours(reach), peers[name], ring[:4])
        except pytest.skip.Exception as why:
            skipped[name] = str(why)
    alone = Ours(reach)
    times: dict[str, list[int]] = {name: [] for name in ("ours", "pass", *peers)}
    for i in range(rounds):
        ticks = [ring[(i * TICKS + tick) % len(ring)] for tick in range(TICKS)]
        for name, peer in ({"ours": ours} | peers).items():
            times[name] += [timed(lambda seen=seen, peer=peer: peer.tick(seen)) for seen in ticks]  # type: ignore[misc]
        times["pass"] += [timed(alone.dense) for _ in ticks]
    medians = {name: statistics.median(of) for name, of in times.items()}
    medians["cold"] = statistics.median(times["ours"][::TICKS])
    info = {f"{name}_ns_per_lamp": round(median / lamps, 3) for name, median in medians.items()}
    info |= {f"ratio_to_{name}": round(medians[name] / medians["ours"], 2) for name in peers}
    benchmark.extra_info.update(info | {"load": os.getloadavg()[0], "skipped": skipped})
    print(f"\n{lamps} lamps, {presence:.1%}: {info}, load {os.getloadavg()[0]:.1f}")
    benchmark.pedantic(lambda: ours.tick(ring[0]), rounds=min(rounds, 20), warmup_rounds=1)
