"""The journal: records a second, how long an acknowledgement takes, how long a restart takes.

    pytest bench/bench_journal.py --benchmark-json=journal.json

Records of 220 bytes, each batch waited for until it is durable. ``sqlite`` is the same SQLite without hash chain and
writer's thread, ``append`` a preallocated file and fdatasync: what a commit costs at least. Figures are wall time: a
disk is waited for. ``probe_us`` is the median of a bare fdatasync on the same disk in the same run, and
``records_a_probe`` how many records are safe in that time.
"""

from __future__ import annotations

import os
import sqlite3
import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from adapters.cityimport.command import generate_city
from bench import contest
from core import chain, checkpoint, link, status
from core import city as cities
from core.event import Event, Source
from core.journal import Record, SqliteJournal
from core.run import Run
from core.service import Service
from core.vocabulary import AlarmChanged
from tests import runs

#: Bytes of one record's data.
SIZE = 220

DATA = bytes(range(SIZE))

#: How long (s) a benchmark waits for a disk that hangs.
PATIENCE_S = 60.0


def probe(folder: Path, n: int = 50) -> float:
    """Median µs of a bare fdatasync after 256 bytes, into a file that is there."""
    path = folder / "probe"
    path.write_bytes(bytes(1 << 20))
    descriptor = os.open(path, os.O_WRONLY)
    spent = []
    try:
        for i in range(n):
            os.pwrite(descriptor, DATA, i * 512)
            began = time.perf_counter()
            os.fdatasync(descriptor)
            spent.append(time.perf_counter() - began)
    finally:
        os.close(descriptor)
    return statistics.median(spent) * 1e6


class Ours:
    """A journal, and a wait for what it has made durable."""

    def __init__(self, folder: Path) -> None:
        self.durable = threading.Condition()
        self.journal = SqliteJournal(folder, self._tell)

    def _tell(self) -> None:
        with self.durable:
            self.durable.notify_all()

    def wait(self, seq: int) -> None:
        """Until record ``seq`` is safe."""
        with self.durable:
            if not self.durable.wait_for(lambda: self.journal.durable().local >= seq, PATIENCE_S):
                raise contest.ContestError("the journal did not become durable")


def _ours(folder: Path, batch: int, batches: int) -> float:
    ours = Ours(folder)
    records = [Record("event", 1, 1, DATA)] * batch
    began = time.perf_counter()
    for _ in range(batches):
        ours.wait(ours.journal.append(records))
    spent = time.perf_counter() - began
    ours.journal.close()
    return spent


