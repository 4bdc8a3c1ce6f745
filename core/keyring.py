"""Making, rotating and ending keys, in the allow-list of a post: what `ondijon keys` does, and each first start."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from core import allowlist, keys
from core.allowlist import Key
from core.clock import SECOND
from core.errors import KeyFileError
from core.keys import ClientKey
from core.person import Role

DAY = 86_400 * SECOND


def begin(data: Path) -> None:
    """Make the post's own key and an empty list, where there are none yet. Raises KeyFileError."""
    keys.post_key(data)
    if not allowlist.path(data).exists():
        with allowlist.changing(data):
            pass


def new(
    data: Path,
    file: Path,
    name: str,
    role: Literal["gateway", "partner"] = allowlist.GATEWAY,
    *,
    speaks_for: Sequence[str] = (),
    rights: Sequence[Role] = (),
    days: float | None = None,
) -> Key:
    """Make the key ``name``, write it to ``file`` and allow it, for ``days`` or for ever. Raises KeyFileError.

    A gateway's speaks for the gateway of its own name, where ``speaks_for`` names no others.
    """
    begin(data)
    now = allowlist.now()
    with allowlist.changing(data) as each:
        if any(key.name == name and key.state(now) == "valid" for key in each):
            raise KeyFileError(
                f"there is a valid key {name!r} already.", where=str(data), next=f"ondijon keys rotate {name}"
            )
        mine = ClientKey.new(name, keys.post_key(data).public)
        key = Key(
            name,
            role,
            mine.public,
            now,
            speaks_for=tuple(speaks_for) or ((name,) if role == allowlist.GATEWAY else ()),
            rights=tuple(rights),
            expires=_end(now, days),
        )
        each.append(_sound(key))
        keys.write(file, mine)
    return key


def rotate(data: Path, file: Path, name: str, *, days: float | None = None, grace_days: float = 7.0) -> Key:
    """Put a new key beside the valid ones of ``name``, which end after ``grace_days``. Raises KeyFileError."""
    now = allowlist.now()
    with allowlist.changing(data) as each:
        old = [key for key in each if key.name == name and key.state(now) == "valid"]
        if not old:
            raise KeyFileError(
                f"there is no valid key {name!r}.", where=str(data), next=f"ondijon keys new {name}"
            )
        mine = ClientKey.new(name, keys.post_key(data).public)
        end = now + int(grace_days * DAY)
        for key in old:
            ends = min(key.expires or end, end)
            each[each.index(key)] = msgspec.structs.replace(key, expires=ends)
        key = msgspec.structs.replace(old[-1], public=mine.public, created=now, expires=_end(now, days))
        each.append(_sound(key))
        keys.write(file, mine)
    return key


def _end(now: int, days: float | None) -> int:
    return 0 if days is None else now + int(days * DAY)


def _sound(key: Key) -> Key:
    # Before a file is written: a name of the command line may be anything.
    try:
        return msgspec.convert(msgspec.to_builtins(key), Key)
    except msgspec.ValidationError as error:
        raise KeyFileError(
            f"{error}.",
            where=f"key {key.name!r}",
            next="A name has letters, digits, '.', '_' and '-'; what it speaks for is told apart: --for.",
        ) from error


def revoke(data: Path, name: str) -> list[Key]:
    """End the keys of a name, or the one of a fingerprint, at once; return them. Raises KeyFileError."""
    now = allowlist.now()
    with allowlist.changing(data) as each:
        wanted = [key for key in each if name in (key.name, key.fingerprint) and not key.revoked]
        if not wanted:
            raise KeyFileError(
                f"no key {name!r} is left to revoke.", where=str(data), next="See: ondijon keys list"
            )
        for key in wanted:
            each[each.index(key)] = msgspec.structs.replace(key, revoked=now)
    return wanted


def own(data: Path, name: str, speaks_for: Sequence[str] = (), rights: Sequence[Role] = ()) -> None:
    """Have a key for one of the post's own adapters, without a question. One that a person ended stays ended.

    With ``rights`` it is a partner's, else a gateway's.
    """
    file = data / keys.FOLDER / f"{name}.key"
    begin(data)
    if not file.exists():
        if any(not key.revoked for key in allowlist.load(allowlist.path(data)).named(name)):
            revoke(data, name)
        role = allowlist.PARTNER if rights else allowlist.GATEWAY
        new(data, file, name, role, speaks_for=speaks_for, rights=rights)
