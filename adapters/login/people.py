"""The people of a post: their passwords' hashes and their roles, in a file of the data folder.

`ondijon person` changes it; the login process reads it anew when it changes.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Annotated

import msgspec

from core import whole
from core.errors import ConfigError
from core.person import Role
from core.wire import Name

FOLDER, FILE = "login", "people.json"

#: Of the file's format.
VERSION = 1

#: People of a post at most.
PEOPLE_MAX = 10_000


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One person. ``password`` is an Argon2id hash; a ``disabled`` one stays: an id is not given again."""

    id: Name
    name: Name
    password: Annotated[str, msgspec.Meta(max_length=512)]
    roles: Annotated[tuple[Role, ...], msgspec.Meta(max_length=200)] = ()
    disabled: bool = False


class People(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """All of them. It never changes: a change makes another one."""

    version: int = VERSION
    accounts: Annotated[tuple[Account, ...], msgspec.Meta(max_length=PEOPLE_MAX)] = ()

    @cached_property
    def by_id(self) -> dict[str, Account]:
        """Each by its id."""
        return {account.id: account for account in self.accounts}


def path(data: Path) -> Path:
    """Where the file of a post with this data folder lies."""
    return data / FOLDER / FILE


def load(file: Path) -> People:
    """Read the file; where there is none there is nobody. Raises ConfigError."""
    try:
        return _decode(file.read_bytes())
    except FileNotFoundError:
        return People()
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"no list of people: {error}.", where=str(file), next="Put it back from the backup."
        ) from error


def _decode(data: bytes) -> People:
    found = msgspec.json.decode(data, type=People)
    if found.version != VERSION:
        raise ValueError(f"version is {found.version}, this post reads {VERSION}")
    if len(found.by_id) != len(found.accounts):
        raise ValueError("two people have one id")
    return found


@contextlib.contextmanager
def changing(data: Path) -> Iterator[dict[str, Account]]:
    """The accounts of a post by id, to change in place; they are written whole at the end. Raises ConfigError."""
    file = path(data)
    try:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        lock = os.open(file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigError(
            f"no folder of people here: {error}.",
            where=str(file.parent),
            next="Name the post's `data` folder.",
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        accounts = dict(load(file).by_id)
        yield accounts
        changed = msgspec.json.format(
            msgspec.json.encode(People(accounts=tuple(accounts.values()))), indent=1
        )
        # Read as it will be read: nothing is written that would be refused.
        _decode(changed)
        whole.write(file, changed, 0o600)
    except (OSError, ValueError) as error:
        raise ConfigError(f"the list cannot be written: {error}.", where=str(file)) from error
    finally:
        os.close(lock)


class Watch:
    """The file as it is now; while it cannot be read the last one holds, and ``trouble`` says why."""

    def __init__(self, file: Path) -> None:
        self.people = People()
        self.trouble = ""
        self._file = file
        self._seen: tuple[int, ...] | None = ()

    def look(self) -> People:
        """Read it where it changed since the last look, which one stat tells."""
        try:
            found = self._file.stat()
            seen: tuple[int, ...] | None = (found.st_ctime_ns, found.st_ino, found.st_size)
        except OSError:
            seen = None
        if seen != self._seen:
            self._seen = seen
            try:
                self.people, self.trouble = load(self._file), ""
            except ConfigError as error:
                self.trouble = str(error)
        return self.people
