"""The journal: numbered, committed, read back; refused rather than lost."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path

import pytest

from core.errors import JournalError
from core.journal import GROUP_MAX, Record, SqliteJournal


def records(n: int, kind: str = "event") -> list[Record]:
    return [Record(kind, 1, i, str(i).encode()) for i in range(n)]


def wait_durable(journal: SqliteJournal, seq: int) -> None:
    until = time.monotonic() + 10
    while journal.durable().local < seq and time.monotonic() < until:
        time.sleep(0.002)
    assert journal.durable().local >= seq


def test_what_is_durable_is_read_back_in_order(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path)
    last = journal.append(records(3 * GROUP_MAX + 1))
    wait_durable(journal, last)
    found = list(journal.read())
    assert [seq for seq, _ in found] == list(range(1, last + 1))
    assert found[10][1] == records(11)[10]
    assert [seq for seq, _ in journal.read(after=last - 2)] == [last - 1, last]
    assert journal.durable().local == journal.durable().replicated
    journal.close()


def test_a_second_start_goes_on_numbering_in_a_new_generation(tmp_path: Path) -> None:
    first = SqliteJournal(tmp_path)
    last = first.append(records(5))
    first.save_states([("lighting", b"one"), ("snow", b"two")])
    first.close()
    second = SqliteJournal(tmp_path)
    assert second.generation == first.generation + 1
    assert second.append(records(1)) == last + 1
    assert second.load_state("lighting") == b"one"
    assert second.load_state("roads") is None
    second.close()


def test_appending_from_two_threads_numbers_each_once(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path)
    seqs: list[int] = []

    def write() -> None:
        seqs.extend(journal.append(records(1)) for _ in range(300))

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    assert sorted(seqs) == list(range(1, 601))


def test_the_owner_is_told_after_each_commit(tmp_path: Path) -> None:
    told = threading.Event()
    journal = SqliteJournal(tmp_path, told.set)
    journal.append(records(1))
    assert told.wait(10)
    assert journal.durable().local == 1
    journal.close()


def test_a_failed_write_is_never_tried_again_and_nothing_more_is_promised(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path)
    wait_durable(journal, journal.append(records(1)))
    journal._db.execute("PRAGMA max_page_count = 1")
    journal.append([Record("event", 1, 1, b"x" * 1_000_000)])
    until = time.monotonic() + 10
    while journal.failed is None and time.monotonic() < until:
        time.sleep(0.01)
    with pytest.raises(JournalError, match="Nothing acknowledged is lost"):
        journal.append(records(1))
    assert journal.durable().local == 1
    journal.close()
    again = SqliteJournal(tmp_path)
    assert len(list(again.read())) == 1
    again.close()


def test_truncating_forgets_only_what_is_older(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path)
    wait_durable(journal, journal.append(records(10)))
    journal.truncate(6)
    assert [seq for seq, _ in journal.read()] == [6, 7, 8, 9, 10]
    journal.close()


def test_a_newer_format_is_refused_and_left_alone(tmp_path: Path) -> None:
    SqliteJournal(tmp_path).close()
    with sqlite3.connect(tmp_path / "journal.sqlite") as db:
        db.execute("UPDATE about SET value = 99 WHERE key = 'format'")
    with pytest.raises(JournalError, match="written in format 99, this version reads up to 1"):
        SqliteJournal(tmp_path)


def test_a_file_that_is_no_journal_is_named(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"not a database, but long enough to be taken for one" * 100)
    with pytest.raises(JournalError, match=r"journal.sqlite: cannot be opened"):
        SqliteJournal(tmp_path)
