"""What others say, and what comes of it."""

from __future__ import annotations

from collections.abc import Sequence

from ondijon import Event, Now, Proposal
from plugins.allo_mairie import acts, reports, work
from plugins.allo_mairie.desk import Desk
from plugins.allo_mairie.place import Place
from plugins.allo_mairie.state import Said, State, Waiting, said
from plugins.allo_mairie.vocabulary import JOB, JobChanged, Report, RequestsAged

#: What a step proposes continues the longest chain of events in it, and a chain has eight links. A request that is
#: made in a step with longer ones than this waits, or its answers would be cut in a storm. News of jobs never wait
#: for it: nothing is asked for because of them.
LINKS = 2


#: Events that wait at most. What comes beyond is in the journal alone, and counts as refused.
WAITING_MAX = 10_000


def hear(place: Place, state: State, now: Now, events: Sequence[Event]) -> list[Proposal]:
    """Hear events in their order, as many as one step can answer; the others wait for the next second."""
    desk = Desk(place, state, now)
    short = all(event.chain <= LINKS for event in events)
    waiting = (*state.waiting.said, *map(said, events))
    left: list[Said] = []
    for n, each in enumerate(waiting):
        if not desk.has_room:
            left += waiting[n:]
            break
        if short or each.kind == JOB:
            _hear(desk, each)
        else:
            left.append(each)
    desk.total(refused=max(0, len(left) - WAITING_MAX))
    state.waiting = Waiting(tuple(left[:WAITING_MAX]))
    return desk.finish()


def _hear(desk: Desk, event: Said) -> None:
    match event.data:
        case Report() as report:
            reports.receive(desk, event, report)
        case JobChanged() as job:
            work.changed(desk, job)
        case RequestsAged() as time:
            work.aged(desk, time)
        case act:
            acts.act(desk, event, act)
