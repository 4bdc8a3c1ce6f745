"""Who is called when. The only file of this trade that the kernel knows; the logic lives beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ondijon import (
    City,
    Clear,
    Declaration,
    Event,
    Now,
    Proposal,
    Raise,
    TableView,
    caused,
    hookimpl,
    whereabouts,
)
from plugins.police import dispatch, fleet, hearing
from plugins.police.declaration import DECLARATION
from plugins.police.dispatch import Dispatch
from plugins.police.fleet import Fleet
from plugins.police.settings import Settings
from plugins.police.state import State


@hookimpl
def declare() -> Declaration:
    """All that check, alarms and screens need."""
    return DECLARATION


@hookimpl
def prepare(city: City, config: Settings) -> Fleet:
    """The units and their streets."""
    return fleet.build(city, config)


@hookimpl
def start(fixed: Fleet, state: State | None) -> State:
    """Every unit at its station, or what there was, with the units that are there now."""
    if state is None:
        return State(whereabouts.fitted(fixed.home, None))
    state.where = whereabouts.fitted(fixed.home, state.where)
    return state


@hookimpl
def on_events(
    now: Now, events: Sequence[Event], table: TableView, fixed: Fleet, state: State
) -> Iterable[Proposal]:
    """Calls, requests, what units say."""
    whereabouts.locate(fixed.streets, state.where, table, "patrol.lon", "patrol.lat")
    said: list[Proposal] = []
    for event in events:
        desk = Dispatch(fixed, state, now)
        said += caused(event.seq, hearing.hear(fixed, state, desk, event))
        said += caused(event.seq, desk.said)
    return [*said, *dispatch.rows(fixed, state, now)]


@hookimpl
def on_tick(now: Now, name: str, table: TableView, fixed: Fleet, state: State) -> Iterable[Proposal]:
    """``look``: where units are, whether one that came on duty can take what waits, whose officer calls for help.

    ``show``: all rows once more, for whoever came since.
    """
    if name == "show":
        return list(dispatch.rows(fixed, state, now))
    whereabouts.locate(fixed.streets, state.where, table, "patrol.lon", "patrol.lat")
    desk = Dispatch(fixed, state, now)
    desk.send()
    alarms = [
        (Raise if unit in state.alarmed else Clear)(asset=int(asset), code="officer_alarm")
        for unit, asset in zip(fixed.ids, fixed.asset, strict=True)
    ]
    return [*desk.said, *alarms]
