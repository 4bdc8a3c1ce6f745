"""The words this trade adds: teams, jobs on the board, sites, visits."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from ondijon import Text

Reason = Annotated[str, msgspec.Meta(max_length=500)]
Key = Annotated[str, msgspec.Meta(min_length=1, max_length=160)]

#: How a job stands. ``held``: only a person can help it on, and the reason says why.
JobState = Literal["waiting", "planned", "left_out", "begun", "done", "held", "withdrawn"]


class Team(msgspec.Struct, frozen=True):
    """A team in its vehicle. What it can do (``skills``), and its ``shift`` each day, local time, as 07:00-15:00."""

    skills: list[str]
    shift: Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$")]


class JobChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A job of the board stands otherwise. ``job`` is its key: trade/name. ``begin_utc`` µs: when a team is there."""

    job: str
    state: JobState
    site: str = ""
    team: str = ""
    begin_utc: int = 0
    reason: str = ""


class SiteChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A site is wanted, or otherwise than before; teams begin there; it is over. The place is the event's.

    ``latest_utc`` µs is the latest begin at which all its ``jobs`` are done in time (0: any). While it is begun,
    ``teams`` work there until about ``until_utc``.
    """

    site: str
    state: Literal["wanted", "begun", "ended"]
    jobs: tuple[str, ...]
    skills: tuple[str, ...] = ()
    service_s: int = 0
    priority: int = 3
    crews: int = 1
    earliest_utc: int = 0
    latest_utc: int = 0
    teams: tuple[str, ...] = ()
    until_utc: int = 0


class VisitBegun(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A team, the event's asset, is at a site and works. Its tablet says so, or a dispatcher for it."""

    site: Key


class Undone(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A job that a visit did not do, and why."""

    job: Key
    reason: Reason


class VisitEnded(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A team, the event's asset, leaves a site: all its jobs are done, but those ``undone``."""

    site: Key
    undone: Annotated[tuple[Undone, ...], msgspec.Meta(max_length=50)] = ()


class TeamChanged(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A team, the event's asset, goes off ``duty`` before its shift ends, or is back."""

    duty: bool
    reason: Reason = ""


class JobRow(msgspec.Struct, frozen=True, kw_only=True):
    """How a job stands. Times in µs, 0: none."""

    title: Text
    trade: str
    state: JobState
    priority: int
    skills: tuple[str, ...]
    site: str
    team: str
    begin_utc: int
    latest_utc: int
    reason: str
    lon: float | None
    lat: float | None
    incident: str


class StopRow(msgspec.Struct, frozen=True):
    """One stop of a mission: where, what, when, and which team would have cost how much more time instead (s)."""

    site: str
    jobs: tuple[str, ...]
    titles: tuple[Text, ...]
    lon: float
    lat: float
    begin_utc: int
    leave_utc: int
    drive_s: int
    other: str
    more_s: int


class MissionRow(msgspec.Struct, frozen=True):
    """What a team does: ``at`` the site where it works now, then its ``stops``. Its plan has this number."""

    plan: int
    at: str
    duty: bool
    stops: tuple[StopRow, ...]


class BoardRow(msgspec.Struct, frozen=True, kw_only=True):
    """The board in figures. ``merged``: jobs that are done in a visit with others."""

    waiting: int
    planned: int
    left_out: int
    begun: int
    held: int
    done: int
    sites: int
    merged: int
    teams: int
    plan: int


# What this trade reads of others.


class PlannedStop(msgspec.Struct, frozen=True):
    """Of ``tours.mission.planned``."""

    site: str
    drive_s: int
    begin_utc: int
    leave_utc: int
    other: str = ""
    more_s: int = 0


class MissionPlanned(msgspec.Struct, frozen=True):
    """What this trade reads of ``tours.mission.planned``."""

    plan: int
    stops: tuple[PlannedStop, ...]


class LeftOut(msgspec.Struct, frozen=True):
    """Of ``tours.plan.made``."""

    site: str
    why: str


class PlanMade(msgspec.Struct, frozen=True):
    """What this trade reads of ``tours.plan.made``."""

    plan: int
    left: tuple[LeftOut, ...]
