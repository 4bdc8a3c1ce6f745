"""Where a gateway keeps what must not be lost: its events until the post has them, and its programmes."""

from __future__ import annotations

import secrets
import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Protocol

import msgspec

from core.errors import OndijonError
from core.wire import Programme

__all__ = ["DiskSpool", "Kept", "MemorySpool", "Spool", "SpoolFile", "SpoolFullError"]

#: Events that a gateway keeps at most.
EVENTS_MAX = 10_000


class SpoolFullError(OndijonError):
    """There is no room for another event: the post has been away for long, or too much happens."""


class Kept(msgspec.Struct, frozen=True):
    """An event that waits: ``at`` µs of city time, the id of its ``asset`` or "", ``data`` as msgpack, its place."""

    kind: str
    at: int
    asset: str
    data: bytes
    lon: float | None = None
    lat: float | None = None


class Spool(Protocol):
    """Keeps the events of one ``boot`` under their numbers, from 1 on, and programmes.

    One on a disk outlives its process. All events up to ``acked`` are with the post; ``last`` is the number of the
    last one put.
    """

    boot: int
    acked: int
    last: int

    def put(self, event: Kept) -> int:
        """Keep an event; return its number. Raises SpoolFullError, and keeps all it has."""

    def forget(self, through: int) -> None:
        """The post has all up to ``through``."""

    def after(self, seq: int) -> Iterator[tuple[int, Kept]]:
        """The kept events with a number above ``seq``, in order."""

    def programmes(self) -> list[Programme]:
        """The programmes that are kept, one of a kind and zone, the one put last at the end."""

    def put_programme(self, programme: Programme) -> None:
        """Keep a programme instead of the one of its kind and zone, whole or not at all. Raises OndijonError."""


class MemorySpool:
    """A spool that lives as long as its process."""

    def __init__(self, boot: int, limit: int = EVENTS_MAX) -> None:
        self.boot = boot
        self.acked = self.last = 0
        self._limit = limit
        self._kept: deque[Kept] = deque()
        self._programmes: dict[tuple[str, str], Programme] = {}

    def put(self, event: Kept) -> int:
        """Keep an event; return its number. Raises SpoolFullError, and keeps all it has."""
        _check_room(len(self._kept), self._limit, event)
        self._kept.append(event)
        self.last += 1
        return self.last

    def forget(self, through: int) -> None:
        """The post has all up to ``through``."""
        while self.acked < min(through, self.last):
            self._kept.popleft()
            self.acked += 1

    def after(self, seq: int) -> Iterator[tuple[int, Kept]]:
        """The kept events with a number above ``seq``, in order."""
        first = max(seq, self.acked)
        return enumerate(islice(self._kept, first - self.acked, None), first + 1)

    def programmes(self) -> list[Programme]:
        """The programmes that are kept, the one put last at the end."""
        return list(self._programmes.values())

    def put_programme(self, programme: Programme) -> None:
        """Keep a programme instead of the one of its kind and zone."""
        self._programmes.pop((programme.kind, programme.zone), None)
        self._programmes[programme.kind, programme.zone] = programme


