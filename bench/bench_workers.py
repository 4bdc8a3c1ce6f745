"""Trades in workers: a round trip, and how soon one that crashed, hung or leaked is back.

    pytest bench/bench_workers.py --benchmark-json=workers.json

The round trip is that of the kernel's own threads and a real worker process: a turn of 1,000 changed slots, a hook that
looks at all of them, and its answer. Crash, hang (the GIL held in C), leak and endless loop are those of
tests/live/plugins/nasty.py in a real post. How long the kernel's steps take beside them is compared with the same post
in which nothing of that happens; posts of both kinds take turns."""

from __future__ import annotations

import itertools
import queue
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from bench.post import town
from core import city as cities
from core import plugins as plugin_host
from core import whole
from core.config import Config, PostConfig, WorkersConfig
from core.register import Numbering
from core.remote import Answered, Came, Said
from core.supervisor import Supervisor
from core.worker_wire import Begin, Turn
from core.workers import Workers
from ondijon.testing import City
from tests.live.conftest import PLUGINS as LIVE
from tests.live.conftest import Post
from tests.live.plugins import nasty

PLUGINS = Path(__file__).with_name("plugins")

#: Slots that change in a turn.
ROWS = 1000


@contextmanager
def worker(folder: Path, where: Path) -> Iterator[tuple[Workers, queue.SimpleQueue[Said], Numbering]]:
    """The kernel's side of the workers, and a process of the trade bench/plugins/summed.py."""
    config = Config(
        version=1,
        post=PostConfig(city=town(folder), data=where / "data", plugins=["summed"], plugin_folder=PLUGINS),
    )
    supervisor = Supervisor(config, where / "run")
    run = supervisor.run
    city = cities.load(run.city)
    (plugin,) = plugin_host.load(["summed"], PLUGINS)
    assets = city.assets.knowing({kind.name: kind for kind in plugin.declaration.assets})
    whole.write(run.assets_path, cities.pack_assets(assets), 0o600)
    numbering = Numbering.of(assets, [plugin.declaration])
    said: queue.SimpleQueue[Said] = queue.SimpleQueue()
    workers = Workers(run.workers_path, ["summed"], run.workers, numbering.metrics, numbering.slots, said.put)
    workers.start()
    process = subprocess.Popen([sys.executable, "-m", "core.worker", "summed", str(run.folder)])
    try:
        yield workers, said, numbering
    finally:
        workers.stop()
        process.kill()
        process.wait()
        supervisor.stop()


