"""The journal: what was acknowledged, commanded and decided, committed before anybody acts on it.

SQLite in WAL mode with synchronous=FULL behind a small interface: append, save, durable, read, truncate. One
thread writes; records that arrive while a commit runs share the next one (group commit), and what was appended
together is committed together. Records are bound in a hash chain, whose head is signed from time to time.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from core.chain import GENESIS, linked
from core.checkpoint import Signer
from core.errors import JournalError
from core.keeper import Keeper, Witness

#: The format of the journal file. N reads N-1 and refuses N+1.
FORMAT = 2

#: Records after which one commit takes no further batch, and that may wait for it.
GROUP_MAX = 256
WAITING_MAX = 100_000

#: The chain's head is signed after so many records, or so long (s) after the first unsigned one.
SIGN_RECORDS = 1000
SIGN_S = 10.0
#: Records that one transaction of a truncation forgets.
PART = 1000

#: Snapshots that are kept: where the last one is damaged, the one before it and a longer tail do.
SNAPSHOTS = 2

#: The kind of record that a snapshot has.
SNAPSHOT = "snapshot"


class Record(msgspec.Struct, frozen=True):
    """One line of the journal: its kind, the step and city time (µs) it belongs to, and its data (msgpack)."""

    kind: str
    step: int
    utc: int
    data: bytes


class Durable(msgspec.Struct, frozen=True):
    """The last sequence that is safe on this machine's disk, and on a replica's (equal while there is none)."""

    local: int
    replicated: int


class Journal(Protocol):
    """What the kernel asks of a journal; tests hand in one without a disk."""

    generation: int

    @property
    def failed(self) -> Exception | None:
        """Why it can promise nothing any more, or None while it works."""

    def witnesses_away(self) -> list[tuple[str, str]]:
        """The witnesses that have been away for long: where, and why."""

    def append(self, records: Sequence[Record]) -> int:
        """Number and queue the records; return the last one's sequence. Raises JournalError when full or failed."""

    def last(self) -> int:
        """The sequence of the last record that was queued."""

    def save(self, step: int, utc: int, snapshot: bytes, register: bytes | None = None) -> int:
        """Queue a snapshot, and the register where it changed, with a record of their digests; return its sequence."""

    def snapshots(self) -> Iterator[tuple[int, bytes]]:
        """The kept snapshots that their records vouch for, newest first, each with its record's sequence."""

    def register(self) -> tuple[int, bytes] | None:
        """The register that was saved last, with its record's sequence."""

    def old_states(self) -> dict[str, bytes]:
        """The plugins' states of a journal of format 1, which had no snapshots."""

    def durable(self) -> Durable:
        """What is safe by now."""

    def read(self, after: int = 0, kind: str = "") -> Iterator[tuple[int, Record]]:
        """Committed records with a sequence above ``after``, in order; all, or those of one ``kind``."""

    def truncate(self, before: int) -> None:
        """Forget records below ``before`` that a signed head and a snapshot stand for."""

    def close(self) -> None:
        """Commit what waits and close."""


class _Batch(msgspec.Struct, frozen=True):
    """What is committed together: numbered records, and what the first of them vouches for."""

    records: list[tuple[int, Record]]
    snapshot: bytes | None = None
    register: bytes | None = None


_digests = msgspec.msgpack.Decoder(tuple[bytes, bytes])

