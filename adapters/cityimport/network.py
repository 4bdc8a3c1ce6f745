"""Street centre lines become a graph: ends are snapped, lines are split where others end on them.

Two lines that cross where neither ends stay apart: that is a bridge or a tunnel, not a junction.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely

from adapters.cityimport.inventory import Inventory
from adapters.cityimport.plane import Plane
from adapters.cityimport.report import Input
from adapters.cityimport.rows import first, plain
from core.city import STREET_CLASSES, Streets, arcs
from core.errors import CityError

#: Ends nearer than this are one node: what a surveyor means when two lines almost meet.
SNAP_M = 1.0

_NAMES = ("name", "nom", "nom_voie", "lib_off", "nom_1_gauche", "libelle", "libelle_voie", "voie", "lib_voie")
_UNNAMED = "Voie sans nom"

#: What a street's attributes call it, most telling column first; the first word found decides.
_CLASS_COLUMNS = (
    "highway",
    "occupation",
    "hierarchie",
    "importance",
    "classe",
    "typvoi",
    "type_voie",
    "nature",
)
_CLASS_OF_WORD = {
    word: STREET_CLASSES.index(name)
    for name, words in {
        "structuring": "motorway trunk primary motorway_link trunk_link primary_link auto autoroute viad 1 2",
        "distributor": "secondary secondary_link bd boulevard rte route rdpt rond-point tun pont quai 3",
        "collector": "tertiary tertiary_link av avenue cour cours carr carrefour 4",
        "local": "residential unclassified living_street service rue pl place all allee imp impasse chem 5",
        "path": "footway path pedestrian cycleway steps track pieton chemin sentier piste parc squa pass 6",
    }.items()
    for word in words.split()
}
_WATER = ("fluvial", "river", "canal", "waterway")
_ONEWAY_COLUMNS = ("oneway", "sens_circu", "sens", "sens_unique", "sens_de_circulation")
_FORWARD = ("yes", "true", "1", "sens unique", "sens direct", "oui")
_BACKWARD = ("-1", "reverse", "sens inverse")
_CLOSED = ("interdit", "no access")
_DEPARTMENT_ROAD = "departementale"


@dataclass(frozen=True)
class Lines:
    """Centre lines [n] in degrees with what their attributes say: ``street_class`` u8[n] into
    STREET_CLASSES, ``oneway`` i8[n] in the line's direction, ``names``; ``row`` i64[n] of the inventory."""

    geometry: np.ndarray
    street_class: np.ndarray
    oneway: np.ndarray
    names: list[str]
    row: np.ndarray


def lines_of(inventory: Inventory) -> Lines:
    """The lines of an inventory, classed by its attributes; what is not a street is refused."""
    tally = inventory.tally
    kinds = shapely.get_type_id(inventory.geometry)
    is_line = np.isin(kinds, (shapely.GeometryType.LINESTRING, shapely.GeometryType.MULTILINESTRING))
    is_water = np.array([_is_water(of) for of in inventory.attributes])
    tally.refuse("not_a_line", np.count_nonzero(~is_line))
    tally.refuse("waterway", np.count_nonzero(is_line & is_water))
    rows = np.flatnonzero(is_line & ~is_water)
    geometry, part_of = shapely.get_parts(inventory.geometry[rows], return_index=True)
    row = rows[part_of]
    attributes = [inventory.attributes[i] for i in row]
    return Lines(
        geometry,
        np.array([street_class(of) for of in attributes], np.uint8),
        np.array([oneway(of) for of in attributes], np.int8),
        [str(first(of, _NAMES) or _UNNAMED).strip() for of in attributes],
        row,
    )


def street_class(attributes: dict[str, object]) -> int:
    """The street class (index into STREET_CLASSES) that the attributes name; local if they name none."""
    if plain(first(attributes, _ONEWAY_COLUMNS) or "") in _CLOSED:
        return STREET_CLASSES.index("path")
    found = [_CLASS_OF_WORD.get(plain(attributes.get(column, ""))) for column in _CLASS_COLUMNS]
    known = [each for each in found if each is not None]
    chosen = known[0] if known else STREET_CLASSES.index("local")
    if _DEPARTMENT_ROAD in plain(attributes.get("domanialit", "")) and chosen < STREET_CLASSES.index("path"):
        return STREET_CLASSES.index("structuring")
    return chosen


def oneway(attributes: dict[str, object]) -> int:
    """1: only in the direction of the line, -1: only against it, 0: both ways."""
    said = plain(first(attributes, _ONEWAY_COLUMNS) or "")
    return 1 if said in _FORWARD else -1 if said in _BACKWARD else 0


def _is_water(attributes: dict[str, object]) -> bool:
    return any(plain(attributes.get(column, "")) in _WATER for column in (*_CLASS_COLUMNS, "waterway"))


