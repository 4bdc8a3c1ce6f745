"""Where a report goes: how urgent its kind is, by when it is to be done, and which case it may be part of."""

from __future__ import annotations

import msgspec

from ondijon import Text
from plugins.allo_mairie.categories import CATEGORIES

#: What is no request: an accident, a fire, somebody in danger. It belongs to 112.
EMERGENCY = "emergency"

#: Topics of signs (``post.sign.noted``).
REPORT, CALL_112 = "citizens.report", "emergency.call_112"

#: Categories that may be part of a case, with the category of such a case.
CASES = {
    "fallen_tree": "fallen_tree",
    "lamp_out": "feeder_down",
    "signal_out": "signal_out",
    "snow_path": "ice",
    "water_leak": "main_burst",
}

#: What is to be done within so many hours is of priority 1, and 2.
URGENT_H, SOON_H = 12, 48


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """``trade``: whom it is for; ``skills`` and ``duration_s`` of the job; ``sla_h`` at its own ``priority``.

    ``case``: the category of the case that it may be part of, or "".
    """

    title: Text
    trade: str
    skills: tuple[str, ...]
    duration_s: int
    sla_h: float
    priority: int
    case: str


def by_category(other_h: float) -> tuple[dict[str, Route], Route]:
    """The route of each category, and that of any other: an agent must say who is to do it."""
    other = Route(
        title=Text("Autre demande", "Other request"),
        trade="",
        skills=(),
        duration_s=0,
        sla_h=other_h,
        priority=_priority(other_h),
        case="",
    )
    routes = {
        name: Route(
            title=Text(each.fr, each.en),
            trade=each.trade,
            skills=each.skills,
            duration_s=each.work_min * 60,
            sla_h=each.sla_h,
            priority=_priority(each.sla_h),
            case=CASES.get(name, ""),
        )
        for name, each in CATEGORIES.items()
    }
    return routes, other


def _priority(sla_h: float) -> int:
    return 1 if sla_h <= URGENT_H else 2 if sla_h <= SOON_H else 3
