"""A plugin whose hooks run in a worker: the kernel knows what it declares, and keeps the state it was told last."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec

from core.city import City
from core.event import Again, Event
from core.plugins import Plugin


class Remote(Plugin):
    """Stands in the kernel for a plugin that a worker runs. ``state`` is as it is stored; b"": nothing yet."""

    def begin(self, city: City, stored: bytes | None = None) -> None:
        """Keep the state for the worker: whether it fits is found there."""
        self.fixed, self.state = None, stored or b""

    def derive(self, city: City, before: Any) -> tuple[Any, Any]:
        """Nothing is derived here: the worker is told of the city."""
        return None, before

    def stored(self) -> bytes:
        """The state that the worker told last."""
        return bytes(self.state)

    def digest(self) -> bytes:
        """SHA-256 of that."""
        return hashlib.sha256(self.state).digest()

    def told(self, us: Iterable[float], dropped: int) -> None:
        """How long each call took in the worker, in µs, and how many proposals were beyond the limit."""
        for each in us:
            self.calls += 1
            self.times.add(each)
        self.dropped += dropped


class StoredMail(msgspec.Struct, frozen=True):
    """What a worker is owed, in a snapshot, events by their seq.

    ``owed`` are those it has not answered, ``seen`` those it has since the stored state, as (step, utc, seqs);
    ``held``: a person must release it.
    """

    owed: list[int] = []
    seen: list[tuple[int, int, list[int]]] = []
    held: bool = False

    def first(self) -> int | None:
        """The first of all these events."""
        return min((*self.owed, *(seq for _, _, seqs in self.seen for seq in seqs)), default=None)


class Mail(msgspec.Struct):
    """What a worker is owed at the end of the journal; fields as in StoredMail, with the events themselves."""

    owed: list[Event] = []
    seen: list[Again] = []
    held: bool = False


class Came(msgspec.Struct, frozen=True, tag="came"):
    """A worker of ``plugin`` is here, the ``generation``-th of this run of the kernel."""

    plugin: str
    generation: int


class Gone(msgspec.Struct, frozen=True, tag="gone"):
    """It is here no more, and ``why``."""

    plugin: str
    generation: int
    why: str


class Answered(msgspec.Struct, frozen=True, tag="answered"):
    """It answered message ``number``: ``done`` as core/worker_wire.py packs it."""

    plugin: str
    generation: int
    number: int
    done: bytes


Said = Came | Gone | Answered
