"""The load that alarms are on the person at the post: the figures of EEMUA 191, live."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from core.alarm_rows import Rows
from core.alarm_state import ACTIVE, CHATTERS, HIDDEN, STATES
from core.assets import NONE
from core.clock import SECOND
from core.flood import FLOOD_ABOVE, Flood
from core.histogram import Histogram

#: An alarm that stands longer (s) is stale.
STALE_S = 86_400


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


def measure(
    rows: Rows,
    codes: Sequence[str],
    ids: Sequence[str],
    flood: Flood,
    answers: Histogram,
    refused: int,
    mono: int,
) -> AlarmLoad:
    """The load at ``mono`` µs. ``codes`` by number, ``ids`` the assets'; ``answers`` in ms."""
    n = rows.n
    states = dict(zip(STATES, rows.states.tolist(), strict=True))
    standing = (rows.flags[:n] & (ACTIVE | HIDDEN)) == ACTIVE
    active = np.bincount(rows.code[:n][standing], minlength=len(codes)).tolist()
    windows, recent = flood.windows(mono), flood.recent(mono)
    top = np.argsort(-rows.count[:n].astype(np.int64), kind="stable")[:10]
    top = top[rows.count[top] > 0]
    came = int(rows.count[:n].sum())
    return AlarmLoad(
        active={code: count for code, count in zip(codes, active, strict=True) if count},
        announced_10min=recent,
        announced_hour=flood.within(3600, mono),
        peak_10min=int(windows.max()),
        flood=bool(recent > FLOOD_ABOVE),
        flood_pct=round(100 * float((windows > FLOOD_ABOVE).mean()), 2),
        standing=states["unacked_active"] + states["acked_active"],
        unacked=states["unacked_active"] + states["returned_unacked"],
        stale=int(np.count_nonzero(standing & (rows.raised[:n] < mono - STALE_S * SECOND))),
        chattering=int(np.count_nonzero(rows.flags[:n] & CHATTERS)),
        shelved=states["shelved"],
        suppressed=states["suppressed"],
        out_of_service=states["out_of_service"],
        refused=refused,
        top=[_frequent(rows, row, codes, ids) for row in top.tolist()],
        top_pct=round(100 * int(rows.count[top].sum()) / came, 1) if came else 0.0,
        ack_p50_s=_seconds(answers.percentile(50)),
        ack_p95_s=_seconds(answers.percentile(95)),
    )


def _frequent(rows: Rows, row: int, codes: Sequence[str], ids: Sequence[str]) -> Frequent:
    asset = int(rows.asset[row])
    return Frequent("" if asset == NONE else ids[asset], codes[rows.code[row]], int(rows.count[row]))


def _seconds(ms: float | None) -> float | None:
    return None if ms is None else round(ms / 1000, 1)