def test_round_trip(benchmark: Any, folder: Path, tmp_path: Path, quick: bool) -> None:
    with worker(folder, tmp_path) as (workers, said, numbering):
        came = said.get(timeout=30)
        assert isinstance(came, Came)
        at = {"step": 1, "utc": 1_800_000_000_000_000, "mono": 0, "seed": 0}
        begin = Begin(number=1, **at, generation=1, revision=0, state=b"", again=[], filled=[])
        workers.put([("summed", came.generation, begin)])
        assert isinstance(said.get(timeout=30), Answered)
        slot = np.arange(0, numbering.slots, numbering.slots // ROWS, dtype=np.uint32)[:ROWS]
        took = []
        numbers = itertools.count(2)

        def once() -> None:
            n = next(numbers)
            columns = (
                slot.tobytes(),
                np.full(ROWS, float(n)).tobytes(),
                np.full(ROWS, at["utc"] + n, np.int64).tobytes(),
                np.ones(ROWS, np.uint32).tobytes(),
            )
            turn = Turn(number=n, **at, events=[], ticks=[], swept=0, store=False, rows=ROWS, columns=columns)
            began = time.perf_counter_ns()
            workers.put([("summed", came.generation, turn)])
            assert isinstance(said.get(timeout=30), Answered)
            took.append((time.perf_counter_ns() - began) / 1000)
            time.sleep(0.002)

        benchmark.pedantic(once, rounds=300 if quick else 3000, iterations=1)
    p50, p99 = np.percentile(took, [50, 99])
    benchmark.extra_info.update(
        rows=ROWS, p50_us=round(float(p50)), p99_us=round(float(p99)), asked_p50_us=200
    )


def test_steps_beside(benchmark: Any, tmp_path: Path, quick: bool) -> None:
    """The kernel's steps while a worker is told to do the worst, beside those while it behaves."""
    seconds, times = (20.0, 1) if quick else (30.0, 5)
    quiet: list[dict[str, float]] = []
    beside: list[dict[str, float]] = []
    cities.save(City.small(), tmp_path / "city")

    def once() -> None:
        for worst in ((nasty.EXIT, nasty.LEAK), (nasty.BURN, nasty.HANG)) * times:
            quiet.append(_lived(tmp_path, seconds, ()))
            beside.append(_lived(tmp_path, seconds, worst))

    benchmark.pedantic(once, rounds=1)
    for name in ("p50", "p99"):
        was, now = (statistics.median(each[name] for each in lives) for lives in (quiet, beside))
        benchmark.extra_info.update(
            {f"quiet_{name}_us": was, f"beside_{name}_us": now, f"ratio_{name}": round(now / was, 2)}
        )
    benchmark.extra_info.update(
        ended=[each["ended"] for each in beside],
        p99_us={"quiet": [each["p99"] for each in quiet], "beside": [each["p99"] for each in beside]},
        asked_ratio_p99=1.2,
    )


def _lived(folder: Path, seconds: float, worst: Sequence[int]) -> dict[str, float]:
    """A post of so many ``seconds`` with 300 samples and 10 events a second, and evenly between them the ``worst``.

    Each of those ends its worker twice; a fifth end would have it wait for a person.
    """
    where = folder / f"beside-{time.monotonic_ns()}"
    post = _nasty(folder / "city", where)
    try:
        post.start()
        post.until(lambda: post.status.workers["nasty"].state == "running", "it runs")
        begin, told = time.monotonic(), 0
        while (passed := time.monotonic() - begin) < seconds:
            if told < len(worst) and passed > seconds * told / len(worst):
                post.gateways[0].emit("watch.door.opened", {"code": worst[told]})
                told += 1
            post.levels(passed % 50)
            post.gateways[1].emit("watch.door.opened", {"code": 1})
            turned = time.monotonic() + 0.1
            while time.monotonic() < turned:
                post.turn()
                time.sleep(0.005)
        ended = post.status.counts["workers_ended"]
    finally:
        post.stop()
    times = msgspec.json.decode(post.run.report("kernel").read_bytes())["latency_us"]["step"]
    return times | {"ended": ended}


def _nasty(city: Path, where: Path) -> Post:
    config = Config(
        version=1,
        post=PostConfig(city=city, data=where / "data", plugins=["watch", "nasty"], plugin_folder=LIVE),
        workers=WorkersConfig(trusted=["watch"]),
    )
    return Post(config, where / "run")


@pytest.mark.parametrize("code", [nasty.EXIT, nasty.HANG, nasty.LEAK], ids=["crash", "hang", "leak"])
def test_back(benchmark: Any, tmp_path: Path, quick: bool, code: int) -> None:
    """From the event that ends a worker to the next one's coming, in s; at a first crash the back-off is 0.5 s."""
    took: list[float] = []
    cities.save(City.small(), tmp_path / "city")
    names = (f"post-{n}" for n in itertools.count())

    def once() -> None:
        post = _nasty(tmp_path / "city", tmp_path / next(names))
        try:
            post.start(1)
            post.until(lambda: post.status.workers["nasty"].state == "running", "it runs")
            starts = post.process("worker-nasty").figures.starts
            began = time.monotonic()
            post.gateways[0].emit("watch.door.opened", {"code": code})
            post.until(
                lambda: (
                    post.log("kernel").count("worker ended") >= 1
                    and post.process("worker-nasty").figures.starts > starts
                ),
                "it was ended",
            )
            post.until(lambda: post.log("kernel").count("plugin=nasty") >= 3, "it is back")
            took.append(time.monotonic() - began)
        finally:
            post.stop()

    benchmark.pedantic(once, rounds=2 if quick else 5, iterations=1)
    benchmark.extra_info.update(back_s=round(statistics.median(took), 2), worst_s=round(max(took), 2))
