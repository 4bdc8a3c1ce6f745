"""Who is called when. The only file of this trade that the kernel knows; the logic lives beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ondijon import City, Declaration, Event, Now, Proposal, hookimpl
from plugins.allo_mairie import hearing, place, watch
from plugins.allo_mairie.declaration import DECLARATION
from plugins.allo_mairie.place import Place
from plugins.allo_mairie.settings import Settings
from plugins.allo_mairie.state import State


@hookimpl
def declare() -> Declaration:
    """All that check, alarms and screens need."""
    return DECLARATION


@hookimpl
def prepare(city: City, config: Settings) -> Place:
    """The city, and where reports go."""
    return place.build(city, config)


@hookimpl
def start(state: State | None) -> State:
    """No requests yet, or those there were."""
    return state or State()


@hookimpl
def on_events(now: Now, events: Sequence[Event], fixed: Place, state: State) -> Iterable[Proposal]:
    """What citizens report, what agents do, what becomes of jobs."""
    return hearing.hear(fixed, state, now, events)


@hookimpl
def on_tick(now: Now, fixed: Place, state: State) -> Iterable[Proposal]:
    """What is late is told, what is old forgotten, what is shown is shown again now and then."""
    return watch.watch(fixed, state, now)
