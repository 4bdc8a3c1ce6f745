"""All that evolves in this trade. The kernel keeps it, stores it, and puts it back when a hook fails."""

from __future__ import annotations

import msgspec
import numpy as np

from plugins.tours.crews import Crews
from plugins.tours.vocabulary import PlannedStop


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """A site to be visited, or one where ``teams`` work until ``until_utc``. ``edge`` NONE: off the streets."""

    edge: int
    offset_m: float
    skills: frozenset[str]
    service_s: int
    priority: int
    crews: int
    earliest_utc: int
    latest_utc: int
    teams: tuple[str, ...] = ()
    until_utc: int = 0


class Closure(msgspec.Struct, frozen=True):
    """Streets that nobody drives, from when until when (µs; 0: until it is lifted)."""

    edges: tuple[int, ...]
    from_utc: int
    until_utc: int


class State(msgspec.Struct):
    """Sites by name, closures by trade and name, teams that are off duty, and the ``missions`` in force, by team.

    ``edge`` u32[teams] and ``offset_m`` f64[teams]: where each team was seen last on a street, at ``seen`` i64[teams]
    µs (0: never). ``jumps`` counts positions that cannot be. ``changed``: something asks for another plan.
    """

    edge: np.ndarray
    offset_m: np.ndarray
    seen: np.ndarray
    sites: dict[str, Site] = {}
    closures: dict[str, Closure] = {}
    off: set[str] = set()
    missions: dict[str, tuple[PlannedStop, ...]] = {}
    left: dict[str, str] = {}
    plan: int = 0
    anew_mono: int = 0
    changed: bool = True
    jumps: int = 0


def fitted(crews: Crews, before: State | None) -> State:
    """The state to begin with, or the one there was, for the teams that are there now. Teams are only ever added."""
    n = len(crews.ids)
    state = before or State(np.empty(0, np.uint32), np.empty(0), np.empty(0, np.int64))
    new = slice(len(state.edge), n)
    state.edge = np.append(state.edge, crews.home.edge[new]).astype(np.uint32)
    state.offset_m = np.append(state.offset_m, crews.home.offset_m[new])
    state.seen = np.append(state.seen, np.zeros(n - len(state.seen), np.int64))
    return state
