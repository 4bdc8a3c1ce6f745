import heapq
import math

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from core.assets import NONE, Assets
from core.city import City, Communes, Description, Streets, arcs
from ondijon.streets import StreetMap

METRE = 1.0 / 111_194.9266  # degrees of latitude


def city_of(nodes, edges, oneway=None):
    """A city of straight streets: nodes in metres from (5.0 E, 0.0 N), edges as pairs of nodes."""
    xy = np.asarray(nodes, np.float64)
    ends = np.asarray(edges, np.int64).reshape(-1, 2)
    oneway = np.zeros(len(ends), np.int8) if oneway is None else np.asarray(oneway, np.int8)
    lon, lat = 5.0 + xy[:, 0] * METRE, xy[:, 1] * METRE
    arc_start, arc_to, arc_edge = arcs(len(xy), ends[:, 0], ends[:, 1], oneway)
    streets = Streets(
        names=("Rue",),
        node_lon=lon,
        node_lat=lat,
        edge_from=ends[:, 0].astype(np.uint32),
        edge_to=ends[:, 1].astype(np.uint32),
        edge_length_m=np.hypot(*(xy[ends[:, 0]] - xy[ends[:, 1]]).T).astype(np.float32),
        edge_class=np.full(len(ends), 3, np.uint8),
        edge_oneway=oneway,
        edge_name=np.zeros(len(ends), np.uint32),
        point_start=(np.arange(len(ends) + 1) * 2).astype(np.uint32),
        point_lon=lon[ends.ravel()],
        point_lat=lat[ends.ravel()],
        arc_start=arc_start,
        arc_to=arc_to,
        arc_edge=arc_edge,
    )
    nothing = {name: np.empty(0) for name in Assets.COLUMNS}
    assets = Assets(ids=(), names=(), kinds=(), gateways=(), columns=nothing, attributes={})
    communes = Communes((), np.zeros(1, np.uint32), np.empty(0), np.empty(0))
    about = Description(format=1, name="t", timezone="UTC", licence="", origin="", synthetic=[])
    return City(about, communes, streets, assets)


def degrees(points):
    xy = np.asarray(points, np.float64).reshape(-1, 2)
    return 5.0 + xy[:, 0] * METRE, xy[:, 1] * METRE


@pytest.fixture(scope="module")
def grid():
    """A grid of 5 x 4 nodes, 100 m apart; node = 5 * row + column; rows first, then columns."""
    nodes = [(100 * c, 100 * r) for r in range(4) for c in range(5)]
    along = [(5 * r + c, 5 * r + c + 1) for r in range(4) for c in range(4)]
    across = [(5 * r + c, 5 * r + c + 5) for r in range(3) for c in range(5)]
    return StreetMap(city_of(nodes, along + across))


@st.composite
def random_streets(draw):
    n = draw(st.integers(3, 12))
    nodes = draw(
        st.lists(st.tuples(st.integers(0, 900), st.integers(0, 900)), min_size=n, max_size=n, unique=True)
    )
    pairs = [(a, b) for a in range(n) for b in range(n) if a < b]
    edges = draw(st.lists(st.sampled_from(pairs), min_size=2, max_size=25, unique=True))
    oneway = draw(st.lists(st.sampled_from((-1, 0, 1)), min_size=len(edges), max_size=len(edges)))
    return city_of(nodes, edges, oneway)


positions = st.lists(st.tuples(st.floats(-200, 1100), st.floats(-200, 1100)), min_size=1, max_size=8)


# nearest and point_at


@settings(max_examples=60, deadline=None)
@given(random_streets(), positions, st.sampled_from((math.inf, 80.0)))
def test_nearest_is_the_brute_force_twin(city, points, within_m):
    lon, lat = degrees(points)
    places = StreetMap(city).nearest(lon, lat, within_m=within_m)
    s = city.streets
    px, py = city.project(s.point_lon, s.point_lat)
    ends = np.column_stack([px, py]).reshape(-1, 2, 2)
    lines = [shapely.LineString(pair) for pair in ends]
    for i, point in enumerate(shapely.points(*city.project(lon, lat))):
        distance = [line.distance(point) for line in lines]
        if min(distance) > within_m:
            assert places.edge[i] == NONE
            assert places.distance_m[i] == math.inf
            continue
        e = int(places.edge[i])
        assert distance[e] == pytest.approx(min(distance), abs=1e-6)
        assert places.distance_m[i] == pytest.approx(distance[e], abs=1e-6)
        along = lines[e].interpolate(places.offset_m[i] / s.edge_length_m[e], normalized=True)
        assert along.distance(point) == pytest.approx(distance[e], abs=1e-3)


