"""The data folder of a post, only read: while the post runs beside it, after it was stopped, and from a backup."""

from __future__ import annotations

import datetime
import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from adapters.papers.words import Head
from core import city as cities
from core import run as runs
from core import snapshot as snapshots
from core.assets import Assets
from core.clock import SECOND
from core.errors import CityError, JournalError, OndijonError
from core.run import Run
from core.snapshot import Snapshot

T = TypeVar("T")

#: A start may have set the clock back a little: records this much (µs) to either side of a time are looked at too.
MARGIN = 7200 * SECOND

_head = msgspec.msgpack.Decoder(Head)
_digests = msgspec.msgpack.Decoder(tuple[bytes, bytes])


class Line(NamedTuple):
    """A record of the journal that is an event."""

    seq: int
    step: int
    utc: int
    head: Head
    data: bytes

    def of(self, struct: type[T]) -> T:
        """What the event says. Raises msgspec.DecodeError."""
        # Made when it is asked for the first time, a decoder a kind.
        return _decoder(struct)(self.data).data  # type: ignore[no-any-return]


_decoders: dict[type, Callable[[bytes], Any]] = {}


def _decoder(struct: type) -> Callable[[bytes], Any]:
    if struct not in _decoders:
        wrapped = msgspec.defstruct("Event", [("data", struct)])
        _decoders[struct] = msgspec.msgpack.Decoder(wrapped).decode
    return _decoders[struct]


class Folder:
    """One view of the journal, the same from its opening to its closing. Raises JournalError, with a sentence."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = path / "journal.sqlite"
        #: Records that could not be read; the sheets tell.
        self.unreadable: list[int] = []
        if not self.file.is_file():
            raise JournalError(
                "there is no journal here.",
                where=str(path),
                next="Give the `data` folder of the post, in which journal.sqlite lies.",
            )
        try:
            self._db = sqlite3.connect(f"file:{self.file}?mode=ro", uri=True, isolation_level=None)
        except sqlite3.Error as error:
            raise self._damaged(error) from error
        # What is read at first is what is read at last, however long the post goes on writing meanwhile.
        self._ask("BEGIN")
        edges = self._ask("SELECT min(seq), max(seq) FROM journal")[0]
        self.first, self.last = (edges[0] or 0), (edges[1] or 0)
        #: False: nobody has looked yet.
        self._run: Run | bool | None = False

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._db.close()

    def _ask(self, query: str, given: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(query, given).fetchall()
        except sqlite3.Error as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> JournalError:
        return JournalError(
            f"the journal cannot be read: {error}.",
            where=str(self.file),
            next="Keep this file, and print from the backup; `ondijon audit verify` tells how far each is whole.",
        )

    # -- records

    def utc(self, seq: int) -> int:
        """When (µs) a record, or the next one that is there, was written; 0 behind the end."""
        found = self._ask("SELECT utc FROM journal WHERE seq >= ? ORDER BY seq LIMIT 1", (seq,))
        return int(found[0][0]) if found else 0

    def end(self) -> int:
        """City time (µs) of the newest record; 0 where there is none."""
        return self.utc(self.last) if self.last else 0

    def before(self, utc: int) -> int:
        """The last record before a time (µs), if clocks only went forward."""
        low, high = self.first - 1, self.last
        while low < high:
            middle = (low + high + 1) // 2
            if self.utc(middle) < utc:
                low = middle
            else:
                high = middle - 1
        return max(low, 0)

    def rows(self, after: int, through: int) -> Iterator[tuple[int, str, int, int, bytes]]:
        """(seq, kind, step, utc, data) of records, in order."""
        query = "SELECT seq, kind, step, utc, data FROM journal WHERE seq > ? AND seq <= ? ORDER BY seq"
        try:
            yield from self._db.execute(query, (after, through))
        except sqlite3.Error as error:
            raise self._damaged(error) from error

    def between(self, since: int, until: int) -> Iterator[Line]:
        """The events from ``since`` to ``until`` µs, both included."""
        for line in self.events(self.before(since - MARGIN), self.before(until + MARGIN)):
            if since <= line.utc <= until:
                yield line

    def events(self, after: int, through: int | None = None) -> Iterator[Line]:
        """The events among records. What cannot be read is remembered, and passed over."""
        for seq, kind, step, utc, data in self.rows(after, self.last if through is None else through):
            if kind == "event":
                try:
                    yield Line(seq, step, utc, _head.decode(data), data)
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                    self.pass_over(seq)

    def event(self, seq: int) -> Line | None:
        """One event by its record."""
        return next(self.events(seq - 1, seq), None)

    def read(self, line: Line, struct: type[T]) -> T | None:
        """What an event says; None where it cannot be read, which is remembered."""
        try:
            return line.of(struct)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self.pass_over(line.seq)
            return None

    def pass_over(self, seq: int) -> None:
        """Remember a record that could not be read."""
        if seq not in self.unreadable:
            self.unreadable.append(seq)

    def heads(self, through: int | None = None) -> list[tuple[int, bytes, str]]:
        """(record, head, note) of the signed heads."""
        return [
            (int(seq), bytes(head), str(note))
            for seq, head, note in self._ask("SELECT seq, head, note FROM checkpoint ORDER BY seq")
            if through is None or seq <= through
        ]

    # -- what stands beside the records

    def snapshot(self, utc: int) -> Snapshot | None:
        """The newest one that is not younger than a time (µs), and that its record vouches for."""
        query = """SELECT snapshot.data, journal.data FROM snapshot JOIN journal USING (seq)
            WHERE journal.utc <= ? ORDER BY snapshot.seq DESC"""
        for data, record in self._ask(query, (utc,)):
            try:
                if hashlib.sha256(data).digest() == _digests.decode(record)[0]:
                    return snapshots.decode(data)
            except (msgspec.DecodeError, JournalError):
                continue
        return None

    def assets(self) -> Assets | None:
        """The register that was saved last: what the indexes in events name."""
        return self._assets

    @cached_property
    def _assets(self) -> Assets | None:
        for (data,) in self._ask("SELECT data FROM register"):
            try:
                return cities.unpack_assets(data)
            except (OndijonError, ValueError, msgspec.DecodeError):
                break
        run = self.run()
        try:
            return cities.load_assets(run.assets_path) if run and run.assets_path.is_file() else None
        except CityError:
            return None

    def run(self) -> Run | None:
        """How the post was started last, where that lies beside the journal; a backup may be without."""
        if isinstance(self._run, bool):
            try:
                self._run = runs.load(self.path / "run")
            except OndijonError:
                self._run = None
        return self._run

    def city(self) -> tuple[str, datetime.tzinfo | None]:
        """The city's name and its clock; where nobody knows: no name, and this machine's."""
        return self._city

    @cached_property
    def _city(self) -> tuple[str, datetime.tzinfo | None]:
        run = self.run()
        try:
            description = cities.load(run.city).description if run else None
            return (description.name, ZoneInfo(description.timezone)) if description else ("", None)
        except (OndijonError, ValueError, OSError):
            return "", None