def _sqlite(folder: Path, batch: int, batches: int) -> float:
    folder.mkdir()
    db = sqlite3.connect(folder / "journal.sqlite", isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE TABLE journal (seq INTEGER PRIMARY KEY, kind, step, utc, data)")
    began = time.perf_counter()
    for k in range(batches):
        db.execute("BEGIN IMMEDIATE")
        rows = [(k * batch + i, "event", 1, 1, DATA) for i in range(batch)]
        db.executemany("INSERT INTO journal VALUES (?, ?, ?, ?, ?)", rows)
        db.execute("COMMIT")
    spent = time.perf_counter() - began
    db.close()
    return spent


def _append(folder: Path, batch: int, batches: int) -> float:
    folder.mkdir()
    path = folder / "journal"
    path.write_bytes(bytes(batch * batches * SIZE))
    descriptor = os.open(path, os.O_WRONLY)
    os.fsync(descriptor)
    began = time.perf_counter()
    for k in range(batches):
        os.pwrite(descriptor, DATA * batch, k * batch * SIZE)
        os.fdatasync(descriptor)
    spent = time.perf_counter() - began
    os.close(descriptor)
    return spent


WAYS: dict[str, Callable[[Path, int, int], float]] = {"ondijon": _ours, "sqlite": _sqlite, "append": _append}


@pytest.mark.parametrize("batch", [1, 32, 256])
def test_journal(benchmark: Any, tmp_path: Path, quick: bool, batch: int) -> None:
    batches = max(200, 40_000 // batch) // (4 if quick else 1)
    runs: dict[str, list[float]] = {way: [] for way in WAYS}
    probes: list[float] = []

    def once(way: str) -> None:
        folder = tmp_path / f"{way}-{len(runs[way])}"
        runs[way].append(WAYS[way](folder, batch, batches) / (batch * batches))

    def others() -> None:
        probes.append(probe(tmp_path))
        for way in ("sqlite", "append"):
            once(way)

    benchmark.pedantic(lambda: once("ondijon"), setup=others, rounds=2 if quick else 5, iterations=1)
    info: dict[str, Any] = {"batch": batch, "load": contest.load_average()}
    for way, spent in runs.items():
        info[f"wall_us_{way}"] = round(statistics.median(spent) * 1e6, 2)
        info[f"records_s_{way}"] = round(1 / statistics.median(spent))
    info["probe_us"] = round(statistics.median(probes), 1)
    info["records_a_probe"] = round(info["records_s_ondijon"] * info["probe_us"] / 1e6, 2)
    for way in ("sqlite", "append"):
        info[f"ratio_to_{way}"] = round(info[f"wall_us_{way}"] / info["wall_us_ondijon"], 3)
    benchmark.extra_info.update(info)


def test_acknowledgement(benchmark: Any, tmp_path: Path, quick: bool) -> None:
    """Open loop: 500 single records a second, from the intended moment to durable."""
    runs: list[np.ndarray] = []
    probes: list[float] = []
    n = 500 if quick else 2500

    def once() -> None:
        ours = Ours(tmp_path / f"ack-{len(runs)}")
        ages = np.empty(n)
        begin = time.perf_counter() + 0.05
        for i in range(n):
            due = begin + i / 500
            time.sleep(max(0.0, due - time.perf_counter()))
            ours.wait(ours.journal.append([Record("event", 1, 1, DATA)]))
            ages[i] = (time.perf_counter() - due) * 1e6
        ours.journal.close()
        runs.append(ages)

    benchmark.pedantic(
        once, setup=lambda: probes.append(probe(tmp_path)), rounds=1 if quick else 5, iterations=1
    )
    p50, p99, p999 = np.median([np.percentile(ages, [50, 99, 99.9]) for ages in runs], axis=0)
    told = [dict(zip(("p50", "p99", "p999"), np.percentile(a, [50, 99, 99.9]), strict=True)) for a in runs]
    benchmark.extra_info.update(
        {
            "load": contest.load_average(),
            "probe_us": round(statistics.median(probes), 1),
            "p50_us_ondijon": round(p50),
            "p99_us_ondijon": round(p99),
            "p999_us_ondijon": round(p999),
            "asked_p99_us": round(2000 + 10 * statistics.median(probes)),
            "runs_us_ondijon": told,
        }
    )


@pytest.mark.slow
def test_restart(benchmark: Any, folder: Path, tmp_path: Path, quick: bool) -> None:
    """From nothing to serving: 34,000 lamps, a snapshot, and a million records after it."""
    town = folder / "town"
    if not town.exists():
        generate_city(out=town, seed=0, lamps=34_000)
    records = 100_000 if quick else 1_000_000
    run = _run(town, tmp_path / "data")
    first = Service(run)
    first._save()
    first.journal.close()
    os.close(run.memory_fd)
    _fill(tmp_path / "data", records, cities.load(town).assets.ids)
    seconds: list[float] = []

    def once() -> None:
        again = _run(town, tmp_path / "data")
        began = time.perf_counter()
        service = Service(again)
        seconds.append(time.perf_counter() - began)
        service.journal.close()
        os.close(again.memory_fd)

    benchmark.pedantic(once, rounds=1 if quick else 3, iterations=1)
    benchmark.extra_info.update(
        {
            "load": contest.load_average(),
            "records": records,
            "restart_s": round(statistics.median(seconds), 2),
            "runs_restart_s": [round(s, 2) for s in seconds],
        }
    )


def _run(town: Path, data: Path) -> Run:
    data.mkdir(exist_ok=True)
    return runs.alone(data, city=town, plugins=("lighting",), memory_fd=link.create_memory(1_000_000))


def _fill(data: Path, records: int, ids: tuple[str, ...]) -> None:
    """Records as a busy post leaves them: alarms, commands, and what each step consumed."""
    rng = np.random.default_rng(3)
    command = msgspec.msgpack.encode(
        {"id": "1-1", "verb": "lamp.dim", "by": "lighting", "state": "checked", "targets": bytes(200)}
    )
    with sqlite3.connect(data / "journal.sqlite") as db:
        seq = db.execute("SELECT max(seq) FROM journal").fetchone()[0]
        head = db.execute("SELECT head FROM checkpoint ORDER BY seq DESC").fetchone()[0]
        rows = []
        for n in range(records):
            seq += 1
            kind = ("event", "command", "step")[n % 3]
            if kind == "event":
                asset = int(rng.integers(len(ids)))
                changed = AlarmChanged("lamp_fault", ids[asset], "unacked_active", 3)
                made = Event(
                    seq=0,
                    kind="post.alarm.changed",
                    at_utc=n,
                    received_utc=n,
                    mono=n,
                    source=Source(plugin="post"),
                    trade="post",
                    asset=asset,
                    data=changed,
                )
                bytes_ = status.encode(made)
            else:
                bytes_ = command if kind == "command" else msgspec.msgpack.encode([(seq - 2, seq - 2)])
            row = (seq, kind, 1 << 40, n, bytes_)
            head = chain.linked(head, *row)
            rows.append(row)
        db.executemany("INSERT INTO journal VALUES (?, ?, ?, ?, ?)", rows)
        signer = checkpoint.Signer(data / "audit.key", "ondijon")
        db.execute("INSERT INTO checkpoint VALUES (?, ?, ?)", (seq, head, signer.sign(seq, head)))
