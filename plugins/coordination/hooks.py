"""Who is called when. The only file of this trade that the kernel knows; the logic lives beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ondijon import City, Declaration, Event, Now, Proposal, hookimpl
from plugins.coordination import correlation, examples, hearing, place, watch
from plugins.coordination.declaration import DECLARATION
from plugins.coordination.place import Place
from plugins.coordination.settings import Settings
from plugins.coordination.state import State


@hookimpl
def declare() -> Declaration:
    """All that check, alarms and screens need."""
    return DECLARATION


@hookimpl
def prepare(city: City, config: Settings) -> Place:
    """The city and its teams."""
    return place.build(city, config)


@hookimpl
def start(fixed: Place, state: State | None) -> State:
    """An empty board, or the one there was; cases whose rules are gone take no more signs."""
    begun = state or State()
    correlation.adopt(fixed.rules, begun.signs)
    return begun


@hookimpl
def on_events(now: Now, events: Sequence[Event], fixed: Place, state: State) -> Iterable[Proposal]:
    """What trades ask for, what tours plan, what teams and persons say."""
    return hearing.hear(fixed, state, now, events)


@hookimpl
def on_tick(now: Now, fixed: Place, state: State) -> Iterable[Proposal]:
    """What lasts too long is an alarm, what is over is forgotten, what is shown is shown again now and then."""
    return watch.watch(fixed, state, now)


@hookimpl
def examine(fixed: Place) -> Iterable[str]:
    """The examples that the rules get wrong."""
    return examples.wrong(fixed.rules, (*examples.delivered(), *fixed.settings.examples))
