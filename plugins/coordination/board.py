"""The board: jobs of all trades, gathered into sites, followed until they are done. Each change is told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from ondijon import Clock, Emit, Event, Now, Proposal, requests
from plugins.coordination.place import Place
from plugins.coordination.sites import NO_END, Job, Site, Sites
from plugins.coordination.state import BoardJob, State, Visit
from plugins.coordination.vocabulary import (
    JobChanged,
    LeftOut,
    PlannedStop,
    SiteChanged,
    Undone,
)

SECOND = 1_000_000

#: Reasons for which a person must help a job on.
NO_PLACE, NO_SKILLS, TRIED = "no_place", "no_skills", "tried_too_often"

#: A job in one of these is over.
OVER = ("done", "withdrawn")


class Board:
    """One turn at the board. What it has to say is in ``said``, when the turn is over."""

    def __init__(self, place: Place, state: State, now: Now) -> None:
        self._place, self._state, self._now = place, state, now
        self._settings = place.settings
        on_duty = (skills for team, skills in place.skills.items() if team not in state.off)
        self._sites = Sites(self._settings.setup_s, on_duty, state.sites)
        #: The event that is heard now, and by site the first one that changed it.
        self.cause = 0
        self._touched: dict[str, int] = {}
        self.said: list[Proposal] = []

    # -- what trades ask for

    def wanted(self, event: Event, asked: requests.JobWanted) -> None:
        """A trade wants a job done, or one that it asked for done otherwise."""
        key = f"{event.trade}/{asked.job}"
        known = self._state.jobs.get(key)
        if known is not None and known.state not in OVER:
            if known.state == "begun":
                # Who is at work cannot be told otherwise; the new wish stands when they leave.
                self._answer(event.seq, "refused", "a team is at work on it")
                return
            self._take_out(known)
        self._answer(event.seq, "taken", by=(key,))
        self.said.append(Clock(job=key, state="running"))
        self._enter(self._new(key, event, asked))

    def _new(self, key: str, event: Event, asked: requests.JobWanted) -> BoardJob:
        at = self._place.of(event)
        x, y = self._place.city.metres(*at) if at else (0.0, 0.0)
        due = event.at_utc + int(self._settings.due_s[asked.priority - 1] * SECOND)
        return BoardJob(
            key=key,
            trade=event.trade,
            name=asked.job,
            asked=event.seq,
            title=asked.title,
            asset=event.asset,
            lon=at[0] if at else None,
            lat=at[1] if at else None,
            incident=asked.incident,
            job=Job(
                key=key,
                x=x,
                y=y,
                skills=tuple(sorted(set(asked.skills))),
                duration_s=asked.duration_s,
                priority=asked.priority,
                crews=asked.crews,
                earliest=max(asked.earliest_utc, 0),
                latest=asked.latest_utc or due,
            ),
        )

    def withdrawn(self, event: Event, said: requests.JobWithdrawn) -> None:
        """The asking trade needs a job no more."""
        known = self._state.jobs.get(f"{event.trade}/{said.job}")
        if known is None or known.state in OVER:
            return
        if known.state != "begun":
            self._take_out(known)
        self._become(known, state="withdrawn", reason=said.reason, team="", begin_utc=0)
        self.said.append(Clock(job=known.key, state="ended"))

    # -- what tours say

    def planned(self, missions: Iterable[tuple[str, tuple[PlannedStop, ...]]]) -> None:
        """Teams have other missions."""
        for team, stops in missions:
            if stops:
                self._state.missions[team] = stops
            else:
                self._state.missions.pop(team, None)

    def plan_made(self, plan: int, left: Iterable[LeftOut]) -> None:
        """A plan is in force: who goes to each site, or why nobody does."""
        self._state.plan = plan
        self._state.asked_mono = 0
        why = {each.site: each.why for each in left}
        goes: dict[str, tuple[str, int]] = {}
        for team, stops in sorted(self._state.missions.items()):
            for stop in stops:
                goes.setdefault(stop.site, (team, stop.begin_utc))
        for key, site in self._sites.sites.items():
            team, begin = goes.get(key, ("", 0))
            if team:
                self._all(site, state="planned", team=team, begin_utc=begin, reason="")
            elif key in why:
                self._all(site, state="left_out", team="", begin_utc=0, reason=why[key])
            else:
                self._all(site, state="waiting", team="", begin_utc=0, reason="")

    def _all(self, site: Site, **changes: object) -> None:
        for job in site.jobs:
            self._become(self._state.jobs[job.key], **changes)

    # -- what teams say

    def visit_begun(self, team: str, key: str) -> None:
        """A team is at a site: planned or not, it is there."""
        visit = self._state.visits.get(key)
        site = self._sites.sites.get(key)
        if visit is not None:
            teams = visit.teams if team in visit.teams else (*visit.teams, team)
            self._state.visits[key] = msgspec.structs.replace(visit, teams=teams)
        elif site is not None:
            until = self._now.utc + site.service_s * SECOND
            self._state.visits[key] = Visit(
                site=site, teams=(team,), begun_utc=self._now.utc, until_utc=until
            )
            self._sites.take(key)
            self._all(site, state="begun", team=team, begin_utc=self._now.utc, reason="")
        else:
            # It was done, or withdrawn, while the tablet was in a dead zone.
            return
        mission = self._state.missions.get(team, ())
        self._state.missions[team] = tuple(stop for stop in mission if stop.site != key)
        self._touched.setdefault(key, self.cause)

    def visit_ended(self, team: str, key: str, undone: Iterable[Undone]) -> None:
        """A team leaves a site. One that was there without saying so, in a dead zone, has been there all the same."""
        if key not in self._state.visits:
            self.visit_begun(team, key)
        visit = self._state.visits.pop(key, None)
        if visit is None:
            return
        self._touched.setdefault(key, self.cause)
        reasons = {each.job: each.reason for each in undone}
        for job in visit.site.jobs:
            known = self._state.jobs.get(job.key)
            if known is None or known.state == "withdrawn":
                # Nobody wants it any more, since teams went to work on it.
                continue
            if job.key in reasons:
                self._undone(known, reasons[job.key])
            else:
                self._done(known, visit.teams)

    def _done(self, known: BoardJob, teams: tuple[str, ...]) -> None:
        self._state.done += 1
        self._become(known, state="done", reason="")
        self._answer(known.asked, "done", by=teams)
        self.said.append(Clock(job=known.key, state="ended"))

    def _undone(self, known: BoardJob, reason: str) -> None:
        tries = known.tries + 1
        later = max(known.job.earliest, self._now.utc + int(self._settings.again_s * SECOND))
        known = msgspec.structs.replace(
            known, tries=tries, job=msgspec.structs.replace(known.job, earliest=later)
        )
        if tries >= self._settings.tries:
            self._become(known, state="held", site="", team="", reason=f"{TRIED}: {reason}")
            self.said.append(Clock(job=known.key, state="stopped", reason=reason))
        else:
            self._enter(msgspec.structs.replace(known, reason=reason))

    # -- in and out

    def _enter(self, job: BoardJob) -> None:
        """Put a job into a site; or hold it, for a person to see, where nobody could ever do it."""
        able = sum(set(job.job.skills) <= skills for skills in self._place.skills.values())
        held = NO_PLACE if job.lon is None else NO_SKILLS if able < job.job.crews else ""
        if held:
            self._become(job, state="held", site="", team="", begin_utc=0, reason=held)
            self.said.append(Clock(job=job.key, state="stopped", reason=held))
            return
        site = self._sites.add(job.job)
        self._touched.setdefault(site.key, self.cause)
        self._become(job, state="waiting", site=site.key, team="", begin_utc=0)

    def _take_out(self, job: BoardJob) -> None:
        site = self._sites.take(job.site)
        if site is None:
            return
        self._touched.setdefault(site.key, self.cause)
        left = site.without(job.key)
        if left is not None:
            self._sites.put(left)

    def _become(self, job: BoardJob, **changes: object) -> None:
        after = msgspec.structs.replace(job, **changes)
        if job.state != after.state:
            after = msgspec.structs.replace(after, since=self._now.utc)
        known = self._state.jobs.get(job.key)
        self._state.jobs[job.key] = after
        if known is None or (known.state, known.site, known.team, known.reason) != (
            after.state,
            after.site,
            after.team,
            after.reason,
        ):
            self.said.append(self._tell(after))

    def _tell(self, job: BoardJob) -> Emit:
        return Emit(
            kind="coordination.job.changed",
            data=JobChanged(
                job=job.key,
                state=job.state,
                site=job.site,
                team=job.team,
                begin_utc=job.begin_utc,
                reason=job.reason,
            ),
            asset=job.asset,
            lon=job.lon,
            lat=job.lat,
        )

    def _answer(
        self, request: int, answer: requests.Answer, reason: str = "", by: tuple[str, ...] = ()
    ) -> None:
        self.said.append(requests.answered(request, answer, reason, by))

    # -- the end of a turn

    def finish(self) -> list[Proposal]:
        """Tell the sites that are otherwise than before; all that was said in this turn."""
        self._state.sites = self._sites.sites
        for key, cause in self._touched.items():
            self.said.append(msgspec.structs.replace(self._site(key), cause=cause))
        if self._touched and not self._state.asked_mono:
            self._state.asked_mono = max(self._now.mono, 1)
        return self.said

    def _site(self, key: str) -> Emit:
        visit = self._state.visits.get(key)
        site = visit.site if visit is not None else self._sites.sites.get(key)
        if site is None:
            return Emit(kind="coordination.site.changed", data=SiteChanged(site=key, state="ended", jobs=()))
        first = self._state.jobs[site.jobs[0].key]
        return Emit(
            kind="coordination.site.changed",
            data=SiteChanged(
                site=key,
                state="wanted" if visit is None else "begun",
                jobs=tuple(job.key for job in site.jobs),
                skills=tuple(sorted(site.skills)),
                service_s=site.service_s,
                priority=site.priority,
                crews=site.crews,
                earliest_utc=site.earliest,
                latest_utc=0 if site.latest >= NO_END // 2 else max(site.latest, 1),
                teams=() if visit is None else visit.teams,
                until_utc=0 if visit is None else visit.until_utc,
            ),
            lon=first.lon,
            lat=first.lat,
        )


def overdue(state: State, now: Now, overdue_s: float) -> Iterator[tuple[str, Visit]]:
    """Visits that last much longer than planned, each once; they are marked."""
    for key, visit in state.visits.items():
        if not visit.overdue and now.utc > visit.until_utc + int(overdue_s * SECOND):
            state.visits[key] = msgspec.structs.replace(visit, overdue=True)
            yield key, visit


def forget(state: State, now: Now, kept_s: float) -> list[str]:
    """Take jobs that are over off the board after a while; their keys."""
    old = [
        key
        for key, job in state.jobs.items()
        if job.state in OVER and now.utc > job.since + int(kept_s * SECOND)
    ]
    for key in old:
        del state.jobs[key]
    return old