@settings(max_examples=40, deadline=None)
@given(random_streets(), st.data())
def test_a_point_of_a_street_is_found_again_on_it(city, data):
    street_map = StreetMap(city)
    edge = data.draw(st.integers(0, city.streets.edges - 1))
    offset = data.draw(st.floats(0, 1)) * float(city.streets.edge_length_m[edge])
    lon, lat = street_map.point_at(np.array([edge]), np.array([offset]))
    places = street_map.nearest(lon, lat)
    assert places.distance_m[0] < 1e-6
    if places.edge[0] == edge:
        assert places.offset_m[0] == pytest.approx(offset, abs=1e-3)


def test_point_at_stays_on_the_street_beyond_its_ends(grid):
    lon, lat = grid.point_at(np.array([0, 0]), np.array([-50.0, 500.0]))
    np.testing.assert_allclose(lon, grid.city.streets.node_lon[:2])
    np.testing.assert_allclose(lat, grid.city.streets.node_lat[:2], atol=1e-12)


def test_of_equally_near_streets_the_lowest_number_is_taken(grid):
    at_node = degrees([(100, 100)])
    assert grid.nearest(*at_node).edge.tolist() == [4]


def test_a_position_that_is_not_finite_has_no_street(grid):
    places = grid.nearest(np.array([5.0, math.nan, math.inf]), np.array([0.0, 0.0, 0.0]))
    assert places.edge.tolist() == [0, NONE, NONE]
    assert places.distance_m.tolist()[1:] == [math.inf, math.inf]


def test_no_positions_give_no_places(grid):
    assert len(grid.nearest(np.empty(0), np.empty(0)).edge) == 0


def test_a_whole_city_of_positions_is_asked_in_one_call(grid):
    rng = np.random.default_rng(1)
    lon, lat = degrees(rng.uniform(0, 400, (20_000, 2)))
    assert np.all(grid.nearest(lon, lat).edge != NONE)


# neighbours and hops


def test_neighbours_share_a_node_and_do_not_contain_the_street_itself(grid):
    s = grid.city.streets
    for edge in range(s.edges):
        mine = {s.edge_from[edge], s.edge_to[edge]}
        expected = [e for e in range(s.edges) if e != edge and mine & {s.edge_from[e], s.edge_to[e]}]
        assert grid.neighbours(edge).tolist() == expected


@settings(max_examples=40, deadline=None)
@given(random_streets(), st.integers(0, 4))
def test_hops_are_those_of_a_plain_search(city, hops):
    street_map, s = StreetMap(city), city.streets
    touching = [{int(s.edge_from[e]), int(s.edge_to[e])} for e in range(s.edges)]
    expected, frontier = {0: 0}, {0}
    for hop in range(1, hops + 1):
        frontier = {e for e in range(s.edges) for f in frontier if touching[e] & touching[f]} - set(expected)
        expected |= dict.fromkeys(frontier, hop)
    edges, away = street_map.within_hops([0], hops)
    assert dict(zip(edges.tolist(), away.tolist(), strict=True)) == expected
    assert np.all(np.diff(edges.astype(int)) > 0)


# shortest path


def plain_dijkstra(streets, start, cost):
    best, heap = {start: 0.0}, [(0.0, start)]
    while heap:
        d, node = heapq.heappop(heap)
        if d > best[node]:
            continue
        for e in range(streets.edges):
            a, b, way = int(streets.edge_from[e]), int(streets.edge_to[e]), streets.edge_oneway[e]
            for tail, head, allowed in ((a, b, way >= 0), (b, a, way <= 0)):
                if allowed and tail == node and d + cost[e] < best.get(head, math.inf):
                    best[head] = d + cost[e]
                    heapq.heappush(heap, (best[head], head))
    return best


@settings(max_examples=60, deadline=None)
@given(random_streets(), st.data())
def test_shortest_path_costs_what_the_plain_twin_says(city, data):
    s = city.streets
    prices = st.one_of(st.floats(0, 50), st.just(math.inf))
    cost = data.draw(st.one_of(st.none(), st.lists(prices, min_size=s.edges, max_size=s.edges).map(np.array)))
    start, goal = data.draw(st.integers(0, s.nodes - 1)), data.draw(st.integers(0, s.nodes - 1))
    path = StreetMap(city).shortest_path(start, goal, cost)
    price = s.edge_length_m.astype(float) if cost is None else cost
    best = plain_dijkstra(s, start, price)
    if path is None:
        assert goal not in best
        return
    assert path.cost == pytest.approx(best[goal])
    assert path.cost == pytest.approx(float(price[path.edges].sum()))
    assert path.length_m == pytest.approx(float(s.edge_length_m[path.edges].sum()))
    assert (path.nodes[0], path.nodes[-1]) == (start, goal)
    for a, b, e in zip(path.nodes, path.nodes[1:], path.edges, strict=False):
        onward = (s.edge_from[e], s.edge_to[e]) == (a, b)
        assert s.edge_oneway[e] != (-1 if onward else 1)
        assert onward or (s.edge_to[e], s.edge_from[e]) == (a, b)


