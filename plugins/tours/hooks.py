"""Who is called when. The only file of this trade that the kernel knows; the logic lives beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ondijon import City, Declaration, Emit, Event, Now, Proposal, TableView, hookimpl
from plugins.tours import crews, day, hearing
from plugins.tours.crews import Crews
from plugins.tours.declaration import DECLARATION
from plugins.tours.settings import Settings
from plugins.tours.state import State, fitted
from plugins.tours.vocabulary import LeftOut, MissionPlanned, PlanMade


@hookimpl
def declare() -> Declaration:
    """All that check and screens need."""
    return DECLARATION


@hookimpl
def prepare(city: City, config: Settings) -> tuple[Crews, Settings]:
    """The teams, their streets, and how to plan."""
    return crews.build(city), config


@hookimpl
def start(fixed: tuple[Crews, Settings], state: State | None) -> State:
    """Every team at home and nothing to do, or what there was, with the teams that are there now."""
    return fitted(fixed[0], state)


@hookimpl
def on_events(now: Now, events: Sequence[Event], fixed: tuple[Crews, Settings], state: State) -> None:
    """Take note; the next tick plans."""
    for event in events:
        hearing.hear(fixed[0], state, event)


@hookimpl
def on_tick(
    now: Now, table: TableView, fixed: tuple[Crews, Settings], state: State
) -> Iterable[Proposal] | None:
    """Plan where something changed, or where the day is to be planned anew; say only what is different."""
    team, settings = fixed
    day.locate(team, state, table)
    if not state.changed and now.mono < state.anew_mono + int(settings.anew_s * day.SECOND):
        return None
    return _plan(now, team, settings, state)


def _plan(now: Now, team: Crews, settings: Settings, state: State) -> list[Proposal]:
    made = day.make(team, state, now, settings)
    planned = day.missions(made, now)
    before = {key: [stop.site for stop in stops] for key, stops in state.missions.items()}
    after = {key: [stop.site for stop in stops] for key, stops in planned.items()}
    moved = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    left = made.plan.left | {key: "no_place" for key, site in state.sites.items() if site.edge == day.NONE}
    asked, state.changed = state.changed, False
    if made.anew:
        state.anew_mono = now.mono
    # Who asked is told that there is a plan, also where it is the same.
    if not (asked or moved or left != state.left):
        return []
    state.plan += 1
    state.missions, state.left = planned, left
    asset = dict(zip(team.ids, team.asset.tolist(), strict=True))
    said: list[Proposal] = [
        Emit(
            kind="tours.mission.planned",
            data=MissionPlanned(state.plan, planned.get(key, ())),
            asset=asset[key],
        )
        for key in moved
    ]
    said.append(
        Emit(
            kind="tours.plan.made",
            data=PlanMade(
                plan=state.plan,
                by=made.by,
                anew=made.anew,
                sites=len(made.problem.tasks),
                moved=len(moved),
                late=day.late(made),
                left=tuple(LeftOut(key, why) for key, why in sorted(left.items())),
            ),
        )
    )
    return said
