"""The words this trade adds, and what it reads of others."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from ondijon import Text

Key = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,59}\Z")]
Title = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Microseconds = Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]


class Access(msgspec.Struct, frozen=True):
    """A place that must stay free: an emergency exit, a fire lane, a hydrant. ``use`` says which."""

    use: str


class WorksDeclared(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Works or another event take street sections from ``from_utc`` until ``until_utc`` (µs; 0: until they end).

    ``edges`` names the sections; without them it is the one nearest to the event's place. ``closed``: nobody drives
    there; else it is only a permit to work beside the traffic. ``permit`` is the order's reference.
    """

    works: Key
    title: Title
    edges: Annotated[tuple[Annotated[int, msgspec.Meta(ge=0)], ...], msgspec.Meta(max_length=500)] = ()
    closed: bool = True
    permit: Annotated[str, msgspec.Meta(max_length=120)] = ""
    from_utc: Microseconds = 0
    until_utc: Microseconds = 0


class WorksEnded(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Works are over, before their time or on it."""

    works: Key


class DefectReported(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody of the service sees a defect at the event's place. ``kind`` is one of the settings."""

    kind: Key
    priority: Annotated[int, msgspec.Meta(ge=0, le=3)] = 0


class WorksChanged(msgspec.Struct, frozen=True, kw_only=True):
    """Works are planned, begin, are over; or cannot be, for a ``reason``. ``beside``: others on the same sections."""

    works: str
    state: Literal["planned", "running", "over", "refused"]
    title: str
    edges: tuple[int, ...]
    beside: tuple[str, ...] = ()
    reason: str = ""


class DefectChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A defect is known, somebody works on it, it is mended; or it is none, for a ``reason``."""

    defect: str
    kind: str
    state: Literal["known", "begun", "mended", "refused"]
    street_class: str
    due_utc: int
    reason: str = ""


class WorksRow(msgspec.Struct, frozen=True, kw_only=True):
    """Works at a glance."""

    title: str
    state: Literal["planned", "running"]
    closed: bool
    permit: str
    edges: tuple[int, ...]
    from_utc: int
    until_utc: int
    beside: tuple[str, ...]


class DefectRow(msgspec.Struct, frozen=True, kw_only=True):
    """A defect at a glance. Times in µs, 0: not yet."""

    kind: str
    title: Text
    state: Literal["known", "begun", "mended"]
    priority: int
    street: str
    street_class: str
    lon: float
    lat: float
    since_utc: int
    due_utc: int
    begun_utc: int


class DelayRow(msgspec.Struct, frozen=True, kw_only=True):
    """How fast the service is on defects of a street class: what the contract's figure is worked out from.

    ``begun`` of them in all, ``in_time`` of these; ``open_late``: nobody is there and should be; ``median_h``: of late.
    """

    begun: int
    in_time: int
    share_pct: float
    open_late: int
    median_h: float


# What this trade reads of others.


class JobChanged(msgspec.Struct, frozen=True):
    """What this trade reads of ``coordination.job.changed``."""

    job: str
    state: str
