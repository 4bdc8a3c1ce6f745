"""All that evolves in this trade. The kernel keeps it, stores it, and puts it back when a hook fails."""

from __future__ import annotations

from typing import Literal

import msgspec


class Works(msgspec.Struct, frozen=True, kw_only=True):
    """Works on street sections, and the names of others ``beside`` them."""

    title: str
    edges: tuple[int, ...]
    closed: bool
    permit: str
    from_utc: int
    until_utc: int
    state: Literal["planned", "running"] = "planned"
    beside: tuple[str, ...] = ()


class Defect(msgspec.Struct, frozen=True, kw_only=True):
    """A defect, its place in degrees, and how its repair stands. Times in µs, 0: not yet."""

    kind: str
    priority: int
    lon: float
    lat: float
    edge: int
    since_utc: int
    due_utc: int
    state: Literal["known", "begun", "mended"] = "known"
    begun_utc: int = 0
    ended_utc: int = 0


class Delays(msgspec.Struct, frozen=True):
    """Of a street class: defects that work began on, those in time, the hours of the latest ones."""

    begun: int = 0
    in_time: int = 0
    hours: tuple[float, ...] = ()


class State(msgspec.Struct):
    """Works by name, defects by name, ``number`` of them so far; delays by street class.

    ``blocked``: accesses that are, since when (mono µs), by asset id; ``told``: of those that a case was made of.
    """

    works: dict[str, Works] = {}
    defects: dict[str, Defect] = {}
    number: int = 0
    delays: dict[str, Delays] = {}
    blocked: dict[str, int] = {}
    told: set[str] = set()
