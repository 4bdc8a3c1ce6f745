"""What the sheets read of events and of stored states: no more than they print, so that trades may add to theirs.

Words that persons wrote are sealed. Here it is only known that there are some: ``words`` is asked for nothing else.
"""

from __future__ import annotations

from typing import Any

import msgspec

from core.declaration import Text
from core.event import Source

NOTED = "coordination.entry.noted"
REFUSED = "coordination.act.refused"
CHANGED = "coordination.incident.changed"
JOB = "coordination.job.changed"
SITE = "coordination.site.changed"
TEAM = "coordination.team.changed"
MISSION = "tours.mission.planned"
WANTED = "post.job.wanted"
ANSWERED = "post.request.answered"
EXPIRED = "post.request.expired"
ALARM = "post.alarm.changed"

#: States of a case in which it needs nobody any more.
OVER = ("resolved", "closed")


class Head(msgspec.Struct):
    """Of any event."""

    kind: str
    at_utc: int
    source: Source = Source()
    trade: str = ""
    asset: int | None = None


class Noted(msgspec.Struct):
    """A line of the shift log."""

    incident: str
    n: int
    code: str
    text: Text
    by: str = ""
    words: Any = None


class Refused(msgspec.Struct):
    """What a person wanted and did not get."""

    incident: str
    act: str
    by: str
    reason: str


class Changed(msgspec.Struct):
    """How a case stands."""

    incident: str
    title: Text
    state: str
    priority: int
    owner: str
    watchers: tuple[str, ...] = ()
    parent: str = ""
    level: int = 0


class JobChanged(msgspec.Struct):
    """How a job stands."""

    job: str
    state: str
    team: str = ""
    begin_utc: int = 0
    reason: str = ""


class JobWanted(msgspec.Struct):
    """What a job is."""

    job: str
    title: Text
    priority: int = 3
    latest_utc: int = 0
    incident: str = ""


class SiteChanged(msgspec.Struct):
    """What is done in one visit, and who is there."""

    site: str
    state: str
    jobs: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()


class TeamChanged(msgspec.Struct):
    """A team is on duty, or not."""

    duty: bool


class Stop(msgspec.Struct):
    """One stop of a mission."""

    site: str
    begin_utc: int = 0
    leave_utc: int = 0


class Mission(msgspec.Struct):
    """What a team does from now on."""

    stops: tuple[Stop, ...] = ()


class Request(msgspec.Struct):
    """What some requests have beside their kind."""

    title: Text | None = None
    incident: str = ""


class Answered(msgspec.Struct):
    """A request has an answer."""

    request: int


class Expired(msgspec.Struct):
    """Nobody answered a request in time."""

    request: int
    kind: str


# The state of the trade `coordination`, as a snapshot stores it.


class StoredEntry(msgspec.Struct):
    """A line of a case's timeline."""

    n: int
    at_utc: int
    code: str
    text: Text
    by: str = ""
    words: Any = None


class StoredRun(msgspec.Struct):
    """The procedure of a case under way."""

    procedure: str
    step: str
    late: bool = False


class StoredIncident(msgspec.Struct):
    """A case."""

    key: str
    title: Text
    priority: int
    state: str
    owner: str = ""
    watchers: tuple[str, ...] = ()
    parent: str = ""
    opened_utc: int = 0
    level: int = 0
    run: StoredRun | None = None
    latest: tuple[StoredEntry, ...] = ()


class StoredWork(msgspec.Struct):
    """What a job demands."""

    priority: int = 3
    latest: int = 0


class StoredJob(msgspec.Struct):
    """A job on the board."""

    key: str
    title: Text
    incident: str = ""
    job: StoredWork = msgspec.field(default_factory=StoredWork)
    state: str = "waiting"
    team: str = ""
    begin_utc: int = 0
    reason: str = ""


class StoredName(msgspec.Struct):
    """A job, by its key."""

    key: str


class StoredSite(msgspec.Struct):
    """The jobs of one visit."""

    jobs: tuple[StoredName, ...] = ()


class StoredVisit(msgspec.Struct):
    """Teams that are at a site."""

    site: StoredSite
    teams: tuple[str, ...] = ()


class StoredBoard(msgspec.Struct):
    """All of it."""

    jobs: dict[str, StoredJob] = {}
    sites: dict[str, StoredSite] = {}
    visits: dict[str, StoredVisit] = {}
    missions: dict[str, tuple[Stop, ...]] = {}
    off: set[str] = set()
    incidents: dict[str, StoredIncident] = {}


class Stored(msgspec.Struct):
    """A state with its version, see core.state."""

    version: int
    state: msgspec.Raw
