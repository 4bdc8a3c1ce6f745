"""All that evolves in this trade. The kernel keeps it, stores it, and puts it back when a hook fails."""

from __future__ import annotations

from typing import Literal

import msgspec

from ondijon import Text
from ondijon.closures import Closure
from ondijon.whereabouts import Whereabouts


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A request for a unit, ``seq`` of it, at a place in degrees. ``since`` µs of city time."""

    seq: int
    skills: frozenset[str]
    title: Text
    priority: int
    incident: str
    lon: float
    lat: float
    since: int


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What a unit is called to; it is expected at ``arrive_utc`` (µs)."""

    wanted: Wanted
    state: Literal["going", "there"] = "going"
    arrive_utc: int = 0


class State(msgspec.Struct):
    """Where units are, what each is called to, and the requests that ``waiting`` for one, by seq as text.

    ``alarmed``: units whose officer calls for help. ``responses``: the latest times from a request to an arrival (s).
    """

    where: Whereabouts
    tasks: dict[str, Task] = {}
    waiting: dict[str, Wanted] = {}
    alarmed: set[str] = set()
    closures: dict[str, Closure] = {}
    calls: int = 0
    responses: list[float] = []
