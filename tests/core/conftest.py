"""A small trade for the kernel's own tests: it counts what it sees and does what its config says."""

from __future__ import annotations

from types import ModuleType

import msgspec
import numpy as np
import pytest

from ondijon import (
    AlarmKind,
    AssetKind,
    Authorisation,
    Clear,
    Command,
    Declaration,
    Emit,
    EventKind,
    Merge,
    Metric,
    Proposal,
    Publish,
    Raise,
    Reads,
    Text,
    Verb,
    View,
    hookimpl,
    vocabulary,
)
from ondijon.testing import City, Post
from tests.attributes import Lamp, Sensor

T = Text("essai", "trial")


class Config(msgspec.Struct, forbid_unknown_fields=True):
    level: float = 80.0
    lease_s: float = 30.0


class State(msgspec.Struct):
    seen: float = 0.0
    ticks: int = 0
    heard: list[str] = []
    levels: np.ndarray = msgspec.field(default_factory=lambda: np.zeros(30))


class Seen(msgspec.Struct):
    count: int


class Row(msgspec.Struct):
    seen: float


class Echo(msgspec.Struct):
    links: int


def trial(name: str = "trial", **changes: object) -> ModuleType:
    """A fresh module of hooks; ``changes`` replace parts of its declaration."""
    module = ModuleType(name)
    declaration = Declaration(
        name=name,
        text=T,
        config=Config,
        state=State,
        ticks={"beat": 1.0},
        reads=Reads(
            metrics=("presence_sensor.presence",),
            events={"trial.seen": Seen, "post.command.ended": vocabulary.CommandEnded, "trial.echo": Echo},
        ),
        assets=(
            AssetKind(name="lamp", attributes=Lamp, text=T),
            AssetKind(name="presence_sensor", attributes=Sensor, parent="lamp", text=T),
        ),
        metrics=(
            Metric(
                name="lamp.level", kind="lamp", unit="%", low=0, high=100, deadband=0.5, kept=True, text=T
            ),
            Metric(
                name="presence_sensor.presence",
                kind="presence_sensor",
                unit="1",
                merge=Merge.SUM,
                low=0,
                high=1000,
                stale_after_s=60,
                text=T,
            ),
        ),
        events=(
            EventKind(name="trial.seen", data=Seen, text=T),
            EventKind(name="trial.echo", data=Echo, text=T),
        ),
        verbs=(
            Verb(name="lamp.dim", targets="lamp", low=0, high=100, unit="%", lease_max_s=900, text=T),
            Verb(
                name="lamp.kill", targets="lamp", low=0, high=1, unit="1", lease_max_s=1, danger=True, text=T
            ),
        ),
        authorisations=(
            Authorisation(name="light", verb="lamp.dim", low=0, high=100, lease_max_s=900, rate=60),
        ),
        alarms=(AlarmKind(code="crowd", priority=2, text=T, delay_on_s=1.0, delay_off_s=1.0),),
        views=(View(name="trial.row", row=Row),),
    )
    declared = msgspec.structs.replace(declaration, **changes)

    @hookimpl
    def declare():
        return declared

    @hookimpl
    def prepare(city, config):
        return city.assets.parent

    @hookimpl
    def start(state):
        return state or State()

    @hookimpl
    def on_batch(now, batch, fixed, state):
        seen = batch.of("presence_sensor.presence")
        state.seen += float(seen.value.sum())
        state.levels[0] += 1
        lamps = np.unique(fixed[seen.asset])
        yield Command(
            verb="lamp.dim", targets=lamps, values=np.full(len(lamps), 80.0), lease_s=30, reason="presence"
        )
        yield Emit(kind="trial.seen", data=Seen(int(seen.value.sum())), asset=int(lamps[0]))
        yield Publish(view="trial.row", key="all", row=Row(state.seen))
        yield (Raise if state.seen > 5 else Clear)(asset=int(lamps[0]), code="crowd")

    @hookimpl
    def on_events(now, events, state):
        state.heard += [event.kind for event in events]
        for event in events:
            if event.kind == "trial.echo":
                yield Emit(kind="trial.echo", data=Echo(event.data.links + 1))

    @hookimpl
    def on_tick(now, name, state):
        state.ticks += 1

    for hook in (declare, prepare, start, on_batch, on_events, on_tick):
        setattr(module, hook.__name__, hook)
    return module


@pytest.fixture(scope="session")
def make_trial():
    """The function that makes trial plugins."""
    return trial


@pytest.fixture(scope="session")
def scripted():
    """Makes a post whose trade proposes the lines of a script, one a second, and can be given more."""

    def make(script: list[Proposal]) -> Post:
        module = trial()

        @hookimpl
        def on_tick():
            return [script.pop(0)] if script else []

        module.on_tick = on_tick
        return Post(City.small(), [module])

    return make