_SCHEMA = """
CREATE TABLE IF NOT EXISTS journal (seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, step INTEGER NOT NULL,
    utc INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS checkpoint (seq INTEGER PRIMARY KEY, head BLOB NOT NULL, note TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS snapshot (seq INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS register (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""


class SqliteJournal:
    """The journal of a folder; ``on_durable`` is called from the writer's thread after each commit.

    ``name`` is the post's, under which the heads of the chain are signed; ``witness`` the folders they are shown in.
    """

    def __init__(
        self,
        folder: Path,
        on_durable: Callable[[], None] = lambda: None,
        name: str = "ondijon",
        witness: Sequence[Path] = (),
    ) -> None:
        self.path = folder / "journal.sqlite"
        self._on_durable = on_durable
        self._waiting: deque[_Batch] = deque()
        self._waiting_records = 0
        self._lock = threading.Condition()
        self._disk = threading.Lock()
        self._closing = False
        self._failure: Exception | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._db = self._open()
            self.generation = self._begin()
            self._signer = Signer(folder / "audit.key", name)
            self._head = self._recover()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise self._closed_to_us(error) from error
            raise self._damaged(f"{error}") from error
        except OSError as error:
            raise self._closed_to_us(error) from error
        self._next = self._durable + 1
        self._signed_at = time.monotonic()
        self._writer = threading.Thread(target=self._write, name="journal", daemon=True)
        self._writer.start()
        self._keeper = Keeper(self.path, [Witness(folder, name) for folder in witness])
        self._keeper.start()

    def _closed_to_us(self, error: Exception) -> JournalError:
        return JournalError(
            f"cannot be opened: {error}.",
            where=str(self.path),
            next="Nothing was changed; check disk space and rights.",
        )

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("PRAGMA journal_size_limit=67108864")
        # The keeper folds the log into the file, beside the commits; this is for the case that it cannot.
        db.execute("PRAGMA wal_autocheckpoint=20000")
        db.executescript(_SCHEMA)
        return db

    def _begin(self) -> int:
        stored = self._db.execute("SELECT value FROM about WHERE key='format'").fetchone()
        if stored and stored[0] > FORMAT:
            raise JournalError(
                f"written in format {stored[0]}, this version reads up to {FORMAT}.",
                where=str(self.path),
                next="Start the newer version again; the file was not touched.",
            )
        with self._db:
            self._db.execute("INSERT OR REPLACE INTO about VALUES ('format', ?)", (FORMAT,))
            self._db.execute(
                "INSERT INTO about VALUES ('generation', 1) ON CONFLICT (key) DO UPDATE SET value = value + 1"
            )
        # What an earlier life wrote may lie in the page cache only, of which a failed fsync says nothing more. So
        # all of it is written once more, and synced, before anybody is told that it is safe.
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        generation: int = self._db.execute("SELECT value FROM about WHERE key='generation'").fetchone()[0]
        return generation

    def _recover(self) -> bytes:
        """The chain's head, from the last signed one on; a journal of format 1, without any, is chained whole."""
        signed = self._db.execute("SELECT seq, head FROM checkpoint ORDER BY seq DESC LIMIT 1").fetchone()
        head: bytes
        self._signed: int
        self._signed, head = signed or (0, GENESIS)
        self._durable: int = self._signed
        query = "SELECT seq, kind, step, utc, data FROM journal WHERE seq > ? ORDER BY seq"
        for row in self._db.execute(query, (self._signed,)):
            self._durable, head = row[0], linked(head, *row)
        return head

    def append(self, records: Sequence[Record]) -> int:
        """Number the records and queue them for the next commit, all in one; return the sequence of the last."""
        with self._lock:
            if self._failure is not None:
                raise self._stopped() from self._failure
            if self._waiting_records + len(records) > WAITING_MAX:
                raise JournalError(
                    f"{self._waiting_records} records wait for the disk.", where=str(self.path)
                )
            if records:
                self._queue(_Batch(list(enumerate(records, self._next))))
            return self._next - 1

    def last(self) -> int:
        """The sequence of the last record that was queued."""
        return self._next - 1

    def _queue(self, batch: _Batch) -> None:
        self._waiting.append(batch)
        self._waiting_records += len(batch.records)
        self._next += len(batch.records)
        self._lock.notify()

    def save(self, step: int, utc: int, snapshot: bytes, register: bytes | None = None) -> int:
        """Queue a snapshot, and the register where it changed, with a record of their digests; return its sequence."""
        digests = hashlib.sha256(snapshot).digest(), hashlib.sha256(register or b"").digest()
        record = Record(SNAPSHOT, step, utc, msgspec.msgpack.encode(digests))
        with self._lock:
            if self._failure is not None:
                raise self._stopped() from self._failure
            self._queue(_Batch([(self._next, record)], snapshot, register))
            return self._next - 1

    def _stopped(self) -> JournalError:
        return JournalError(
            f"stopped: {self._failure}.",
            where=str(self.path),
            next="Nothing acknowledged is lost. Free the disk or replace it; the post then goes on by itself.",
        )

    def durable(self) -> Durable:
        """What is committed by now. Without a replica both sequences are the same."""
        return Durable(self._durable, self._durable)

    def read(self, after: int = 0, kind: str = "") -> Iterator[tuple[int, Record]]:
        """Committed records above ``after``, read over a connection of its own."""
        return read(self.path, after, kind)

    def _damaged(self, what: str) -> JournalError:
        return _damaged(self.path, what)

    def truncate(self, before: int) -> None:
        """Forget records below ``before``, up to the last signed head before both that and the oldest snapshot.

        The head stays: from it on the chain can be checked.
        """
        with self._disk:
            limit = min(before, self._needed())
            head = self._db.execute("SELECT max(seq) FROM checkpoint WHERE seq < ?", (limit,)).fetchone()[0]
            if not head:
                return
            first = self._db.execute("SELECT min(seq) FROM journal").fetchone()[0] or head
        # A part at a time: no commit shall wait for all of it. The oldest go first.
        for last in [*range(first + PART - 1, head, PART), head]:
            with self._disk:
                if self._closing:
                    return
                with self._db:
                    self._db.execute("BEGIN IMMEDIATE")
                    self._db.execute("DELETE FROM journal WHERE seq <= ?", (last,))
                    self._db.execute("DELETE FROM checkpoint WHERE seq < ?", (last if last == head else 0,))
            time.sleep(0.001)

    def _needed(self) -> int:
        """The first record that a start may need: that of the oldest snapshot, or of the register."""
        query = "SELECT min(seq) FROM (SELECT seq FROM snapshot UNION SELECT seq FROM register)"
        return self._db.execute(query).fetchone()[0] or 0

    def cut(self, keep: int, portion: int) -> tuple[int, int, bytes, int] | None:
        """What may be forgotten so that the records of the last ``keep`` µs stay; None for less than a ``portion`` µs.

        (first record, last record, the signed head there, utc µs of the journal's end).
        """
        with self._disk:
            edges = "SELECT seq, utc FROM journal WHERE seq IN ((SELECT {}(seq) FROM journal))"
            oldest, newest = (self._db.execute(edges.format(which)).fetchone() for which in ("min", "max"))
            if not newest or newest[1] - oldest[1] < keep + portion:
                return None
            through: tuple[int, bytes] | None = None
            query = """SELECT checkpoint.seq, head, utc FROM checkpoint JOIN journal USING (seq)
                WHERE seq < ? ORDER BY seq"""
            for seq, head, utc in self._db.execute(query, (self._needed(),)):
                if utc >= newest[1] - keep:
                    break
                through = seq, head
        return (oldest[0], *through, newest[1]) if through else None

    def snapshots(self) -> Iterator[tuple[int, bytes]]:
        """The kept snapshots that their records vouch for, newest first, each with its record's sequence."""
        query = """SELECT snapshot.seq, snapshot.data, journal.data FROM snapshot JOIN journal USING (seq)
            ORDER BY seq DESC"""
        for seq, data, record in self._db.execute(query).fetchall():
            if hashlib.sha256(data).digest() == _digests.decode(record)[0]:
                yield seq, data

    def old_states(self) -> dict[str, bytes]:
        """The plugins' states of a journal of format 1, which had no snapshots."""
        there = self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'state'").fetchone()
        return dict(self._db.execute("SELECT plugin, data FROM state").fetchall()) if there else {}

    def register(self) -> tuple[int, bytes] | None:
        """The register that was saved last, with its record's sequence. Raises JournalError where it is damaged."""
        query = """SELECT register.seq, register.data, journal.data FROM register JOIN journal USING (seq)"""
        found = self._db.execute(query).fetchone()
        if not found:
            return None
        seq, data, record = found
        if hashlib.sha256(data).digest() != _digests.decode(record)[1]:
            raise JournalError(
                "the saved register is damaged.",
                where=str(self.path),
                next="Restore the data folder from its backup: slots and states rest on the register.",
            )
        return seq, data

    def close(self) -> None:
        """Commit what waits, sign the head, stop the writer, close the file."""
        with self._lock:
            self._closing = True
            self._lock.notify()
        self._writer.join()
        self._keeper.close()
        with self._disk:
            self._db.close()

    def _write(self) -> None:
        while True:
            group = self._group()
            if not self._commit(group):
                return
            if group:
                self._on_durable()
            elif self._closing:
                return

    def _group(self) -> list[_Batch]:
        """Whole batches, until there are enough; none when it is time to sign, or to end."""
        with self._lock:
            while not self._waiting and not self._closing:
                unsigned = self._durable > self._signed
                wait = self._signed_at + SIGN_S - time.monotonic() if unsigned else None
                if (wait is not None and wait <= 0) or not self._lock.wait(wait):
                    return []
            group: list[_Batch] = []
            records = 0
            while self._waiting and records < GROUP_MAX:
                group.append(self._waiting.popleft())
                records += len(group[-1].records)
            self._waiting_records -= records
            return group

    def _commit(self, group: Sequence[_Batch]) -> bool:
        rows = [(seq, r.kind, r.step, r.utc, r.data) for batch in group for seq, r in batch.records]
        head, last = self._head, self._durable
        for row in rows:
            last, head = row[0], linked(head, *row)
        signs = last > self._signed and (
            last - self._signed >= SIGN_RECORDS
            or time.monotonic() - self._signed_at >= SIGN_S
            or (self._closing and not group)
        )
        try:
            with self._disk:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.executemany("INSERT INTO journal VALUES (?, ?, ?, ?, ?)", rows)
                for batch in group:
                    self._keep(batch)
                if signs:
                    self._db.execute(
                        "INSERT INTO checkpoint VALUES (?, ?, ?)", (last, head, self._signer.sign(last, head))
                    )
                self._db.execute("COMMIT")
        except Exception as error:
            # A failed fsync leaves the page cache unknown: never try again, never acknowledge (reliability).
            self._failure = error
            self._on_durable()
            return False
        self._head, self._durable = head, last
        if signs:
            self._signed, self._signed_at = last, time.monotonic()
        return True

    def witnesses_away(self) -> list[tuple[str, str]]:
        """The witnesses that have been away for long: where, and why."""
        return self._keeper.away()

    def _keep(self, batch: _Batch) -> None:
        seq = batch.records[0][0]
        if batch.snapshot is not None:
            self._db.execute("INSERT INTO snapshot VALUES (?, ?)", (seq, batch.snapshot))
            older = "SELECT seq FROM snapshot ORDER BY seq DESC LIMIT ?"
            self._db.execute(f"DELETE FROM snapshot WHERE seq NOT IN ({older})", (SNAPSHOTS,))
        if batch.register is not None:
            self._db.execute("INSERT OR REPLACE INTO register VALUES (1, ?, ?)", (seq, batch.register))

    @property
    def failed(self) -> Exception | None:
        """Why the journal stopped, or None while it works."""
        return self._failure


def read(path: Path, after: int = 0, kind: str = "") -> Iterator[tuple[int, Record]]:
    """The committed records of a journal's file above ``after``, in order; all, or those of one ``kind``."""
    query = "SELECT seq, kind, step, utc, data FROM journal WHERE seq > ? AND ? IN ('', kind) ORDER BY seq"
    try:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            for seq, *columns in db.execute(query, (after, kind)):
                yield seq, Record(*columns)
        finally:
            db.close()
    except sqlite3.Error as error:
        raise _damaged(path, f"{error}") from error


def _damaged(path: Path, what: str) -> JournalError:
    return JournalError(
        f"damaged: {what}.",
        where=str(path),
        next="Keep this file, and restore the backup; `ondijon audit verify` tells how far each is whole.",
    )
