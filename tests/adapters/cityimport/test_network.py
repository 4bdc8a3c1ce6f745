import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.cityimport.inventory import Inventory
from adapters.cityimport.network import Lines, build, lines_of, oneway, street_class
from adapters.cityimport.plane import Plane
from adapters.cityimport.report import Input
from core.city import STREET_CLASSES

HERE = Plane(5.041, 47.322)


def lines(*paths, ways=None):
    geometry = np.array([shapely.LineString(HERE.degrees(np.array(path, float))) for path in paths])
    n = len(paths)
    return Lines(
        geometry,
        np.full(n, 3, np.uint8),
        np.zeros(n, np.int8) if ways is None else np.array(ways, np.int8),
        [f"Rue {i}" for i in range(n)],
        np.arange(n),
    )


def graph_of(*paths, ways=None):
    tally = Input(file="streets", rows=len(paths))
    streets = build(lines(*paths, ways=ways), tally)
    assert tally.rows == tally.used + sum(tally.refused.values())
    return streets, tally


def length(path):
    return float(np.hypot(*np.diff(np.array(path, float), axis=0).T).sum())


def test_ends_that_almost_meet_are_one_node():
    streets, _ = graph_of([(0, 0), (100, 0)], [(100.6, 0.3), (200, 0)])
    assert (streets.nodes, streets.edges) == (3, 2)


def test_ends_farther_apart_stay_two_nodes():
    streets, _ = graph_of([(0, 0), (100, 0)], [(101.5, 0), (200, 0)])
    assert streets.nodes == 4


def test_a_line_is_split_where_another_ends_on_it():
    streets, _ = graph_of([(0, 0), (50, 0), (200, 0)], [(80, 0.4), (80, 100)], ways=[1, 0])
    assert (streets.nodes, streets.edges) == (4, 3)
    names = [streets.names[i] for i in streets.edge_name]
    assert names == ["Rue 0", "Rue 0", "Rue 1"]
    assert streets.edge_oneway.tolist() == [1, 1, 0]
    assert streets.edge_to[0] == streets.edge_from[1] == streets.edge_from[2]
    np.testing.assert_allclose(streets.edge_length_m, [80, 120, 100], atol=1.0)


def test_lines_that_only_cross_are_a_bridge():
    streets, _ = graph_of([(0, 0), (100, 0)], [(50, -50), (50, 50)])
    assert (streets.nodes, streets.edges) == (4, 2)


def test_a_roundabout_keeps_its_shape_and_is_split_by_its_arms():
    ring = [(20 * np.cos(a), 20 * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 25)]
    streets, _ = graph_of(ring, [(-120, 0), (-20, 0)])
    assert streets.edges == 3
    assert float(streets.edge_length_m.sum()) == pytest.approx(length(ring) + 100, rel=0.01)


def test_lines_without_length_are_counted():
    streets, tally = graph_of([(0, 0), (0, 0)], [(0, 0), (0.4, 0.4)], [(0, 0), (90, 0)])
    assert streets.edges == 1
    assert tally.used == 1
    assert tally.refused == {"zero_length": 1, "shorter_than_snap": 1}


def test_the_arcs_obey_the_one_way_rule():
    streets, _ = graph_of([(0, 0), (100, 0)], [(100, 0), (200, 0)], [(200, 0), (300, 0)], ways=[1, 0, -1])
    assert np.diff(streets.arc_start.astype(int)).sum() == len(streets.arc_to) == 4


@st.composite
def street_plans(draw):
    """Lines on a coarse lattice, some of which end on the middle of others."""
    lattice = st.tuples(st.integers(0, 8), st.integers(0, 8)).map(lambda p: (p[0] * 40.0, p[1] * 40.0))
    pairs = draw(st.lists(st.tuples(lattice, lattice), min_size=1, max_size=12))
    slide = st.floats(-0.3, 0.3)
    return [[(ax + draw(slide), ay + draw(slide)), (bx, by)] for (ax, ay), (bx, by) in pairs]


