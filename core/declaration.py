"""What a trade says of itself, once and without a city: all that check, gate, alarms and screens need."""

from __future__ import annotations

import enum
from typing import Any, Literal

import msgspec

#: The version of hooks and structs that a plugin is written against.
API_VERSION = 1


class Merge(enum.IntEnum):
    """How samples of one slot become one value between two swaps. All are associative."""

    LAST = 0
    MAX = 1
    SUM = 2
    ANY = 3


class Text(msgspec.Struct, frozen=True):
    """A fixed text for operators and citizens, French first."""

    fr: str
    en: str


class AssetKind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of physical thing. ``attributes`` is the Struct its inventory columns are checked against."""

    name: str
    attributes: type[msgspec.Struct]
    parent: str | None = None
    text: Text


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """A quantity that assets of ``kind`` report.

    ``low``..``high`` is what the instrument can physically read: a sample outside is refused. A change
    of at most ``deadband`` since the last reported value is not reported (merge LAST only).
    ``labels`` makes an enumeration: values 0..n-1, each with its text. ``answers``: it tells what devices make of
    what they are told, so a fork of the past leaves out what was recorded, and asks the trade's ``imagine``. What is
    ``kept`` goes to the history, a row a slot and minute: keep what somebody will ask for, and nothing that tells who
    was where.
    """

    name: str
    kind: str
    unit: str
    merge: Merge = Merge.LAST
    deadband: float = 0.0
    low: float
    high: float
    stale_after_s: float | None = None
    labels: tuple[Text, ...] = ()
    answers: bool = False
    kept: bool = False
    text: Text


class EventKind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of dated fact, ``trade.noun.verb``, and the Struct of its data.

    Gateways may send only kinds that are ``from_field``, and persons tell only those that are ``from_persons``, with
    a role that names the kind: nobody outside speaks in a plugin's name. Of what comes from outside, ``personal``
    names the retention class of each ``Sealed`` field of the Struct, and ``subject`` the one of them by which a person
    is known. It comes in clear; the post seals it before it journals the event.
    """

    name: str
    data: type[msgspec.Struct]
    from_field: bool = False
    from_persons: bool = False
    personal: dict[str, str] = {}
    subject: str = ""
    text: Text


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """A class of personal data: kept for at most ``days``, for the reason ``basis`` (the law, the purpose)."""

    name: str
    days: int
    basis: str
    text: Text


class Verb(msgspec.Struct, frozen=True, kw_only=True):
    """Something the post may ask of assets of kind ``targets``: an absolute state, under a lease.

    What was executed is compared with ``verify_metric`` for ``verify_s`` seconds.
    """

    name: str
    targets: str
    low: float
    high: float
    unit: str
    lease_max_s: float
    danger: bool = False
    reversible: bool = True
    verify_metric: str | None = None
    tolerance: float = 0.0
    verify_s: float = 10.0
    text: Text


class Interlock(msgspec.Struct, frozen=True, kw_only=True):
    """``verb`` only where ``metric`` is ``comparison`` ``value``: on the target itself, or on its parent.

    A value that is unknown or stale refuses, as a wrong one does; so the metric must have a ``stale_after_s``.
    """

    verb: str
    metric: str
    comparison: Literal["<", "<=", "==", "!=", ">=", ">"]
    value: float
    text: Text


class Authorisation(msgspec.Struct, frozen=True, kw_only=True):
    """What a trade may ask of an own ``verb`` by itself, each day: without one it may ask nothing.

    The zone: communes, or asset ids, by name; none named is the whole city. ``low``..``high`` in the verb's unit,
    leases of at most ``lease_max_s``. ``rate``: how often a minute each target of the zone may be asked, taken
    over the whole zone. Of a dangerous verb two persons approve it, for ``approved_s`` seconds at a time.
    """

    name: str
    verb: str
    communes: tuple[str, ...] = ()
    assets: tuple[str, ...] = ()
    low: float
    high: float
    lease_max_s: float
    rate: float
    approved_s: float = 86_400.0


class ProgrammeKind(msgspec.Struct, frozen=True, kw_only=True):
    """What assets of kind ``targets`` do by themselves, as persons approve it: stored in the device, run there.

    ``content`` is the Struct that says it, frozen, without unknown fields; what it refuses (``__post_init__``) nobody
    can approve. With ``danger`` it always takes two persons. The name is also the verb of the right to ask for it.
    """

    name: str
    targets: str
    content: type[msgspec.Struct]
    danger: bool = False
    text: Text


class AlarmKind(msgspec.Struct, frozen=True, kw_only=True):
    """A condition that asks a person to act. ``priority`` 1 is the most urgent of three.

    ``suppressed_by``: codes, of any trade, that explain this alarm where they stand on what its asset is behind.
    For such an explanation it waits ``correlate_s`` before a person is told.
    """

    code: str
    priority: int
    text: Text
    delay_on_s: float = 0.0
    delay_off_s: float = 0.0
    suppressed_by: tuple[str, ...] = ()
    correlate_s: float = 10.0


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A small live table for screens and partners: typed rows under a key."""

    name: str
    row: type[msgspec.Struct]


class Kpi(msgspec.Struct, frozen=True, kw_only=True):
    """A figure that a time is judged by: a ``field`` of a view's rows, summed over its keys, that counts up.

    A fork of the past tells by how much it comes out otherwise.
    """

    name: str
    view: str
    field: str
    unit: str
    text: Text


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """A metric drawn on the map, from ``low`` to ``high``."""

    metric: str
    text: Text


class Reads(msgspec.Struct, frozen=True, kw_only=True):
    """What a plugin wants to be handed: event kinds with the Struct it reads of each, and metrics."""

    events: dict[str, type[msgspec.Struct]] = {}
    metrics: tuple[str, ...] = ()


class Declaration(msgspec.Struct, frozen=True, kw_only=True):
    """All that a plugin declares. ``ticks`` maps a name to a period in seconds of city time."""

    name: str
    text: Text
    api: int = API_VERSION
    config: type[msgspec.Struct]
    state: type[msgspec.Struct]
    state_version: int = 1
    ticks: dict[str, float] = {}
    reads: Reads = Reads()
    assets: tuple[AssetKind, ...] = ()
    metrics: tuple[Metric, ...] = ()
    events: tuple[EventKind, ...] = ()
    verbs: tuple[Verb, ...] = ()
    interlocks: tuple[Interlock, ...] = ()
    authorisations: tuple[Authorisation, ...] = ()
    programmes: tuple[ProgrammeKind, ...] = ()
    alarms: tuple[AlarmKind, ...] = ()
    views: tuple[View, ...] = ()
    layers: tuple[Layer, ...] = ()
    kpis: tuple[Kpi, ...] = ()
    retention: tuple[Retention, ...] = ()

    def parts(self) -> dict[str, tuple[Any, ...]]:
        """The declared lists by name, for whoever goes through them all."""
        return {
            "assets": self.assets,
            "metrics": self.metrics,
            "events": self.events,
            "verbs": self.verbs,
            "programmes": self.programmes,
            "alarms": self.alarms,
            "views": self.views,
            "kpis": self.kpis,
            "retention": self.retention,
        }
