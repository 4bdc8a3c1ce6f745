"""What screens and tablets see of the board."""

from __future__ import annotations

from collections import Counter

from ondijon import Now
from plugins.coordination.incident import Incident, Run
from plugins.coordination.place import Place
from plugins.coordination.state import BoardJob, State
from plugins.coordination.vocabulary import (
    BoardRow,
    EntryRow,
    IncidentRow,
    JobRow,
    MissionRow,
    StepRow,
    StopRow,
)

#: Stops of one mission that are shown: a row has 16 KiB.
STOPS_MAX = 30


def job(of: BoardJob) -> JobRow:
    """How a job stands."""
    return JobRow(
        title=of.title,
        trade=of.trade,
        state=of.state,
        priority=of.job.priority,
        skills=of.job.skills,
        site=of.site,
        team=of.team,
        begin_utc=of.begin_utc,
        latest_utc=of.job.latest,
        reason=of.reason,
        lon=of.lon,
        lat=of.lat,
        incident=of.incident,
    )


def mission(state: State, team: str) -> MissionRow:
    """What a team does now and next."""
    at = next((key for key, visit in state.visits.items() if team in visit.teams), "")
    stops = []
    for stop in state.missions.get(team, ())[:STOPS_MAX]:
        site = state.sites.get(stop.site)
        if site is None:
            # It was done or withdrawn since the plan was made; the next plan leaves it out.
            continue
        jobs = [state.jobs[each.key] for each in site.jobs]
        stops.append(
            StopRow(
                stop.site,
                tuple(each.key for each in jobs),
                tuple(each.title for each in jobs),
                jobs[0].lon or 0.0,
                jobs[0].lat or 0.0,
                stop.begin_utc,
                stop.leave_utc,
                stop.drive_s,
                stop.other,
                stop.more_s,
            )
        )
    return MissionRow(state.plan, at, team not in state.off, tuple(stops))


def board(state: State, teams: int) -> BoardRow:
    """The board in figures."""
    count = Counter(each.state for each in state.jobs.values())
    return BoardRow(
        waiting=count["waiting"],
        planned=count["planned"],
        left_out=count["left_out"],
        begun=count["begun"],
        held=count["held"],
        done=state.done,
        sites=len(state.sites),
        merged=sum(len(site.jobs) for site in state.sites.values() if len(site.jobs) > 1),
        teams=teams - len(state.off),
        plan=state.plan,
    )


def incident(place: Place, now: Now, of: Incident) -> IncidentRow:
    """A case at a glance."""
    ids = place.city.assets.ids
    return IncidentRow(
        category=of.category,
        title=of.title,
        state=of.state,
        priority=of.priority,
        owner=of.owner,
        watchers=of.watchers,
        parent=of.parent,
        level=of.level,
        lon=of.lon,
        lat=of.lat,
        assets=tuple(ids[asset] for asset in of.assets[:20]),
        cameras=of.cameras,
        signs=of.signs,
        opened_utc=of.opened_utc,
        changed_utc=of.changed_utc,
        step=_step(place, now, of.run),
        latest=tuple(EntryRow(each.n, each.at_utc, each.code, each.text, each.by) for each in of.latest),
    )


def _step(place: Place, now: Now, run: Run | None) -> StepRow | None:
    procedure = None if run is None else place.procedure(run.procedure)
    step = None if run is None or procedure is None else procedure.step(run.step)
    if run is None or procedure is None or step is None:
        return None
    late = 0 if step.within_s is None else now.utc - now.mono + run.since_mono + int(step.within_s * 1e6)
    return StepRow(
        procedure=procedure.title,
        version=procedure.version,
        step=step.id,
        text=step.text,
        answers={answer.id: answer.text for answer in step.answers},
        evidence=step.evidence,
        late=run.late,
        late_utc=late,
    )
