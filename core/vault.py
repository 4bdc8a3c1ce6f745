"""The vault: the keys under which personal values are sealed, one for each person, retention class and period.

It lies beside the journal and is never part of it: what is erased here is erased from journal, snapshots, states and
every backup of them. An erasure is one transaction with the word that is to be journaled of it; SQLite overwrites
what it deletes (secure_delete), and its write-ahead log is emptied before anybody is told. Keys are wrapped under the
last line of ``master.key``; all lines unwrap. A person's name is not in it: ``subject`` holds a keyed digest, and a
pseudonym drawn at random, so that when the row is gone nothing leads from the name to what the journal still holds.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import sqlite3
import threading
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core import sealed, whole
from core.clock import SECOND
from core.declaration import Retention
from core.errors import VaultError
from core.sealed import KEY, NONCE, Closed, Sealed

#: The file of the master keys, a line each.
MASTER = "master.key"

#: The format of the vault. N reads N-1 and refuses N+1.
FORMAT = 1

HOUR = 3600 * SECOND

#: A class's time is cut into so many periods, each with a key of its own: a value is erased when between 31/32 and all
#: of the time has passed.
PERIODS = 32

#: Keys that one pass of the retention erases.
EXPIRE_MAX = 1000

#: The journal's kinds of record: a person's data were erased; those whose time had passed were.
ERASED, EXPIRED = "erased", "expired"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS class (name TEXT PRIMARY KEY, days INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS subject (digest BLOB PRIMARY KEY, person TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS key (person TEXT NOT NULL, kept TEXT NOT NULL, since INTEGER NOT NULL,
    master BLOB NOT NULL, wrapped BLOB NOT NULL, PRIMARY KEY (person, kept, since)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS word (id TEXT PRIMARY KEY, kind TEXT NOT NULL, data BLOB NOT NULL) WITHOUT ROWID;
"""


class Gone(msgspec.Struct, frozen=True):
    """What the journal keeps of keys that were erased: whose (pseudonym), which class, from which hour; when, by whom.

    ``id`` tells it from every other, so that it is journaled once; ``why`` is what was said.
    """

    id: str
    at_utc: int
    by: str
    why: str
    keys: tuple[tuple[str, str, int], ...]


