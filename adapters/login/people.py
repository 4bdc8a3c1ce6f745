"""The people of a post: their passwords' hashes and their roles, in a file of the data folder.

`ondijon person` changes it; the login process reads it anew when it changes.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Annotated

import msgspec

from core.errors import ConfigError
from core.kept import Kept, Watch
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


def _check(found: People) -> None:
    if found.version != VERSION:
        raise ValueError(f"version is {found.version}, this post reads {VERSION}")
    if len(found.by_id) != len(found.accounts):
        raise ValueError("two people have one id")


_KEPT = Kept(
    People,
    _check,
    ConfigError,
    name="list of people",
    rows="people",
    next="Put it back from the backup.",
    missing=People(),
)


def load(file: Path) -> People:
    """Read the file; where there is none there is nobody. Raises ConfigError."""
    return _KEPT.load(file)


def changing(data: Path) -> AbstractContextManager[dict[str, Account]]:
    """The accounts of a post by id, to change in place; they are written whole at the end. Raises ConfigError."""
    return _KEPT.changing(
        path(data), lambda found: dict(found.by_id), lambda by_id: People(accounts=tuple(by_id.values()))
    )


def watch(data: Path) -> Watch[People]:
    """The login process's view of a post's people."""
    return Watch(_KEPT, path(data))
