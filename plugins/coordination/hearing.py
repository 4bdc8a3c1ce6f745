"""What others say, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ondijon import Event, Now, Proposal, Publish, caused, requests, vocabulary
from plugins.coordination import rows, texts
from plugins.coordination.board import Board
from plugins.coordination.cases import Cases
from plugins.coordination.incident import Incident
from plugins.coordination.noticing import Noticing
from plugins.coordination.place import Place
from plugins.coordination.state import State
from plugins.coordination.vocabulary import (
    IncidentActed,
    IncidentReported,
    MissionPlanned,
    PlanMade,
    RequestExpired,
    StepAnswered,
    TeamChanged,
    VisitBegun,
    VisitEnded,
)


def hear(place: Place, state: State, now: Now, events: Sequence[Event]) -> list[Proposal]:
    """Take note of events in their order; what is to be said and shown of it."""
    jobs, missions = dict(state.jobs), dict(state.missions)
    visits, off = dict(state.visits), set(state.off)
    incidents = dict(state.incidents)
    board, cases = Board(place, state, now), Cases(place, state, now)
    noticing = Noticing(place, state, now, cases)
    for event in events:
        board.cause = event.seq
        before = len(board.said), len(cases.said)
        _hear(place, state, board, event)
        _hear_cases(cases, event)
        _hear_signs(noticing, event)
        for said_of, n in zip((board.said, cases.said), before, strict=True):
            said_of[n:] = caused(event.seq, said_of[n:])
    said = [*board.finish(), *cases.said]
    said += shown(place, state, now, incidents)
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


def shown(place: Place, state: State, now: Now, before: Mapping[str, Incident]) -> list[Publish]:
    """The cases that are otherwise than ``before``."""
    return [
        case(place, state, now, key) for key, each in state.incidents.items() if before.get(key) is not each
    ]


def case(place: Place, state: State, now: Now, key: str) -> Publish:
    """A case at a glance."""
    each = state.incidents[key]
    # What it is about decides who sees it: its first asset, where it has one.
    asset = next(iter(each.assets), None)
    return Publish(view="coordination.incident", key=key, row=rows.incident(place, now, each), asset=asset)


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


def _hear_signs(noticing: Noticing, event: Event) -> None:
    match event.data:
        case requests.SignNoted() as said:
            noticing.noted(event, said)
        case vocabulary.AlarmChanged() as said:
            noticing.alarm(event, said)


def _hear_cases(cases: Cases, event: Event) -> None:
    match event.data:
        case requests.IncidentSuggested() as said:
            cases.suggested(event, said)
        case IncidentReported() as said:
            cases.reported(event, said)
        case IncidentActed() as said:
            cases.acted(event, said)
        case StepAnswered() as said:
            cases.answered(event, said)
        case requests.RequestAnswered() as said:
            cases.replied(event, said.request, said.answer, said.reason, said.by)
        case RequestExpired(request):
            cases.replied(event, request, "expired", "", ())
        case _ if event.kind in texts.REQUESTS:
            cases.asks(event)