class SpoolFile:
    """A file for the spools of one process: each gateway has its own in it.

    Raises OndijonError where it cannot be opened; what was put before stays.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self.errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            self.db = sqlite3.connect(path, isolation_level=None)
            self.db.executescript(_SCHEMA)
            columns = {row[1] for row in self.db.execute("PRAGMA table_info(kept)")}
            if "lon" not in columns:
                # A file of an earlier version, whose events had no place of their own.
                self.db.executescript(_PLACES)

    def spool(self, gateway: str, limit: int = EVENTS_MAX) -> DiskSpool:
        """The spool of a gateway, with what it kept before."""
        return DiskSpool(self, gateway, limit)

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Say what a failing disk means."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise OndijonError(
                f"the spool fails: {error}.",
                where=str(self.path),
                next="Nothing that was put before is lost. Make room, or give it another file.",
            ) from error

    def close(self) -> None:
        """Close the file."""
        self.db.close()


class DiskSpool:
    """A gateway's spool in a file: what was put is on the disk, and a gateway that starts again goes on with it."""

    def __init__(self, file: SpoolFile, gateway: str, limit: int = EVENTS_MAX) -> None:
        self._file = file
        self._gateway = gateway
        self._limit = limit
        self.boot: int
        self.acked: int
        with file.errors():
            file.db.execute("INSERT OR IGNORE INTO gateway VALUES (?, ?, 0)", (gateway, secrets.randbits(62)))
            about = "SELECT boot, acked FROM gateway WHERE name = ?"
            self.boot, self.acked = file.db.execute(about, (gateway,)).fetchone()
            last = file.db.execute("SELECT max(seq) FROM kept WHERE gateway = ?", (gateway,)).fetchone()[0]
        self.last: int = max(self.acked, last or 0)

    def put(self, event: Kept) -> int:
        """Keep an event; return its number, once it is on the disk. Raises SpoolFullError, OndijonError."""
        _check_room(self.last - self.acked, self._limit, event)
        row = (
            self._gateway,
            self.last + 1,
            event.kind,
            event.at,
            event.asset,
            event.data,
            event.lon,
            event.lat,
        )
        with self._file.errors():
            self._file.db.execute("INSERT INTO kept VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        self.last += 1
        return self.last

    def forget(self, through: int) -> None:
        """The post has all up to ``through``."""
        acked = min(through, self.last)
        if acked <= self.acked:
            return
        with self._file.errors():
            # First that they are acknowledged: the next one's number must not be given twice.
            self._file.db.execute("UPDATE gateway SET acked = ? WHERE name = ?", (acked, self._gateway))
            self._file.db.execute("DELETE FROM kept WHERE gateway = ? AND seq <= ?", (self._gateway, acked))
        self.acked = acked

    def after(self, seq: int) -> Iterator[tuple[int, Kept]]:
        """The kept events with a number above ``seq``, in order."""
        for number, *columns in self._file.db.execute(_AFTER, (self._gateway, max(seq, self.acked))):
            yield number, Kept(*columns)

    def programmes(self) -> list[Programme]:
        """The programmes that are kept, the one put last at the end. Raises OndijonError."""
        query = "SELECT kind, zone, version, hash, indexes, content FROM programme WHERE gateway = ? ORDER BY rowid"
        with self._file.errors():
            return [Programme(*columns) for columns in self._file.db.execute(query, (self._gateway,))]

    def put_programme(self, programme: Programme) -> None:
        """Keep a programme instead of the one of its kind and zone; it is on the disk then. Raises OndijonError."""
        row = (self._gateway, *msgspec.structs.astuple(programme))
        with self._file.errors():
            # One statement is one commit: a crash leaves the one before, or this one.
            self._file.db.execute("INSERT OR REPLACE INTO programme VALUES (?, ?, ?, ?, ?, ?, ?)", row)


_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS gateway (name TEXT PRIMARY KEY, boot INTEGER NOT NULL, acked INTEGER NOT NULL)
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kept (gateway TEXT NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL,
    at INTEGER NOT NULL, asset TEXT NOT NULL, data BLOB NOT NULL, lon REAL, lat REAL,
    PRIMARY KEY (gateway, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS programme (gateway TEXT NOT NULL, kind TEXT NOT NULL, zone TEXT NOT NULL,
    version INTEGER NOT NULL, hash BLOB NOT NULL, indexes BLOB NOT NULL, content BLOB NOT NULL,
    PRIMARY KEY (gateway, kind, zone));
"""


def _check_room(kept: int, limit: int, event: Kept) -> None:
    if kept >= limit:
        raise SpoolFullError(
            f"{limit} events wait for the post.",
            where=f"event {event.kind}",
            next="It was not taken: keep it, and try again when the post is back.",
        )


_AFTER = """
SELECT seq, kind, at, asset, data, lon, lat FROM kept WHERE gateway = ? AND seq > ? ORDER BY seq
"""

_PLACES = """
BEGIN;
ALTER TABLE kept ADD COLUMN lon REAL;
ALTER TABLE kept ADD COLUMN lat REAL;
COMMIT;
"""
