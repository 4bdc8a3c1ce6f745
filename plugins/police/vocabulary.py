"""The words this trade adds, and what it reads of others."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from ondijon import Sealed, Text, shifts

Phone = Annotated[str, msgspec.Meta(max_length=60)]
Words = Annotated[str, msgspec.Meta(max_length=4000)]


class Patrol(msgspec.Struct, frozen=True):
    """A unit: what it can do (``skills``: patrol, tow, dog, bike ...), and its ``shift``, local time of each day."""

    skills: list[str]
    shift: Annotated[str, msgspec.Meta(pattern=shifts.PATTERN)]


class CallReceived(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody called. ``category`` is what they say it is about, one that coordination's rules name; "" unknown.

    ``urgent``: whoever took the call is sure that it is a case.
    """

    category: Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9_]{0,40}\Z")] = ""
    urgent: bool = False
    caller: Sealed[Phone] | None = None
    words: Sealed[Words] | None = None


class AlarmRaised(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An officer's radio calls for help; the event's asset is the unit."""


class UnitArrived(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A unit, the event's asset, is where it was sent."""


class UnitFreed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A unit, the event's asset, is done there."""


class UnitSent(msgspec.Struct, frozen=True, kw_only=True):
    """A unit, the event's asset, goes to the place of ``request``, and is there about ``arrive_utc`` (µs).

    ``edges`` is its way. ``other`` is the unit that would have been next, ``more_s`` how much later.
    """

    unit: str
    request: int
    incident: str
    title: Text
    arrive_utc: int
    edges: tuple[int, ...]
    other: str = ""
    more_s: int = 0


class UnitRow(msgspec.Struct, frozen=True, kw_only=True):
    """A unit. Its place is exact only while it is called to something; else it is blurred."""

    name: str
    skills: tuple[str, ...]
    state: Literal["off", "free", "going", "there", "alarm"]
    lon: float
    lat: float
    exact: bool
    incident: str
    arrive_utc: int


class SummaryRow(msgspec.Struct, frozen=True):
    """The trade at a glance: units on duty, free, called; requests that wait for one; median response of today (s)."""

    on_duty: int
    free: int
    called: int
    waiting: int
    calls: int
    response_s: float
