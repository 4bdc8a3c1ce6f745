"""What citizens and agents do of a request: reopen, close, correct, note, pause. What cannot be done is refused."""

from __future__ import annotations

from typing import Any

import msgspec

from plugins.allo_mairie.desk import Desk, fixed
from plugins.allo_mairie.duplicates import Known, Report, opened
from plugins.allo_mairie.reports import judged, reopen, start
from plugins.allo_mairie.request import AT_WORK, Request
from plugins.allo_mairie.state import Said
from plugins.allo_mairie.vocabulary import (
    Close,
    Note,
    Reopen,
    RequestCorrected,
    RequestJudged,
    RequestPaused,
    RequestResumed,
)


def act(desk: Desk, event: Said, said: Any) -> None:
    """Somebody does something of a request."""
    request = desk.get(said.request)
    if request is None:
        return desk.refuse(event, said.request, "there is no such request")
    # The place of a correction is where the request is instead: the agent has the right there.
    if not isinstance(said, RequestCorrected) and not _may(desk, event, request):
        return desk.refuse(event, said.request, "the request is not where you may act")
    match said:
        case Reopen():
            _reopened(desk, event, request)
        case RequestJudged():
            judged(desk, event, request, said)
        case Close(why=why):
            _closed(desk, event, request, why)
        case RequestCorrected():
            _corrected(desk, event, request, said)
        case Note():
            desk.become(request, by=event.person, notes=request.notes + 1)
        case RequestPaused(why=why):
            _paused(desk, event, request, why)
        case RequestResumed():
            _resumed(desk, event, request)
    return None


def _may(desk: Desk, event: Said, request: Request) -> bool:
    """Who acts from a place acts where the request is; without one, the desk has asked for the right to all places."""
    names = [desk.place.city.communes.names[each] for each in event.communes]
    # Whoever checks a request may say that it is in their commune.
    return not names or not request.commune or request.commune in names or request.state == "to_check"


def _reopened(desk: Desk, event: Said, request: Request) -> None:
    other = desk.get(request.duplicate_of)
    request = request if other is None else other
    if not request.over:
        return desk.refuse(event, request.key, f"the request is {request.state}")
    reopen(desk, request, by=event.person)
    return None


def _closed(desk: Desk, event: Said, request: Request, why: str) -> None:
    if request.state == "closed":
        return desk.refuse(event, request.key, "the request is closed")
    if not request.over:
        desk.clock(request, "ended")
    if why == "done_otherwise" and not request.over:
        desk.mended(request)
    gone = desk.withdraw(request, why)
    desk.become(
        request,
        by=event.person,
        news=f"closed_{why}",
        state="closed",
        reason=why,
        known=fixed(request.known, desk.now.utc),
        suspects=(),
        paused="",
        late=False,
        job=gone.job,
        team="",
        begin_utc=0,
    )
    return None


def _corrected(desk: Desk, event: Said, request: Request, said: RequestCorrected) -> None:
    place = desk.place
    if request.over or request.state == "in_progress":
        return desk.refuse(event, request.key, f"the request is {request.state}")
    category = said.category or request.category
    if said.category and category not in place.routes:
        return desk.refuse(event, request.key, f"{category!r} is no category of requests")
    # Of another category it is as urgent as its kind, unless the agent says otherwise.
    kind = place.route(category).priority if category != request.category else request.priority
    priority = said.priority or kind
    # What it was given before for waiting it keeps.
    more = desk.due(category, priority) - desk.due(request.category, request.priority)
    due = 0 if request.paused else request.due_utc + more
    changes: dict[str, Any] = {
        "category": category,
        "priority": priority,
        "due_utc": due,
        "left_us": request.left_us + more if request.paused else 0,
        "late": request.late and due < desk.now.utc,
        "known": _known(desk, event, request, category),
    }
    at = place.of(event.asset, event.lon, event.lat)
    if at is not None:
        changes |= {"asset": event.asset, "lon": at[0], "lat": at[1]}
        changes["commune"] = place.commune(event.communes)
    after = desk.withdraw(request, "corrected")
    after = desk.become(
        request, by=event.person, **changes, job=after.job, team=after.team, begin_utc=after.begin_utc
    )
    if request.state != "to_check":
        wanted = desk.want(after)
        state = "reopened" if request.reopened else "open"
        desk.become(after, by=event.person, news=state, state=state, jobs=wanted.jobs, job=wanted.job)
    elif after.lon is not None and category in place.routes and not after.suspects:
        start(desk, after, by=event.person)
    return None


def _known(desk: Desk, event: Said, request: Request, category: str) -> Known | None:
    """What the judgement of duplicates is to know of a corrected request."""
    at, known = desk.place.of(event.asset, event.lon, event.lat), request.known
    if at is None:
        return known and msgspec.structs.replace(known, category=category, subject=category)
    x, y = desk.place.city.metres(*at)
    asset = desk.place.id(event.asset)
    if known is None:
        return opened(Report(request.key, request.received_utc, category, x, y, asset))
    return msgspec.structs.replace(
        known,
        category=category,
        subject=category,
        x=x,
        y=y,
        places=((x, y),),
        assets=(asset,) if asset else (),
    )


def _paused(desk: Desk, event: Said, request: Request, why: str) -> None:
    if request.paused or request.state not in ("to_check", *AT_WORK) or request.state == "in_progress":
        return desk.refuse(
            event, request.key, f"the request is {'paused' if request.paused else request.state}"
        )
    # Nobody is sent to what cannot be done yet.
    gone = desk.withdraw(request, why)
    desk.clock(request, "stopped", why)
    desk.become(
        request,
        by=event.person,
        news=f"paused_{why}",
        paused=why,
        left_us=request.due_utc - desk.now.utc,
        due_utc=0,
        state="open" if request.state == "planned" else request.state,
        job=gone.job,
        team="",
        begin_utc=0,
    )
    return None


def _resumed(desk: Desk, event: Said, request: Request) -> None:
    if not request.paused:
        return desk.refuse(event, request.key, "the request is not paused")
    after = msgspec.structs.replace(request, paused="", due_utc=desk.now.utc + request.left_us, left_us=0)
    if request.state in AT_WORK:
        after = desk.want(after)
    desk.clock(request, "running")
    desk.become(
        request,
        by=event.person,
        news=request.state,
        paused="",
        due_utc=after.due_utc,
        left_us=0,
        jobs=after.jobs,
        job=after.job,
    )
    return None
