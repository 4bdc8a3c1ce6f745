"""Samples applied by the kernel's step while a trusted hook holds the GIL 20 ms of every 50, against a free GIL.

    pytest bench/bench_gil.py --benchmark-json=gil.json

A real post under 1,000,000 samples/s (16 gateways, columnar 1,024). The hook holds the GIL without using the
CPU: on two cores a hook that burns it would measure the lack of cores. ``ratio_to_free`` is the rate with the
GIL held over the rate without.
"""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from bench import contest, post

HOLD_MS, RATE = 20.0, 1_000_000.0


def test_gil(benchmark: Any, folder: Path, quick: bool) -> None:
    runs: dict[str, list[post.Heard]] = {"held": [], "free": []}
    seconds = 2.5 if quick else 4.0

    def once(name: str, hold_ms: float) -> None:
        heard = post.run(folder, seconds=seconds, rate=RATE, per_frame=1024, hold_ms=hold_ms)
        runs[name].append(heard.settled())

    benchmark.pedantic(
        lambda: once("held", HOLD_MS),
        setup=lambda: once("free", 0.0),
        rounds=1 if quick else 3,
        iterations=1,
    )
    info: dict[str, Any] = {
        "offered_samples_s": int(RATE),
        "hold_ms": HOLD_MS,
        "load": contest.load_average(),
    }
    for name, heard in runs.items():
        info[f"samples_s_{name}"] = round(statistics.median(h.samples_s for h in heard))
        info[f"runs_samples_s_{name}"] = [round(h.samples_s) for h in heard]
        info[f"steps_skipped_{name}"] = [h.skipped for h in heard]
        info[f"samples_lost_{name}"] = [h.lost for h in heard]
    info["ratio_to_free"] = round(info["samples_s_held"] / info["samples_s_free"], 3)
    benchmark.extra_info.update(info)
