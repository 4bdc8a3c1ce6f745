"""Hand-over edge → kernel: loan, dirty set, shared memory, answer, copy, check, apply. CPU of both processes.

    pytest bench/bench_handover.py --benchmark-json=handover.json

Ours is the product's own Lender and Borrower (`core/loans.py`), the edge's waiting in its poller included. The idioms
beside it go over ZeroMQ and do less: ``numpy_pickle`` sends the same columns pickled and assigns them unchecked;
``msgpack_dict`` packs a dict of what changed and updates a dict. The table has 262,144 slots. ``together`` is how
many neighbouring slots change at once: 64 is a cabinet's frame, 1 is scattered, the worst a cache can meet.
CPU is that of both processes, libzmq's threads too. Most of a small hand-over is that two sleeping processes wake one
another: ``fixed_us`` is what one of a single slot costs, ``cpu_ns_marginal`` what each further slot adds. A set that
takes the edge long to make finds the loan there when it is ready: that hand-over has one wake-up, not two.
"""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import pytest

from bench import contest, handover


@pytest.mark.parametrize("together", [64, 1])
@pytest.mark.parametrize("changed", [256, 4096, 32_768, 131_072])
def test_handover(benchmark: Any, folder: Path, quick: bool, changed: int, together: int) -> None:
    steps = max(12, min(300, 3_000_000 // changed)) // (3 if quick else 1)
    runs: dict[str, list[handover.Spent]] = {way: [] for way in handover.WAYS}
    single: list[handover.Spent] = []

    def others() -> None:
        for way in handover.WAYS[1:]:
            count = max(5, steps // 10) if way == "msgpack_dict" else steps
            runs[way].append(handover.run(way, changed, count, folder, together))
        single.append(handover.run("ondijon", 1, 300, folder))

    def ours() -> None:
        runs["ondijon"].append(handover.run("ondijon", changed, steps, folder, together))

    benchmark.pedantic(ours, setup=others, rounds=2 if quick else 5, iterations=1)
    info: dict[str, Any] = {"changed": changed, "together": together, "load": contest.load_average()}
    for way, spent in runs.items():
        info[f"cpu_ns_{way}"] = round(statistics.median(s.both for s in spent), 2)
        info[f"cpu_ns_min_{way}"] = round(min(s.both for s in spent), 2)
        info[f"probe_ms_{way}"] = round(statistics.median(s.probe_ns for s in spent) / 1e6, 2)
    for side in ("edge", "kernel", "swap"):
        info[f"cpu_ns_{side}"] = round(statistics.median(getattr(s, side) for s in runs["ondijon"]), 2)
    fixed = statistics.median(s.both for s in single)
    info["fixed_us"] = round(fixed / 1e3, 1)
    info["cpu_ns_marginal"] = round(info["cpu_ns_ondijon"] - fixed / changed, 2)
    for way in handover.WAYS[1:]:
        info[f"ratio_to_{way}"] = round(info[f"cpu_ns_{way}"] / info["cpu_ns_ondijon"], 2)
    benchmark.extra_info.update(info)
