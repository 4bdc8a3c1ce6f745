"""The journal forgets its beginning by itself; what outlives is kept, and nobody else's cut is taken for its own."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from adapters.audit import verify
from core import availability, ledger
from core import journal as journals
from core.availability import ServiceChanged
from core.journal import Record, SqliteJournal
from core.truncation import PORTION, Truncation
from tests.dying import Dying

DAYS = 12


def day(n: int) -> list[Record]:
    """The records of a day: many events, a command, an asset that changes how it serves."""
    utc = n * PORTION
    said = ServiceChanged("lighting", "up" if n % 2 else "down", f"day {n}", np.array([7], "<u4").tobytes())
    return [
        *(Record("event", n, utc + i, b"event %d" % i) for i in range(30)),
        Record("command", n, utc + 40, b"command"),
        availability.record(n, utc + 50, said),
    ]


def wait(journal: SqliteJournal, seq: int) -> None:
    until = time.monotonic() + 20
    while journal.durable().local < seq and time.monotonic() < until:
        time.sleep(0.001)
    assert journal.durable().local >= seq


def live(journal: SqliteJournal, first: int, last: int) -> None:
    """Some days pass, with a snapshot each."""
    for n in range(first, last):
        wait(journal, journal.append(day(n)))
        wait(journal, journal.save(n, n * PORTION + 60, b"snapshot", b"register"))


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "SIGN_RECORDS", 10)
    monkeypatch.setattr(journals, "PART", 7)


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A data folder that lived for some days, and keeps all of them."""
    data, witness = tmp_path / "data", tmp_path / "witness"
    witness.mkdir()
    journal = SqliteJournal(data, name="test", witness=[witness])
    live(journal, 0, DAYS)
    journal.close()
    return data


def truncated(data: Path, keep_days: int = 5, ledger_days: int = 0) -> None:
    """The post is started and truncates once."""
    journal = SqliteJournal(data, name="test")
    truncation = Truncation(journal, keep_days, ledger_days)
    truncation.finish()
    truncation.look()
    journal.close()


def check(data: Path) -> verify.Finding:
    return verify.check(data, None, data.parent / "witness")


def first(data: Path) -> int:
    return next(seq for seq, _ in journals.read(data / "journal.sqlite"))


def sql(data: Path, *statements: str) -> Path:
    """Somebody touches the journal."""
    with sqlite3.connect(data / "journal.sqlite") as db:
        for statement in statements:
            db.execute(statement)
    db.close()
    return data


def test_old_events_go_and_what_outlives_stays(whole: Path) -> None:
    before = list(ledger.records(whole))
    truncated(whole)
    found = check(whole)
    assert found.ledgers == 1
    assert found.first == first(whole) > 1
    assert "1 ledgers hold the" in found.sentence()
    days = {
        record.utc // PORTION
        for _, record in journals.read(whole / "journal.sqlite")
        if record.kind == "event"
    }
    assert days == set(range(7, DAYS)), "the last five days, up to the signed head before them"
    outlives = [(seq, record) for seq, record in before if record.kind not in ledger.FORGOTTEN]
    after = [(seq, record) for seq, record in ledger.records(whole) if record.kind not in ledger.FORGOTTEN]
    assert [each for each in after if each[1].kind != "truncated"] == outlives


def test_the_intervals_of_a_contract_are_the_same_before_and_after(whole: Path) -> None:
    def intervals() -> list[availability.Interval]:
        return list(availability.intervals((record for _, record in ledger.records(whole)), 7))

    before = intervals()
    assert len(before) == DAYS
    truncated(whole)
    assert intervals() == before


def test_truncated_again_and_again_it_stays_whole(whole: Path) -> None:
    for n in range(DAYS, DAYS + 30, 3):
        journal = SqliteJournal(whole, name="test", witness=[whole.parent / "witness"])
        live(journal, n, n + 3)
        journal.close()
        truncated(whole, keep_days=5, ledger_days=9)
        found = check(whole)
    assert found.ledgers == len(ledger.files(whole))
    assert 2 <= found.ledgers <= 5, "the oldest were dropped, and the post said so"
    assert found.last > 30 * 30


def test_it_goes_on_beside_the_commits(whole: Path) -> None:
    journal = SqliteJournal(whole, name="test", witness=[whole.parent / "witness"])
    truncation = Truncation(journal, 5, 0)
    thread = threading.Thread(target=truncation.look)
    thread.start()
    appended = 0
    while thread.is_alive():
        wait(journal, journal.append(day(DAYS)))
        appended += 1
    journal.close()
    assert appended > 1
    found = check(whole)
    assert found.ledgers == 1
    assert found.last == first(whole) + found.records - 1


def test_within_its_time_and_a_day_nothing_goes(whole: Path) -> None:
    truncated(whole, keep_days=DAYS)
    truncated(whole, keep_days=DAYS - 1)
    assert first(whole) == 1
    assert ledger.files(whole) == []


def test_without_a_snapshot_nothing_goes(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path)
    for n in range(DAYS):
        wait(journal, journal.append(day(n)))
    Truncation(journal, 2, 0).look()
    journal.close()
    assert first(tmp_path) == 1


def test_a_beginning_that_somebody_else_cut_off_is_found(whole: Path) -> None:
    signed = [
        seq for (seq,) in sqlite3.connect(whole / "journal.sqlite").execute("SELECT seq FROM checkpoint")
    ]
    for seq in signed:
        copy = Path(shutil.copytree(whole, whole.parent / f"cut{seq}" / "data"))
        shutil.copytree(whole.parent / "witness", copy.parent / "witness")
        sql(copy, f"DELETE FROM journal WHERE seq <= {seq}", f"DELETE FROM checkpoint WHERE seq < {seq}")
        with pytest.raises(
            verify.ForgedError, match=r"the post did not say that it forgot them|the journal ends with"
        ):
            check(copy)


