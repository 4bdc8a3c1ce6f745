"""Rows as a format's reader finds them, before anyone asks where on earth they are."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyproj
import shapely
import shapely.geometry


@dataclass(frozen=True)
class Refused:
    """Stands where a geometry should, so that the row is counted by its reason and not lost."""

    reason: str


@dataclass
class Rows:
    """Geometries (shapely, None, or Refused) in the file's own coordinates, and the CRS it states."""

    geometry: list[Any]
    attributes: list[dict[str, Any]]
    stated: pyproj.CRS | None = None


def plain(text: object) -> str:
    """``text`` without case, accents and outer blanks: how names from two cities compare."""
    parts = unicodedata.normalize("NFKD", str(text))
    return "".join(c for c in parts if not unicodedata.combining(c)).strip().lower()


def first(attributes: Mapping[str, Any], names: Iterable[str]) -> Any:
    """The first of the ``names`` (plain) that has a value which is not blank, else None."""
    for name in names:
        value = attributes.get(name)
        if value is not None and str(value).strip():
            return value
    return None


def geometry(mapping: Any) -> Any:
    """A shapely geometry (2-D) from its GeoJSON mapping; None where there is none."""
    if mapping is None:
        return None
    try:
        return shapely.force_2d(shapely.geometry.shape(mapping))
    except (ArithmeticError, RecursionError, ValueError, TypeError, AttributeError, LookupError):
        return Refused("unreadable_geometry")
    except shapely.errors.ShapelyError:
        return Refused("unreadable_geometry")


def text(content: bytes) -> str:
    """UTF-8, with or without its mark, else Latin-1, which French files without a word on it mostly are."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")
