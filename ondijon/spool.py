"""Where a gateway keeps its events until the post has them: numbered, bounded, never dropped."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Protocol

import msgspec

from core.errors import OndijonError

__all__ = ["Kept", "MemorySpool", "Spool", "SpoolFullError"]

#: Events that a gateway keeps in memory at most.
EVENTS_MAX = 10_000


class SpoolFullError(OndijonError):
    """There is no room for another event: the post has been away for long, or too much happens."""


class Kept(msgspec.Struct, frozen=True):
    """An event that waits: ``at`` µs of city time, the id of its ``asset`` or "", ``data`` as msgpack."""

    kind: str
    at: int
    asset: str
    data: bytes


class Spool(Protocol):
    """Keeps the events of one ``boot`` under their numbers, from 1 on. One on a disk outlives its process.

    All up to ``acked`` are with the post; ``last`` is the number of the last one put.
    """

    boot: int
    acked: int
    last: int

    def put(self, event: Kept) -> int:
        """Keep an event; return its number. Raises SpoolFullError, and keeps all it has."""

    def forget(self, through: int) -> None:
        """The post has all up to ``through``."""

    def after(self, seq: int) -> Iterator[tuple[int, Kept]]:
        """The kept events with a number above ``seq``, in order."""


class MemorySpool:
    """A spool that lives as long as its process."""

    def __init__(self, boot: int, limit: int = EVENTS_MAX) -> None:
        self.boot = boot
        self.acked = self.last = 0
        self._limit = limit
        self._kept: deque[Kept] = deque()

    def put(self, event: Kept) -> int:
        """Keep an event; return its number. Raises SpoolFullError, and keeps all it has."""
        if len(self._kept) >= self._limit:
            raise SpoolFullError(
                f"{self._limit} events wait for the post.",
                where=f"event {event.kind}",
                next="It was not taken: keep it, and try again when the post is back.",
            )
        self._kept.append(event)
        self.last += 1
        return self.last

    def forget(self, through: int) -> None:
        """The post has all up to ``through``."""
        while self.acked < min(through, self.last):
            self._kept.popleft()
            self.acked += 1

    def after(self, seq: int) -> Iterator[tuple[int, Kept]]:
        """The kept events with a number above ``seq``, in order."""
        first = max(seq, self.acked)
        return enumerate(islice(self._kept, first - self.acked, None), first + 1)
