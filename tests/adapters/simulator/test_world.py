from __future__ import annotations

import numpy as np
import pytest

from adapters.simulator.settings import Movers
from adapters.simulator.world import CAR, TICK_S, TRIP_TICKS, WALKER, World
from core.city import City

HOUR_TICKS = round(3600 / TICK_S)


def state(world: World) -> tuple[np.ndarray, ...]:
    who = np.flatnonzero(world.length < np.inf)
    return who, world.edge[who], world.forward[who], world.offsets(who)


def test_the_world_is_a_function_of_seed_and_time(city: City, evening: int) -> None:
    long_there, just_come = World(city, Movers(), 5), World(city, Movers(), 5)
    long_there.warm_up(evening)
    for tick in range(evening + 1, evening + 141):
        long_there.step(tick)
    just_come.warm_up(evening + 140)
    for mine, other in zip(state(long_there), state(just_come), strict=True):
        np.testing.assert_array_equal(mine, other)
    assert len(state(long_there)[0]) > 50


def test_another_seed_is_another_world(city: City, evening: int) -> None:
    one, two = World(city, Movers(), 5), World(city, Movers(), 6)
    one.warm_up(evening)
    two.warm_up(evening)
    assert not np.array_equal(one.edge, two.edge)


def test_the_evening_is_busier_than_the_night(city: City, evening: int) -> None:
    world = World(city, Movers(), 5)
    world.warm_up(evening - round(3.5 * HOUR_TICKS))
    busy = world.out()
    world.warm_up(evening + round(5.5 * HOUR_TICKS))
    assert np.all(world.out() < busy / 4)


def test_everybody_follows_the_streets(city: City, evening: int) -> None:
    streets = city.streets
    world = World(city, Movers(), 5)
    world.warm_up(evening)
    corners = 0
    for tick in range(evening + 1, evening + 201):
        edge, forward, pace = world.edge.copy(), world.forward.copy(), world.pace.copy()
        world.step(tick)
        same_trip = (world.pace == pace) & (edge < streets.edges) & (world.edge < streets.edges)
        moved = np.flatnonzero(same_trip & (world.edge != edge))
        corners += len(moved)
        left = np.where(forward, streets.edge_to[np.minimum(edge, streets.edges - 1)], 0)
        left = np.where(forward, left, streets.edge_from[np.minimum(edge, streets.edges - 1)])
        came_by = np.where(
            world.forward[moved], streets.edge_from[world.edge[moved]], streets.edge_to[world.edge[moved]]
        )
        np.testing.assert_array_equal(came_by, left[moved])
        out = np.flatnonzero(world.edge < streets.edges)
        assert np.all((world.offsets(out) >= -1e-9) & (world.offsets(out) <= world.length[out] + 1e-9))
    assert corners > 50


def test_cars_obey_signs_and_walkers_do_not(city: City, evening: int) -> None:
    streets = city.streets
    world = World(city, Movers(walkers=30.0), 5)
    world.warm_up(evening)
    against = {WALKER: 0, CAR: 0}
    for tick in range(evening + 1, evening + 300):
        world.step(tick)
        out = world.edge < streets.edges
        rule = np.append(streets.edge_oneway, 0)[world.edge]
        wrong = out & (rule != 0) & (world.forward != (rule > 0))
        for kind in against:
            against[kind] += int(np.count_nonzero(wrong & (world.kind == kind)))
        on_path = np.append(streets.edge_class, 0)[world.edge] == 4
        assert not np.any(out & on_path & (world.kind == CAR))
    assert against[CAR] == 0
    assert against[WALKER] > 0 or not np.any(streets.edge_oneway)


@pytest.mark.parametrize("activity", [0.0, 0.01])
def test_an_empty_city_is_a_city(city: City, evening: int, activity: float) -> None:
    world = World(city, Movers(activity=activity), 5)
    world.warm_up(evening)
    assert world.out().sum() <= TRIP_TICKS