def test_beyond_what_the_post_forgot_a_cut_is_found(whole: Path) -> None:
    truncated(whole)
    gone = first(whole) - 1
    copy = Path(shutil.copytree(whole, whole.parent / "x" / "data"))
    shutil.copytree(whole.parent / "witness", copy.parent / "witness")
    db = sqlite3.connect(whole / "journal.sqlite")
    signed = [seq for (seq,) in db.execute("SELECT seq FROM checkpoint WHERE seq > ?", (gone,))]
    db.close()
    for seq in signed[:-1]:
        sql(copy, f"DELETE FROM journal WHERE seq <= {seq}")
        with pytest.raises(verify.ForgedError, match=r"did not say|gone"):
            check(copy)


@pytest.mark.parametrize("truncates", [False, True])
@pytest.mark.parametrize("place", [0, 1])
def test_a_truncation_that_somebody_else_announced_is_not_believed(
    whole: Path, truncates: bool, place: int
) -> None:
    if truncates:
        truncated(whole)
    db = sqlite3.connect(whole / "journal.sqlite")
    through, head = db.execute("SELECT seq, head FROM checkpoint ORDER BY seq LIMIT 1 OFFSET 5").fetchone()
    db.close()
    told = ledger.write(whole / "journal.sqlite", 1, through, head, [])
    sql(whole, f"DELETE FROM journal WHERE seq <= {through}", f"DELETE FROM checkpoint WHERE seq < {through}")
    with sqlite3.connect(whole / "journal.sqlite") as db:
        # Among what is not looked at, or as a record of the chain.
        seq = through if place == 0 else through + 1
        row = (seq, "truncated", 0, 0, ledger.encode(told))
        db.execute("INSERT OR REPLACE INTO journal VALUES (?, ?, ?, ?, ?)", row)
    db.close()
    with pytest.raises(verify.ForgedError, match=r"did not say|no signed head|are not those"):
        check(whole)


@pytest.mark.parametrize(
    ("statements", "why"),
    [
        (
            [
                "UPDATE journal SET data = replace(data, '\"through\":', '\"through\":1') WHERE kind = 'truncated'"
            ],
            "did not say",
        ),
        (["DELETE FROM journal WHERE kind = 'truncated'"], "did not say"),
        (["UPDATE journal SET kind = 'event' WHERE kind = 'truncated'"], "did not say"),
        (["UPDATE journal SET data = x'7b' WHERE kind = 'truncated'"], "cannot be read"),
        (["UPDATE journal SET data = x'7b7d' WHERE kind = 'truncated'"], "cannot be read"),
        (["DELETE FROM checkpoint WHERE seq = (SELECT min(seq) FROM checkpoint)"], "no signed head"),
        (["UPDATE journal SET data = x'00' WHERE seq = (SELECT min(seq) FROM journal)"], "are not those"),
    ],
)
def test_what_is_touched_after_a_truncation_is_found(whole: Path, statements: list[str], why: str) -> None:
    truncated(whole)
    sql(whole, *statements)
    with pytest.raises(verify.ForgedError, match=why):
        check(whole)


def test_a_ledger_that_was_touched_or_taken_away_is_found(whole: Path) -> None:
    truncated(whole)
    (path,) = ledger.files(whole)
    content = path.read_bytes()
    for i in range(0, len(content), 501):
        path.write_bytes(content[:i] + bytes([content[i] ^ 1]) + content[i + 1 :])
        with pytest.raises(verify.ForgedError, match="is not the one that was written"):
            check(whole)
    path.unlink()
    with pytest.raises(verify.ForgedError, match="is gone"):
        check(whole)
    path.write_bytes(content)
    assert check(whole).ledgers == 1


_TRUNCATES = """
import os, signal, sys
from collections.abc import Iterator
from pathlib import Path
from core import journal as journals
from core.journal import SqliteJournal
from core.truncation import Truncation

journals.SIGN_RECORDS, journals.PART = 10, 7

def work(folder, calls):
    journal, left = SqliteJournal(Path(folder), name="test"), int(calls)

    def trace(frame, event, arg):
        nonlocal left
        if "/core/" in frame.f_code.co_filename:
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)
    Truncation(journal, 5, 0).look()
    sys.settrace(None)
    journal.close()
"""


@pytest.fixture
def truncates() -> Iterator[Dying]:
    """Truncates a folder's journal, and is killed after so many lines of the program."""
    with Dying(_TRUNCATES) as made:
        yield made


@pytest.mark.parametrize("stride", [40, pytest.param(3, marks=pytest.mark.slow)])
def test_killed_anywhere_it_is_whole_and_ends_what_it_began(
    whole: Path, truncates: Dying, stride: int
) -> None:
    ends = set()
    for calls in range(0, 10_000, stride):
        copy = Path(shutil.copytree(whole, whole.parent / f"killed{calls}" / "data"))
        shutil.copytree(whole.parent / "witness", copy.parent / "witness")
        ended = truncates(copy, calls)
        assert ended in (0, -signal.SIGKILL)
        check(copy)
        ends.add(first(copy))
        truncated(copy)
        found = check(copy)
        assert found.first == first(copy) > 1
        kinds = {record.kind for _, record in ledger.records(copy)}
        assert {"command", "service", "truncated"} <= kinds
        shutil.rmtree(copy.parent)
        if ended == 0:
            break
    assert 1 in ends
    assert len(ends) > 1
