"""The allow-list: whose keys the post's doors know, what each may say or see, and until when.

It lies in the post's data folder, written whole by `ondijon keys` and read anew by every door when it changes: a key
is added, rotated or revoked without a stop. Times are µs since 1970 of the machine's own clock, never of the city's.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from core import whole
from core.clock import SECOND
from core.errors import KeyFileError
from core.keys import FOLDER, Z85, KeyName, fingerprint, raw
from core.person import ANY, Role
from core.wire import Name

FILE = "allowed.json"

#: Of the file's format.
VERSION = 1

#: Keys in the list at most, with those that are over.
KEYS_MAX = 20_000

GATEWAY: Literal["gateway"] = "gateway"
PARTNER: Literal["partner"] = "partner"

Utc = Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """One key. Several may have one ``name``: while it is rotated, the old one and the new one.

    ``speaks_for`` the gateways in whose name a ``gateway`` may speak (ANY: all); ``rights`` what a ``partner`` may
    see and ask for. ``expires`` and ``revoked`` in µs, 0: not.
    """

    name: KeyName
    role: Literal["gateway", "partner"]
    public: Z85
    created: Utc
    speaks_for: Annotated[tuple[Name, ...], msgspec.Meta(max_length=4096)] = ()
    rights: Annotated[tuple[Role, ...], msgspec.Meta(max_length=200)] = ()
    expires: Utc = 0
    revoked: Utc = 0

    @cached_property
    def fingerprint(self) -> str:
        """By what doors, events and people name it."""
        return fingerprint(self.public)

    def state(self, utc: int) -> Literal["valid", "expired", "revoked"]:
        """What it is at ``utc`` µs."""
        if self.revoked:
            return "revoked"
        return "expired" if self.expires and utc >= self.expires else "valid"

    def may_speak_for(self, gateway: str) -> bool:
        """Whether it may introduce itself as ``gateway``."""
        return self.role == GATEWAY and (gateway in self.speaks_for or ANY in self.speaks_for)

    def communes(self, trade: str, verb: str) -> frozenset[str]:
        """Where a partner may see or ask for ``verb`` of ``trade``; ANY among them is everywhere."""
        return frozenset(
            role.commune
            for role in self.rights
            if role.trade in (trade, ANY) and (verb in role.verbs or ANY in role.verbs)
        )


class AllowList(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """All keys the post ever knew and did not forget. It never changes: a change makes another list."""

    version: int = VERSION
    keys: Annotated[tuple[Key, ...], msgspec.Meta(max_length=KEYS_MAX)] = ()

    @cached_property
    def by_fingerprint(self) -> dict[str, Key]:
        """Each key by its fingerprint."""
        return {key.fingerprint: key for key in self.keys}

    def of_public(self, public: bytes) -> Key | None:
        """The key whose public half (32 bytes) this is, valid or not."""
        key = self.by_fingerprint.get(fingerprint(public))
        return key if key is not None and raw(key.public) == public else None

    def named(self, name: str) -> list[Key]:
        """The keys of a name, oldest first."""
        return [key for key in self.keys if key.name == name]


def path(data: Path) -> Path:
    """Where the list of a post with this data folder lies."""
    return data / FOLDER / FILE


def load(file: Path) -> AllowList:
    """Read a list. Raises KeyFileError."""
    try:
        return _decode(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise KeyFileError(
            f"no allow-list: {error}.",
            where=str(file),
            next="Put it back from the backup, or make the keys anew: ondijon keys --help.",
        ) from error


def _decode(data: bytes) -> AllowList:
    found = msgspec.json.decode(data, type=AllowList)
    if found.version != VERSION:
        raise ValueError(f"version is {found.version}, this post reads {VERSION}")
    if len(found.by_fingerprint) != len(found.keys):
        raise ValueError("two entries have one key")
    return found


@contextlib.contextmanager
def changing(data: Path) -> Iterator[list[Key]]:
    """The keys of a post, to change in place; they are written whole at the end. One at a time. Raises KeyFileError."""
    file = path(data)
    try:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        lock = os.open(file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise KeyFileError(
            f"no folder of keys here: {error}.", where=str(file.parent), next="Name the post's `data` folder."
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = load(file).keys if file.exists() else ()
        keys = list(before)
        yield keys
        if tuple(keys) != before or not file.exists():
            _write(file, AllowList(keys=tuple(keys)))
    finally:
        os.close(lock)


def _write(file: Path, changed: AllowList) -> None:
    written = msgspec.json.format(msgspec.json.encode(changed), indent=1)
    try:
        # Read as the doors will read it: nothing is written that they would refuse.
        _decode(written)
        whole.write(file, written, 0o600)
    except (OSError, ValueError) as error:
        raise KeyFileError(f"the list cannot be written: {error}.", where=str(file)) from error


class Watch:
    """A door's view of the list: read anew when the file changes; while it cannot be read, the last one holds.

    ``trouble`` says why it cannot be read, empty where it can.
    """

    def __init__(self, file: Path) -> None:
        self.list = AllowList()
        self.trouble = ""
        self._file = file
        self._seen: tuple[int, ...] | None = ()

    def look(self) -> bool:
        """Read it where it changed since the last look, which one stat tells; return whether another list holds."""
        try:
            found = self._file.stat()
            seen: tuple[int, ...] | None = (found.st_ctime_ns, found.st_ino, found.st_size)
        except OSError:
            seen = None
        if seen == self._seen:
            return False
        self._seen = seen
        try:
            new = load(self._file)
        except KeyFileError as error:
            self.trouble = str(error)
            return False
        self.trouble, before, self.list = "", self.list, new
        return new != before


def now() -> int:
    """The machine's own time, in µs since 1970: keys are of the real world, also where the city's time is moved."""
    return time.time_ns() * SECOND // 1_000_000_000
