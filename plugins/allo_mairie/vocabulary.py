"""The words this trade adds: what citizens report, what agents do of it, how requests stand."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from ondijon import Sealed, Text
from plugins.allo_mairie.keywords import KEYS_MAX
from plugins.allo_mairie.request import RequestState, Suspect

#: Of reports any is taken: one that nobody knows is for an agent to read.
Category = Annotated[str, msgspec.Meta(max_length=40)]
Key = Annotated[str, msgspec.Meta(min_length=1, max_length=20)]
Words = Annotated[str, msgspec.Meta(max_length=4000)]

#: How a citizen is reached, as a telephone number or an address of mail: what is kept of them is found by it.
Contact = Annotated[str, msgspec.Meta(max_length=120)]

Channel = Literal["application", "open311", "phone", "counter"]
Keyword = Annotated[str, msgspec.Meta(max_length=30)]
Keys = Annotated[tuple[Keyword, ...], msgspec.Meta(max_length=KEYS_MAX)]
Address = Annotated[str, msgspec.Meta(max_length=80)]

#: What became of a report.
Filed = Literal["new", "to_check", "joined", "reopened", "emergency", "refused"]

CloseReason = Literal["not_ours", "done_otherwise", "cannot_be_done"]
PauseReason = Literal["citizen", "third_party"]


class RequestReceived(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A citizen reports a problem of a ``category`` at the event's asset or place; ``emergency`` belongs to 112.

    ``reference`` is the channel's own name for the report. ``keys`` and ``address`` are what ``keywords.told`` makes
    of the words: they are not personal, and may be empty. ``caller``, ``words`` and ``photo`` (its name) are sealed.
    """

    category: Category
    channel: Channel
    reference: Annotated[str, msgspec.Meta(max_length=80)] = ""
    keys: Keys = ()
    address: Address = ""
    caller: Sealed[Contact] | None = None
    words: Sealed[Words] | None = None
    photo: Sealed[Annotated[str, msgspec.Meta(max_length=200)]] | None = None


class RequestReopened(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """It is not mended, or broken again: a citizen says so, or an agent."""

    request: Key
    caller: Sealed[Contact] | None = None
    words: Sealed[Words] | None = None


class RequestJudged(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An agent says that a request is that of ``duplicate_of``, or a problem of its own where that is empty.

    ``reopens``: what ``duplicate_of`` was about is broken again.
    """

    request: Key
    duplicate_of: Annotated[str, msgspec.Meta(max_length=20)] = ""
    reopens: bool = False


class RequestClosed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An agent closes a request, and why; the citizen is told."""

    request: Key
    why: CloseReason
    caller: Sealed[Contact] | None = None
    words: Sealed[Words] | None = None


class RequestCorrected(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An agent gives a request another ``category``, ``priority`` (1 to 3; 0: as it is), the event's asset or place."""

    request: Key
    category: Category = ""
    priority: Annotated[int, msgspec.Meta(ge=0, le=3)] = 0


class RequestNoted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An agent adds a note; ``caller`` is whom it is about, where it is about somebody."""

    request: Key
    caller: Sealed[Contact] | None = None
    words: Sealed[Words] | None = None


class RequestPaused(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An agent waits for the citizen, or for a third party: the clock stands, and nobody is sent."""

    request: Key
    why: PauseReason


class RequestResumed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was waited for is there."""

    request: Key


class ReportFiled(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a report, the event ``report``: which ``request`` it belongs to from now on.

    ``how`` ``emergency`` and ``refused``: to none, and ``request`` is only a name for the answer to the citizen.
    """

    report: int
    reference: str
    request: str
    how: Filed


class RequestChanged(msgspec.Struct, frozen=True, kw_only=True):
    """How a request stands. ``duplicate_of``: all that is told of it is told of that one from now on."""

    request: str
    category: str
    state: RequestState
    priority: int
    reports: int
    due_utc: int
    paused: str
    late: bool
    reason: str
    duplicate_of: str
    by: str


class ActRefused(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wanted to do of a request is not done, for a ``reason``."""

    request: str
    act: str
    by: str
    reason: str


class RequestsAged(msgspec.Struct, frozen=True, kw_only=True):
    """What time brings: requests that no agent judged, that are late, that nobody complained of, that are old.

    ``waiting``: events that are still to be heard. An event, so that a crash forgets nothing of it.
    """

    unjudged: tuple[str, ...] = ()
    late: tuple[str, ...] = ()
    confirmed: tuple[str, ...] = ()
    old: tuple[str, ...] = ()
    waiting: int = 0


class RequestRow(msgspec.Struct, frozen=True, kw_only=True):
    """A request at a glance. Times in µs, 0: none. ``records``: where the journal has its reports and their words."""

    category: str
    title: Text
    trade: str
    state: RequestState
    priority: int
    channel: str
    asset: str
    lon: float | None
    lat: float | None
    commune: str
    received_utc: int
    changed_utc: int
    due_utc: int
    late: bool
    paused: str
    reason: str
    job: str
    team: str
    begin_utc: int
    reports: int
    records: tuple[int, ...]
    suspects: tuple[Suspect, ...]
    reopened: int
    notes: int
    duplicate_of: str
    parts: tuple[str, ...]


class CommuneRow(msgspec.Struct, frozen=True, kw_only=True):
    """A commune's figures: now, today (local time), and since the start; ``median_h`` of the last ones mended."""

    open: int
    late: int
    received_today: int
    resolved_today: int
    duplicates: int
    reopened: int
    median_h: float | None


class SummaryRow(msgspec.Struct, frozen=True, kw_only=True):
    """The line in figures: ``open``, ``to_check``, ``late_now``, ``kept``, ``waiting`` now, others since the start."""

    open: int
    to_check: int
    late_now: int
    kept: int
    waiting: int
    received: int
    resolved: int
    late: int
    reopened: int
    duplicates: int
    emergencies: int
    refused: int


# What this trade reads: of its own events not what is sealed, of others' what it needs.


class Report(msgspec.Struct, frozen=True):
    """Of ``allo_mairie.request.received``."""

    category: str
    channel: str
    reference: str = ""
    keys: tuple[str, ...] = ()
    address: str = ""


class Reopen(msgspec.Struct, frozen=True):
    """Of ``allo_mairie.request.reopened``."""

    request: str


class Close(msgspec.Struct, frozen=True):
    """Of ``allo_mairie.request.closed``."""

    request: str
    why: CloseReason


class Note(msgspec.Struct, frozen=True):
    """Of ``allo_mairie.request.noted``."""

    request: str


class JobChanged(msgspec.Struct, frozen=True):
    """Of ``coordination.job.changed``."""

    job: str
    state: str
    team: str = ""
    begin_utc: int = 0
    reason: str = ""


#: The kind that tells of jobs.
JOB = "coordination.job.changed"

READS: dict[str, type[msgspec.Struct]] = {
    "allo_mairie.request.received": Report,
    "allo_mairie.request.reopened": Reopen,
    "allo_mairie.request.judged": RequestJudged,
    "allo_mairie.request.closed": Close,
    "allo_mairie.request.corrected": RequestCorrected,
    "allo_mairie.request.noted": Note,
    "allo_mairie.request.paused": RequestPaused,
    "allo_mairie.request.resumed": RequestResumed,
    "allo_mairie.requests.aged": RequestsAged,
    JOB: JobChanged,
}
