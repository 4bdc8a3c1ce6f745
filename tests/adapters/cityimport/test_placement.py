import numpy as np
import shapely

from adapters.cityimport import boundary, network, placement
from adapters.cityimport.inventory import Inventory
from adapters.cityimport.plane import Plane
from adapters.cityimport.report import Input

HERE = Plane(5.041, 47.322)


def streets_of(*paths, classes=None):
    geometry = np.array([shapely.LineString(HERE.degrees(np.array(path, float))) for path in paths])
    classes = np.full(len(paths), 3) if classes is None else classes
    lines = network.Lines(
        geometry,
        np.asarray(classes, np.uint8),
        np.zeros(len(paths), np.int8),
        [""] * len(paths),
        np.arange(len(paths)),
    )
    return network.build(lines, Input(file="streets", rows=len(paths)))


def inventory(geometry, attributes):
    return Inventory(np.array(geometry), attributes, Input(file="f", rows=len(geometry)))


def test_the_arms_of_a_junction_leave_its_circle_and_are_no_paths():
    # A dual carriageway: two nodes 12 m apart, joined; five arms for traffic and a footpath.
    a, b = (0, 0), (12, 0)
    arms = [[a, b], [a, (-100, 0)], [a, (0, 100)], [b, (112, 0)], [b, (12, 100)], [b, (12, -100)]]
    streets = streets_of(*arms, [a, (0, -100)], classes=[3, 3, 3, 3, 3, 3, 4])
    signals = HERE.degrees(np.array([(6.0, 3.0), (-28.0, -10.0), (500.0, 500.0)]))
    assert placement.arms(streets, signals).tolist() == [5, 5, 0]
    assert sorted(placement.degree(streets).tolist()) == [0, 1, 1, 1, 1, 1, 3, 4]


def test_points_are_taken_and_the_rest_counted():
    of = inventory(
        [
            shapely.Point(5, 47),
            shapely.MultiPoint([(5, 47.1)]),
            shapely.MultiPoint([(5, 47), (6, 47)]),
            shapely.LineString([(5, 47), (6, 47)]),
        ],
        [{}] * 4,
    )
    points, rows = placement.points_of(of)
    assert points.tolist() == [[5.0, 47.0], [5.0, 47.1]]
    assert rows.tolist() == [0, 1]
    assert of.tally.refused == {"not_a_point": 2}


def test_positions_that_repeat_are_counted():
    assert placement.repeated(np.array([[5, 47], [5, 47], [5, 47], [6, 47.0]])) == 2


def test_a_crossing_is_told_by_its_text():
    of = inventory(
        [shapely.Point(5, 47)] * 3, [{"lieu": "Passage Piéton / Gare"}, {"lieu": "Foch"}, {"lieu": None}]
    )
    assert placement.is_crossing(of, np.arange(3)).tolist() == [True, False, False]


def test_names_join_what_is_filled():
    of = inventory(
        [shapely.Point(5, 47)] * 2, [{"nom": "C1", "adresse": "Gare"}, {"nom": " ", "adresse": "Foch"}]
    )
    assert placement.names_of(of, np.arange(2), (("nom",), ("adresse",))) == ["C1, Gare", "Foch"]


def test_communes_keep_their_largest_part_and_say_what_they_drop():
    square = shapely.box(5.0, 47.0, 5.1, 47.1)
    holed = shapely.Polygon(square.exterior.coords, [shapely.box(5.04, 47.04, 5.05, 47.05).exterior.coords])
    of = inventory(
        [holed, shapely.box(5.3, 47.0, 5.31, 47.01), shapely.box(5.1, 47.0, 5.2, 47.1), shapely.Point(5, 47)],
        [{"nom": "A"}, {"nom": "A"}, {"libcom": "B"}, {}],
    )
    communes = boundary.from_inventory(of)
    assert communes.names == ("A", "B")
    assert (of.tally.used, of.tally.refused) == (3, {"not_an_area": 1})
    assert of.tally.notes == ["A: 1 smaller parts and 1 holes are left out of the outline."]
    for i in range(2):
        ring = slice(communes.start[i], communes.start[i + 1])
        assert communes.lon[ring][0] == communes.lon[ring][-1]


def test_a_position_outside_all_communes_belongs_to_the_nearest():
    of = inventory(
        [shapely.box(5.0, 47.0, 5.1, 47.1), shapely.box(5.1, 47.0, 5.2, 47.1)], [{"nom": "A"}, {"nom": "B"}]
    )
    communes = boundary.from_inventory(of)
    lon, lat = np.array([5.05, 5.15, 5.1, 5.3]), np.array([47.05, 47.05, 47.05, 47.05])
    commune, outside = boundary.commune_of(communes, lon, lat)
    assert commune.tolist() == [0, 1, 0, 1]
    assert outside == 1
