"""Where events wait: numbered, bounded, forgotten only when they are acknowledged; on a disk, also over a crash."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import OndijonError
from core.wire import Programme
from ondijon.spool import Kept, MemorySpool, Spool, SpoolFile, SpoolFullError


def kept(n: int) -> Kept:
    return Kept("trial.seen", n, "L0001" if n % 2 else "", b"\x80")


@pytest.fixture(params=["memory", "disk"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[int], Spool]:
    if request.param == "memory":
        return lambda limit: MemorySpool(5, limit)
    return lambda limit: SpoolFile(tmp_path / "gw" / "spool.sqlite").spool("gw", limit)


def test_events_are_numbered_and_forgotten_when_acknowledged(make: Callable[[int], Spool]) -> None:
    spool = make(100)
    assert [spool.put(kept(n)) for n in range(1, 6)] == [1, 2, 3, 4, 5]
    assert list(spool.after(2)) == [(3, kept(3)), (4, kept(4)), (5, kept(5))]
    spool.forget(3)
    spool.forget(2)
    assert [seq for seq, _ in spool.after(0)] == [4, 5]
    spool.forget(1 << 62)
    assert (spool.acked, spool.last) == (5, 5)
    assert spool.put(kept(6)) == 6


def test_a_full_spool_takes_nothing_and_loses_nothing(make: Callable[[int], Spool]) -> None:
    spool = make(2)
    spool.put(kept(1))
    spool.put(kept(2))
    with pytest.raises(SpoolFullError, match="2 events wait for the post"):
        spool.put(kept(3))
    assert [event.at for _, event in spool.after(0)] == [1, 2]
    spool.forget(1)
    assert spool.put(kept(3)) == 3


def test_a_spool_on_a_disk_goes_on_where_it_was(tmp_path: Path) -> None:
    first = SpoolFile(tmp_path / "spool.sqlite")
    one, other = first.spool("one"), first.spool("other")
    for n in range(1, 4):
        one.put(kept(n))
    other.put(kept(9))
    one.forget(2)
    first.close()
    second = SpoolFile(tmp_path / "spool.sqlite")
    again = second.spool("one")
    assert (again.boot, again.acked, again.last) == (one.boot, 2, 3)
    assert list(again.after(0)) == [(3, kept(3))]
    assert list(second.spool("other").after(0)) == [(1, kept(9))], "each gateway has its own"
    again.forget(3)
    second.close()
    third = SpoolFile(tmp_path / "spool.sqlite")
    assert third.spool("one").put(kept(4)) == 4, "no number is given twice"
    assert third.spool("other").boot == other.boot != one.boot
    third.close()


def test_a_file_of_an_earlier_version_keeps_its_events(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "spool.sqlite", isolation_level=None)) as earlier:
        earlier.executescript(BEFORE_PLACES)
    spool = SpoolFile(tmp_path / "spool.sqlite").spool("one")
    placed = Kept("trial.seen", 2, "", b"\x80", 5.04, 47.32)
    assert spool.put(placed) == 2
    assert list(spool.after(0)) == [(1, kept(1)), (2, placed)]


BEFORE_PLACES = """
CREATE TABLE gateway (name TEXT PRIMARY KEY, boot INTEGER NOT NULL, acked INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE kept (gateway TEXT NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL, at INTEGER NOT NULL,
    asset TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (gateway, seq)) WITHOUT ROWID;
INSERT INTO gateway VALUES ('one', 5, 0);
INSERT INTO kept VALUES ('one', 1, 'trial.seen', 1, 'L0001', x'80');
"""


def test_a_spool_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OndijonError, match="the spool fails"):
        SpoolFile(tmp_path / "file" / "spool.sqlite")
    (tmp_path / "noise").write_bytes(b"not a database, but long enough to be taken for one" * 100)
    with pytest.raises(OndijonError, match="noise: the spool fails"):
        SpoolFile(tmp_path / "noise")
    file = SpoolFile(tmp_path / "spool.sqlite")
    spool = file.spool("gw")
    spool.put(kept(1))
    file.db.execute("PRAGMA max_page_count = 1")
    with pytest.raises(OndijonError, match="Nothing that was put before is lost"):
        spool.put(Kept("trial.seen", 1, "", bytes(1_000_000)))
    assert spool.last == 1
    assert [seq for seq, _ in spool.after(0)] == [1]


def test_what_was_put_survives_a_kill(tmp_path: Path) -> None:
    script = f"""
from pathlib import Path
from ondijon.spool import Kept, SpoolFile
spool = SpoolFile(Path({str(tmp_path / "spool.sqlite")!r})).spool("gw")
while True:
    print(spool.put(Kept("trial.seen", 1, "", b"")), flush=True)
"""
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    for _ in range(50):
        last = int(child.stdout.readline())
    os.kill(child.pid, signal.SIGKILL)
    rest = child.stdout.read().splitlines()
    child.wait()
    last = max(last, *(int(line) for line in rest if line.isdigit()), 0)
    spool = SpoolFile(tmp_path / "spool.sqlite").spool("gw")
    assert spool.last >= last
    assert [seq for seq, _ in spool.after(0)] == list(range(1, spool.last + 1))


def programme(version: int, zone: str = "", content: bytes = b"\x80") -> Programme:
    return Programme("trial.plan", zone, version, bytes([version % 256]) * 32, b"\1\0", content)


def test_a_programme_takes_the_place_of_the_one_of_its_kind_and_zone(make: Callable[[int], Spool]) -> None:
    spool = make(100)
    for each in (programme(1), programme(1, "Dijon"), programme(2)):
        spool.put_programme(each)
    assert spool.programmes() == [programme(1, "Dijon"), programme(2)], "the one put last at the end"
    spool.put(kept(1))
    spool.forget(1)
    assert len(spool.programmes()) == 2


def test_programmes_on_a_disk_stay_each_with_its_gateway(tmp_path: Path) -> None:
    file = SpoolFile(tmp_path / "spool.sqlite")
    file.spool("one").put_programme(programme(1))
    file.spool("other").put_programme(programme(7))
    file.close()
    again = SpoolFile(tmp_path / "spool.sqlite")
    assert again.spool("one").programmes() == [programme(1)]
    assert again.spool("other").programmes() == [programme(7)]
    again.db.execute("PRAGMA max_page_count = 1")
    with pytest.raises(OndijonError, match="the spool fails"):
        again.spool("one").put_programme(programme(2, content=bytes(16_384)))
    assert again.spool("one").programmes() == [programme(1)], "whole or not at all"
    again.close()


def test_a_programme_that_was_told_survives_a_kill_whole(tmp_path: Path) -> None:
    """Killed in the midst of it, again and again: what lies there then is one version, whole, and not an older one."""
    script = f"""
import sys
from pathlib import Path
from core.wire import Programme
from ondijon.spool import SpoolFile
spool = SpoolFile(Path({str(tmp_path / "spool.sqlite")!r})).spool("gw")
version = max((each.version for each in spool.programmes()), default=0)
while True:
    version += 1
    spool.put_programme(Programme("trial.plan", "", version, bytes(32), b"", str(version).encode() * 2000))
    print(version, flush=True)
"""
    told = 0
    for n in range(5):
        child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        for _ in range(10 + n):
            told = int(child.stdout.readline())
        os.kill(child.pid, signal.SIGKILL)
        told = max([told, *(int(line) for line in child.stdout.read().split("\n")[:-1])])
        child.wait()
        file = SpoolFile(tmp_path / "spool.sqlite")
        (held,) = file.spool("gw").programmes()
        file.close()
        assert held.version >= told
        assert held.content == str(held.version).encode() * 2000
