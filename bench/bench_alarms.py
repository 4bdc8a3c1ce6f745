"""A whole city's lamps in one step: 34,000 alarms raised, counted, reported, and announced.

    pytest bench/bench_alarms.py --benchmark-json=alarms.json

``objects`` is what one would write first: a dict of Structs, one an alarm, that knows the same delays and states, but
neither explains nor groups nor counts. ``post`` is the whole step of a kernel whose trade raises them, with its event
encoded for the journal. Times are CPU time of the thread, interleaved; ``extra_info`` holds medians in ms.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import msgspec
import numpy as np

from adapters.cityimport.command import generate_city
from core import city as cities
from core import status
from core.alarms import Alarms
from core.assets import Assets
from core.declaration import AlarmKind, Text
from core.topology import Topology
from ondijon import Declaration, Raise, hookimpl
from ondijon.testing import Post

LAMPS = 34_000
KIND = AlarmKind(code="dark", priority=3, text=Text("noir", "dark"))
#: What may be the cause is waited for: nothing is announced in the same step.
WAITS = msgspec.structs.replace(KIND, suppressed_by=("cut",))
CUT = AlarmKind(code="cut", priority=1, text=Text("coupé", "cut"))


class Objects:
    """One Struct an alarm."""

    class Alarm(msgspec.Struct):
        state: str
        raised_at: int
        count: int = 1

    def __init__(self) -> None:
        self.known: dict[tuple[int, str], Objects.Alarm] = {}
        self.coming: dict[tuple[int, str], int] = {}

    def raise_(self, asset: int, code: str, mono: int) -> None:
        """The condition holds."""
        if (asset, code) not in self.known and (asset, code) not in self.coming:
            self.coming[asset, code] = mono

    def turn(self, mono: int, utc: int) -> list[Objects.Alarm]:
        """The alarms that changed."""
        due = [key for key, at in self.coming.items() if at <= mono]
        for key in due:
            del self.coming[key]
            self.known[key] = self.Alarm("unacked_active", utc)
        return [self.known[key] for key in due]


def spent_ms(work: Callable[[], object]) -> float:
    """CPU ms of this thread."""
    began = time.thread_time_ns()
    work()
    return (time.thread_time_ns() - began) / 1e6


def test_flood_in_one_step(benchmark, quick: bool, tmp_path: Path) -> None:
    generate_city(tmp_path / "city", 1, lamps=LAMPS)
    city = cities.load(tmp_path / "city")
    lamps = city.assets.of_kind("lamp")
    times: dict[str, list[float]] = {"ours": [], "ours_waiting": [], "objects": [], "post": []}

    def once() -> None:
        times["ours"].append(ours(city.assets, lamps, KIND))
        times["ours_waiting"].append(ours(city.assets, lamps, WAITS))
        times["objects"].append(objects(lamps))
        times["post"].append(post(city, lamps))

    benchmark.pedantic(once, rounds=3 if quick else 15, iterations=1, warmup_rounds=1)
    median = {name: statistics.median(each) for name, each in times.items()}
    benchmark.extra_info.update(
        {f"step_ms_{name}": round(ms, 1) for name, ms in median.items()}
        | {f"worst_ms_{name}": round(max(each), 1) for name, each in times.items()}
        | {"ratio_to_objects": round(median["objects"] / median["ours"], 2)}
        | {"lamps": len(lamps), "load": os.getloadavg()[0]}
    )


def ours(assets: Assets, lamps: np.ndarray, kind: AlarmKind) -> float:
    register = Alarms({"dark": (kind, "lighting"), "cut": (CUT, "lighting")}, Topology(assets))

    def step() -> None:
        register.raise_(lamps, "dark", 0, {"cause": "dark"})
        assert sum(len(change.assets) for change in register.turn(0, 1)) == len(lamps)

    return spent_ms(step)


def objects(lamps: np.ndarray) -> float:
    register = Objects()

    def step() -> None:
        for lamp in lamps.tolist():
            register.raise_(lamp, "dark", 0)
        assert len(register.turn(0, 1)) == len(lamps)

    return spent_ms(step)


def post(city: cities.City, lamps: np.ndarray) -> float:
    raised = Post(city, [trade(lamps)])

    def step() -> None:
        for event in raised.step().events:
            status.encode(event)

    ms = spent_ms(step)
    assert sum(event.data.announced for event in raised.events) == 1
    return ms


def trade(lamps: np.ndarray) -> ModuleType:
    """A trade that raises all lamps in the first step."""
    module = ModuleType("dark")
    declared = Declaration(
        name="dark",
        text=Text("noir", "dark"),
        config=msgspec.defstruct("Config", []),
        state=msgspec.defstruct("State", []),
        ticks={"once": 1e6},
        alarms=(KIND,),
    )

    @hookimpl
    def declare() -> Declaration:
        return declared

    @hookimpl
    def start() -> msgspec.Struct:
        return declared.state()

    @hookimpl
    def on_tick() -> list[Raise]:
        return [Raise(asset=lamps, code="dark", data={"cause": "dark"})]

    for hook in (declare, start, on_tick):
        setattr(module, hook.__name__, hook)
    return module
