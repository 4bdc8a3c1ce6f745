"""What screens and tablets see of the board."""

from __future__ import annotations

from collections import Counter

from plugins.coordination.state import BoardJob, State
from plugins.coordination.vocabulary import BoardRow, JobRow, MissionRow, StopRow

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
