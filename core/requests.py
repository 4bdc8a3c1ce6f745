"""What trades ask of one another without knowing one another, and who has not been answered.

Any trade may emit these kinds, and any may read them; the kernel keeps the list of what waits for an answer. A request
that nobody answers expires, and is seen to: an event, and an alarm of the post.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

import msgspec

from core.clock import SECOND, Now
from core.declaration import EventKind, Text
from core.event import Event
from core.proposals import Emit

#: Requests that wait at most; of more the oldest expire at once.
OPEN_MAX = 10_000

#: One that expired may still be answered for so long (µs), and is an alarm until then.
LATE = 900 * SECOND

Priority = Annotated[int, msgspec.Meta(ge=1, le=3)]


class JobWanted(msgspec.Struct, frozen=True, kw_only=True):
    """Work to be done at the event's place. ``job`` is the asking trade's own name for it.

    Who does it needs all ``skills``, and ``duration_s`` seconds there; ``crews`` teams are needed at once. ``priority``
    1 is the most urgent of three. It may begin at ``earliest_utc`` and shall be done by ``latest_utc`` (µs, 0: any
    time). ``incident`` is the case it belongs to, where there is one.
    """

    job: str
    title: Text
    skills: tuple[str, ...]
    duration_s: Annotated[int, msgspec.Meta(ge=60, le=86_400)]
    priority: Priority = 3
    crews: Annotated[int, msgspec.Meta(ge=1, le=9)] = 1
    earliest_utc: int = 0
    latest_utc: int = 0
    incident: str = ""


class JobWithdrawn(msgspec.Struct, frozen=True, kw_only=True):
    """The asking trade needs its ``job`` no more."""

    job: str
    reason: str


class IncidentSuggested(msgspec.Struct, frozen=True, kw_only=True):
    """What a trade sees at the event's place is a case for the post. ``category`` is one that coordination knows."""

    category: str
    title: Text
    priority: Priority = 2


class SignNoted(msgspec.Struct, frozen=True, kw_only=True):
    """Something seen or heard at the event's place that may be part of a case, together with what others saw.

    ``topic`` says what, as trade.what; ``category`` what who reports it believes it is about, where they say so.
    """

    topic: Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9_]+\.[a-z0-9_]+\Z", max_length=80)]
    title: Text
    category: str = ""


class UnitWanted(msgspec.Struct, frozen=True, kw_only=True):
    """A unit with all ``skills`` goes to the event's place at once: who has some sends the one that is there first."""

    skills: tuple[str, ...]
    title: Text
    priority: Priority = 2
    incident: str = ""


class ClosureDeclared(msgspec.Struct, frozen=True, kw_only=True):
    """Nobody drives the street sections ``edges`` from ``from_utc`` until ``until_utc`` (µs, 0: until it is lifted).

    ``closure`` is the declaring trade's own name for it. Said again with other fields it changes; ``lifted`` ends it.
    """

    closure: str
    state: Literal["closed", "lifted"]
    title: Text
    edges: tuple[int, ...] = ()
    from_utc: int = 0
    until_utc: int = 0


class CorridorWanted(msgspec.Struct, frozen=True, kw_only=True):
    """The junctions along ``edges``, in driving order, let ``vehicle`` through until ``until_utc`` (µs)."""

    vehicle: str
    edges: tuple[int, ...]
    until_utc: int
    incident: str = ""


class LightWanted(msgspec.Struct, frozen=True, kw_only=True):
    """Light of at least ``level_pct`` within ``radius_m`` of the event's place, for ``seconds``."""

    level_pct: Annotated[float, msgspec.Meta(ge=0, le=100)]
    radius_m: Annotated[float, msgspec.Meta(gt=0, le=2_000)]
    seconds: Annotated[float, msgspec.Meta(gt=0, le=86_400)]
    incident: str = ""


class LookWanted(msgspec.Struct, frozen=True, kw_only=True):
    """Who has cameras within ``radius_m`` of the event's place turns them there."""

    radius_m: Annotated[float, msgspec.Meta(gt=0, le=2_000)]
    incident: str = ""


class CitizenInformed(msgspec.Struct, frozen=True, kw_only=True):
    """Tell the citizen behind ``request`` (the name that allo_mairie gave it) how it stands."""

    request: str
    state: str
    title: Text


Answer = Literal["taken", "done", "refused"]


