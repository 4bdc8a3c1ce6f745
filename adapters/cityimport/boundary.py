"""Communes: their outlines, and in which of them a position lies."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import shapely

from adapters.cityimport.inventory import Inventory
from adapters.cityimport.report import Input
from adapters.cityimport.rows import first
from core.city import Communes

_NAMES = (
    *("name", "nom", "nom_com", "nomcom", "nom_commune", "commune_nom", "libelle", "libcom"),
    *("libquart", "quartier_nom", "nom_quartier", "libsquart"),
)


def from_inventory(inventory: Inventory) -> Communes:
    """One outline a name: polygons that share a name are joined, and of islands the largest stays."""
    tally = inventory.tally
    is_area = np.isin(
        shapely.get_type_id(inventory.geometry),
        (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON),
    )
    tally.refuse("not_an_area", np.count_nonzero(~is_area))
    parts: dict[str, list[Any]] = {}
    for i in np.flatnonzero(is_area):
        name = str(first(inventory.attributes[i], _NAMES) or f"Secteur {i + 1}").strip()
        parts.setdefault(name, []).append(shapely.make_valid(inventory.geometry[i]))
        tally.used += 1
    return from_polygons(tuple(parts), [shapely.union_all(of) for of in parts.values()], tally)


def around(name: str, lon: np.ndarray, lat: np.ndarray) -> Communes:
    """One commune around all the positions: their convex hull and a little more."""
    hull = shapely.convex_hull(shapely.multipoints(np.column_stack([lon, lat])))
    return from_polygons((name,), [shapely.buffer(hull, 0.002, quad_segs=2)])


def from_polygons(names: tuple[str, ...], areas: list[Any], tally: Input | None = None) -> Communes:
    """Communes from shapely areas. A commune is one ring: islands and holes are dropped, with a note."""
    rings = []
    for name, area in zip(names, areas, strict=True):
        islands = [part for part in shapely.get_parts(area) if part.geom_type == "Polygon"]
        largest = max(islands, key=shapely.area)
        holes = len(largest.interiors)
        if tally is not None and (len(islands) > 1 or holes):
            tally.note(
                f"{name}: {len(islands) - 1} smaller parts and {holes} holes are left out of the outline."
            )
        rings.append(shapely.get_coordinates(largest.exterior))
    points = np.vstack(rings) if rings else np.empty((0, 2))
    start = np.concatenate([[0], np.cumsum([len(ring) for ring in rings])]).astype(np.uint32)
    return Communes(names, start, points[:, 0].copy(), points[:, 1].copy())


def commune_of(communes: Communes, lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, int]:
    """The commune u16[n] of each position, and how many lie outside all and got the nearest one."""
    points = shapely.points(lon, lat)
    start = communes.start.astype(np.int64)
    rings = [
        shapely.polygons(np.column_stack([communes.lon[a:b], communes.lat[a:b]])) for a, b in pairwise(start)
    ]
    tree = shapely.STRtree(rings)
    commune = np.full(len(points), np.iinfo(np.uint16).max, np.uint16)
    point, ring = tree.query(points, predicate="intersects")
    np.minimum.at(commune, point, ring.astype(np.uint16))  # on a common border: the first
    outside = np.flatnonzero(commune == np.iinfo(np.uint16).max)
    if len(outside):
        commune[outside] = tree.nearest(points[outside])
    return commune, len(outside)
