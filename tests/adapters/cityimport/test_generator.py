from itertools import pairwise

import numpy as np
import pytest
import shapely

from adapters.cityimport import network
from adapters.cityimport.generator import generate
from adapters.cityimport.report import Input
from adapters.cityimport.town import COMMUNES
from core.city import STREET_CLASSES


@pytest.fixture(scope="module")
def town():
    return generate(7, 4_000)


def test_the_metropolis_has_23_communes_named_once():
    assert len({each[0] for each in COMMUNES}) == 23


def test_it_has_as_many_lamps_as_asked_and_scales_the_rest(town):
    assert len(town.lamps) == 4_000
    assert len(town.junctions) == len(town.junction_names) == 13
    assert len(town.cameras) == len(town.camera_names) == 32
    assert len(town.communes.names) == 23


def test_lamps_stand_beside_their_streets(town):
    plane = network.Plane(5.041, 47.322)
    lines = shapely.transform(town.lines.geometry, plane.metres)
    _, distance = shapely.STRtree(lines).query_nearest(
        shapely.points(plane.metres(town.lamps)), return_distance=True, all_matches=False
    )
    assert distance.max() < 10.0
    assert np.median(distance) > 2.0


def test_the_streets_are_one_network_that_one_way_streets_do_not_break(town):
    streets = network.build(town.lines, Input(file="generator", rows=len(town.lines.geometry)))
    assert 1.3 < streets.edges / streets.nodes < 2.1
    assert np.count_nonzero(streets.edge_oneway)
    tails = np.repeat(np.arange(streets.nodes), np.diff(streets.arc_start.astype(int)))
    for a, b in ((tails, streets.arc_to), (streets.arc_to, tails)):
        reached = np.zeros(streets.nodes, bool)
        reached[0] = True
        for _ in range(streets.nodes):
            before = reached.sum()
            reached[b[reached[a]]] = True
            if reached.sum() == before:
                break
        assert reached.all()


def test_all_street_classes_occur_and_most_streets_are_local(town):
    count = np.bincount(town.lines.street_class, minlength=len(STREET_CLASSES))
    assert np.all(count > 0)
    assert count[STREET_CLASSES.index("local")] > 0.5 * count.sum()


def test_communes_are_areas_side_by_side(town):
    start = town.communes.start
    areas = [
        shapely.Polygon(np.column_stack([town.communes.lon[a:b], town.communes.lat[a:b]]))
        for a, b in pairwise(start)
    ]
    assert all(area.is_valid for area in areas)
    together = shapely.union_all(areas)
    assert together.area == pytest.approx(sum(area.area for area in areas), rel=1e-6)
    assert together.geom_type == "Polygon"


def test_another_seed_is_another_city(town):
    assert not np.array_equal(generate(8, 4_000).lamps, town.lamps)


def test_street_names_are_plain_and_belong_to_one_stroke(town):
    assert len(set(town.lines.names)) > 100
    assert not any(name[-1].isdigit() for name in town.lines.names)
