"""Who is called when. The only file of this trade that the kernel knows; the logic lives beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ondijon import (
    Batch,
    City,
    Declaration,
    Event,
    Imagined,
    Now,
    Proposal,
    Publish,
    TableView,
    caused,
    hookimpl,
)
from plugins.lighting import (
    energy,
    faults,
    imagined,
    park,
    presence,
    repairs,
    schedule,
    service,
    summary,
    wishes,
)
from plugins.lighting.declaration import DECLARATION
from plugins.lighting.park import Park
from plugins.lighting.settings import Settings
from plugins.lighting.state import State, fitted, fresh, migrated

#: Key of the only row of each view.
WHOLE_CITY = "city"


@hookimpl
def declare() -> Declaration:
    """All that check, gate, alarms and screens need."""
    return DECLARATION


@hookimpl
def prepare(city: City, config: Settings) -> Park:
    """The park: lamps along the streets, what each sensor reaches, floors, calendars by commune."""
    return park.build(city, config)


@hookimpl
def start(fixed: Park, state: State | None) -> State:
    """An empty ledger and no lease, or what there was, fitted to the park."""
    begun = fresh(fixed) if state is None else fitted(state, fixed)
    schedule.reckon(fixed, begun)
    return begun


@hookimpl
def migrate(state: Mapping[str, Any], version: int) -> Mapping[str, Any]:
    """From version 1, when calendars stood in the settings alone."""
    return migrated(state, version)


@hookimpl
def on_events(now: Now, events: Sequence[Event], fixed: Park, state: State) -> Iterable[Proposal]:
    """Persons have set a calendar: the devices follow it from now on, and so does all that is reckoned of them.

    Or another trade wants light somewhere.
    """
    changed = [event.data for event in events if event.kind == "post.programme.changed"]
    if changed:
        schedule.approve(fixed, state, changed)
    wanted = [event for event in events if event.kind == "post.light.wanted"]
    answers = [each for event in wanted for each in caused(event.seq, wishes.hear(fixed, state, now, event))]
    wishes.follow(fixed, state, now)
    return [*schedule.follow(fixed, state, now), *answers]


@hookimpl
def on_batch(batch: Batch, fixed: Park, state: State) -> None:
    """Note who was seen and what the meters say; the ticks answer."""
    presence.notice(fixed, state, batch.of("presence_sensor.presence"))
    energy.read(fixed, state, batch.of("cabinet.energy"))


@hookimpl
def on_tick(now: Now, name: str, table: TableView, fixed: Park, state: State) -> Iterable[Proposal] | None:
    """``calendar`` follows programmes, ``dim`` people, ``energy`` meters, ``faults`` what fails.

    Where several are due they come in this order, that of the declaration: people are followed from where the
    programmes are, and both before anybody judges what a lamp draws.
    """
    if name == "dim":
        return presence.step(fixed, state, now)
    if name == "calendar":
        changes = schedule.follow(fixed, state, now)
        presence.guard(fixed, state, faults.silent_sensors(fixed, table))
        wishes.follow(fixed, state, now)
        return changes
    if name == "energy":
        energy.accrue(fixed, state, now)
        return [
            Publish(view="lighting.energy", key=WHOLE_CITY, row=energy.row(fixed, state)),
            Publish(view="lighting.summary", key=WHOLE_CITY, row=summary.row(fixed, state, now.utc)),
        ]
    said = faults.examine(fixed, state, now, table)
    return [*said, *repairs.jobs(fixed, said), *service.states(fixed, state, table)]


@hookimpl
def imagine(fixed: Park, state: State) -> Iterable[Imagined]:
    """Lamps that burn as they were told, and meters that count it."""
    return imagined.answers(fixed, state)
