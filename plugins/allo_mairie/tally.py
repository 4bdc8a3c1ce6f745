"""Figures of a commune, counted as things happen: nobody ever walks through all requests for them."""

from __future__ import annotations

import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec

from ondijon import SECOND
from plugins.allo_mairie.request import Request

#: Corners of the histogram of hours from the report to the mending.
HOURS = (0, 1, 2, 4, 8, 16, 24, 48, 72, 120, 168, 240, 336, 720)
#: At so many in the histogram all of it is halved: it then tells of the last ones rather than of all times.
HALVE_AT = 1_000


class Tally(msgspec.Struct, frozen=True):
    """``open`` and ``late`` now; ``received`` and ``resolved`` today; ``duplicates`` and ``reopened`` since the start.

    ``hours``: how many were mended within each span of ``HOURS``, the last one being all above.
    """

    open: int = 0
    late: int = 0
    received: int = 0
    resolved: int = 0
    duplicates: int = 0
    reopened: int = 0
    hours: tuple[int, ...] = (0,) * len(HOURS)


def plus(tally: Tally, **more: int) -> Tally:
    """A tally with more (or less) of these."""
    return msgspec.structs.replace(tally, **{name: getattr(tally, name) + n for name, n in more.items()})


def changed(before: Request | None, after: Request | None) -> dict[str, int]:
    """What a request that stands otherwise changes of ``open`` and ``late``."""
    was, now = before is not None and not before.over, after is not None and not after.over
    was_late = was and before is not None and before.late
    now_late = now and after is not None and after.late
    return {"open": now - was, "late": now_late - was_late}


def mended(tally: Tally, took_us: int) -> Tally:
    """A tally with one more that was mended after ``took_us``."""
    hours = took_us / 3600 / SECOND
    span = max(n for n, corner in enumerate(HOURS) if corner <= max(hours, 0))
    counts = [each + (n == span) for n, each in enumerate(tally.hours)]
    if sum(counts) >= HALVE_AT:
        counts = [each // 2 for each in counts]
    return msgspec.structs.replace(tally, resolved=tally.resolved + 1, hours=tuple(counts))


def median_h(tally: Tally) -> float | None:
    """The median hours to the mending, straight within its span; None where nothing was mended."""
    half, below = sum(tally.hours) / 2, 0
    if not half:
        return None
    for (low, high), count in zip(pairwise(HOURS), tally.hours, strict=False):
        if below + count >= half:
            return low + (high - low) * (half - below) / count if count else float(low)
        below += count
    return float(HOURS[-1])


def day(utc: int, zone: ZoneInfo) -> int:
    """The number of the local day."""
    return datetime.datetime.fromtimestamp(utc // SECOND, zone).toordinal()
