from __future__ import annotations

from itertools import pairwise

import msgspec
import numpy as np

from adapters.simulator.district import District
from adapters.simulator.settings import Settings
from adapters.simulator.simulation import Simulation
from adapters.simulator.world import TICK_US
from core.city import City

Sample = tuple[int, int, int, int, float]


def play(simulation: Simulation, first: int, ticks: int, group: int) -> list[Sample]:
    """All samples of a run whose frames leave every ``group`` ticks: (gateway, wire, metric, time, value)."""
    samples: list[Sample] = []
    simulation.begin(first)
    for tick in range(first, first + ticks):
        simulation.step(tick)
        if (tick - first) % group == group - 1 or tick == first + ticks - 1:
            for frame in simulation.outbox.take():
                gateway = np.full(len(frame.wire), frame.gateway + simulation.district.first)
                columns = (gateway, frame.wire, frame.metric, frame.time, frame.value)
                samples += list(zip(*(column.tolist() for column in columns), strict=True))
    return sorted(samples)


def of_parts(city: City, settings: Settings, first: int, parts: int, group: int) -> list[Sample]:
    shared = msgspec.structs.replace(settings, processes=parts)
    return sorted(
        s for part in range(parts) for s in play(Simulation(city, shared, 9, part), first, 150, group)
    )


def test_parts_and_grouping_change_nothing(city: City, settings: Settings, evening: int) -> None:
    whole = of_parts(city, settings, evening, 1, 1)
    assert len({sample[2] for sample in whole}) == 6, "all metrics occur"
    assert of_parts(city, settings, evening, 3, 7) == whole


def test_who_comes_later_sees_the_same_people(city: City, settings: Settings, evening: int) -> None:
    def seen(samples: list[Sample]) -> list[Sample]:
        return [s for s in samples if s[2] == 2 and s[3] >= (evening + 50) * 200_000]

    early, late = Simulation(city, settings, 9), Simulation(city, settings, 9)
    first = seen(play(early, evening, 150, 1))
    assert first == seen(play(late, evening + 50, 100, 1))
    assert len(first) > 20
    np.testing.assert_array_equal(early.broken, late.broken)
    np.testing.assert_array_equal(early.lost, late.lost)


def test_after_a_welcome_everything_reports_soon(city: City, evening: int) -> None:
    simulation = Simulation(city, Settings(processes=1), 9)
    simulation.begin(evening)
    for g in range(len(simulation.district.gateways)):
        simulation.welcome(g)
    reported = np.zeros((6, len(city.assets)), bool)
    for tick in range(evening, evening + 26):
        simulation.step(tick)
        for frame in simulation.outbox.take():
            behind = city.assets.of_gateway(city.assets.gateways[frame.gateway])
            reported[frame.metric, behind[frame.wire]] = True
    fed = simulation.lamps.powered
    assert np.all(reported[0][city.assets.of_kind("lamp")[fed]])
    assert np.all(reported[1][city.assets.of_kind("lamp")[fed]])
    assert np.all(reported[3][city.assets.of_kind("presence_sensor")[~simulation.deaf]])
    assert np.all(reported[4][city.assets.of_kind("cabinet")])


def test_deaf_sensors_and_dead_feeders_are_silent(city: City, settings: Settings, evening: int) -> None:
    simulation = Simulation(city, settings, 9)
    simulation.begin(evening)
    for g in range(len(simulation.district.gateways)):
        simulation.welcome(g)
    deaf = set(city.assets.of_kind("presence_sensor")[simulation.deaf].tolist())
    assert deaf
    for tick in range(evening, evening + 60):
        simulation.step(tick)
        for frame in simulation.outbox.take():
            behind = city.assets.of_gateway(city.assets.gateways[frame.gateway])
            assert not deaf & set(behind[frame.wire].tolist())


def test_parts_share_all_gateways_and_nothing_twice(city: City) -> None:
    for parts in (1, 2, 3, 50):
        districts = [District(city.assets, part, parts) for part in range(parts)]
        assert [g for d in districts for g in d.gateways] == list(city.assets.gateways)
        lamps = np.concatenate([d.lamps.asset for d in districts])
        np.testing.assert_array_equal(lamps, city.assets.of_kind("lamp"))


def test_doors_are_opened_and_closed_in_turn_and_the_same_in_every_run(city: City, evening: int) -> None:
    def doors() -> list[tuple[int, bool, int]]:
        simulation = Simulation(city, Settings(processes=1, visits_a_day=1.0), 9)
        simulation.begin(evening)
        for hour in range(24):
            simulation._visit((evening + hour * 3_600_000_000 // TICK_US) * TICK_US)
        return simulation.doors

    told = doors()
    assert told == doors()
    assert {is_open for _, is_open, _ in told} == {True, False}
    for cabinet in {row for row, _, _ in told}:
        turns = [is_open for row, is_open, _ in told if row == cabinet]
        assert all(a != b for a, b in pairwise(turns))
