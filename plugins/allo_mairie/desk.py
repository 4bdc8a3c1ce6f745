"""The agents' desk: one turn at it. Whatever happens to a request goes through here, so it is counted and told once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from ondijon import SECOND, Clock, Emit, Now, Proposal, Publish, Text, requests
from plugins.allo_mairie import duplicates, rows, tally, texts
from plugins.allo_mairie.duplicates import Known
from plugins.allo_mairie.place import Place
from plugins.allo_mairie.request import Request
from plugins.allo_mairie.state import Said, State
from plugins.allo_mairie.tally import Tally
from plugins.allo_mairie.vocabulary import ActRefused, Filed, ReportFiled, RequestChanged

#: Reasons of closing after which a new report is not taken for the same problem: it would find no other answer.
NOT_MENDED = ("not_ours", "cannot_be_done")

#: Proposals after which a turn hears no more: the kernel takes 1,000 of a step, and one event may add hundreds.
ROOM = 200

#: Requests that a turn compares reports with, about: where hundreds lie at one place, a turn hears fewer reports.
COMPARED = 1_000


class Desk:
    """What one turn has to say is in ``said``."""

    def __init__(self, place: Place, state: State, now: Now) -> None:
        self.place, self.state, self.now = place, state, now
        self.said: list[Proposal] = []
        self._compared = 0
        self._touched: dict[str, None] = {}
        self._communes: dict[str, None] = {}
        today = tally.day(now.utc, place.zone)
        if today != state.day:
            state.day = today
            for name, each in state.communes.items():
                state.communes[name] = msgspec.structs.replace(each, received=0, resolved=0)
                self._communes[name] = None

    @property
    def has_room(self) -> bool:
        """Whether this turn may hear one event more."""
        return len(self.said) + len(self._touched) < ROOM and self._compared < COMPARED

    # -- requests

    def get(self, key: str) -> Request | None:
        """A request by its key."""
        return self.state.requests.get(key)

    def near(self, x: float, y: float) -> Iterator[Known]:
        """What the judgement of duplicates knows of the requests around a place (m)."""
        for key in self.state.grid.near(x, y):
            request = self.get(key)
            if request is not None and request.known is not None:
                self._compared += 1
                yield request.known

    def keep(self, before: Request | None, after: Request) -> None:
        """Put a request on its shelf, at its place, into the figures; it will be shown."""
        self.state.requests.put(after)
        self._place(before, after)
        self._count(before, after)
        self._touched[after.key] = None

    def drop(self, request: Request) -> None:
        """Forget a request."""
        self.state.requests.drop(request.key)
        self._place(request, None)
        self._count(request, None)
        self._touched[request.key] = None

    def become(self, request: Request, *, by: str = "", news: str = "", **changes: Any) -> Request:
        """A request stands otherwise, by a person or by itself; ``news`` for its citizens."""
        quiet = (
            not news or news == request.told or (news in ("open", "reopened") and request.told == "planned")
        )
        after = msgspec.structs.replace(
            request, changed_utc=self.now.utc, **changes, **({} if quiet else {"told": news})
        )
        self.keep(request, after)
        told = self._changed(after, by)
        if request.state == "received" or told != self._changed(request, by):
            self.said.append(self._emit("allo_mairie.request.changed", told, after))
        if not quiet:
            self.inform(after, news)
        return after

    def _changed(self, of: Request, by: str) -> RequestChanged:
        return RequestChanged(
            request=of.key,
            category=of.category,
            state=of.state,
            priority=of.priority,
            reports=of.reports,
            due_utc=of.due_utc,
            paused=of.paused,
            late=of.late,
            reason=of.reason,
            duplicate_of=of.duplicate_of,
            by=by,
        )

    def _place(self, before: Request | None, after: Request | None) -> None:
        was, now = _findable(before), _findable(after)
        if was is not None and (now is None or (was.x, was.y) != (now.x, now.y)):
            self.state.grid.take(was.key, was.x, was.y)
        if now is not None and (was is None or (was.x, was.y) != (now.x, now.y)):
            self.state.grid.put(now.key, now.x, now.y)

    def _count(self, before: Request | None, after: Request | None) -> None:
        waits = (after is not None and after.state == "to_check") - (
            before is not None and before.state == "to_check"
        )
        self.total(to_check=waits)
        if before is not None and after is not None and before.commune == after.commune:
            self.tally(after.commune, **tally.changed(before, after))
            return
        if before is not None:
            self.tally(before.commune, **tally.changed(before, None))
        if after is not None:
            self.tally(after.commune, **tally.changed(None, after))

    def tally(self, commune: str, **more: int) -> None:
        """More of these in a commune's figures; "" are those of places outside of all communes."""
        if any(more.values()):
            self.state.communes[commune] = tally.plus(self.state.communes.get(commune, Tally()), **more)
            self._communes[commune] = None

    def total(self, **more: int) -> None:
        """More of these in the figures of the line."""
        if any(more.values()):
            after = {name: getattr(self.state.totals, name) + n for name, n in more.items()}
            self.state.totals = msgspec.structs.replace(self.state.totals, **after)

    def mended(self, request: Request) -> None:
        """A request is done: it counts, with the time that it took."""
        self.total(resolved=1)
        before = self.state.communes.get(request.commune, Tally())
        self.state.communes[request.commune] = tally.mended(before, self.now.utc - request.begun_utc)
        self._communes[request.commune] = None

    # -- jobs, clocks, citizens

    def due(self, category: str, priority: int) -> int:
        """By when (µs) a request shall be done whose clock starts now."""
        route = self.place.route(category)
        steps = route.priority - priority
        hours = route.sla_h * self.place.settings.urgent_share**steps
        return self.now.utc + int(hours * 3600 * SECOND)

    def want(self, request: Request) -> Request:
        """The job of a request, under a name of its own each time: the end of an older one is not taken for its end."""
        route = self.place.route(request.category)
        if not route.skills or request.paused:
            return msgspec.structs.replace(request, job="", team="", begin_utc=0)
        request = msgspec.structs.replace(request, jobs=request.jobs + 1, job="asked", team="", begin_utc=0)
        late = request.due_utc < self.now.utc + route.duration_s * SECOND
        data = requests.JobWanted(
            job=request.job_name,
            title=route.title,
            skills=route.skills,
            duration_s=route.duration_s,
            priority=request.priority,
            latest_utc=0 if late else request.due_utc,
        )
        self.said.append(self._emit("post.job.wanted", data, request))
        return request

    def withdraw(self, request: Request, reason: str) -> Request:
        """Its job is needed no more."""
        if not request.has_job:
            return request
        data = requests.JobWithdrawn(job=request.job_name, reason=reason)
        self.said.append(self._emit("post.job.withdrawn", data, request))
        return msgspec.structs.replace(request, job="withdrawn", team="", begin_utc=0)

    def clock(self, request: Request, state: str, reason: str = "") -> None:
        """How the clock of a request goes."""
        self.said.append(Clock(job=request.key, state=state, reason=reason))

    def inform(self, request: Request, news: str, keys: tuple[str, ...] | None = None) -> None:
        """Tell the citizens of a request, and of those that were found to be it, how it stands."""
        text = texts.news(news, self.place.route(request.category).title, request.duplicate_of)
        for key in (request.key, *request.parts) if keys is None else keys:
            self.said.append(self._informed(key, news, text, request.asset, request.lon, request.lat))

    def answer(self, key: str, news: str, event: Said) -> None:
        """Tell a citizen whose report is no request."""
        text = texts.news(news, Text("", ""))
        self.said.append(self._informed(key, news, text, event.asset, event.lon, event.lat))

    def _informed(
        self, key: str, news: str, text: Text, asset: int | None, lon: float | None, lat: float | None
    ) -> Emit:
        data = requests.CitizenInformed(request=key, state=news, title=text)
        return Emit(kind="post.citizen.informed", data=data, asset=asset, lon=lon, lat=lat)

    # -- what else is told

    def sign(self, event: Said, topic: str, title: Text, category: str) -> None:
        """What a citizen reports may be part of a case."""
        data = requests.SignNoted(topic=topic, title=title, category=category)
        self.said.append(
            Emit(kind="post.sign.noted", data=data, asset=event.asset, lon=event.lon, lat=event.lat)
        )

    def filed(self, event: Said, reference: str, request: str, how: Filed) -> None:
        """What became of a report."""
        data = ReportFiled(report=event.seq, reference=reference, request=request, how=how)
        self.said.append(
            Emit(kind="allo_mairie.report.filed", data=data, asset=event.asset, lon=event.lon, lat=event.lat)
        )

    def refuse(self, event: Said, request: str, reason: str) -> None:
        """What somebody wanted of a request is not done."""
        act = event.kind.rpartition(".")[2]
        data = ActRefused(request=request, act=act, by=event.person, reason=reason)
        self.said.append(
            Emit(kind="allo_mairie.act.refused", data=data, asset=event.asset, lon=event.lon, lat=event.lat)
        )

    def _emit(self, kind: str, data: msgspec.Struct, of: Request) -> Emit:
        return Emit(kind=kind, data=data, asset=of.asset, lon=of.lon, lat=of.lat)

    # -- the end of a turn

    def finish(self) -> list[Proposal]:
        """All that was said in this turn, and the rows that are otherwise than before."""
        for key in self._touched:
            self.said.append(self.shown(key))
        self.said += [self.commune(name) for name in self._communes if name]
        return self.said

    def shown(self, key: str) -> Publish:
        """The row of a request; where it is forgotten, its end."""
        request = self.get(key)
        row = None if request is None else rows.request(self.place, request)
        return Publish(
            view="allo_mairie.request", key=key, row=row, asset=None if request is None else request.asset
        )

    def commune(self, name: str) -> Publish:
        """The row of a commune."""
        return Publish(view="allo_mairie.commune", key=name, row=rows.commune(self.state.communes[name]))


def _findable(request: Request | None) -> Known | None:
    """What a new report may repeat: not what was found to be another request, nor what nobody will ever mend."""
    if request is None or request.duplicate_of or request.reason in NOT_MENDED:
        return None
    return request.known


def fixed(known: Known | None, at: int) -> Known | None:
    """What is known of a request that is mended at ``at`` µs, or not any more (0)."""
    return None if known is None else duplicates.closed(known, at)
