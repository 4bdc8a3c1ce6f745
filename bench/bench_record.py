"""The record: what it adds to the kernel's CPU, what it takes on disk, and how fast it is taken again.

    pytest bench/bench_record.py

The demo city lives in turn with and without it; the ratio is the kernel's CPU without over with. What was recorded is
then replayed, and must come to the same bit for bit.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

from adapters.cli import replay
from bench import contest
from bench.bench_city import live
from core import replay as replays

ROUNDS = 3


def test_record(benchmark: Any, folder: Path, quick: bool) -> None:
    info: dict[str, Any] = {}
    benchmark.pedantic(lambda: info.update(measure(folder, quick)), rounds=1)
    benchmark.extra_info.update(info | {"load": contest.load_average()})
    assert info["replay_same"]


def measure(folder: Path, quick: bool) -> dict[str, Any]:
    """Live through both, in turn; then replay."""
    seconds = 15.0 if quick else 40.0
    shares: dict[bool, list[float]] = {True: [], False: []}
    for n in range(1 if quick else ROUNDS):
        for record in (False, True):
            lived = live(folder / f"record-{n}-{record}", 1, seconds, record=record)
            shares[record].append(lived["core_percent_kernel"])
    data = folder / f"record-{n}-True" / "data"
    taken = replay.take(data, None, None, None)
    size = sum(path.stat().st_size for path in replays.segments(data))
    return {
        "ratio_to_unrecorded": median(shares[False]) / median(shares[True]),
        "core_percent_ondijon": median(shares[True]),
        "core_percent_unrecorded": median(shares[False]),
        "record_mb_a_day": round(size / taken.city_s * 86_400 / 1e6),
        "replay_speed": round(taken.speed),
        "replay_steps": taken.steps,
        "replay_same": taken.same,
    }
