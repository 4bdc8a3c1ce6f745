"""Where people live in an invented city: communes, their built-up blobs and their outlines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from adapters.cityimport import boundary
from adapters.cityimport.plane import Plane
from core.city import Communes

#: The centre of Dijon, and what a city of that size has.
CENTRE = Plane(5.041, 47.322)
FULL_LAMPS, FULL_JUNCTIONS, FULL_CAMERAS = 34_000, 113, 269

#: name, inhabitants in thousands [K], longitude, latitude (of the town halls, rounded).
COMMUNES = (
    ("Dijon", 158.0, 5.041, 47.322),
    ("Chenôve", 14.0, 5.007, 47.293),
    ("Talant", 11.7, 5.008, 47.337),
    ("Chevigny-Saint-Sauveur", 11.3, 5.133, 47.299),
    ("Quetigny", 9.5, 5.106, 47.316),
    ("Fontaine-lès-Dijon", 9.0, 5.020, 47.348),
    ("Longvic", 8.7, 5.063, 47.286),
    ("Saint-Apollinaire", 7.6, 5.086, 47.333),
    ("Marsannay-la-Côte", 5.2, 4.988, 47.271),
    ("Neuilly-Crimolois", 2.9, 5.107, 47.277),
    ("Plombières-lès-Dijon", 2.6, 4.970, 47.340),
    ("Perrigny-lès-Dijon", 2.3, 5.006, 47.262),
    ("Sennecey-lès-Dijon", 2.1, 5.090, 47.292),
    ("Ouges", 1.6, 5.074, 47.262),
    ("Fénay", 1.6, 5.064, 47.231),
    ("Daix", 1.5, 4.996, 47.355),
    ("Ahuy", 1.3, 5.024, 47.372),
    ("Hauteville-lès-Dijon", 1.25, 4.998, 47.370),
    ("Bressey-sur-Tille", 1.2, 5.183, 47.306),
    ("Bretenière", 1.0, 5.110, 47.239),
    ("Magny-sur-Tille", 0.9, 5.180, 47.266),
    ("Corcelles-les-Monts", 0.65, 4.934, 47.297),
    ("Flavignerot", 0.2, 4.911, 47.283),
)

#: Metres between the junctions of a quarter, and the lamps that stand for each junction.
BLOCK_M = 185.0
_LAMPS_A_NODE = 10.6


@dataclass
class Town:
    """Communes on the plane: names, centres f64[c, 2], radii of the built-up blob f64[c]."""

    names: list[str]
    centre: np.ndarray
    radius: np.ndarray


def town_of(lamps: int) -> Town:
    kept = COMMUNES[: max(2, min(len(COMMUNES), lamps // 120))]
    people = np.array([each[1] for each in kept]) ** 0.8
    nodes = lamps / _LAMPS_A_NODE * people / people.sum()
    radius = np.sqrt(nodes / np.pi) * BLOCK_M
    centre = CENTRE.metres(np.array([each[2:] for each in kept]))
    # A smaller city is the same map on a smaller sheet: its blocks keep their size.
    return Town([each[0] for each in kept], centre * min(1.0, np.sqrt(lamps / FULL_LAMPS)), radius)


def built_up(town: Town, xy: np.ndarray) -> np.ndarray:
    """f64[n]: distance to the middle of the nearest blob as a share of its radius; below 1 is built up."""
    away = np.full(len(xy), np.inf)
    for c, (centre, radius) in enumerate(zip(town.centre, town.radius, strict=True)):
        d = xy - centre
        angle = np.arctan2(d[:, 1], d[:, 0])
        ragged = 1 + 0.18 * np.sin(2 * angle + 0.7 * c) + 0.14 * np.sin(3 * angle + 2.1 * c)
        ragged += 0.08 * np.sin(7 * angle + 1.3 * c)
        away = np.minimum(away, np.hypot(*d.T) / (radius * ragged))
    return away


def outlines(rng: np.random.Generator, town: Town, nodes: np.ndarray) -> Communes:
    """Communes as unions of small cells, each given to the centre it is nearest to, large towns reaching
    farther: borders come out ragged, as those that follow brooks and old fields."""
    middle, reach = nodes.mean(axis=0), np.ptp(nodes, axis=0).max() * 0.75 + 500.0
    hull = shapely.buffer(shapely.convex_hull(shapely.multipoints(nodes)), 0.05 * reach + 150.0)
    sites = middle + rng.uniform(-reach, reach, size=(max(60, 55 * len(town.names)), 2))
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(sites)))
    cells = cells[
        shapely.intersects(hull, shapely.centroid(cells))
        | shapely.intersects(cells, shapely.multipoints(nodes))
    ]
    seats = shapely.get_coordinates(shapely.centroid(cells))
    far = np.hypot(*(seats[:, None] - town.centre).transpose(2, 0, 1)) - 0.9 * town.radius
    owner = far.argmin(axis=1)
    owner[shapely.STRtree(cells).nearest(shapely.points(town.centre))] = np.arange(len(town.names))
    areas = _in_one_piece([shapely.union_all(cells[owner == c]) for c in range(len(town.names))])
    return boundary.from_polygons(
        tuple(town.names), [shapely.transform(area, CENTRE.degrees) for area in areas]
    )


def _in_one_piece(areas: list[shapely.Geometry]) -> list[shapely.Geometry]:
    """The areas, their strayed pieces given to the neighbour with the longest common border."""
    pieces = [sorted(shapely.get_parts(area), key=shapely.area) for area in areas]
    main = np.array([of.pop() for of in pieces])
    for stray in (piece for of in pieces for piece in of):
        border = shapely.length(shapely.intersection(main, stray))
        main[border.argmax()] = shapely.union(main[border.argmax()], stray)
    return list(main)
