"""What becomes of the jobs that this trade asked for, and what time brings."""

from __future__ import annotations

from typing import Any

from plugins.allo_mairie.desk import Desk, fixed
from plugins.allo_mairie.reports import start
from plugins.allo_mairie.request import Request
from plugins.allo_mairie.settings import Settings
from plugins.allo_mairie.vocabulary import JobChanged, RequestsAged

#: What the names of our jobs begin with on the board.
OURS = "allo_mairie/"


def changed(desk: Desk, said: JobChanged) -> None:
    """A job stands otherwise: if it is the last one of a request, so does the request."""
    name = said.job.removeprefix(OURS)
    request = desk.get(name.partition(".")[0]) if said.job.startswith(OURS) else None
    if request is None or request.over or request.job_name != name or not request.has_job:
        return
    now: dict[str, Any] = {"job": said.state, "team": said.team, "begin_utc": said.begin_utc}
    waits = "reopened" if request.reopened else "open"
    match said.state:
        case "planned":
            desk.become(request, news="planned", state="planned", reason="", **now)
        case "begun":
            desk.become(request, news="in_progress", state="in_progress", reason="", **now)
        case "done":
            desk.mended(request)
            desk.clock(request, "ended")
            desk.become(
                request,
                news="resolved",
                state="resolved",
                reason="",
                late=False,
                known=fixed(request.known, desk.now.utc),
                **now,
            )
        case "held":
            desk.become(request, news="held", state=waits, reason=said.reason, **now)
        case "waiting" | "left_out":
            desk.become(request, news=waits, state=waits, reason=said.reason, **now)


def aged(desk: Desk, said: RequestsAged) -> None:
    """What time brings, where it still holds: somebody may have done something in between."""
    settings, now = desk.place.settings, desk.now.utc
    for key in said.unjudged:
        request = desk.get(key)
        if request is not None and unjudged(settings, request, now):
            start(desk, request)
    for key in said.late:
        request = desk.get(key)
        if request is not None and late(request, now):
            desk.total(late=1)
            desk.become(request, late=True)
    for key in said.confirmed:
        request = desk.get(key)
        if request is not None and confirmed(settings, request, now):
            desk.become(request, news="closed", state="closed")
    for key in said.old:
        request = desk.get(key)
        if request is not None and old(settings, request, now):
            desk.drop(request)


def unjudged(settings: Settings, request: Request, utc: int) -> bool:
    """Whether no agent has judged it in time."""
    since = utc - request.received_utc
    return request.state == "to_check" and not request.paused and since >= settings.check_s * 1e6


def late(request: Request, utc: int) -> bool:
    """Whether it should be done by now, and nobody has said so."""
    return not request.over and not request.late and not request.paused and utc > request.due_utc


def confirmed(settings: Settings, request: Request, utc: int) -> bool:
    """Whether it was mended long ago, and nobody complained."""
    return request.state == "resolved" and utc - request.changed_utc >= settings.confirm_s * 1e6


def old(settings: Settings, request: Request, utc: int) -> bool:
    """Whether it was closed long ago."""
    return request.state == "closed" and utc - request.changed_utc >= settings.kept_s * 1e6
