"""All that evolves in this trade. The kernel keeps it, stores it, and puts it back when a hook fails."""

from __future__ import annotations

import msgspec

from ondijon import Text
from plugins.coordination import clusters
from plugins.coordination.incident import Incident
from plugins.coordination.sites import Job, Site
from plugins.coordination.vocabulary import JobState, PlannedStop


class BoardJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job on the board: who asked for it (``trade``, as event ``asked``), where, and how it stands.

    ``job`` is what it demands of who does it; without a place there is none. ``since`` µs: in this state.
    """

    key: str
    trade: str
    name: str
    asked: int
    title: Text
    asset: int | None
    lon: float | None
    lat: float | None
    incident: str
    job: Job
    state: JobState = "waiting"
    site: str = ""
    team: str = ""
    begin_utc: int = 0
    reason: str = ""
    tries: int = 0
    since: int = 0


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """Teams are at a site since ``begun_utc`` and done about ``until_utc`` (µs)."""

    site: Site
    teams: tuple[str, ...]
    begun_utc: int
    until_utc: int
    overdue: bool = False


class Issued(msgspec.Struct, frozen=True):
    """A request that a ``step`` of a case makes in this step of the post: it has no number yet."""

    incident: str
    kind: str
    step: str


class Asked(msgspec.Struct, frozen=True):
    """A request of a case that waits for its answer."""

    incident: str
    kind: str
    title: Text | None
    step: str


class State(msgspec.Struct):
    """Jobs by key, sites that wait for a visit, visits under way by site, missions by team; teams that are off duty,
    and those whose visit is ``overdue``.

    ``signs`` is what correlation remembers of all that were ``heard``, ``case_of`` the case of each of its clusters.
    Cases by key, ``number`` of them so far, and their requests: ``issued`` just now, and ``asked`` by seq, as text.

    ``plan``: the last one that was told, and ``asked_mono`` µs: since when one is wanted (0: none is). ``turn`` goes
    through the rows of views, so that each is shown again now and then.
    """

    jobs: dict[str, BoardJob] = {}
    sites: dict[str, Site] = {}
    visits: dict[str, Visit] = {}
    missions: dict[str, tuple[PlannedStop, ...]] = {}
    off: set[str] = set()
    overdue: set[str] = set()
    signs: clusters.State = msgspec.field(default_factory=clusters.State)
    heard: int = 0
    case_of: dict[int, str] = {}
    incidents: dict[str, Incident] = {}
    number: int = 0
    issued: list[Issued] = []
    asked: dict[str, Asked] = {}
    plan: int = 0
    asked_mono: int = 0
    done: int = 0
    turn: int = 0
