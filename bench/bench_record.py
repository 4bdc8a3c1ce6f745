"""The record: what it adds to the kernel's CPU, what it takes on disk, how fast it is taken again, and forked.

    pytest bench/bench_record.py

The demo city lives in turn with and without it; the ratio is the kernel's CPU without over with. What was recorded is
then replayed, and must come to the same bit for bit. An hour that is lived at 20x is forked as the command does it:
both lives at once, each with its start.
"""

from __future__ import annotations

import io
from pathlib import Path
from statistics import median
from typing import Any

from adapters.cli import fork, replay
from bench import contest
from bench.bench_city import live
from core import recorder, segment
from core import replay as replays
from core.clock import SECOND
from core.fork import Difference

ROUNDS = 3

DAY_S = 86_400

#: Bright for longer behind a walker.
LONGER = Difference(settings={"lighting": {"presence": {"hold_s": 40}}})


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
    return {
        "ratio_to_unrecorded": median(shares[False]) / median(shares[True]),
        "core_percent_ondijon": median(shares[True]),
        "core_percent_unrecorded": median(shares[False]),
        "record_mb_a_day": round(bytes_a_day(replays.segments(data), taken.city_s) / 1e6),
        "replay_speed": round(taken.speed),
        "replay_steps": taken.steps,
        "replay_same": taken.same,
    }


def bytes_a_day(paths: list[Path], city_s: float) -> float:
    """What ``paths`` of ``city_s`` come to a day: they grow with time, but for the keyframe each begins with."""
    begins = [begin(path) for path in paths]
    grown = sum(path.stat().st_size for path in paths) - sum(begins)
    return grown / city_s * DAY_S + median(begins) * DAY_S * SECOND / recorder.SEGMENT


def begin(path: Path) -> int:
    """The bytes of a segment's head and keyframe."""
    opened, file = replays.Segment(path), io.BytesIO()
    writer = segment.Writer(file)
    writer.put(opened.head)
    writer.put(opened.keyframe)
    return len(file.getvalue())


def test_fork(benchmark: Any, folder: Path, quick: bool) -> None:
    info: dict[str, Any] = {}
    benchmark.pedantic(lambda: info.update(forked(folder, quick)), rounds=1)
    benchmark.extra_info.update(info | {"load": contest.load_average()})
    assert info["fork_gaps"] == 0


def forked(folder: Path, quick: bool) -> dict[str, Any]:
    """Live through an hour; then fork it."""
    lived = live(folder / "fork", 20, 15.0 if quick else 160.0)
    data = folder / "fork" / "data"
    recorded, longer = fork.lives(data, replays.segments(data), LONGER, None, None, None)
    city_s, took_s = (longer.last - longer.first) / SECOND, max(recorded.seconds, longer.seconds)
    return {
        "fork_speed": round(city_s / took_s),
        "fork_city_s": round(city_s),
        "fork_seconds": round(took_s, 1),
        "fork_gaps": len(longer.gaps),
        "fork_commands": recorded.counts["commands lamp.dim"],
        "steps_skipped": lived["steps_skipped"],
    }
