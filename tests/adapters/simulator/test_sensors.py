from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from adapters.simulator.sensors import Sensors
from core.assets import NONE
from core.city import City


@dataclass
class Street:
    edge_length_m: np.ndarray
    edges: int


@dataclass
class Placed:
    edge: np.ndarray
    offset_m: np.ndarray


@dataclass
class Town:
    streets: Street
    assets: Placed


@dataclass
class Crowd:
    edge: np.ndarray
    offset_m: np.ndarray
    tick: int = 0

    def offsets(self, who: np.ndarray) -> np.ndarray:
        return self.offset_m[who]


def brute_force(town: Town, range_m: np.ndarray, crowd: Crowd) -> list[bool]:
    seen = []
    for edge, offset, reach in zip(town.assets.edge, town.assets.offset_m, range_m, strict=True):
        near = [
            abs(float(offset) - o) <= reach
            for e, o in zip(crowd.edge, crowd.offset_m, strict=True)
            if e == edge
        ]
        seen.append(edge != NONE and any(near))
    return seen


@hypothesis_settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), sensors=st.integers(0, 25), movers=st.integers(0, 60))
def test_sensors_see_as_by_brute_force(seed: int, sensors: int, movers: int) -> None:
    rng = np.random.default_rng(seed)
    length = rng.uniform(2, 90, size=6).astype(np.float32)
    edge = rng.integers(0, 6, size=sensors).astype(np.uint32)
    offset = (rng.uniform(0, 1, size=sensors) * length[edge]).astype(np.float32)
    edge[rng.random(sensors) < 0.1] = NONE
    town = Town(Street(length, 6), Placed(edge, offset))
    range_m = rng.uniform(1, 40, size=sensors)
    where = rng.integers(0, 7, size=movers)  # 6: not out
    at = rng.uniform(0, 1, size=movers) * np.append(length, 50.0)[where]
    crowd = Crowd(where, at)
    seen = Sensors(town, np.arange(sensors), range_m, 15).look(crowd)  # type: ignore[arg-type]
    assert seen.tolist() == brute_force(town, range_m, crowd)


def test_a_sensor_speaks_when_somebody_comes_and_repeats() -> None:
    town = Town(
        Street(np.array([100.0], np.float32), 1),
        Placed(np.array([0], np.uint32), np.array([50.0], np.float32)),
    )
    sensors = Sensors(town, np.array([0]), np.array([10.0]), repeat_ticks=15)  # type: ignore[arg-type]
    spoke = []
    for tick in range(1, 101):
        crowd = Crowd(np.array([0]), np.array([50.0 if 7 <= tick < 60 else 90.0]), tick)
        if len(sensors.detect(crowd)):  # type: ignore[arg-type]
            spoke.append(tick)
    assert spoke == [7, 15, 30, 45]


def test_a_generated_city_has_working_sensors(city: City) -> None:
    asset = city.assets.of_kind("presence_sensor")
    range_m = city.assets.attribute("presence_sensor", "range_m", np.float64)
    sensors = Sensors(city, asset, range_m, 15)
    crowd = Crowd(
        city.assets.edge[asset[3:4]].astype(np.int64), city.assets.offset_m[asset[3:4]].astype(np.float64)
    )
    assert sensors.look(crowd)[3]  # type: ignore[arg-type]