class RequestAnswered(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to the request that is event ``request``. ``taken``: it is being done; ``by`` names what does it."""

    request: int
    answer: Answer
    reason: str = ""
    by: tuple[str, ...] = ()


class RequestExpired(msgspec.Struct, frozen=True, kw_only=True):
    """Nobody answered the request that is event ``request``, of that ``kind``, in time."""

    request: int
    kind: str


ANSWERED, EXPIRED = "post.request.answered", "post.request.expired"

#: Seconds within which each kind of request is to be answered. Of the others no answer is expected.
WITHIN_S = {
    "post.job.wanted": 60.0,
    "post.incident.suggested": 30.0,
    "post.unit.wanted": 30.0,
    "post.corridor.wanted": 15.0,
    "post.light.wanted": 15.0,
    "post.look.wanted": 15.0,
    "post.citizen.informed": 300.0,
}


def _kind(name: str, data: type[msgspec.Struct], fr: str, en: str, from_field: bool = False) -> EventKind:
    return EventKind(name=name, data=data, from_field=from_field, text=Text(fr, en))


#: Kinds that any trade may emit.
SHARED = (
    _kind("post.job.wanted", JobWanted, "Travail demandé", "Job wanted"),
    _kind("post.job.withdrawn", JobWithdrawn, "Travail annulé", "Job withdrawn"),
    _kind("post.incident.suggested", IncidentSuggested, "Incident proposé", "Incident suggested"),
    _kind("post.sign.noted", SignNoted, "Signe relevé", "Sign noted"),
    _kind("post.unit.wanted", UnitWanted, "Unité demandée", "Unit wanted"),
    _kind("post.closure.declared", ClosureDeclared, "Fermeture de voie", "Closure declared"),
    _kind("post.corridor.wanted", CorridorWanted, "Couloir de priorité demandé", "Corridor wanted"),
    _kind("post.light.wanted", LightWanted, "Éclairage demandé", "Light wanted"),
    _kind("post.look.wanted", LookWanted, "Images demandées", "Look wanted"),
    _kind("post.citizen.informed", CitizenInformed, "Citoyen à informer", "Citizen to be informed"),
    # Also by a gateway: a traffic centre of another make may be who answers.
    _kind(ANSWERED, RequestAnswered, "Demande suivie", "Request answered", from_field=True),
)

EVENTS = (*SHARED, _kind(EXPIRED, RequestExpired, "Demande sans réponse", "Request unanswered"))


def answered(request: int, answer: Answer, reason: str = "", by: tuple[str, ...] = ()) -> Emit:
    """The answer to the request that is event ``request``, as a trade proposes it."""
    data = RequestAnswered(request=request, answer=answer, reason=reason, by=by)
    return Emit(kind=ANSWERED, data=data)


NAMES = frozenset(kind.name for kind in SHARED)

#: What is read of the journal again after a restart, whoever else reads it.
KEPT = frozenset({*WITHIN_S, ANSWERED})


class _Answered(msgspec.Struct):
    request: int


class Open(msgspec.Struct):
    """A request that waits: whose, where, and until when (mono µs). ``expired``: nobody answered in time."""

    kind: str
    trade: str
    due: int
    communes: tuple[int, ...] = ()
    asset: int | None = None
    lon: float | None = None
    lat: float | None = None
    expired: bool = False


class Requests:
    """The requests that wait for an answer, by the seq of their event, the oldest first."""

    def __init__(self) -> None:
        self.open: dict[int, Open] = {}

    def hear(self, events: Iterable[Event], mono: int) -> None:
        """Take note of requests and answers among ``events``, which a step at ``mono`` µs consumes."""
        for event in events:
            within = WITHIN_S.get(event.kind)
            if within is not None:
                self.open[event.seq] = Open(
                    event.kind,
                    event.trade,
                    mono + int(within * SECOND),
                    event.communes,
                    event.asset,
                    event.lon,
                    event.lat,
                )
            elif event.kind == ANSWERED:
                # After a restart what came from the journal is not in its Struct yet.
                answered = msgspec.convert(event.data, _Answered, from_attributes=True)
                self.open.pop(answered.request, None)

    def expire(self, now: Now) -> Iterator[tuple[int, Open]]:
        """Those that nobody answered until now, each once."""
        crowded = max(0, len(self.open) - OPEN_MAX)
        for n, (seq, waiting) in enumerate(list(self.open.items())):
            if waiting.expired:
                if n < crowded or now.mono >= waiting.due + LATE:
                    del self.open[seq]
            elif n < crowded or now.mono >= waiting.due:
                waiting.expired = True
                yield seq, waiting

    def unanswered(self) -> Open | None:
        """The oldest one that expired."""
        return next((each for each in self.open.values() if each.expired), None)

    def stored(self) -> dict[int, Open]:
        """For a snapshot."""
        return {seq: msgspec.structs.replace(each) for seq, each in self.open.items()}

    def restore(self, stored: dict[int, Open]) -> None:
        """Take up those of a snapshot."""
        self.open = {seq: msgspec.structs.replace(each) for seq, each in stored.items()}
