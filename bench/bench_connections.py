"""Fan-in from 1, 10, 100 and 1,000 connections, each paced as a real gateway: 5 columnar frames/s of 16 samples.

    pytest bench/bench_connections.py --benchmark-json=connections.json

Each gateway has a connection, a session and a phase of its own. A wake-up a frame is what costs here, not
decoding: figures are µs of the consumer's CPU a frame, and its share of a core.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench import contest, load
from bench.contest import Task

PER_FRAME, FRAMES_S = 16, 5
PEERS = ("ondijon", "limit", "pyzmq_numpy")
CASES = [(1, "null"), (10, "null"), (100, "null"), (1000, "null"), (100, "curve"), (1000, "curve")]


@pytest.mark.parametrize(("connections", "security"), CASES)
def test_connections(benchmark: Any, folder: Path, quick: bool, connections: int, security: str) -> None:
    made = load.make(
        folder, per_frame=PER_FRAME, samples=2 * PER_FRAME * connections, gateways=connections, assets=64
    )
    tasks = {
        peer: Task(
            peer=peer,
            load=made,
            frames=connections * FRAMES_S * (1 if quick else 2),
            warm=connections * FRAMES_S,
            security=security,
            connections=connections,
            lap_s=1 / FRAMES_S,
        )
        for peer in PEERS
    }
    runs = contest.compare(benchmark, tasks, rounds=1 if quick else 3)
    info = {"connections": connections, "security": security, "frames_s": connections * FRAMES_S}
    for name, results in runs.items():
        info[f"cpu_us_a_frame_{name}"] = round(contest.median(results, "cpu_per_frame") / 1e3, 2)
        info[f"core_percent_{name}"] = round(100 * contest.median(results, "share_of_a_core"), 2)
    benchmark.extra_info.update(info)
    # Paced, the wall time is the pace: it says nothing of anyone.
    for name in [name for name in benchmark.extra_info if name.startswith("wall")]:
        del benchmark.extra_info[name]
    assert not runs["ondijon"][-1].counts.get("lost")
