"""The journal: what was acknowledged, commanded and decided, committed before anybody acts on it.

SQLite in WAL mode with synchronous=FULL behind a small interface: append, durable, read, truncate. One
thread writes; records that arrive while a commit runs share the next one (group commit).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from core.errors import JournalError

#: The format of the journal file. N reads N-1 and refuses N+1.
FORMAT = 1

#: Records that one commit takes at most, and that may wait for it.
GROUP_MAX = 256
WAITING_MAX = 100_000

#: Kinds of record that are never forgotten: each start builds the register from them.
KEPT = ("asset", "start")


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

    def append(self, records: Sequence[Record]) -> int:
        """Number and queue the records; return the last one's sequence. Raises JournalError when full or failed."""

    def durable(self) -> Durable:
        """What is safe by now."""

    def read(self, after: int = 0, kind: str = "") -> Iterator[tuple[int, Record]]:
        """Committed records with a sequence above ``after``, in order; all, or those of one ``kind``."""

    def truncate(self, before: int) -> None:
        """Forget records below ``before``, but for those of KEPT kinds."""

    def save_states(self, states: Iterable[tuple[str, bytes]]) -> None:
        """Store each plugin's state, replacing the last."""

    def load_state(self, plugin: str) -> bytes | None:
        """A plugin's last stored state."""

    def close(self) -> None:
        """Commit what waits and close."""


_KEPT = "(" + ", ".join(f"'{kind}'" for kind in KEPT) + ")"

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS journal (seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, step INTEGER NOT NULL,
    utc INTEGER NOT NULL, data BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS kept ON journal (kind, seq) WHERE kind IN {_KEPT};
CREATE TABLE IF NOT EXISTS state (plugin TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""


class SqliteJournal:
    """The journal of a folder; ``on_durable`` is called from the writer's thread after each commit."""

    def __init__(self, folder: Path, on_durable: Callable[[], None] = lambda: None) -> None:
        self.path = folder / "journal.sqlite"
        self._on_durable = on_durable
        self._waiting: list[tuple[int, Record]] = []
        self._lock = threading.Condition()
        self._disk = threading.Lock()
        self._closing = False
        self._failure: Exception | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._db = self._open()
            self.generation = self._begin()
            self._next = (self._db.execute("SELECT max(seq) FROM journal").fetchone()[0] or 0) + 1
        except (sqlite3.Error, OSError) as error:
            raise JournalError(
                f"cannot be opened: {error}.",
                where=str(self.path),
                next="Nothing was changed; check disk space and rights.",
            ) from error
        self._durable = self._next - 1
        self._writer = threading.Thread(target=self._write, name="journal", daemon=True)
        self._writer.start()

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("PRAGMA journal_size_limit=67108864")
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
        generation: int = self._db.execute("SELECT value FROM about WHERE key='generation'").fetchone()[0]
        return generation

    def append(self, records: Sequence[Record]) -> int:
        """Number the records and queue them for the next commit; return the sequence of the last."""
        with self._lock:
            if self._failure is not None:
                raise self._stopped() from self._failure
            if len(self._waiting) + len(records) > WAITING_MAX:
                raise JournalError(f"{len(self._waiting)} records wait for the disk.", where=str(self.path))
            for record in records:
                self._waiting.append((self._next, record))
                self._next += 1
            self._lock.notify()
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
        db = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)
        # The kept kinds have an index: they are few, and wanted at each start.
        of_kind = f"kind = ? AND kind IN {_KEPT}" if kind in KEPT else "kind = ?"
        where = f"seq > ? AND {of_kind}" if kind else "seq > ?"
        query = f"SELECT seq, kind, step, utc, data FROM journal WHERE {where} ORDER BY seq"
        try:
            for seq, *columns in db.execute(query, (after, kind) if kind else (after,)):
                yield seq, Record(*columns)
        finally:
            db.close()

    def truncate(self, before: int) -> None:
        """Forget records below ``before``, but for those of KEPT kinds."""
        with self._disk:
            self._db.execute(f"DELETE FROM journal WHERE seq < ? AND kind NOT IN {_KEPT}", (before,))

    def save_states(self, states: Iterable[tuple[str, bytes]]) -> None:
        """Store each plugin's state in one transaction. Raises JournalError where the disk does not take it."""
        try:
            with self._disk:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", states)
                self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._failure = self._failure or error
            raise self._stopped() from error

    def load_state(self, plugin: str) -> bytes | None:
        """A plugin's last stored state."""
        found = self._db.execute("SELECT data FROM state WHERE plugin = ?", (plugin,)).fetchone()
        return found[0] if found else None

    def close(self) -> None:
        """Commit what waits, stop the writer, close the file."""
        with self._lock:
            self._closing = True
            self._lock.notify()
        self._writer.join()
        self._db.close()

    def _write(self) -> None:
        while True:
            with self._lock:
                while not self._waiting and not self._closing:
                    self._lock.wait()
                group, self._waiting = self._waiting[:GROUP_MAX], self._waiting[GROUP_MAX:]
                if not group:
                    return
            if not self._commit(group):
                return
            self._on_durable()

    def _commit(self, group: Sequence[tuple[int, Record]]) -> bool:
        rows = [(seq, r.kind, r.step, r.utc, r.data) for seq, r in group]
        try:
            with self._disk:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.executemany("INSERT INTO journal VALUES (?, ?, ?, ?, ?)", rows)
                self._db.execute("COMMIT")
        except Exception as error:
            # A failed fsync leaves the page cache unknown: never try again, never acknowledge (reliability).
            self._failure = error
            self._on_durable()
            return False
        self._durable = group[-1][0]
        return True

    @property
    def failed(self) -> Exception | None:
        """Why the journal stopped, or None while it works."""
        return self._failure
