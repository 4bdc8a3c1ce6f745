"""GeoJSON feature collections."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pyproj

from adapters.cityimport.rows import Rows, geometry, text
from core.errors import CityError


def read_geojson(path: Path) -> Rows:
    """The features of a GeoJSON file, and the CRS of its old ``crs`` member if it has one."""
    try:
        content = msgspec.json.decode(text(path.read_bytes()))
    except (msgspec.DecodeError, RecursionError) as error:
        raise CityError(f"is not JSON: {error}.", where=str(path), next="Export it again.") from error
    features = content.get("features") if isinstance(content, dict) else None
    if not isinstance(features, list):
        raise CityError(
            "is JSON, but not a GeoJSON FeatureCollection.",
            where=str(path),
            next="Export it as GeoJSON: an object with a list `features`.",
        )
    rows = [feature if isinstance(feature, dict) else {} for feature in features]
    return Rows(
        [geometry(row.get("geometry")) for row in rows],
        [of if isinstance(of := row.get("properties"), dict) else {} for row in rows],
        _crs_member(path, content.get("crs")),
    )


def _crs_member(path: Path, member: Any) -> pyproj.CRS | None:
    if member is None:
        return None
    try:
        return pyproj.CRS.from_user_input(member["properties"]["name"])
    except (pyproj.exceptions.ProjError, KeyError, TypeError, ValueError) as error:
        raise CityError(
            f"its `crs` member names no known reference system: {member!r}.",
            where=str(path),
            next="Correct it (urn:ogc:def:crs:EPSG::2154), or remove it and give --crs.",
        ) from error
