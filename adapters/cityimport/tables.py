"""CSV tables: the delimiter is the commonest, the geometry is found by the names of the columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyproj
import shapely

from adapters.cityimport.rows import Refused, Rows, plain, text
from core.errors import CityError

WGS84 = pyproj.CRS.from_epsg(4326)

#: What may stand for the two coordinates in a CSV, and whether the name itself says degrees.
_COORDINATE_COLUMNS = (
    ("lon", "lat", True),
    ("lng", "lat", True),
    ("long", "lat", True),
    ("longitude", "latitude", True),
    ("x", "y", False),
    ("point_x", "point_y", False),
    ("coord_x", "coord_y", False),
    ("x_l93", "y_l93", False),
)
_POINT_COLUMNS = ("geo_point_2d", "geo_point", "point_geo")
_SHAPE_COLUMNS = ("wkt", "geom", "the_geom", "geometry", "geo_shape", "geojson")


def read_csv(path: Path) -> Rows:
    """The rows of a CSV file whose columns hold coordinates or a shape as text."""
    content = text(path.read_bytes())
    if "\0" in content:
        raise CityError(
            "is not text in UTF-8 or Latin-1.", where=str(path), next="Save it as CSV in UTF-8 (not UTF-16)."
        )
    if not content.strip():
        raise CityError("is empty.", where=str(path), next="Export the inventory again.")
    try:
        columns, *rows = csv.reader(io.StringIO(content), delimiter=_delimiter(content))
    except csv.Error as error:
        raise CityError(f"is not CSV: {error}.", where=str(path), next="Export it again.") from error
    columns = [name.strip() for name in columns]
    locate, stated = _locator(path, columns)
    filled = [row for row in rows if any(cell.strip() for cell in row)]
    return Rows(
        [locate(row) if len(row) == len(columns) else Refused("wrong_number_of_cells") for row in filled],
        [dict(zip(columns, row, strict=False)) for row in filled],
        stated,
    )


def _delimiter(content: str) -> str:
    head = content.split("\n", 1)[0]
    return max(";,\t|", key=head.count)


def _locator(path: Path, columns: list[str]) -> tuple[Callable[[list[str]], Any], pyproj.CRS | None]:
    """How to make a row's geometry, from the names of the columns, and the CRS that the names state."""
    at = {plain(name): i for i, name in reversed(list(enumerate(columns)))}
    for x, y, degrees in _COORDINATE_COLUMNS:
        if x in at and y in at:
            return partial(_pair, at[x], at[y]), WGS84 if degrees else None
    for name in _POINT_COLUMNS:
        if name in at:  # OpenDataSoft's pair is latitude first
            return partial(_latitude_first, at[name]), WGS84
    for name in _SHAPE_COLUMNS:
        if name in at:
            return partial(_shape_text, at[name]), None
    pairs = ", ".join(f"{x}/{y}" for x, y, _ in _COORDINATE_COLUMNS)
    raise CityError(
        f"no column holds a geometry; the columns are {columns}.",
        where=str(path),
        next=f"Name the coordinate columns {pairs}, or add one named wkt or geo_point_2d.",
    )


def _pair(x: int, y: int, row: list[str]) -> Any:
    return _point(row[x], row[y])


def _latitude_first(column: int, row: list[str]) -> Any:
    return _point(*row[column].split(",")[::-1])


def _point(*xy: str) -> Any:
    cells = [cell.strip().replace(",", ".") for cell in xy]
    if not any(cells):
        return None
    try:
        x, y = map(float, cells)
    except ValueError:
        return Refused("unreadable_geometry")
    return shapely.Point(x, y)


def _shape_text(column: int, row: list[str]) -> Any:
    cell = row[column].strip()
    if not cell:
        return None
    try:
        parse = shapely.from_geojson if cell.startswith("{") else shapely.from_wkt
        return shapely.force_2d(parse(cell.removeprefix("SRID=4326;")))
    except (shapely.errors.ShapelyError, ValueError):  # GEOS may quote half a letter in its complaint
        return Refused("unreadable_geometry")
