"""Keys that expire soon: an alarm while there is time to rotate them."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterable
from pathlib import Path

from core import allowlist
from core.allowlist import AllowList, Key
from core.clock import SECOND
from core.config import SecurityConfig
from core.keyring import DAY

#: The list is looked at this often (s).
LOOK_S = 5.0

#: Names that one alarm tells.
TOLD_MAX = 5


class Expiring:
    """Follows a post's allow-list."""

    def __init__(self, data: Path, security: SecurityConfig) -> None:
        self._watch = allowlist.watch(data) if security.curve else None
        self._warn = security.warn_days * DAY
        self._looked = 0.0
        self._soon: list[Key] = []

    def troubles(self) -> list[tuple[str, dict[str, str]]]:
        """The alarm and what it says, while a key expires soon and nothing stands beside it."""
        if self._watch is not None and time.monotonic() - self._looked > LOOK_S:
            self._looked = time.monotonic()
            self._soon = soon(self._watch.look(), allowlist.now(), self._warn)
        if not self._soon:
            return []
        names = [key.name for key in self._soon]
        more = f" and {len(names) - TOLD_MAX} more" if len(names) > TOLD_MAX else ""
        return [("key_expires", {"keys": ", ".join(names[:TOLD_MAX]) + more, "first": _date(self._soon[0])})]


def soon(known: AllowList, utc: int, warn: int) -> list[Key]:
    """The keys that end within ``warn`` µs of ``utc``, soonest first, and are the last of their name."""
    lasts: dict[str, Key] = {}
    for key in _valid(known.keys, utc):
        before = lasts.get(key.name)
        if before is None or _end(key) > _end(before):
            lasts[key.name] = key
    return sorted((key for key in lasts.values() if _end(key) <= utc + warn), key=_end)


def _valid(keys: Iterable[Key], utc: int) -> Iterable[Key]:
    return (key for key in keys if key.state(utc) == "valid")


def _end(key: Key) -> float:
    return key.expires or float("inf")


def _date(key: Key) -> str:
    return f"{datetime.datetime.fromtimestamp(key.expires / SECOND, datetime.UTC):%Y-%m-%d}"