def test_the_way_from_a_node_to_itself_is_empty(grid):
    path = grid.shortest_path(3, 3)
    assert (path.nodes.tolist(), path.edges.tolist(), path.length_m, path.cost) == ([3], [], 0.0, 0.0)


@pytest.mark.parametrize("bad", [-1.0, math.nan])
def test_a_cost_below_nothing_is_refused(grid, bad):
    cost = np.ones(grid.city.streets.edges)
    cost[3] = bad
    with pytest.raises(ValueError, match="cost"):
        grid.shortest_path(0, 1, cost)


# map matching


def test_a_noisy_drive_is_put_on_the_streets_it_drove(grid):
    path = grid.shortest_path(0, 14)
    edge = np.repeat(path.edges, 5)
    offset = np.tile([10.0, 30.0, 50.0, 70.0, 90.0], len(path.edges))
    lon, lat = grid.point_at(edge, offset)
    rng = np.random.default_rng(4)
    noise = rng.normal(0, 8.0 * METRE, (2, len(lon)))
    matched = grid.match(lon + noise[0], lat + noise[1])
    nearest = grid.nearest(lon + noise[0], lat + noise[1])
    right = np.count_nonzero(matched.edge == edge)
    assert right >= 0.95 * len(edge)
    assert right >= np.count_nonzero(nearest.edge == edge)


def test_matching_prefers_the_street_driven_to_the_nearer_side_street():
    # A straight street of two sections, and a dead end that starts where one fix has strayed to.
    streets = StreetMap(city_of([(0, 0), (100, 0), (200, 0), (100, 60)], [(0, 1), (1, 2), (1, 3)]))
    lon, lat = degrees([(40, 1), (80, 2), (104, 9), (120, 1), (160, -1)])
    assert streets.nearest(lon, lat).edge.tolist() == [0, 0, 2, 1, 1]
    assert streets.match(lon, lat).edge.tolist() == [0, 0, 1, 1, 1]


def test_matching_obeys_one_way_streets():
    # Two parallel one-way streets 12 m apart, joined at the ends; the drive goes west, fixes in between.
    nodes = [(0, 0), (300, 0), (300, 12), (0, 12)]
    streets = StreetMap(city_of(nodes, [(0, 1), (2, 3), (1, 2), (3, 0)], [1, 1, 0, 0]))
    lon, lat = degrees([(250, 5), (200, 5), (150, 5), (100, 5)])
    assert streets.nearest(lon, lat).edge.tolist() == [0, 0, 0, 0]
    assert streets.match(lon, lat).edge.tolist() == [1, 1, 1, 1]


def test_a_vehicle_that_stands_still_stays_on_its_one_way_street():
    streets = StreetMap(city_of([(0, 0), (300, 0)], [(0, 1)], [1]))
    lon, lat = degrees([(100, 2), (97, -1), (101, 0), (99, 1)])
    assert streets.match(lon, lat).edge.tolist() == [0, 0, 0, 0]


def test_fixes_without_a_street_are_left_out_and_the_rest_goes_on(grid):
    lon, lat = degrees([(20, 3), (60, 900), (math.nan, 0), (180, -2)])
    matched = grid.match(lon, lat)
    assert matched.edge.tolist() == [0, NONE, NONE, 1]


def test_a_trace_with_no_way_between_two_fixes_starts_anew():
    streets = StreetMap(city_of([(0, 0), (100, 0), (5000, 0), (5100, 0)], [(0, 1), (2, 3)]))
    lon, lat = degrees([(20, 1), (60, 1), (5020, 1), (5060, 1)])
    assert streets.match(lon, lat).edge.tolist() == [0, 0, 1, 1]


def test_an_empty_trace_matches_nothing(grid):
    assert len(grid.match(np.empty(0), np.empty(0)).edge) == 0
    assert grid.match(*degrees([(5000, 5000)])).edge.tolist() == [NONE]
