"""The whole city dark in a real post: 34,000 lamps within ten seconds, twenty callers, one case."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import msgspec
import numpy as np
import pytest

from adapters.cityimport.command import generate_city
from core import city as cities
from ondijon import AlarmKind, Declaration, Emit, Proposal, Raise, Text, hookimpl, requests
from ondijon.testing import Post

T = Text("essai", "trial")
LAMPS = 34_000

#: Steps within which all lamps fall silent.
STEPS = 200


class Config(msgspec.Struct):
    pass


class State(msgspec.Struct):
    turn: int = 0


def lighting(lamps: np.ndarray, callers: list[tuple[float, float]]) -> ModuleType:
    """A trade of that name that loses its lamps, a share in each step, and hears callers afterwards."""
    module = ModuleType("lighting")
    shares = np.array_split(np.random.default_rng(1).permutation(lamps), STEPS)

    @hookimpl
    def declare() -> Declaration:
        silent = AlarmKind(code="lamp_silent", priority=3, text=T, correlate_s=10.0)
        return Declaration(
            name="lighting", text=T, config=Config, state=State, ticks={"beat": 0.05}, alarms=(silent,)
        )

    @hookimpl
    def prepare() -> None:
        return None

    @hookimpl
    def start(state: State | None) -> State:
        return state or State()

    @hookimpl
    def on_tick(state: State) -> Iterable[Proposal]:
        turn, state.turn = state.turn, state.turn + 1
        if turn < STEPS:
            yield Raise(asset=np.sort(shares[turn]).astype(np.uint32), code="lamp_silent")
        elif turn % 20 == 0 and (turn - STEPS) // 20 < len(callers):
            lon, lat = callers[(turn - STEPS) // 20]
            dark = requests.SignNoted(topic="police.call", title=T, category="dark")
            yield Emit(kind="post.sign.noted", data=dark, lon=lon, lat=lat)

    for hook in (declare, prepare, start, on_tick):
        setattr(module, hook.__name__, hook)
    return module


@pytest.mark.slow
def test_a_dark_city_is_one_case(tmp_path: Path) -> None:
    generate_city(out=tmp_path / "city", seed=1, lamps=LAMPS)
    city = cities.load(tmp_path / "city")
    lamps = city.assets.of_kind("lamp")
    at = np.random.default_rng(2).choice(lamps, 20, replace=False)
    callers = list(zip(city.assets.lon[at].tolist(), city.assets.lat[at].tolist(), strict=True))
    post = Post(city, [lighting(lamps, callers), "coordination"])
    post.run(45)
    assert post.faults == []
    open_ = [row for row in post.views["coordination.incident"].values() if row.state != "closed"]
    assert [row.category for row in open_] == ["feeder_down"]
    announced = sum(event.data.announced for event in post.events_of("post.alarm.changed"))
    assert announced <= 10
    assert all(
        post.alarms[city.assets.ids[lamp], "lamp_silent"].state == "unacked_active" for lamp in lamps[:50]
    )
