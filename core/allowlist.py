"""The allow-list: whose keys the post's doors know, what each may say or see, and until when.

It lies in the post's data folder, written whole by `ondijon keys` and read anew by every door when it changes: a key
is added, rotated or revoked without a stop. Times are µs since 1970 of the machine's own clock, never of the city's.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from core.clock import SECOND
from core.errors import KeyFileError
from core.kept import Kept, Watch
from core.keys import FOLDER, Z85, KeyName, fingerprint, raw
from core.person import ANY, Role, communes
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
        return communes(self.rights, trade, verb)


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


def _check(found: AllowList) -> None:
    if found.version != VERSION:
        raise ValueError(f"version is {found.version}, this post reads {VERSION}")
    if len(found.by_fingerprint) != len(found.keys):
        raise ValueError("two entries have one key")


_KEPT = Kept(
    AllowList,
    _check,
    KeyFileError,
    name="allow-list",
    rows="keys",
    next="Put it back from the backup, or make the keys anew: ondijon keys --help.",
)


def load(file: Path) -> AllowList:
    """Read a list. Raises KeyFileError."""
    return _KEPT.load(file)


def changing(data: Path) -> AbstractContextManager[list[Key]]:
    """The keys of a post, to change in place; they are written whole at the end. One at a time. Raises KeyFileError."""
    return _KEPT.changing(
        path(data), lambda found: list(found.keys), lambda keys: AllowList(keys=tuple(keys))
    )


def watch(data: Path) -> Watch[AllowList]:
    """A door's view of a post's list."""
    return Watch(_KEPT, path(data))


def now() -> int:
    """The machine's own time, in µs since 1970: keys are of the real world, also where the city's time is moved."""
    return time.time_ns() * SECOND // 1_000_000_000
