"""Does a journal hold what was once written, all of it, in its order? Nothing of the kernel is used to find out.

    python verify.py DATA [--witness FOLDER] [--key KEY]

reads DATA/journal.sqlite, recomputes the hash chain, and compares it with every signed head: those in the journal
and, with --witness, those that the city's witness was shown. Only the second finds a journal that was rewritten
whole by somebody who holds the signing key, or cut at its end. Where the post forgot the journal's beginning it said so
in a record, with the digest of a ledger in DATA/ledger that holds what outlives: any other beginning was cut off by
somebody else. Needs sqlite3 and `cryptography`, and no more.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sqlite3
import struct
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_HEAD = struct.Struct("<QqqH")


class ForgedError(Exception):
    """The journal is not what was written; the text says where."""


@dataclass
class Finding:
    """What was checked: ``records`` from ``first`` to ``last``; ``heads`` signed, the last at ``sealed``."""

    first: int = 0
    last: int = 0
    records: int = 0
    heads: int = 0
    witnessed: int = 0

    sealed: int = 0
    ledgers: int = 0
    outlived: int = 0

    def sentence(self) -> str:
        """What was found, for people."""
        return (
            f"{self.records:,} records, {self.first} to {self.last}, are as they were written. "
            f"{self.heads} signed heads hold, {self.witnessed} of them the witness knows; "
            f"{self.last - self.sealed} records wait for the next one."
        ) + (
            f" {self.ledgers} ledgers hold the {self.outlived:,} records that outlive what the post forgot."
            if self.ledgers
            else ""
        )


@dataclass(frozen=True)
class Note:
    """One signed head."""

    name: str
    records: int
    head: bytes
    key: bytes
    signature: bytes
    text: bytes


def read_note(text: str) -> Note:
    """A signed note. Raises ForgedError where it is none."""
    try:
        body, _, signed = text.partition("\n\n")
        name, records, head = body.split("\n")
        dash, signer, signature = signed.strip().split(" ")
        raw = base64.b64decode(signature, validate=True)
        if dash != "—" or signer != name or len(raw) != 68:
            raise ValueError("its signature line is another's")
        return Note(
            name, int(records), base64.b64decode(head, validate=True), raw[:4], raw[4:], f"{body}\n".encode()
        )
    except ValueError as error:
        raise ForgedError(f"a signed head cannot be read: {error}.") from error


def read_key(text: str) -> tuple[str, bytes]:
    """Name and public key of a verifier key ``name+hash+base64``. Raises ForgedError."""
    try:
        name, _, rest = text.strip().partition("+")
        hash, _, encoded = rest.partition("+")
        raw = base64.b64decode(encoded, validate=True)
        if len(raw) != 33 or raw[0] != 1 or _key_hash(name, raw[1:]).hex() != hash:
            raise ValueError("its parts contradict one another")
        return name, raw[1:]
    except ValueError as error:
        raise ForgedError(f"the verifier key cannot be read: {error}.") from error


def _key_hash(name: str, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n\x01" + public).digest()[:4]


def check_signature(note: Note, name: str, public: bytes) -> None:
    """Raise ForgedError unless ``note`` bears the signature of this key."""
    try:
        if (note.name, note.key) != (name, _key_hash(name, public)):
            raise InvalidSignature
        Ed25519PublicKey.from_public_bytes(public).verify(note.signature, note.text)
    except InvalidSignature:
        raise ForgedError(f"the head of {note.records} records is not signed by {name!r}.") from None


def chain(rows: Iterator[Sequence], head: bytes, seq: int) -> Iterator[tuple[int, bytes]]:
    """(seq, head) after each record. Raises ForgedError where one is missing or moved."""
    for row in rows:
        if row[0] != seq + 1:
            raise ForgedError(f"record {seq + 1} is missing: {row[0]} follows {seq}.")
        seq, kind, step, utc, data = row
        name = kind.encode()
        head = hashlib.sha256(b"".join((head, _HEAD.pack(seq, step, utc, len(name)), name, data))).digest()
        yield seq, head


def verify(folder: Path, key: str, witness: Sequence[str] = ()) -> Finding:
    """Check the journal of a data folder against its verifier ``key`` and a witness's notes. Raises ForgedError."""
    name, public = read_key(key)
    shown = {}
    for text in witness:
        note = read_note(text)
        check_signature(note, name, public)
        shown.setdefault(note.records, set()).add(note.head)
    db = sqlite3.connect(f"file:{folder / 'journal.sqlite'}?mode=ro", uri=True)
    try:
        found, told = _verify(db, name, public, shown)
        _check_ledgers(folder / "ledger", told, found)
        return found
    except (sqlite3.Error, TypeError, ValueError, KeyError, struct.error, AttributeError) as error:
        raise ForgedError(f"the journal cannot be read: {error}.") from error
    finally:
        db.close()


