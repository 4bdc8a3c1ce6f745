"""The words this trade adds, and what it reads of others."""

from __future__ import annotations

from typing import Literal

import msgspec


class PlannedStop(msgspec.Struct, frozen=True):
    """A team drives ``drive_s`` to a site, begins there at ``begin_utc`` and leaves at ``leave_utc`` (µs).

    ``other`` is the team that would have cost least instead, ``more_s`` how much more time of teams; none: nobody else
    can go.
    """

    site: str
    drive_s: int
    begin_utc: int
    leave_utc: int
    other: str = ""
    more_s: int = 0


class MissionPlanned(msgspec.Struct, frozen=True):
    """What a team, the event's asset, does from now on; nothing: no ``stops``."""

    plan: int
    stops: tuple[PlannedStop, ...]


class LeftOut(msgspec.Struct, frozen=True):
    """A site in nobody's tour: ``why`` is no_skills, no_way, no_time, not_together or no_place."""

    site: str
    why: str


class PlanMade(msgspec.Struct, frozen=True):
    """A plan is in force. ``by``: which solver; ``anew``: the whole day, not only around what changed.

    ``moved``: teams that have something else to do now. ``late``: sites that are begun too late.
    """

    plan: int
    by: Literal["vroom", "greedy"]
    anew: bool
    sites: int
    moved: int
    late: tuple[str, ...]
    left: tuple[LeftOut, ...]


class SiteChanged(msgspec.Struct, frozen=True):
    """What this trade reads of ``coordination.site.changed``."""

    site: str
    state: Literal["wanted", "begun", "ended"]
    skills: tuple[str, ...] = ()
    service_s: int = 0
    priority: int = 3
    crews: int = 1
    earliest_utc: int = 0
    latest_utc: int = 0
    teams: tuple[str, ...] = ()
    until_utc: int = 0


class TeamChanged(msgspec.Struct, frozen=True):
    """What this trade reads of ``coordination.team.changed``."""

    duty: bool
