"""What citizens report: a request of its own, one more report of a known one, or nothing for this line."""

from __future__ import annotations

from typing import Any

import msgspec

from ondijon import Text
from plugins.allo_mairie import reasons, routing
from plugins.allo_mairie.desk import Desk, fixed
from plugins.allo_mairie.duplicates import Judgement, Known, joined, judge, opened
from plugins.allo_mairie.duplicates import Report as Told
from plugins.allo_mairie.keywords import sentence
from plugins.allo_mairie.request import PARTS_MAX, RECORDS_MAX, Request, Suspect
from plugins.allo_mairie.state import Said
from plugins.allo_mairie.vocabulary import Report, RequestJudged

#: Why a request waits for an agent.
NO_PLACE, NO_CATEGORY, DUPLICATE = "no_place", "unknown_category", "duplicate"

EMERGENCY_TITLE = Text("Un citoyen signale un danger immédiat", "A citizen reports immediate danger")


def receive(desk: Desk, event: Said, report: Report) -> None:
    """A report comes in."""
    place, state = desk.place, desk.state
    state.number += 1
    key = f"R{state.number}"
    if report.category == routing.EMERGENCY:
        desk.sign(event, routing.CALL_112, EMERGENCY_TITLE, "")
        desk.filed(event, report.reference, key, "emergency")
        desk.answer(key, "call_112", event)
        desk.total(emergencies=1)
        return
    case = place.route(report.category).case
    if case:
        desk.sign(event, routing.REPORT, place.route(report.category).title, case)
    told = _told(desk, key, event, report)
    verdict = Judgement() if told is None else judge(place.settings.matching, desk.near(told.x, told.y), told)
    known = desk.get(verdict.duplicate_of or ("" if verdict.candidates else verdict.reopens))
    if known is not None and told is not None:
        _join(desk, event, report, known, told, again=not verdict.duplicate_of)
    elif _make_room(desk):
        _open(desk, event, report, key, told, verdict)
    else:
        desk.filed(event, report.reference, key, "refused")
        desk.answer(key, "refused", event)
        desk.total(received=1, refused=1)


def _told(desk: Desk, key: str, event: Said, report: Report) -> Told | None:
    at = desk.place.of(event.asset, event.lon, event.lat)
    if at is None:
        return None
    x, y = desk.place.city.metres(*at)
    return Told(
        key=key,
        at=event.at_utc,
        category=report.category,
        x=x,
        y=y,
        asset=desk.place.id(event.asset),
        words=sentence(report.keys, report.address),
    )


def _join(desk: Desk, event: Said, report: Report, known: Request, told: Told, *, again: bool) -> None:
    """One more report of a known request, or the news that it is broken again."""
    desk.total(received=1, duplicates=not again)
    desk.tally(known.commune, received=1, duplicates=not again)
    after = msgspec.structs.replace(
        known,
        known=None if known.known is None else joined(known.known, told),
        reports=known.reports + 1,
        records=_records(known.records, event.seq),
    )
    if again:
        desk.filed(event, report.reference, known.key, "reopened")
        desk.keep(known, after)
        reopen(desk, after)
    else:
        desk.filed(event, report.reference, known.key, "joined")
        after = desk.become(known, **_differences(known, after))
        # Whoever reported it before knows how it stands; who reports it now does not yet.
        desk.inform(after, after.told, keys=(after.key,))


def _open(desk: Desk, event: Said, report: Report, key: str, told: Told | None, verdict: Judgement) -> None:
    """A request of its own; where that is not sure, an agent is asked."""
    place, now = desk.place, desk.now
    suspects = [
        Suspect(each.key, round(each.score, 3), Text(reasons.sentence(each), reasons.sentence(each, "en")))
        for each in verdict.candidates
    ]
    if verdict.reopens:
        why = Text("réparé, peut-être de nouveau en panne", "mended, maybe broken again")
        suspects.append(Suspect(verdict.reopens, place.settings.matching.again, why, again=True))
    unsure = (
        NO_PLACE
        if told is None
        else NO_CATEGORY
        if report.category not in place.routes
        else DUPLICATE
        if suspects
        else ""
    )
    at = place.of(event.asset, event.lon, event.lat)
    priority = place.route(report.category).priority
    request = Request(
        key=key,
        category=report.category,
        channel=report.channel,
        priority=priority,
        asset=event.asset,
        lon=at[0] if at else None,
        lat=at[1] if at else None,
        commune=place.commune(event.communes),
        known=None if told is None else opened(told, verdict.candidates),
        received_utc=now.utc,
        begun_utc=now.utc,
        due_utc=desk.due(report.category, priority),
        records=(event.seq,),
        suspects=tuple(suspects),
    )
    desk.total(received=1)
    desk.tally(request.commune, received=1)
    desk.keep(None, request)
    desk.filed(event, report.reference, key, "to_check" if unsure else "new")
    desk.clock(request, "running")
    if unsure:
        desk.become(request, state="to_check", reason=unsure, news="to_check")
    else:
        start(desk, request)


