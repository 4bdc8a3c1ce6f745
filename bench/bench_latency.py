"""Latency in an open loop, from the moment a sample was meant to be sent. All runs are shown.

    pytest bench/bench_latency.py --benchmark-json=latency.json

``test_dirty``: sender → the edge's dirty set, at 10 % of the edge's own peak in the same run, beside the
limit loop and pyzmq + numpy at the same rate. ``test_hook``: gateway → edge → kernel → a trade's hook, through a
real post on its grid of 50 ms.
"""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import contest, load, post
from bench.contest import Task

PEERS = ("ondijon", "limit", "pyzmq_numpy")
SHARE = 0.1


@pytest.mark.parametrize("per_frame", [1, 64])
def test_dirty(benchmark: Any, folder: Path, quick: bool, per_frame: int) -> None:
    made = load.make(folder, per_frame=per_frame, samples=524_288, spread=True)
    frames = 1_000_000 if per_frame == 1 else 60_000
    flood = Task(peer="ondijon", load=made, frames=frames // (2 if quick else 1), warm=frames // 10)
    peak = statistics.median(1e9 / contest.run(flood).wall_per_sample for _ in range(3))
    rate = SHARE * peak / per_frame
    seconds = 1.0 if quick else 2.0
    tasks = {
        peer: Task(
            peer=peer, load=made, frames=int(rate * seconds), warm=int(rate * 0.5), rate=rate, ages=True
        )
        for peer in PEERS
    }
    runs: contest.Runs = {}
    benchmark.pedantic(
        lambda: contest.round_of({"ondijon": tasks["ondijon"]}, runs, 0),
        setup=lambda: contest.round_of({peer: tasks[peer] for peer in PEERS[1:]}, runs, 0),
        rounds=2 if quick else 7,
        iterations=1,
    )
    info: dict[str, Any] = {"samples_a_frame": per_frame, "peak_samples_s": round(peak)}
    info |= {"rate_samples_s": round(rate * per_frame), "load": contest.load_average()}
    for name, results in runs.items():
        info[f"runs_us_{name}"] = [{k: round(v) for k, v in r.ages_us.items()} for r in results]
        for p in ("p50", "p99", "p999"):
            info[f"{p}_us_{name}"] = round(statistics.median(r.ages_us[p] for r in results))
        info[f"probe_ms_{name}"] = round(contest.median(results, "probe_ns") / 1e6, 2)
    for name in PEERS[1:]:
        for p in ("p50", "p99"):
            key = "ratio_to" if p == "p50" else "p99_ratio_to"
            info[f"{key}_{name}"] = round(info[f"{p}_us_{name}"] / max(info[f"{p}_us_ondijon"], 1), 3)
    benchmark.extra_info.update(info)


def test_hook(benchmark: Any, folder: Path, quick: bool) -> None:
    shown: list[dict[str, int]] = []

    def once() -> None:
        heard = post.run(folder, seconds=2.5 if quick else 5, rate=64_000, per_frame=64).settled()
        p50, p99, p999 = np.percentile(heard.ages, [50, 99, 99.9])
        shown.append(
            {"n": len(heard.ages), "p50": int(p50), "p99": int(p99), "p999": int(p999)}
            | {"max": int(heard.ages.max()), "skipped": heard.skipped, "lost": heard.lost}
        )

    benchmark.pedantic(once, rounds=1 if quick else 3, iterations=1)
    info: dict[str, Any] = {"rate_samples_s": 64_000, "samples_a_frame": 64, "load": contest.load_average()}
    info["runs_us_ondijon"] = shown
    info |= {
        f"{p}_us_ondijon": round(statistics.median(run[p] for run in shown)) for p in ("p50", "p99", "p999")
    }
    info["step_us"] = 50_000
    benchmark.extra_info.update(info)
