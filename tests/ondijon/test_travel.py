"""Times between many places, judged by walking the streets with networks' plainest search."""

from __future__ import annotations

import heapq
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.assets import NONE
from core.city import STREET_CLASSES
from ondijon.streets import Places
from ondijon.testing import City
from ondijon.travel import SPEED_KMH, Travel, drive_seconds
from tests.ondijon.test_streets import city_of, random_streets


def places(*at: tuple[int, float]) -> Places:
    edge, offset = zip(*at, strict=True) if at else ((), ())
    return Places(np.array(edge, np.uint32), np.array(offset, float), np.zeros(len(at)))


def plain(streets, cost, start: tuple[int, float], goal: tuple[int, float]) -> float:
    """The cheapest way, with start and goal as nodes of their own that cut their streets into parts."""
    if NONE in (start[0], goal[0]):
        return math.inf
    stops: dict[int, list[tuple[float, object]]] = {}
    for name, (edge, offset) in {"start": start, "goal": goal}.items():
        stops.setdefault(edge, []).append((offset, name))
    arcs: dict[object, list[tuple[object, float]]] = {}
    for edge in range(streets.edges):
        length = float(streets.edge_length_m[edge])
        ends = (0.0, int(streets.edge_from[edge])), (length, int(streets.edge_to[edge]))
        chain = [ends[0], *sorted(stops.get(edge, []), key=lambda stop: stop[0]), ends[1]]
        for (x, u), (y, v) in itertools.pairwise(chain):
            share = (y - x) / length
            price = cost[edge] * share if share > 0 else 0.0
            if streets.edge_oneway[edge] >= 0:
                arcs.setdefault(u, []).append((v, price))
            if streets.edge_oneway[edge] <= 0:
                arcs.setdefault(v, []).append((u, price))
            if share == 0:
                arcs.setdefault(u, []).append((v, 0.0))
                arcs.setdefault(v, []).append((u, 0.0))
    best, heap = {"start": 0.0}, [(0.0, 0, "start")]
    count = 0
    while heap:
        so_far, _, node = heapq.heappop(heap)
        if so_far > best[node]:
            continue
        for other, price in arcs.get(node, []):
            if so_far + price < best.get(other, math.inf):
                best[other] = so_far + price
                heapq.heappush(heap, (best[other], count := count + 1, other))
    return best.get("goal", math.inf)


@settings(max_examples=150, deadline=None)
@given(random_streets(), st.data())
def test_every_time_is_that_of_the_plain_twin(city, data) -> None:
    streets = city.streets
    prices = st.one_of(st.floats(0.5, 50), st.just(math.inf))
    cost = np.array(data.draw(st.lists(prices, min_size=streets.edges, max_size=streets.edges)))
    # Strictly between the ends: what a place right at a junction may do is a matter of taste.
    place = st.tuples(st.integers(0, streets.edges - 1), st.floats(0.1, 0.9)).map(
        lambda at: (at[0], at[1] * float(streets.edge_length_m[at[0]]))
    )
    starts = data.draw(st.lists(place, min_size=1, max_size=4))
    goals = data.draw(st.lists(place, min_size=1, max_size=4))
    table = Travel(streets, cost).table(places(*starts), places(*goals))
    for i, start in enumerate(starts):
        for j, goal in enumerate(goals):
            assert table[i, j] == pytest.approx(plain(streets, cost, start, goal)), (start, goal)


def test_a_place_without_a_street_is_not_reached() -> None:
    travel = Travel(City.small().streets, np.ones(3))
    table = travel.table(places((NONE, 0.0), (0, 150.0)), places((NONE, 0.0), (2, 150.0)))
    assert np.isinf(table[0]).all()
    assert np.isinf(table[:, 0]).all()
    assert table[1, 1] == pytest.approx(2.0)


def test_one_way_streets_are_obeyed() -> None:
    ring = city_of([(0, 0), (100, 0), (100, 100), (0, 100)], [(0, 1), (1, 2), (2, 3), (3, 0)], [1, 1, 1, 1])
    table = Travel(ring.streets, np.full(4, 10.0)).table(places((0, 50.0)), places((0, 40.0), (0, 60.0)))
    assert table.tolist() == [[pytest.approx(39.0), pytest.approx(1.0)]]


def test_of_two_streets_between_the_same_corners_the_cheaper_is_taken() -> None:
    city = city_of([(0, 0), (100, 0), (200, 0), (-100, 0)], [(0, 1), (0, 1), (1, 2), (3, 0)])
    table = Travel(city.streets, np.array([30.0, 5.0, 2.0, 2.0])).table(places((3, 50.0)), places((2, 50.0)))
    assert table[0, 0] == pytest.approx(1.0 + 5.0 + 1.0)


def test_nothing_asked_nothing_told() -> None:
    assert Travel(City.small().streets, np.ones(3)).table(places(), places((0, 1.0))).shape == (0, 1)


def test_every_street_class_has_its_pace() -> None:
    assert list(SPEED_KMH) == list(STREET_CLASSES)
    city = City.small()
    assert drive_seconds(city.streets)[0] == pytest.approx(300 / (SPEED_KMH["collector"] / 3.6))


@pytest.mark.parametrize("bad", [-1.0, math.nan])
def test_a_cost_below_nothing_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="cost"):
        Travel(City.small().streets, np.array([1.0, bad, 1.0]))
