"""The hash chain of the journal: each record is bound to all before it, so that none can be changed, cut out or moved.

A chain alone only proves that a journal agrees with itself: whoever can write the file can write another one
that does. So its head is signed from time to time (core.checkpoint) and shown to a witness.
"""

from __future__ import annotations

import hashlib
import struct

#: The head of an empty journal.
GENESIS = bytes(32)

_HEAD = struct.Struct("<QqqH")


def linked(head: bytes, seq: int, kind: str, step: int, utc: int, data: bytes) -> bytes:
    """The head after one record: SHA-256 of the head before, the record's place and times, its kind and data.

    Layout, little endian: 32 bytes head, u64 seq, i64 step, i64 utc (µs), u16 length of kind, kind (UTF-8), data.
    """
    name = kind.encode()
    return hashlib.sha256(b"".join((head, _HEAD.pack(seq, step, utc, len(name)), name, data))).digest()
