"""The write-ahead files: what came since the last sealed hour, an append-only file an hour.

A record is its length and CRC-32 (two u32, little endian), then its bytes. What was synced is there after any crash;
a record that was being written is cut off at the next start.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from core import whole

_HEAD = struct.Struct("<II")

#: Bytes of one record at most.
RECORD_MAX = 64 << 20

SUFFIX = ".log"


class Damage(msgspec.Struct):
    """What of a file could not be read: records whose bytes are others now, and bytes cut off at its end."""

    records: int = 0
    cut: int = 0


class WriteAhead:
    """One hour's file. ``append`` until ``sync``; a failed one leaves nothing behind. Raises OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damage = Damage()
        fresh = not path.exists()
        self._file = open(path, "a+b", buffering=0)  # noqa: SIM115
        self.size = self._synced = 0 if fresh else self._whole()
        if fresh:
            whole.sync(path.parent)

    def _whole(self) -> int:
        end = sum(len(data) + _HEAD.size for data in self._read(all=True))
        size = os.fstat(self._file.fileno()).st_size
        if size > end:
            self.damage.cut = size - end
            self._file.truncate(end)
        return end

    def records(self) -> Iterator[bytes]:
        """The records in order; one whose bytes are not what was written is passed over."""
        return self._read(all=False)

    def _read(self, *, all: bool) -> Iterator[bytes]:
        with open(self.path, "rb") as file:
            while len(head := file.read(_HEAD.size)) == _HEAD.size:
                length, checksum = _HEAD.unpack(head)
                # Zeros are what a power cut leaves at the end of a file that grew.
                if not 0 < length <= RECORD_MAX or len(data := file.read(length)) < length:
                    return
                right = zlib.crc32(data) == checksum
                self.damage.records += all and not right
                if right or all:
                    yield data

    def append(self, data: bytes) -> None:
        """Write a record; it counts when it is synced. Raises OSError, with the file as it was."""
        try:
            written = self._file.write(_HEAD.pack(len(data), zlib.crc32(data)) + data)
            if written != _HEAD.size + len(data):
                raise OSError(28, "no space left on device")
        except OSError:
            self._file.truncate(self.size)
            raise
        self.size += written

    def sync(self) -> None:
        """Have all records outlive a power cut. Raises OSError; then what was not synced is taken back."""
        if self._synced == self.size:
            return
        try:
            os.fsync(self._file.fileno())
        except OSError:
            self.size = self._synced
            self._file.truncate(self.size)
            raise
        self._synced = self.size

    def close(self) -> None:
        """Write no more."""
        self._file.close()

    def remove(self) -> None:
        """It is not needed any more."""
        self.close()
        self.path.unlink(missing_ok=True)
        whole.sync(self.path.parent)
