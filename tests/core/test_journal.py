"""The journal: numbered, committed, read back; refused rather than lost."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from adapters.audit import verify
from core import snapshot
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
    first.close()
    second = SqliteJournal(tmp_path)
    assert second.generation == first.generation + 1
    assert second.append(records(1)) == last + 1
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


def test_what_was_appended_together_is_committed_together(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path)
    commits: list[int] = []
    journal._on_durable = lambda: commits.append(journal.durable().local)
    ends = [journal.append(records(n)) for n in (1, GROUP_MAX + 50, 3, 2 * GROUP_MAX)]
    wait_durable(journal, ends[-1])
    journal.close()
    assert set(commits) <= set(ends)


def test_snapshots_are_kept_by_their_digest(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path)
    assert journal.register() is None
    seqs = [journal.save(i, i, b"snapshot %d" % i, b"register" if i == 1 else None) for i in range(4)]
    wait_durable(journal, seqs[-1])
    assert list(journal.snapshots()) == [(seqs[3], b"snapshot 3"), (seqs[2], b"snapshot 2")]
    assert journal.register() == (seqs[1], b"register")
    journal._db.execute("UPDATE snapshot SET data = x'00' WHERE seq = ?", (seqs[3],))
    assert list(journal.snapshots()) == [(seqs[2], b"snapshot 2")], "a damaged one is passed over"
    journal._db.execute("UPDATE register SET data = x'00'")
    with pytest.raises(JournalError, match="the saved register is damaged"):
        journal.register()
    journal.close()


def test_truncating_stops_at_a_signed_head_before_the_oldest_snapshot(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("core.journal.SIGN_RECORDS", 5)
    journal = SqliteJournal(tmp_path)
    for _ in range(20):
        wait_durable(journal, journal.append(records(1)))
    journal.truncate(15)
    assert len(list(journal.read())) == 20, "without a snapshot all is needed"
    kept = journal.save(1, 1, b"a snapshot", b"a register")
    wait_durable(journal, journal.append(records(10)))
    journal.truncate(13)
    assert [seq for seq, _ in journal.read()] == list(range(11, 32)), "10 is the last head before 13"
    journal.truncate(1 << 40)
    assert next(seq for seq, _ in journal.read()) <= kept
    journal.close()
    again = SqliteJournal(tmp_path)
    assert again.append(records(1)) == 32
    again.close()
    with pytest.raises(verify.ForgedError, match="the post did not say that it forgot them"):
        verify.check(tmp_path, None, None)


def test_a_journal_of_format_1_goes_on(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "journal.sqlite") as db:
        db.executescript(
            """CREATE TABLE journal (seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, step INTEGER NOT NULL,
                utc INTEGER NOT NULL, data BLOB NOT NULL);
            CREATE TABLE state (plugin TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
            CREATE TABLE about (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
            INSERT INTO about VALUES ('format', 1), ('generation', 7);
            INSERT INTO state VALUES ('lighting', x'01');
            INSERT INTO journal VALUES (1, 'event', 1, 5, x'80'), (2, 'event', 2, 9, x'80');"""
        )
    journal = SqliteJournal(tmp_path)
    assert journal.generation == 8
    newest = snapshot.newest(journal)
    assert newest is not None
    assert (newest.plugins, newest.after, newest.utc) == ({"lighting": b"\1"}, 2, 9)
    journal.append(records(1))
    journal.close()
    assert verify.check(tmp_path, None, None).records == 3


def test_a_newer_format_is_refused_and_left_alone(tmp_path: Path) -> None:
    SqliteJournal(tmp_path).close()
    with sqlite3.connect(tmp_path / "journal.sqlite") as db:
        db.execute("UPDATE about SET value = 99 WHERE key = 'format'")
    with pytest.raises(JournalError, match="written in format 99, this version reads up to 2"):
        SqliteJournal(tmp_path)


def test_a_file_that_is_no_journal_is_named(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"not a database, but long enough to be taken for one" * 100)
    with pytest.raises(JournalError, match=r"journal.sqlite: damaged"):
        SqliteJournal(tmp_path)


def test_a_damaged_page_is_named_with_what_to_do(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path)
    journal.append([Record("event", 1, 1, bytes(3000))] * 200)
    journal.close()
    path = tmp_path / "journal.sqlite"
    content = bytearray(path.read_bytes())
    content[40_000:60_000] = bytes(range(200)) * 100
    path.write_bytes(content)
    with pytest.raises(JournalError, match=r"journal.sqlite: damaged: .*`ondijon audit verify`"):
        list(SqliteJournal(tmp_path).read())


def test_what_an_earlier_life_left_is_written_anew_before_it_counts(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "one")
    wait_durable(journal, journal.append(records(20)))
    # As a process leaves it that was killed: in the write-ahead log, which nobody has folded into the file.
    left = tmp_path / "two"
    shutil.copytree(tmp_path / "one", left)
    journal.close()
    assert (left / "journal.sqlite-wal").stat().st_size > 0
    again = SqliteJournal(left)
    with sqlite3.connect(f"file:{left / 'journal.sqlite'}?immutable=1", uri=True) as file:
        assert file.execute("SELECT count(*) FROM journal").fetchone() == (20,), "in the file itself"
    again.close()