@settings(max_examples=80, deadline=None)
@given(street_plans())
def test_splitting_keeps_the_total_length(paths):
    streets, tally = graph_of(*paths) if any(length(p) > 5 for p in paths) else (None, None)
    if streets is None:
        return
    kept = [p for p in paths if length(p) > 5]
    # Each cut and each end moves by at most the snapping tolerance.
    slack = 2.0 * (streets.edges + len(paths))
    assert float(streets.edge_length_m.sum()) == pytest.approx(sum(map(length, kept)), abs=slack)
    assert tally.used == len(kept)
    assert streets.edge_from.max() < streets.nodes > streets.edge_to.max()
    assert np.all(streets.edge_length_m > 0)
    starts = streets.point_start[:-1].astype(int)
    np.testing.assert_array_equal(streets.point_lon[starts], streets.node_lon[streets.edge_from])
    last = streets.point_start[1:].astype(int) - 1
    np.testing.assert_array_equal(streets.point_lat[last], streets.node_lat[streets.edge_to])


@settings(max_examples=30, deadline=None)
@given(street_plans())
def test_no_node_lies_on_the_middle_of_a_street_that_is_not_its_own(paths):
    if not any(length(p) > 5 for p in paths):
        return
    streets, _ = graph_of(*paths)
    plane = Plane.over(streets.node_lon, streets.node_lat)
    nodes = plane.metres(np.column_stack([streets.node_lon, streets.node_lat]))
    for e in range(streets.edges):
        a, b = nodes[streets.edge_from[e]], nodes[streets.edge_to[e]]
        far = shapely.distance(shapely.points(nodes), shapely.LineString([a, b]))
        off_ends = (np.hypot(*(nodes - a).T) > 3) & (np.hypot(*(nodes - b).T) > 3)
        assert not np.any(off_ends & (far < 0.05))


# Attributes


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"highway": "primary"}, "structuring"),
        ({"highway": "residential"}, "local"),
        ({"typvoi": "AV"}, "collector"),
        ({"typvoi": "BD", "domanialit": "Publique départementale"}, "structuring"),
        ({"typvoi": "RUE", "occupation": " Piéton"}, "path"),
        ({"typvoi": "RUE", "sens_circu": "INTERDIT"}, "path"),
        ({"hierarchie": "5"}, "local"),
        ({"importance": "3"}, "distributor"),
        ({}, "local"),
        ({"typvoi": "?", "nature": None}, "local"),
    ],
)
def test_street_class_of_attributes(attributes, expected):
    assert STREET_CLASSES[street_class(attributes)] == expected


@pytest.mark.parametrize(
    ("said", "expected"), [("SENS UNIQUE", 1), ("yes", 1), ("-1", -1), ("DOUBLE SENS", 0), ("", 0), (None, 0)]
)
def test_one_way_of_attributes(said, expected):
    assert oneway({"sens_circu": said}) == oneway({"oneway": said}) == expected


def test_what_is_not_a_street_is_counted():
    geometry = np.array(
        [
            shapely.Point(5, 47),
            shapely.LineString([(5, 47), (5.001, 47)]),
            shapely.LineString([(5, 47), (5, 47.001)]),
            shapely.MultiLineString([[(5, 47), (4.999, 47)], [(5, 46.999), (5.001, 46.999)]]),
        ]
    )
    attributes = [{}, {"occupation": "Fluvial"}, {"nom": "Rue A"}, {}]
    inventory = Inventory(geometry, attributes, Input(file="streets", rows=4))
    found = lines_of(inventory)
    assert inventory.tally.refused == {"not_a_line": 1, "waterway": 1}
    assert found.row.tolist() == [2, 3, 3]
    assert found.names == ["Rue A", "Voie sans nom", "Voie sans nom"]
    build(found, inventory.tally)
    assert inventory.tally.used == 2