def start(desk: Desk, request: Request, by: str = "") -> Request:
    """It is a request of its own: somebody shall do it."""
    after = desk.want(request)
    return desk.become(
        request, by=by, news="open", **_differences(request, after), state="open", reason="", suspects=()
    )


def reopen(desk: Desk, request: Request, by: str = "") -> Request:
    """It is not mended, or broken again: a new job, more urgent than the last one, and a new clock."""
    priority = max(1, request.priority - 1)
    base = msgspec.structs.replace(
        desk.withdraw(request, "reopened"),
        priority=priority,
        due_utc=desk.due(request.category, priority),
        paused="",
        reason="",
        left_us=0,
    )
    wanted = desk.want(base)
    desk.total(reopened=1)
    desk.tally(request.commune, reopened=1)
    desk.clock(request, "running")
    return desk.become(
        request,
        by=by,
        news="reopened",
        **_differences(request, wanted),
        state="reopened",
        late=False,
        begun_utc=desk.now.utc,
        known=fixed(request.known, 0),
        reopened=request.reopened + 1,
    )


def judged(desk: Desk, event: Said, request: Request, said: RequestJudged) -> None:
    """An agent says whether a request is another one."""
    if not said.duplicate_of:
        if request.state != "to_check":
            return desk.refuse(event, request.key, f"the request is {request.state}")
        start(desk, request, by=event.person)
        return None
    other = desk.get(said.duplicate_of)
    if other is None or other.key == request.key or other.duplicate_of:
        return desk.refuse(event, request.key, f"{said.duplicate_of} is no request that it may be part of")
    if request.over or request.state == "in_progress":
        return desk.refuse(event, request.key, f"the request is {request.state}")
    if said.reopens and not other.over:
        return desk.refuse(event, request.key, f"{other.key} is {other.state}, it needs no reopening")
    _merge(desk, request, other, by=event.person, again=said.reopens)
    return None


def _merge(desk: Desk, request: Request, other: Request, by: str, *, again: bool) -> None:
    """Two requests are one: the second one ends, and all its reports are the other's."""
    known = other.known
    if known is None:
        known = None if request.known is None else msgspec.structs.replace(request.known, key=other.key)
    elif request.known is not None:
        known = msgspec.structs.replace(
            joined(known, _as_told(request.known)), count=known.count + request.known.count
        )
    desk.total(duplicates=not again)
    desk.tally(other.commune, duplicates=not again)
    records = other.records
    for each in request.records:
        records = _records(records, each)
    gone = desk.withdraw(request, f"it is {other.key}")
    desk.clock(request, "ended")
    desk.become(
        request,
        by=by,
        news="joined",
        **_differences(request, gone),
        state="closed",
        reason="duplicate",
        duplicate_of=other.key,
        suspects=(),
        parts=(),
        late=False,
    )
    after = desk.become(
        other,
        by=by,
        known=known,
        reports=other.reports + request.reports,
        records=records,
        parts=(*other.parts, request.key, *request.parts)[-PARTS_MAX:],
    )
    if again:
        reopen(desk, after, by=by)
    elif after.told not in ("to_check", "open"):
        desk.inform(after, after.told, keys=(request.key,))


def _as_told(known: Known) -> Told:
    """A request as the report that it would be."""
    houses = " ".join(str(each) for each in known.houses[:1])
    street = f"{houses} rue {known.street}".strip() if known.street or houses else ""
    return Told(
        key=known.key,
        at=known.last,
        category=known.category,
        x=known.x,
        y=known.y,
        asset=next(iter(known.assets), ""),
        words=" . ".join(part for part in (next(iter(known.words), ""), street) if part),
    )


def _make_room(desk: Desk) -> bool:
    """Room for one more request: the oldest that is over goes for it."""
    if desk.state.requests.count < desk.place.settings.open_max:
        return True
    oldest = desk.state.requests.oldest_over()
    if oldest is None:
        return False
    desk.drop(oldest)
    return True


def _records(have: tuple[int, ...], seq: int) -> tuple[int, ...]:
    """The first record is kept, where the problem was told first, and the latest ones."""
    return (*have, seq) if len(have) < RECORDS_MAX else (have[0], *have[2:], seq)


def _differences(before: Request, after: Request) -> dict[str, Any]:
    """The fields that differ."""
    return {
        name: getattr(after, name)
        for name in before.__struct_fields__
        if getattr(after, name) is not getattr(before, name)
    }
