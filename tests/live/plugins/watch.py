"""A small trade for live tests: it shows what the kernel knows, and answers presence with light."""

from __future__ import annotations

from typing import Annotated

import msgspec
import numpy as np

from ondijon import (
    AssetKind,
    Authorisation,
    Command,
    Declaration,
    EventKind,
    Merge,
    Metric,
    Publish,
    Reads,
    Text,
    Verb,
    View,
    hookimpl,
)

T = Text("essai", "trial")


class Cabinet(msgspec.Struct):
    meter_class_pct: float


class Lamp(msgspec.Struct):
    power_w: float
    old_power_w: float
    old_hours: float
    lighting_class: str
    conflict: bool


class Sensor(msgspec.Struct):
    range_m: float


class Junction(msgspec.Struct):
    arms: int


class Config(msgspec.Struct, forbid_unknown_fields=True):
    pass


class State(msgspec.Struct):
    doors: list[int] = []


class Opened(msgspec.Struct, forbid_unknown_fields=True):
    code: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
    note: str = ""


class SmallCode(msgspec.Struct):
    """Stricter than what is emitted: a reader's Struct may be."""

    code: Annotated[int, msgspec.Meta(ge=0, le=900_000)]


class Levels(msgspec.Struct):
    level: list[float | None]


class Doors(msgspec.Struct):
    codes: list[int]
    asset: int | None


@hookimpl
def declare():
    return Declaration(
        name="watch",
        text=T,
        config=Config,
        state=State,
        ticks={"look": 0.2},
        reads=Reads(
            metrics=("lamp.level", "presence_sensor.presence"), events={"watch.door.opened": SmallCode}
        ),
        assets=(
            AssetKind(name="cabinet", attributes=Cabinet, text=T),
            AssetKind(name="lamp", attributes=Lamp, parent="cabinet", text=T),
            AssetKind(name="presence_sensor", attributes=Sensor, parent="lamp", text=T),
            AssetKind(name="junction", attributes=Junction, text=T),
        ),
        metrics=(
            Metric(name="lamp.level", kind="lamp", unit="%", low=0, high=100, deadband=0.5, text=T),
            Metric(
                name="presence_sensor.presence",
                kind="presence_sensor",
                unit="1",
                merge=Merge.SUM,
                low=0,
                high=1000,
                text=T,
            ),
        ),
        events=(
            EventKind(name="watch.door.opened", data=Opened, from_field=True, from_persons=True, text=T),
            EventKind(name="watch.inner.said", data=Opened, text=T),
        ),
        verbs=(Verb(name="lamp.dim", targets="lamp", low=0, high=100, unit="%", lease_max_s=900, text=T),),
        authorisations=(
            Authorisation(name="light", verb="lamp.dim", low=0, high=100, lease_max_s=900, rate=600),
        ),
        views=(View(name="watch.levels", row=Levels), View(name="watch.doors", row=Doors)),
    )


@hookimpl
def prepare(city, config):
    return city.assets.parent


@hookimpl
def start(state):
    return state or State()


@hookimpl
def on_batch(batch, fixed, state):
    seen = batch.of("presence_sensor.presence")
    if len(seen):
        lamps = np.unique(fixed[seen.asset])
        yield Command(
            verb="lamp.dim", targets=lamps, values=np.full(len(lamps), 80.0), lease_s=30, reason="presence"
        )


@hookimpl
def on_events(events, state):
    state.doors += [event.data.code for event in events]
    yield Publish(view="watch.doors", key="all", row=Doors(state.doors, events[-1].asset))


@hookimpl
def on_tick(table):
    column = table.column("lamp.level")
    level = [float(v) if ok else None for v, ok in zip(column.value, column.valid, strict=True)]
    yield Publish(view="watch.levels", key="all", row=Levels(level))
