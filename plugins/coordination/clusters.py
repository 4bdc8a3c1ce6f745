"""What correlation works on: signs, what waits, open incidents, and all that is remembered between two signs."""

from __future__ import annotations

import math

import msgspec

SECOND = 1_000_000

#: Open clusters at most: so many signs wait, the oldest are forgotten; so many incidents take signs.
WATCHES_MAX = 400
INCIDENTS_MAX = 100

#: So many devices at most are watched for chatter; an incident keeps so many places and assets at most.
VOICES_MAX = 2_000
PLACES_MAX = 128
ASSETS_MAX = 256

#: Two places so near (m), east and north, are one.
STEP_M = 60.0


class Sign(msgspec.Struct, frozen=True, kw_only=True):
    """What a device or a person says: ``seq`` the order, ``at`` µs of city time, ``x``, ``y`` metres of its plane.

    ``asset`` -1: a place only. ``behind``: what feeds or carries the asset, nearest first. ``category``: what a caller
    says it is about, "" unknown, may be wrong. ``count``: so many alike at once.
    """

    seq: int
    at: int
    topic: str
    x: float
    y: float
    asset: int = -1
    behind: tuple[int, ...] = ()
    category: str = ""
    count: int = 1

    def __post_init__(self) -> None:
        if not (math.isfinite(self.x) and math.isfinite(self.y)) or self.count < 1:
            raise ValueError(f"sign {self.seq}: x and y must be metres, count at least 1")

    @property
    def chain(self) -> tuple[int, ...]:
        """The asset and what feeds or carries it, each once; nothing without an asset."""
        return tuple(dict.fromkeys((self.asset, *self.behind))) if self.asset >= 0 else ()


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """A sign that waits: ``number`` is its ``seq``; the same asset said the same ``times`` times, at ``last`` (µs)."""

    number: int
    sign: Sign
    last: int
    times: int = 1


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where an incident was (m), and when last (µs)."""

    x: float
    y: float
    at: int


class Voice(msgspec.Struct, frozen=True, array_like=True):
    """When a device began to say the same thing alone, when it did last (µs), how often, and where it stands (m)."""

    first: int
    last: int
    times: int
    x: float
    y: float


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """An open incident: what the next decision needs of it, not its signs.

    ``x``, ``y``, ``mass``: the weighed middle (m) of what speaks for it, in a network the place of what failed;
    ``places``: of a trail or a network, newest last, ``grain_m`` (m) apart at least; ``assets``: what spoke, and when
    first (µs); ``carrier``: what failed, with ``above`` it in turn (-1: no network); ``votes``: how much its signs
    speak for each rule.
    """

    number: int
    rule: str
    first: int
    last: int
    signs: int
    x: float
    y: float
    mass: float
    places: tuple[Place, ...] = ()
    grain_m: float = STEP_M
    assets: dict[int, int] = {}
    carrier: int = -1
    above: tuple[int, ...] = ()
    votes: dict[str, float] = {}


class State(msgspec.Struct, kw_only=True):
    """Everything that is remembered between signs.

    ``cells`` and ``below`` lead to watches: by square of the plane, and by what feeds or carries them. ``said``: topic
    and asset -> the watch that waits with it; ``voices``: the same -> how often it spoke alone. ``carried``: what
    failed -> the incidents that follow it.
    """

    watches: dict[int, Watch] = {}
    cells: dict[int, tuple[int, ...]] = {}
    below: dict[int, tuple[int, ...]] = {}
    said: dict[str, int] = {}
    voices: dict[str, Voice] = {}
    incidents: dict[int, Incident] = {}
    carried: dict[int, tuple[int, ...]] = {}


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a sign.

    ``cluster``: the watch or incident that it is of (-1: a chattering device, of nothing); ``rule``: the case, "" for a
    watch. ``opened``: the cluster became an incident by it. ``merged``: clusters that are this one from now on, and
    numbers that are no longer used.
    """

    cluster: int
    rule: str = ""
    opened: bool = False
    merged: tuple[int, ...] = ()


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster that takes no more signs: forgotten (a watch), silent (an incident), or ``into`` another (-1: none)."""

    cluster: int
    rule: str = ""
    into: int = -1
