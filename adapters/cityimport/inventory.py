"""An inventory file as rows: geometry in degrees (WGS 84, lon then lat) and attributes.

Shapefile, zipped shapefile, GeoJSON and CSV. Municipal files are dirty, so a row that cannot be read is
refused and counted, and only what makes the whole file useless raises CityError.

Which CRS: the file's own word (``.prj``, GeoJSON's ``crs`` member, columns named lon/lat) if its
coordinates can be that, else ``--crs``, else degrees. Each time the first choice is not taken, a note
says so: many French GeoJSON files carry Lambert-93 and do not say it, so ``--crs`` has to be a second
opinion for the files that need one, not an order to all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import shapely

from adapters.cityimport.geojson import read_geojson
from adapters.cityimport.report import Input
from adapters.cityimport.rows import Refused, Rows, plain
from adapters.cityimport.shapefiles import read_shapefile, read_zip
from adapters.cityimport.tables import WGS84, read_csv
from core.errors import CityError

#: A file whose coordinates are degrees for at least this share of its rows is in degrees.
_MOST = 0.95


@dataclass(frozen=True)
class Inventory:
    """The rows that have a geometry: shapely objects [n], as many attributes, and the tally of all rows.

    Attribute names are ``plain``: without case and accents. ``tally.used`` is for the reader to fill.
    """

    geometry: np.ndarray
    attributes: list[dict[str, Any]]
    tally: Input


def parse_crs(text: str) -> pyproj.CRS:
    """The CRS that ``text`` names (``EPSG:2154``). Raises CityError."""
    try:
        return pyproj.CRS.from_user_input(text)
    except pyproj.exceptions.CRSError as error:
        raise CityError(
            f"no such coordinate reference system: {text!r}.",
            where="--crs",
            next="Use a code such as EPSG:2154 (Lambert-93) or EPSG:4326 (degrees).",
        ) from error


def read(path: Path, crs: pyproj.CRS | None = None) -> Inventory:
    """Read one inventory. Raises CityError naming the file, what is wrong and what to do."""
    readers: dict[str, Callable[[Path], Rows]] = {
        ".shp": read_shapefile,
        ".zip": read_zip,
        ".geojson": read_geojson,
        ".json": read_geojson,
        ".csv": read_csv,
        ".txt": read_csv,
    }
    if not path.exists():
        raise CityError("there is no such file.", where=str(path), next="Check the path.")
    if path.suffix.lower() not in readers or path.is_dir():
        raise CityError(
            f"unknown format {path.suffix or 'without suffix'!r}.",
            where=str(path),
            next=f"Give a file that ends in one of {', '.join(sorted(readers))}.",
        )
    raw = readers[path.suffix.lower()](path)
    if not raw.geometry:
        raise CityError("holds no row.", where=str(path), next="Export the inventory again.")
    return _locate(path, raw, crs)


def _locate(path: Path, raw: Rows, given: pyproj.CRS | None) -> Inventory:
    tally = Input(file=path.name, rows=len(raw.geometry))
    geometry = np.empty(len(raw.geometry), object)
    geometry[:] = raw.geometry
    usable = np.ones(len(geometry), bool)

    def refuse(reason: str, where: np.ndarray) -> None:
        tally.refuse(reason, np.count_nonzero(where & usable))
        usable[where] = False

    reasons = np.array([g.reason if isinstance(g, Refused) else "" for g in raw.geometry])
    for reason in sorted(set(reasons.tolist()) - {""}):
        refuse(reason, reasons == reason)
    geometry[~usable] = None
    refuse("no_geometry", shapely.is_missing(geometry) | shapely.is_empty(geometry))
    bounds = shapely.bounds(geometry)
    refuse("at_zero_zero", (bounds == 0).all(axis=1))
    refuse("coordinates_not_finite", ~np.isfinite(bounds).all(axis=1))
    if not usable.any():
        raise CityError(
            f"none of its {tally.rows} rows has a usable geometry: {tally.refused}.",
            where=str(path),
            next="Export the inventory with its coordinates.",
        )
    crs = _choose_crs(path, bounds[usable], raw.stated, given, tally)
    try:
        transform = pyproj.Transformer.from_crs(crs, WGS84, always_xy=True).transform
    except pyproj.exceptions.ProjError as error:
        raise CityError(
            f"nothing leads from {_label(crs)} to degrees: {error}.",
            where=str(path),
            next="Say the reference system with --crs.",
        ) from error
    geometry[usable] = shapely.transform(
        geometry[usable], lambda xy: np.column_stack(transform(xy[:, 0], xy[:, 1]))
    )
    refuse("outside_the_reference_system", ~np.isfinite(shapely.bounds(geometry)).all(axis=1))
    kept = np.flatnonzero(usable)
    attributes = [{plain(k): v for k, v in raw.attributes[i].items() if k} for i in kept]
    return Inventory(geometry[kept], attributes, tally)


def _choose_crs(
    path: Path, bounds: np.ndarray, stated: pyproj.CRS | None, given: pyproj.CRS | None, tally: Input
) -> pyproj.CRS:
    degrees = float(np.mean((np.abs(bounds) <= (180, 90, 180, 90)).all(axis=1))) >= _MOST
    offered = [crs for crs in (stated, given, WGS84) if crs is not None]
    fitting = [crs for crs in offered if crs.is_geographic == degrees]
    if not fitting:
        raise CityError(
            f"coordinates such as ({bounds[0, 0]:.10g}, {bounds[0, 1]:.10g}) are not degrees, "
            "and nothing says what they are.",
            where=str(path),
            next="Say it with --crs, in France most often --crs EPSG:2154 (Lambert-93).",
        )
    chosen = fitting[0]
    if chosen is not offered[0]:
        unit = "degrees" if degrees else "not degrees"
        tally.note(f"read as {_label(chosen)}, not {_label(offered[0])}: its coordinates are {unit}.")
    elif stated is not None and given is not None and stated is chosen and not stated.equals(given):
        tally.note(f"read as {_label(stated)}, which the file states, not as --crs {_label(given)}.")
    return chosen


def _label(crs: pyproj.CRS) -> str:
    authority = crs.to_authority()
    return ":".join(authority) if authority else str(crs.name)
