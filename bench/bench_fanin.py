"""Fan-in: one busy connection into an up-to-date table, one sample a frame and columnar, NULL and CURVE.

    pytest bench/bench_fanin.py --benchmark-json=fanin.json

``limit`` is a bare loop without the GIL on the same libzmq and frames (bench/_limit.pyx). zenoh and NATS
run in clear only: CURVE is ZeroMQ's. Their counterpart, TLS, is not measured. Figures are the consumer's CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench import contest, load
from bench.contest import Task

#: Frames of one run by (samples a frame, security): about half a second of each consumer's CPU.
FRAMES = {
    (1, "null"): {
        "ondijon": 2_000_000,
        "limit": 2_000_000,
        "pyzmq_msgpack": 250_000,
        "pyzmq_numpy": 200_000,
        "zenoh": 100_000,
        "nats": 20_000,
    },
    (1, "curve"): {"ondijon": 400_000, "limit": 400_000, "pyzmq_msgpack": 150_000, "pyzmq_numpy": 150_000},
    (64, "null"): {
        "ondijon": 100_000,
        "limit": 100_000,
        "pyzmq_msgpack": 6_000,
        "pyzmq_numpy": 40_000,
        "zenoh": 20_000,
        "nats": 4_000,
    },
    (64, "curve"): {"ondijon": 80_000, "limit": 80_000, "pyzmq_msgpack": 6_000, "pyzmq_numpy": 30_000},
    (1024, "null"): {
        "ondijon": 16_000,
        "limit": 16_000,
        "pyzmq_msgpack": 400,
        "pyzmq_numpy": 16_000,
        "zenoh": 8_000,
        "nats": 3_000,
    },
    (1024, "curve"): {"ondijon": 12_000, "limit": 12_000, "pyzmq_msgpack": 400, "pyzmq_numpy": 12_000},
}

#: The pace that suits NATS' consumer best, in frames/s; flooded it does worse.
NATS_PACE = {1: 25_000.0, 64: 5_000.0, 1024: 4_000.0}


@pytest.mark.parametrize("security", ["null", "curve"])
@pytest.mark.parametrize("per_frame", [1, 64, 1024])
def test_fanin(
    benchmark: Any,
    folder: Path,
    quick: bool,
    missing: Callable[[str], str],
    per_frame: int,
    security: str,
) -> None:
    samples = 524_288 if per_frame == 1 else 1_048_576
    wire = load.make(folder, per_frame=per_frame, samples=samples)
    rows = load.make(folder, per_frame=per_frame, samples=524_288, kind="msgpack")
    tasks, skipped = {}, {}
    for peer, frames in FRAMES[per_frame, security].items():
        why = missing(peer)
        if why:
            skipped[peer] = why
            continue
        idiom = peer == "pyzmq_msgpack" or (peer in ("zenoh", "nats") and per_frame == 1)
        tasks[peer] = Task(
            peer=peer,
            load=rows if idiom else wire,
            frames=frames // (4 if quick else 1),
            warm=max(frames // 10, 10),
            security=security,
            rate=NATS_PACE[per_frame] if peer == "nats" else 0.0,
        )
    runs = contest.compare(benchmark, tasks, rounds=2 if quick else 7)
    last = runs["ondijon"][-1].counts
    assert last["received"] == (tasks["ondijon"].warm + tasks["ondijon"].frames) * per_frame
    assert not last.get("late")
    assert not last.get("lost")
    benchmark.extra_info.update({"samples_a_frame": per_frame, "security": security, "skipped": skipped})
