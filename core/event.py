"""An event: a dated fact, journaled before anybody acts on it."""

from __future__ import annotations

from typing import Any

import msgspec

#: How long a chain of events may grow, each the cause of the next.
CHAIN_MAX = 8


class Source(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who says so: a plugin, a person, or a gateway with its boot and sequence."""

    plugin: str = ""
    person: str = ""
    gateway: str = ""
    boot: int = 0
    seq: int = 0


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A dated fact. ``seq`` is its place in the journal; ``cause`` the seq of what led to it (0: nothing).

    ``at_utc``, ``received_utc``, ``mono`` in µs; ``trade`` and ``communes`` are stamped by the kernel;
    ``asset`` is an index of the register; ``data`` is a Struct of the kind.
    """

    seq: int
    kind: str
    at_utc: int
    received_utc: int
    mono: int
    source: Source
    trade: str
    communes: tuple[int, ...] = ()
    asset: int | None = None
    lon: float | None = None
    lat: float | None = None
    cause: int = 0
    chain: int = 0
    data: Any = None


class Again(msgspec.Struct, frozen=True):
    """The events that one step consumed, and when that was."""

    step: int
    utc: int
    events: list[Event]
