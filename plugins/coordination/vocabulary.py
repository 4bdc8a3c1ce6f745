"""The words this trade adds: teams, jobs on the board, sites, visits."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from ondijon import Sealed, Text, shifts
from plugins.coordination.incident import IncidentState

Reason = Annotated[str, msgspec.Meta(max_length=500)]
Key = Annotated[str, msgspec.Meta(min_length=1, max_length=160)]

Words = Annotated[str, msgspec.Meta(max_length=4000)]

#: A person that words are about, as a name or a number: what is kept of them is found and erased by it.
Concerned = Annotated[str, msgspec.Meta(max_length=120)]

#: How a job stands. ``held``: only a person can help it on, and the reason says why.
JobState = Literal["waiting", "planned", "left_out", "begun", "done", "held", "withdrawn"]


class Team(msgspec.Struct, frozen=True):
    """A team in its vehicle. What it can do (``skills``), and its ``shift`` each day, local time, as 07:00-15:00."""

    skills: list[str]
    shift: Annotated[str, msgspec.Meta(pattern=shifts.PATTERN)]


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


class IncidentReported(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person opens a case of a ``category``, at the event's place or asset, as a part of ``parent`` where it is one.

    ``words`` are what they write, ``concerns`` whom it is about; ``priority`` 0: as the category says.
    """

    category: Annotated[str, msgspec.Meta(pattern=r"\A[a-z][a-z0-9_]{0,39}\Z")]
    priority: Annotated[int, msgspec.Meta(ge=0, le=3)] = 0
    parent: Annotated[str, msgspec.Meta(max_length=40)] = ""
    words: Sealed[Words] | None = None
    concerns: Sealed[Concerned] | None = None


class IncidentActed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person does something of a case. ``to``: whom it is handed over to, the case it is merged into, the new
    priority, the procedure to begin. ``words`` are what they write.
    """

    incident: Key
    act: Literal[
        "take",
        "hand_over",
        "hold",
        "resume",
        "resolve",
        "close",
        "reopen",
        "watch",
        "unwatch",
        "prioritise",
        "note",
        "merge",
        "procedure",
    ]
    to: Annotated[str, msgspec.Meta(max_length=120)] = ""
    words: Sealed[Words] | None = None
    concerns: Sealed[Concerned] | None = None


class StepAnswered(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person answers the step that a case's procedure is at. ``evidence`` names a picture or a document."""

    incident: Key
    step: Key
    answer: Key
    evidence: Annotated[str, msgspec.Meta(max_length=500)] = ""
    words: Sealed[Words] | None = None
    concerns: Sealed[Concerned] | None = None


class ActRefused(msgspec.Struct, frozen=True, kw_only=True):
    """What a person wanted to do of a case is not done, for a ``reason``."""

    incident: str
    act: str
    by: str
    reason: str


class EntryNoted(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the shift log (*main courante*); ``n`` counts within the case, ``about`` is the event behind it."""

    incident: str
    n: int
    code: str
    text: Text
    by: str = ""
    about: int = 0
    words: Sealed[Words] | None = None


class IncidentChanged(msgspec.Struct, frozen=True, kw_only=True):
    """How a case stands. ``level``: how often nobody took it in time; ``communes`` those that it touches."""

    incident: str
    category: str
    title: Text
    state: IncidentState
    priority: int
    owner: str
    watchers: tuple[str, ...]
    parent: str
    level: int
    communes: tuple[int, ...]


class EntryRow(msgspec.Struct, frozen=True):
    """One of the latest lines of a case."""

    n: int
    at_utc: int
    code: str
    text: Text
    by: str


class StepRow(msgspec.Struct, frozen=True, kw_only=True):
    """The step that a procedure is at, its answers by id, and when it is late (µs of city time; 0: never)."""

    procedure: Text
    version: int
    step: str
    text: Text
    answers: dict[str, Text]
    evidence: bool
    late: bool
    late_utc: int


class IncidentRow(msgspec.Struct, frozen=True, kw_only=True):
    """A case at a glance: ``cameras`` the nearest, ``assets`` those it is about, by id."""

    category: str
    title: Text
    state: IncidentState
    priority: int
    owner: str
    watchers: tuple[str, ...]
    parent: str
    level: int
    lon: float | None
    lat: float | None
    assets: tuple[str, ...]
    cameras: tuple[str, ...]
    signs: int
    opened_utc: int
    changed_utc: int
    step: StepRow | None
    latest: tuple[EntryRow, ...]


# What this trade reads of others.


class RequestExpired(msgspec.Struct, frozen=True):
    """What this trade reads of ``post.request.expired``."""

    request: int


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