class Vault:
    """Keys in a folder (None: in memory). Any thread may use it.

    ``random`` gives so many random bytes. ``faults`` says what is wrong with it: then some values are locked.
    """

    def __init__(
        self,
        folder: Path | None,
        classes: Iterable[Retention] = (),
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.where = str(folder or "vault")
        self.faults: list[str] = []
        self._folder = folder
        self._random = random
        self._lock = threading.RLock()
        try:
            if folder is not None:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._db = _open(folder)
            self._masters = self._load()
        except (OSError, sqlite3.Error) as error:
            raise self._error(error) from error
        rows = [(each.name, each.days) for each in classes]
        self._write("INSERT OR REPLACE INTO class VALUES (?, ?)", rows)
        self._days = dict(self._db.execute("SELECT name, days FROM class").fetchall())
        # One that was killed between an erasure and the end of its log left old pages there.
        self.wipe()

    def _error(self, error: Exception) -> VaultError:
        return VaultError(
            f"{error}.",
            where=self.where,
            next="Check disk space and rights; nothing is taken that cannot be sealed.",
        )

    def _load(self) -> dict[bytes, bytes]:
        """The master keys by their ids, the one that wraps last."""
        keys, wrong = _read_masters(self._folder / MASTER) if self._folder else ([], 0)
        if wrong:
            self.faults.append(f"{self.where}/{MASTER}: {wrong} lines are no keys of 32 bytes in base64.")
        masters = {_id(key): key for key in keys}
        known = {master for (master,) in self._db.execute("SELECT DISTINCT master FROM key")}
        if known - set(masters):
            self.faults.append(
                f"{self.where}: the personal data of {len(known - set(masters))} lost master keys are locked. "
                f"Put their lines back into {MASTER}, before the last one, and start the post again."
            )
        return masters

    def _master(self) -> tuple[bytes, bytes]:
        """The master key that wraps, with its id; made at its first use."""
        if not self._masters:
            key = self._random(KEY)
            if self._folder is not None:
                _add_master(self._folder / MASTER, key)
            self._masters[_id(key)] = key
        return list(self._masters.items())[-1]

    # -- sealing and opening

    def person(self, subject: object) -> str:
        """The pseudonym of a subject, drawn where they are new."""
        with self._lock:
            self._master()
            known = self.persons(subject)
            if known:
                return known[-1]
            person = self.nobody()
            self._write("INSERT INTO subject VALUES (?, ?)", [(self._digests(subject)[-1], person)])
            return person

    def persons(self, subject: object) -> list[str]:
        """The pseudonyms of a subject: none, one, or one for each master key under which they came."""
        with self._lock:
            query = "SELECT person FROM subject WHERE digest = ?"
            rows = [self._db.execute(query, (digest,)).fetchone() for digest in self._digests(subject)]
            if not any(rows):
                # Who did not say who they are is known by the pseudonym alone.
                rows = [
                    self._db.execute(
                        "SELECT person FROM key WHERE person = ? LIMIT 1", (str(subject),)
                    ).fetchone()
                ]
        return [row[0] for row in rows if row]

    def nobody(self) -> str:
        """A pseudonym for somebody who did not say who they are: each time another."""
        return self._random(16).hex()

    def seal(self, value: Any, person: str, kept: str, utc: int, place: str) -> Sealed[Any]:
        """Seal a value at ``utc`` µs, when its key is on disk. Raises VaultError."""
        hours = self._period(kept)
        since = utc // HOUR // hours * hours
        with self._lock:
            key = self._key(person, kept, since)
            if key is None:
                key = self._make(person, kept, since)
        if isinstance(key, Closed):
            # The period goes on in the next hour: under this master key it cannot.
            key, since = self._another(person, kept, since)
        return sealed.seal(value, key, self._random(NONCE), person, kept, since, place)

    def open(self, each: Sealed[Any]) -> Any:
        """The value, or why it is Closed."""
        key = self._key(each.person, each.kept, each.since)
        if key is None:
            return Closed.ERASED
        return key if isinstance(key, Closed) else sealed.unseal(each, key)

    def expires(self, each: Sealed[Any]) -> int:
        """µs at which its time has passed."""
        days: int = self._days.get(each.kept, 0)
        return (each.since + days * 24) * HOUR

    def _period(self, kept: str) -> int:
        days: int = self._days[kept]
        return max(1, -(-days * 24 // PERIODS))

    def _key(self, person: str, kept: str, since: int) -> bytes | Closed | None:
        query = "SELECT master, wrapped FROM key WHERE person = ? AND kept = ? AND since = ?"
        with self._lock:
            row = self._db.execute(query, (person, kept, since)).fetchone()
        if row is None:
            return None
        master = self._masters.get(row[0])
        if master is None:
            return Closed.LOCKED
        try:
            return AESGCM(master).decrypt(row[1][:NONCE], row[1][NONCE:], _name(person, kept, since))
        except (InvalidTag, ValueError):
            return Closed.LOCKED

    def _make(self, person: str, kept: str, since: int) -> bytes:
        key, nonce = self._random(KEY), self._random(NONCE)
        id, master = self._master()
        wrapped = nonce + AESGCM(master).encrypt(nonce, key, _name(person, kept, since))
        self._write("INSERT INTO key VALUES (?, ?, ?, ?, ?)", [(person, kept, since, id, wrapped)])
        return key

    def _another(self, person: str, kept: str, since: int) -> tuple[bytes, int]:
        """A key beside one that is locked: of the hours before its period, so that it expires no later."""
        with self._lock:
            while isinstance(key := self._key(person, kept, since), Closed):
                since -= 1
            return key or self._make(person, kept, since), since

    def _write(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        try:
            with self._db:
                self._db.executemany(statement, rows)
        except sqlite3.Error as error:
            raise self._error(error) from error

    # -- erasing

    def erase(self, persons: Iterable[str], utc: int, by: str, why: str) -> Gone | None:
        """Erase all keys of some persons, and who they are; None where there is nothing. It is for ever."""
        persons = list(persons)
        with self._lock:
            query = "SELECT person, kept, since FROM key WHERE person = ? ORDER BY kept, since"
            keys = [row for person in persons for row in self._db.execute(query, (person,))]
            return self._erase(ERASED, keys, persons, utc, by, why)

    def expire(self, utc: int) -> Gone | None:
        """Erase the keys whose time has passed, EXPIRE_MAX at most, and who has no other."""
        query = """SELECT person, kept, since FROM key JOIN class ON name = kept
            WHERE (since + days * 24) * ? <= ? ORDER BY since LIMIT ?"""
        with self._lock:
            keys = self._db.execute(query, (HOUR, utc, EXPIRE_MAX)).fetchall()
            return self._erase(EXPIRED, keys, [], utc, "retention", "")

    def _erase(
        self,
        kind: str,
        keys: Sequence[tuple[str, str, int]],
        persons: Sequence[str],
        utc: int,
        by: str,
        why: str,
    ) -> Gone | None:
        if not keys and not persons:
            return None
        gone = Gone(self._random(16).hex(), utc, by, why, tuple(keys))
        try:
            with self._db:
                self._db.execute(
                    "INSERT INTO word VALUES (?, ?, ?)", (gone.id, kind, msgspec.msgpack.encode(gone))
                )
                self._db.executemany("DELETE FROM key WHERE person = ? AND kept = ? AND since = ?", keys)
                self._db.executemany(
                    "DELETE FROM subject WHERE person = ?", [(person,) for person in persons]
                )
                over = [(person, person) for person in {key[0] for key in keys}]
                self._db.executemany(
                    "DELETE FROM subject WHERE person = ? AND NOT EXISTS (SELECT 1 FROM key WHERE person = ?)",
                    over,
                )
        except sqlite3.Error as error:
            raise self._error(error) from error
        return gone

    def words(self) -> list[tuple[str, Gone]]:
        """What was erased and is to be journaled, with its kind of record."""
        with self._lock:
            rows = self._db.execute("SELECT kind, data FROM word ORDER BY id").fetchall()
        return [(kind, msgspec.msgpack.decode(data, type=Gone)) for kind, data in rows]

    def told(self, gone: Iterable[Gone]) -> None:
        """The journal holds these words for good."""
        with self._lock:
            self._write("DELETE FROM word WHERE id = ?", [(each.id,) for each in gone])

    def wipe(self) -> bool:
        """Empty the write-ahead log, in which erased pages lie on; False while somebody reads there."""
        try:
            with self._lock:
                return bool(self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)
        except sqlite3.Error as error:
            raise self._error(error) from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def _digests(self, subject: object) -> list[bytes]:
        """The keyed digests of who a subject is, one for each master key."""
        text = " ".join(unicodedata.normalize("NFKC", str(subject)).casefold().split())
        return [
            hmac.digest(hmac.digest(master, b"ondijon subject", "sha256"), text.encode(), "sha256")
            for master in self._masters.values()
        ]


def _open(folder: Path | None) -> sqlite3.Connection:
    path = folder / "vault.sqlite" if folder else None
    if path is not None and not path.exists():
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    db = sqlite3.connect(path or ":memory:", check_same_thread=False)
    db.execute("PRAGMA secure_delete=ON")
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.executescript(_SCHEMA)
    stored = db.execute("SELECT value FROM about WHERE key = 'format'").fetchone()
    if stored and stored[0] > FORMAT:
        raise VaultError(
            f"written in format {stored[0]}, this version reads up to {FORMAT}.",
            where=str(path),
            next="Start the newer version again; the file was not touched.",
        )
    if not stored:
        with db:
            db.execute("INSERT INTO about VALUES ('format', ?)", (FORMAT,))
    return db


def _read_masters(path: Path) -> tuple[list[bytes], int]:
    """The keys of the file, in order, and how many lines are none."""
    lines = [line for line in path.read_text("latin-1").split("\n") if line.strip()] if path.exists() else []
    keys = []
    for line in lines:
        try:
            key = base64.b64decode(line.strip(), validate=True)
        except ValueError:
            continue
        keys += [key] if len(key) == KEY else []
    return keys, len(lines) - len(keys)


def _add_master(path: Path, key: bytes) -> None:
    """Append a line: what stands there already may be wrong, but is not ours to throw away."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, b"\n" * (path.stat().st_size > 0) + base64.b64encode(key) + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    whole.sync(path.parent)


def _id(key: bytes) -> bytes:
    """The 8 bytes by which a wrapped key says under which master key it is."""
    return hashlib.sha256(b"ondijon master\n" + key).digest()[:8]


def _name(person: str, kept: str, since: int) -> bytes:
    return msgspec.msgpack.encode((person, kept, since))