def _verify(
    db: sqlite3.Connection, name: str, public: bytes, shown: dict[int, set[bytes]]
) -> tuple[Finding, list[tuple[int, dict]]]:
    heads = {}
    for seq, head, text in db.execute("SELECT seq, head, note FROM checkpoint ORDER BY seq"):
        note = read_note(text)
        check_signature(note, name, public)
        if (note.records, note.head) != (seq, head):
            raise ForgedError(f"the signed head of {note.records} records stands at {seq}.")
        heads[seq] = head
    found = Finding()
    told = _truncations(db)
    first = db.execute("SELECT min(seq) FROM journal").fetchone()[0] or max(heads, default=0) + 1
    start = _start(first, heads, told)
    rows = db.execute("SELECT seq, kind, step, utc, data FROM journal WHERE seq > ? ORDER BY seq", (start,))
    _compare(start, heads.get(start, bytes(32)), heads, shown, found)
    found.first, found.last = start + 1, start
    for seq, head in chain(rows, heads.get(start, bytes(32)), start):
        found.records += 1
        found.last = seq
        _compare(seq, head, heads, shown, found)
    for what, known in (("signed", heads), ("shown to the witness", shown)):
        if known and max(known) > found.last:
            raise ForgedError(
                f"the head of {max(known)} records was {what}; the journal ends with {found.last}."
            )
    return found, [(seq, each) for seq, each in told if seq > start]


def _truncations(db: sqlite3.Connection) -> list[tuple[int, dict]]:
    """What the post said of its own truncations: record and content, in order."""
    rows = db.execute("SELECT seq, data FROM journal WHERE kind = 'truncated' ORDER BY seq")
    return [(seq, json.loads(data)) for seq, data in rows]


def _start(first: int, heads: dict[int, bytes], told: list[tuple[int, dict]]) -> int:
    """The record after which the chain is checked (0: all of it). What the post began to forget may still be there."""
    # Only what stands after its own truncation: it is in the part that is checked, and nobody can have put it there.
    announced = {
        each["through"]: base64.b64decode(each["head"], validate=True)
        for seq, each in told
        if seq > each["through"]
    }
    last = max(announced, default=0)
    start = first - 1 if first - 1 in {0, *announced} else last
    if first - 1 > last:
        raise ForgedError(
            f"the records before {first} are gone, and the post did not say that it forgot them."
        )
    if start and heads.get(start) != announced[start]:
        raise ForgedError(
            f"the records up to {start} are gone, and no signed head says where the rest begins."
        )
    return start


def _check_ledgers(folder: Path, told: list[tuple[int, dict]], found: Finding) -> None:
    """Each ledger that was announced, here or in a ledger, is as it was written; or the post said it dropped it."""
    waiting, dropped = dict(told), set()
    while waiting:
        # The newest first: what dropped a ledger is known before it is asked for.
        each = waiting.pop(max(waiting))
        dropped |= set(each["dropped"])
        if each["ledger"] in dropped:
            continue
        path = folder / each["ledger"]
        if path.parent != folder or not path.is_file():
            raise ForgedError(f"the ledger {each['ledger']} is gone.")
        if hashlib.sha256(path.read_bytes()).hexdigest() != each["sha256"]:
            raise ForgedError(f"the ledger {each['ledger']} is not the one that was written.")
        found.ledgers += 1
        found.outlived += each["records"]
        db = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
        try:
            waiting |= dict(_truncations(db))
        finally:
            db.close()


def _compare(
    seq: int, head: bytes, heads: dict[int, bytes], shown: dict[int, set[bytes]], found: Finding
) -> None:
    if seq in heads:
        if heads[seq] != head:
            raise ForgedError(
                f"records up to {seq}, since the signed head before it, are not those that were written."
            )
        found.heads += 1
        found.sealed = seq
    if seq in shown:
        if shown[seq] != {head}:
            raise ForgedError(f"the witness was shown another head of {seq} records.")
        found.witnessed += 1


def notes_of(folder: Path) -> list[str]:
    """The notes in a witness's folder: in each file ``*.checkpoints``, one after another."""
    notes = []
    for file in sorted(folder.glob("*.checkpoints")):
        lines = [line for line in file.read_text("utf-8").split("\n") if line]
        # A note is three lines and, after an empty one, its signature.
        for i in range(0, len(lines), 4):
            notes.append("\n".join([*lines[i : i + 3], "", *lines[i + 3 : i + 4], ""]))
    return notes


def check(folder: Path, key: str | None, witness: Path | None) -> Finding:
    """Check a data folder; without a ``key`` the one that lies in it is believed. Raises ForgedError, OSError."""
    notes = notes_of(witness) if witness else []
    if witness and not notes:
        raise ForgedError(f"no signed head lies in {witness}: this witness was shown nothing.")
    return verify(folder, key or (folder / "audit.pub").read_text("utf-8"), notes)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="the post's data folder")
    parser.add_argument(
        "--key", help="the verifier key, name+hash+key; by default DATA/audit.pub, which proves less"
    )
    parser.add_argument("--witness", type=Path, help="the witness's folder")
    arguments = parser.parse_args()
    try:
        found = check(arguments.data, arguments.key, arguments.witness)
    except (ForgedError, OSError) as error:
        sys.stderr.write(f"{arguments.data}: NOT as it was written: {error}\n")
        return 1
    sys.stdout.write(f"{arguments.data}: {found.sentence()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
