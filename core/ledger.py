"""What outlives the journal's beginning: contracts and audit need it for longer than the events of each day.

A journal that forgets its oldest records first writes those that must outlive them into a file of the folder
``ledger``, an SQLite table like its own, and appends a record of kind ``truncated`` with the file's SHA-256. That
record is chained and signed as all are: so the file can be checked, and a beginning that somebody else cut off is told
from this one.
"""

from __future__ import annotations

import base64
import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec

from core import journal, whole
from core.journal import Record

#: The kind of record, and the folder beside the journal.
TRUNCATED, FOLDER = "truncated", "ledger"

#: What does not outlive: the facts of each day, which step took them, and digests of snapshots. All else is the audit,
#: how assets served, how long jobs took, what stands in the city, who read and erased.
FORGOTTEN = ("event", "step", "snapshot")


class Truncated(msgspec.Struct, frozen=True):
    """What the journal keeps of its own truncation (as JSON: the auditor's program reads no other form).

    Records ``first`` to ``through`` go, where the chain's head was ``head`` (base64); ``records`` of them are in the
    file ``ledger``, whose SHA-256 is ``sha256``. ``dropped``: files of long ago that are deleted.
    """

    first: int
    through: int
    head: str
    ledger: str
    sha256: str
    records: int
    dropped: list[str] = []


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Truncated).decode


def write(source: Path, first: int, through: int, head: bytes, dropped: list[str]) -> Truncated:
    """Write what outlives of a journal's records ``first`` to ``through``. Raises OSError, sqlite3.Error."""
    folder = source.parent / FOLDER
    folder.mkdir(exist_ok=True)
    path = _free(folder / f"{first:012}-{through:012}.sqlite")
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    db = sqlite3.connect(new, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode=OFF")
        db.execute("ATTACH ? AS source", (str(source),))
        db.execute(
            "CREATE TABLE journal (seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, step INTEGER NOT NULL,"
            "utc INTEGER NOT NULL, data BLOB NOT NULL)"
        )
        places = ", ".join("?" * len(FORGOTTEN))
        records = db.execute(
            f"INSERT INTO journal SELECT * FROM source.journal WHERE seq BETWEEN ? AND ? AND kind NOT IN ({places})",
            (first, through, *FORGOTTEN),
        ).rowcount
    finally:
        db.close()
    digest = hashlib.sha256(new.read_bytes()).hexdigest()
    whole.sync(new)
    new.rename(path)
    whole.sync(folder)
    return Truncated(first, through, base64.b64encode(head).decode(), path.name, digest, records, dropped)


def _free(path: Path) -> Path:
    """A name that no file has: one that was announced is never written again."""
    for n in range(1, 1 << 16):
        if not path.exists():
            return path
        path = path.with_stem(f"{path.stem.partition('.')[0]}.{n}")
    raise OSError(f"{path.parent} is full of ledgers of one name")


def files(data: Path) -> list[Path]:
    """The ledgers that a data folder's journal names, itself or in a ledger, oldest first; others are not its own."""
    found: set[Path] = set()
    waiting = [data / "journal.sqlite"]
    while waiting:
        for _, record in journal.read(waiting.pop(), 0, TRUNCATED):
            path = data / FOLDER / decode(record.data).ledger
            if path not in found and path.exists():
                found.add(path)
                waiting.append(path)
    return sorted(found)


def newest(path: Path) -> int:
    """µs of a ledger's last record; 0 where it has none."""
    return max((record.utc for _, record in journal.read(path)), default=0)


def records(data: Path, kind: str = "") -> Iterator[tuple[int, Record]]:
    """All records that a data folder still has, from the oldest ledger on, in order; or those of one ``kind``."""
    last = 0
    for path in [*files(data), data / "journal.sqlite"]:
        for seq, record in journal.read(path, last, kind):
            last = seq
            yield seq, record
