"""The load that alarms are on the person at the post: the figures of EEMUA 191, live."""

from __future__ import annotations

import msgspec


class Frequent(msgspec.Struct, frozen=True):
    """An alarm that comes often: ``asset`` is an id, empty for the post itself."""

    asset: str
    code: str
    count: int


class AlarmLoad(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of a moment; docs/alarms.md tells how each is counted.

    ``active`` code → alarms that stand and are neither suppressed nor put aside. ``announced_*``, ``peak_10min``
    and ``flood_pct`` (% of the time) count what a person was told. ``top`` are the ten most frequent of the last
    day, ``top_pct`` their share. ``ack_*_s``: from an announcement to its acknowledgement; None before the first.
    """

    active: dict[str, int]
    announced_10min: int
    announced_hour: int
    peak_10min: int
    flood: bool
    flood_pct: float
    standing: int
    unacked: int
    stale: int
    chattering: int
    shelved: int
    suppressed: int
    out_of_service: int
    refused: int
    top: list[Frequent]
    top_pct: float
    ack_p50_s: float | None
    ack_p95_s: float | None