def build(lines: Lines, tally: Input, *, snap_m: float = SNAP_M) -> Streets:
    """The street graph of the lines. Lines too short to have two ends are refused in ``tally``.

    Raises CityError where no line is left.
    """
    plane = Plane.over(*shapely.get_coordinates(lines.geometry).T)
    metres = shapely.transform(lines.geometry, plane.metres)
    long_enough = shapely.length(metres) > 0
    node_xy, ends = _snap(metres, snap_m)
    pieces = _split(metres, node_xy, ends, snap_m)
    edges = [
        (line, *piece)
        for line, of in enumerate(pieces)
        for piece in of
        if long_enough[line] and (piece[0] != piece[1] or shapely.length(metres[line]) > 2 * snap_m)
    ]
    if not edges:
        raise CityError(
            f"none of its {len(metres)} lines is longer than {snap_m:g} m.",
            where=tally.file,
            next="Give the street centre lines, and check --crs.",
        )
    survived = np.unique(lines.row[[edge[0] for edge in edges]])
    rows = np.unique(lines.row)
    flat = ~np.isin(rows, lines.row[long_enough])
    tally.refuse("zero_length", np.count_nonzero(flat))
    tally.refuse("shorter_than_snap", np.count_nonzero(~flat & ~np.isin(rows, survived)))
    tally.used += len(survived)
    return _streets(lines, edges, node_xy, plane)


def _snap(metres: np.ndarray, snap_m: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes f64[nodes, 2] and the node i64[n, 2] of each line's ends: ends within ``snap_m`` are one."""
    ends = shapely.get_coordinates([shapely.get_point(metres, 0), shapely.get_point(metres, -1)])
    points = shapely.points(ends)
    a, b = shapely.STRtree(points).query(points, predicate="dwithin", distance=snap_m)
    leader = np.arange(len(ends))
    while True:  # each end takes the lowest number near it, until a whole cluster has one
        lowest = leader.copy()
        np.minimum.at(lowest, a, leader[b])
        if np.array_equal(lowest, leader):
            break
        leader = lowest
    leaders, node = np.unique(leader, return_inverse=True)
    return ends[leaders], node.reshape(2, -1).T


Piece = tuple[int, int, np.ndarray]


def _split(metres: np.ndarray, node_xy: np.ndarray, ends: np.ndarray, snap_m: float) -> list[list[Piece]]:
    """Per line its pieces (from node, to node, xy f64[points, 2]), cut at every node that lies on it."""
    nodes = shapely.points(node_xy)
    node, line = shapely.STRtree(metres).query(nodes, predicate="dwithin", distance=snap_m)
    foreign = (ends[line] != node[:, None]).all(axis=1)
    node, line = node[foreign], line[foreign]
    offset = shapely.line_locate_point(metres[line], nodes[node])
    inside = (offset > 0) & (offset < shapely.length(metres)[line])
    cuts: dict[int, list[tuple[float, int]]] = {}
    for at, n, cut in zip(offset[inside].tolist(), node[inside].tolist(), line[inside].tolist(), strict=True):
        cuts.setdefault(cut, []).append((at, n))
    return [
        _pieces(shapely.get_coordinates(each), ends[i].tolist(), sorted(cuts.get(i, [])), node_xy)
        for i, each in enumerate(metres)
    ]


def _pieces(
    xy: np.ndarray, ends: list[int], cuts: list[tuple[float, int]], node_xy: np.ndarray
) -> list[Piece]:
    along = np.concatenate([[0.0], np.hypot(*np.diff(xy, axis=0).T).cumsum()])
    stops = [(0.0, ends[0]), *cuts, (float(along[-1]), ends[1])]
    pieces = []
    for (start, a), (stop, b) in pairwise(stops):
        between = xy[(along > start + 1e-6) & (along < stop - 1e-6)]
        piece = np.vstack([node_xy[a], between, node_xy[b]])
        if a != b or len(between):
            pieces.append((a, b, piece))
    return pieces


def _streets(
    lines: Lines, edges: list[tuple[int, int, int, np.ndarray]], node_xy: np.ndarray, plane: Plane
) -> Streets:
    line = np.array([edge[0] for edge in edges], np.int64)
    used, ends = np.unique(np.array([edge[1:3] for edge in edges], np.int64), return_inverse=True)
    ends = ends.reshape(-1, 2)
    nodes = plane.degrees(node_xy[used])
    points = plane.degrees(np.vstack([edge[3] for edge in edges]))
    count = np.array([len(edge[3]) for edge in edges])
    names, name = np.unique(np.array(lines.names)[line], return_inverse=True)
    direction = lines.oneway[line]
    arc_start, arc_to, arc_edge = arcs(len(used), ends[:, 0], ends[:, 1], direction)
    start = np.concatenate([[0], np.cumsum(count)])
    return Streets(
        names=tuple(names.tolist()),
        node_lon=nodes[:, 0],
        node_lat=nodes[:, 1],
        edge_from=ends[:, 0].astype(np.uint32),
        edge_to=ends[:, 1].astype(np.uint32),
        edge_length_m=_lengths(nodes, points, start),
        edge_class=lines.street_class[line],
        edge_oneway=direction,
        edge_name=name.astype(np.uint32),
        point_start=start.astype(np.uint32),
        point_lon=points[:, 0],
        point_lat=points[:, 1],
        arc_start=arc_start,
        arc_to=arc_to,
        arc_edge=arc_edge,
    )


def _lengths(nodes: np.ndarray, points: np.ndarray, start: np.ndarray) -> np.ndarray:
    """f32[edges], measured on the plane that the finished city will measure on."""
    xy = Plane.over(*nodes.T).metres(points)
    step = np.concatenate([[0.0], np.hypot(*np.diff(xy, axis=0).T)])
    step[start[:-1]] = 0.0  # from the last point of one edge to the first of the next is no way
    along = np.cumsum(step)
    return (along[start[1:] - 1] - along[start[:-1]]).astype(np.float32)
