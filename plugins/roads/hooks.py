"""Who is called when. The only file of this trade that the kernel knows; the logic lives beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ondijon import NONE, City, Clear, Declaration, Event, Now, Proposal, Raise, TableView, caused, hookimpl
from plugins.roads import accesses, defects, network, works
from plugins.roads.declaration import DECLARATION
from plugins.roads.network import Network
from plugins.roads.settings import Settings
from plugins.roads.state import State
from plugins.roads.vocabulary import DefectReported, JobChanged, WorksDeclared, WorksEnded

#: Defects that nobody is at in time.
LATE = "defects_late"


@hookimpl
def declare() -> Declaration:
    """All that check, alarms and screens need."""
    return DECLARATION


@hookimpl
def prepare(city: City, config: Settings) -> Network:
    """The streets and the accesses."""
    return network.build(city, config)


@hookimpl
def start(fixed: Network, state: State | None) -> State:
    """No works and no defect, or what there was; accesses that are no more are forgotten."""
    begun = state or State()
    begun.blocked = {id: since for id, since in begun.blocked.items() if id in fixed.access}
    return begun


@hookimpl
def on_events(now: Now, events: Sequence[Event], fixed: Network, state: State) -> Iterable[Proposal]:
    """Works, defects, and what becomes of jobs."""
    return [each for event in events for each in caused(event.seq, _hear(now, event, fixed, state))]


def _hear(now: Now, event: Event, fixed: Network, state: State) -> Iterator[Proposal]:
    match event.data:
        case WorksDeclared() as said:
            yield from works.declared(fixed, state, now, event, said)
        case WorksEnded() as said:
            yield from works.ended(fixed, state, said)
        case DefectReported() as said:
            yield from defects.reported(fixed, state, event, said)
        case JobChanged() as said:
            yield from defects.job(fixed, state, now, said)


@hookimpl
def on_tick(now: Now, name: str, table: TableView, fixed: Network, state: State) -> Iterable[Proposal]:
    """``look``: accesses, and works by their dates. ``show``: figures, and all rows once more."""
    if name == "look":
        return [*accesses.look(fixed, state, now, table), *works.begin(fixed, state, now)]
    late = len(defects.late(state, now))
    return [
        *defects.forget(fixed, state, now),
        *defects.delays(fixed, state, now),
        *(works.row(key, each) for key, each in state.works.items()),
        *(defects.row(fixed, key, each) for key, each in state.defects.items()),
        Raise(asset=NONE, code="defects_late", data={"count": late})
        if late
        else Clear(asset=NONE, code="defects_late"),
    ]
