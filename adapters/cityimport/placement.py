"""Things to streets: which edge, which lamps stand in a conflict area, how many arms a junction has."""

from __future__ import annotations

import numpy as np
import shapely

from adapters.cityimport.inventory import Inventory
from adapters.cityimport.plane import Plane
from adapters.cityimport.rows import first, plain
from core.city import STREET_CLASSES, City, Streets

#: A thing farther than this from every street stands on none: a park, a stadium, a wrong coordinate.
REACH_M = 60.0

#: A lamp this near to a junction or crossing lights a conflict area (EN 13201-1).
CONFLICT_M = 20.0

#: Nodes this near to a signal installation belong to its junction.
JUNCTION_M = 25.0

_PATH = STREET_CLASSES.index("path")


def points_of(inventory: Inventory) -> tuple[np.ndarray, np.ndarray]:
    """(lon, lat) f64[n, 2] of the rows that are one point, and their rows i64[n]; others are refused."""
    kinds = shapely.get_type_id(inventory.geometry)
    single = (kinds == shapely.GeometryType.MULTIPOINT) & (
        shapely.get_num_geometries(inventory.geometry) == 1
    )
    is_point = (kinds == shapely.GeometryType.POINT) | single
    inventory.tally.refuse("not_a_point", np.count_nonzero(~is_point))
    rows = np.flatnonzero(is_point)
    return shapely.get_coordinates(inventory.geometry[rows]), rows


def repeated(positions: np.ndarray) -> int:
    """How many of the positions f64[n, 2] repeat one that came before, to the last digit."""
    return len(positions) - len(np.unique(positions, axis=0))


def is_crossing(inventory: Inventory, rows: np.ndarray) -> np.ndarray:
    """bool[n]: a text of the row says that its signals guard a pedestrian crossing, not a junction."""
    words = ("pieton", "pedestrian", "crossing")
    texts = [plain(" ".join(str(v) for v in inventory.attributes[i].values() if v)) for i in rows]
    return np.array([any(word in text for word in words) for text in texts], bool)


def names_of(inventory: Inventory, rows: np.ndarray, columns: tuple[tuple[str, ...], ...]) -> list[str]:
    """A name a row: of each group of columns the first that is filled, joined by a comma."""
    found = [[first(inventory.attributes[i], group) for group in columns] for i in rows]
    return [", ".join(str(part).strip() for part in parts if part is not None) for parts in found]


def degree(streets: Streets) -> np.ndarray:
    """i64[nodes]: how many arms a driver sees at each node, paths left out."""
    driven = streets.edge_class != _PATH
    ends = np.concatenate([streets.edge_from[driven], streets.edge_to[driven]])
    return np.bincount(ends, minlength=streets.nodes)


def arms(streets: Streets, positions: np.ndarray) -> np.ndarray:
    """i64[n]: driven edges that leave the circle of JUNCTION_M around each signal installation.

    A large junction is several nodes; the edges inside the circle are the junction itself. The circle of
    a signal that has no node so near is drawn around the nearest node; beyond REACH_M there are no arms.
    """
    plane = Plane.over(streets.node_lon, streets.node_lat)
    nodes = shapely.points(plane.metres(np.column_stack([streets.node_lon, streets.node_lat])))
    signals = shapely.points(plane.metres(positions))
    tree = shapely.STRtree(nodes)
    (which, nearest), away = tree.query_nearest(
        signals, max_distance=REACH_M, return_distance=True, all_matches=False
    )
    signals[which[away > JUNCTION_M]] = nodes[nearest[away > JUNCTION_M]]
    which, node = tree.query(signals, predicate="dwithin", distance=JUNCTION_M)
    driven = np.flatnonzero(streets.edge_class != _PATH)
    ends = np.column_stack([streets.edge_from[driven], streets.edge_to[driven]]).astype(np.int64)
    inside = np.zeros(streets.nodes, bool)
    count = np.zeros(len(positions), np.int64)
    for i in np.unique(which):
        inside[node[which == i]] = True
        count[i] = np.count_nonzero(inside[ends].sum(axis=1) == 1)
        inside[node[which == i]] = False
    return count


def in_conflict_area(city: City, lon: np.ndarray, lat: np.ndarray, signals: np.ndarray) -> np.ndarray:
    """bool[n]: within CONFLICT_M of a node of three driven arms or more, or of ``signals`` f64[m, 2]."""
    streets = city.streets
    real = degree(streets) >= 3
    nodes = np.column_stack([streets.node_lon[real], streets.node_lat[real]])
    areas = np.vstack([nodes, signals.reshape(-1, 2)])
    near = np.zeros(len(lon), bool)
    if len(areas):
        tree = shapely.STRtree(shapely.points(np.column_stack(city.project(*areas.T))))
        lamps = shapely.points(np.column_stack(city.project(lon, lat)))
        near[tree.query(lamps, predicate="dwithin", distance=CONFLICT_M)[0]] = True
    return near
