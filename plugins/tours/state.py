"""All that evolves in this trade. The kernel keeps it, stores it, and puts it back when a hook fails."""

from __future__ import annotations

import msgspec

from ondijon import whereabouts
from ondijon.closures import Closure
from ondijon.whereabouts import Whereabouts
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


class State(msgspec.Struct):
    """Where teams are; sites by name, closures by trade and name, teams that are off duty, and the ``missions`` in
    force, by team. ``changed``: something asks for another plan.
    """

    where: Whereabouts
    sites: dict[str, Site] = {}
    closures: dict[str, Closure] = {}
    off: set[str] = set()
    missions: dict[str, tuple[PlannedStop, ...]] = {}
    left: dict[str, str] = {}
    plan: int = 0
    anew_mono: int = 0
    changed: bool = True


def fitted(crews: Crews, before: State | None) -> State:
    """The state to begin with, or the one there was, for the teams that are there now."""
    if before is None:
        return State(whereabouts.fitted(crews.home, None))
    before.where = whereabouts.fitted(crews.home, before.where)
    return before
