"""What nobody said and is seen all the same: what lasts too long, what is over, what is to be shown again."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from ondijon import NONE, Clear, Now, Proposal, Publish, Raise
from plugins.coordination import board, rows
from plugins.coordination.cases import Cases, forget
from plugins.coordination.hearing import case, mission, shown
from plugins.coordination.noticing import Noticing
from plugins.coordination.place import Place
from plugins.coordination.state import State

SECOND = 1_000_000

#: How often signs that waited in vain are looked for (µs).
EXPIRE_US = 10 * SECOND

#: Each row of a view is shown again within so many seconds: whoever came after a restart sees it too.
AGAIN_S = 60


def watch(place: Place, state: State, now: Now) -> Iterator[Proposal]:
    """One second of looking after the board."""
    settings = place.settings
    for key in board.forget(state, now, settings.kept_s):
        yield Publish(view="coordination.job", key=key, row=None)
    yield from _overdue(place, state, now)
    before = dict(state.incidents)
    cases = Cases(place, state, now)
    cases.look_after()
    if now.mono // EXPIRE_US != (now.mono - SECOND) // EXPIRE_US:
        Noticing(place, state, now, cases).expire()
    yield from cases.said
    for key in forget(state, now, settings.kept_s):
        yield Publish(view="coordination.incident", key=key, row=None)
    yield from shown(place, state, now, before)
    waited = state.asked_mono and now.mono - state.asked_mono > settings.plan_s * 1e6
    yield _alarm("plan_late", int(bool(waited)))
    yield _alarm("jobs_left_out", sum(job.state == "left_out" for job in state.jobs.values()))
    yield _alarm(
        "cases_unattended", sum(each.level > 0 and each.state == "new" for each in state.incidents.values())
    )
    yield _alarm(
        "steps_late", sum(each.run is not None and each.run.late for each in state.incidents.values())
    )
    yield _alarm("jobs_held", sum(job.state == "held" for job in state.jobs.values()))
    yield Publish(view="coordination.board", key="city", row=rows.board(state, len(place.team)))
    yield from _again(place, state, now)


def _alarm(code: str, count: int) -> Raise | Clear:
    return Raise(asset=NONE, code=code, data={"count": count}) if count else Clear(asset=NONE, code=code)


def _overdue(place: Place, state: State, now: Now) -> Iterator[Proposal]:
    """Teams whose visit lasts much too long, and those whose does no more."""
    for key, visit in board.overdue(state, now, place.settings.overdue_s):
        for team in visit.teams:
            yield Raise(asset=place.team[team], code="visit_overdue", data={"site": key})
    overdue = {team for visit in state.visits.values() if visit.overdue for team in visit.teams}
    for team in sorted(state.overdue - overdue):
        if team in place.team:
            yield Clear(asset=place.team[team], code="visit_overdue")
    state.overdue = overdue


def _again(place: Place, state: State, now: Now) -> Iterator[Proposal]:
    """A share of the rows, one after the other."""
    for key in islice(state.jobs, state.turn, None, AGAIN_S):
        job = state.jobs[key]
        yield Publish(view="coordination.job", key=key, row=rows.job(job), asset=job.asset)
    for key in islice(state.incidents, state.turn, None, AGAIN_S):
        yield case(place, state, now, key)
    for team in islice(place.team, state.turn, None, AGAIN_S):
        yield mission(place, state, team)
    state.turn = (state.turn + 1) % AGAIN_S
