"""What others say, and what comes of it."""

from __future__ import annotations

from collections.abc import Sequence

from ondijon import Event, Now, Proposal, Publish, requests
from plugins.coordination import rows
from plugins.coordination.board import Board
from plugins.coordination.place import Place
from plugins.coordination.state import State
from plugins.coordination.vocabulary import MissionPlanned, PlanMade, TeamChanged, VisitBegun, VisitEnded


def hear(place: Place, state: State, now: Now, events: Sequence[Event]) -> list[Proposal]:
    """Take note of events in their order; what is to be said and shown of it."""
    jobs, missions = dict(state.jobs), dict(state.missions)
    visits, off = dict(state.visits), set(state.off)
    board = Board(place, state, now)
    for event in events:
        _hear(place, state, board, event)
    said = board.finish()
    said += [
        Publish(view="coordination.job", key=key, row=rows.job(job), asset=job.asset)
        for key, job in state.jobs.items()
        if jobs.get(key) != job
    ]
    changed = {team for team in place.team if missions.get(team) != state.missions.get(team)}
    changed |= {
        team for key, visit in state.visits.items() if visits.get(key) != visit for team in visit.teams
    }
    changed |= {team for key, visit in visits.items() if key not in state.visits for team in visit.teams}
    changed |= off ^ state.off
    said += [mission(place, state, team) for team in sorted(changed)]
    return said


def mission(place: Place, state: State, team: str) -> Publish:
    """What a team's tablet shows."""
    return Publish(
        view="coordination.mission", key=team, row=rows.mission(state, team), asset=place.team.get(team)
    )


def _hear(place: Place, state: State, board: Board, event: Event) -> None:
    team = "" if event.asset is None else place.city.assets.ids[event.asset]
    match event.data:
        case requests.JobWanted() as asked:
            board.wanted(event, asked)
        case requests.JobWithdrawn() as said:
            board.withdrawn(event, said)
        case MissionPlanned(_, stops):
            board.planned([(team, stops)])
        case PlanMade(plan, left):
            board.plan_made(plan, left)
        case VisitBegun(site) if team in place.team:
            board.visit_begun(team, site)
        case VisitEnded(site, undone) if team in place.team:
            board.visit_ended(team, site, undone)
        case TeamChanged(duty) if team in place.team:
            (state.off.discard if duty else state.off.add)(team)
