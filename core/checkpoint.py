"""Signed heads of the journal's chain, in the form of a signed note (C2SP tlog-checkpoint).

    ondijon/dijon-1
    18204
    4kXqTq...=

    — ondijon/dijon-1 q7Qb4x...

The lines are the origin, the number of records, the chain's head in base64; after an empty line, the key's name and
the base64 of 4 bytes of key hash and 64 bytes of Ed25519 signature over the lines above.
Source: https://c2sp.org/tlog-checkpoint, https://c2sp.org/signed-note. The head is that of a chain, not of a tree.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from core import whole
from core.errors import JournalError

#: Of a signed note's algorithms, Ed25519.
_ED25519 = b"\x01"


class Signer:
    """Signs heads under ``name`` with the key in a file, made at the first use and readable by its owner only."""

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        self._key = _load(path) if path.exists() else _make(path)
        self.public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        shown, text = path.with_suffix(".pub"), f"{verifier_key(name, self.public)}\n".encode()
        if not shown.exists() or shown.read_bytes() != text:
            whole.write(shown, text, 0o644)

    def sign(self, records: int, head: bytes) -> str:
        """The note for a journal of ``records`` with ``head``."""
        text = f"{self.name}\n{records}\n{base64.b64encode(head).decode()}\n"
        signature = key_hash(self.name, self.public) + self._key.sign(text.encode())
        return f"{text}\n— {self.name} {base64.b64encode(signature).decode()}\n"


def key_hash(name: str, public: bytes) -> bytes:
    """The 4 bytes by which a note says whose signature it bears."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]


def verifier_key(name: str, public: bytes) -> str:
    """The public key as people keep it: name, key hash, algorithm and key (C2SP signed-note)."""
    return f"{name}+{key_hash(name, public).hex()}+{base64.b64encode(_ED25519 + public).decode()}"


def _make(path: Path) -> Ed25519PrivateKey:
    key = Ed25519PrivateKey.generate()
    whole.write(path, base64.b64encode(key.private_bytes_raw()) + b"\n", 0o600)
    return key


def _load(path: Path) -> Ed25519PrivateKey:
    try:
        return Ed25519PrivateKey.from_private_bytes(base64.b64decode(path.read_bytes(), validate=False))
    except (OSError, ValueError) as error:
        raise JournalError(
            f"no signing key: {error}.",
            where=str(path),
            next="Put the file back from the backup. With another key the city's witness will not believe the journal.",
        ) from error
