"""The city as arrays: communes, streets, and where each asset stands on them. Read-only for plugins.

A city folder holds ``city.toml`` (what it is, licence, origin, what is synthetic), ``streets.npz`` and
``assets.msgpack``. ``adapters/cityimport`` writes it, everything else reads it.
"""

from __future__ import annotations

import io
import json
import tomllib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from core.archive import unpack
from core.assets import Assets
from core.errors import CityError

#: The city folder's format. N reads N-1 and refuses N+1.
FORMAT = 1

#: Street classes, from the most important: what services are promised by class.
STREET_CLASSES = ("structuring", "distributor", "collector", "local", "path")

#: The files of a city folder.
FILES = ABOUT, STREETS, ASSETS = "city.toml", "streets.npz", "assets.msgpack"

#: What ``streets.npz`` may unpack to, in bytes: more than the streets of any country.
_STREETS_MAX = 1 << 30

EARTH_RADIUS_M = 6_371_008.8

#: What lies outside of every outline belongs to the nearest commune, if it is not further away than this.
OUTSIDE_M = 1000.0


class Description(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``city.toml``. ``synthetic`` names in plain words each part that is not from a real inventory."""

    format: int
    name: str
    timezone: str
    licence: str
    origin: str
    synthetic: list[str]


@dataclass(frozen=True)
class Communes:
    """Names and outlines. Ring ``i`` is ``lon``/``lat`` f64 from ``start[i]`` to ``start[i+1]``, closed."""

    names: tuple[str, ...]
    start: np.ndarray
    lon: np.ndarray
    lat: np.ndarray


@dataclass(frozen=True)
class Streets:
    """The street graph: nodes, edges and, per node, the arcs one may leave it by (CSR).

    ``node_lon``, ``node_lat`` f64[nodes]; ``edge_from``, ``edge_to`` u32[edges]; ``edge_length_m``
    f32[edges]; ``edge_class`` u8[edges] into STREET_CLASSES; ``edge_oneway`` i8[edges] (0 both ways,
    1 from→to only, -1 to→from only); ``edge_name`` u32[edges] into ``names``. The line of edge e is
    ``point_lon``/``point_lat`` f64 from ``point_start[e]`` to ``point_start[e+1]``, its ends included.
    ``arc_start`` u32[nodes+1], ``arc_to`` u32[arcs], ``arc_edge`` u32[arcs] obey the one-way rule.
    """

    names: tuple[str, ...]
    node_lon: np.ndarray
    node_lat: np.ndarray
    edge_from: np.ndarray
    edge_to: np.ndarray
    edge_length_m: np.ndarray
    edge_class: np.ndarray
    edge_oneway: np.ndarray
    edge_name: np.ndarray
    point_start: np.ndarray
    point_lon: np.ndarray
    point_lat: np.ndarray
    arc_start: np.ndarray
    arc_to: np.ndarray
    arc_edge: np.ndarray

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return len(self.node_lon)

    @property
    def edges(self) -> int:
        """Number of edges."""
        return len(self.edge_from)


def arcs(
    nodes: int, edge_from: np.ndarray, edge_to: np.ndarray, oneway: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Build ``arc_start``, ``arc_to``, ``arc_edge`` from edges and their one-way rule."""
    forward, backward = np.flatnonzero(oneway >= 0), np.flatnonzero(oneway <= 0)
    tail = np.concatenate([edge_from[forward], edge_to[backward]])
    head = np.concatenate([edge_to[forward], edge_from[backward]])
    edge = np.concatenate([forward, backward])
    order = np.lexsort((edge, tail))
    start = np.searchsorted(tail[order], np.arange(nodes + 1))
    return start.astype(np.uint32), head[order].astype(np.uint32), edge[order].astype(np.uint32)


@dataclass(frozen=True)
class City:
    """A whole city. ``project`` turns degrees into metres east and north of its centre."""

    description: Description
    communes: Communes
    streets: Streets
    assets: Assets

    @property
    def name(self) -> str:
        """The city's name."""
        return self.description.name

    @cached_property
    def centre(self) -> tuple[float, float]:
        """(lon, lat) of the middle of the street graph."""
        streets = self.streets
        if not streets.nodes:
            return (0.0, 0.0)
        return (
            float(streets.node_lon.min() + streets.node_lon.max()) / 2,
            float(streets.node_lat.min() + streets.node_lat.max()) / 2,
        )

    def project(self, lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Metres east and north of ``centre`` (equirectangular: lengths within 0.5 % at 25 km)."""
        lon0, lat0 = self.centre
        scale = np.radians(1.0) * EARTH_RADIUS_M
        return (np.asarray(lon) - lon0) * scale * np.cos(np.radians(lat0)), (np.asarray(lat) - lat0) * scale

    def commune_at(self, lon: float, lat: float) -> int | None:
        """The commune around a position, or the nearest one within OUTSIDE_M; None further away."""
        if not self.communes.names:
            return None
        x, y = self.project(np.array([lon]), np.array([lat]))
        distance = [_outside_m(ring_x - x, ring_y - y) for ring_x, ring_y in self._rings]
        nearest = int(np.argmin(distance))
        return nearest if distance[nearest] <= OUTSIDE_M else None

    def communes_of(self, asset: int | None, lon: float | None, lat: float | None) -> tuple[int, ...]:
        """The commune of an asset, or else around a position; none where neither is given or it is outside."""
        if asset is not None:
            return (int(self.assets.commune[asset]),)
        commune = None if lon is None or lat is None else self.commune_at(lon, lat)
        return () if commune is None else (commune,)

    def place_of(self, asset: int | None, lon: float | None, lat: float | None) -> tuple[float, float] | None:
        """A position in degrees, or else that of an asset; None where neither is given."""
        if lon is not None and lat is not None:
            return lon, lat
        return None if asset is None else (float(self.assets.lon[asset]), float(self.assets.lat[asset]))

    def metres(self, lon: float, lat: float) -> tuple[float, float]:
        """One position, projected."""
        x, y = self.project(np.array(lon), np.array(lat))
        return float(x), float(y)

    @cached_property
    def _rings(self) -> list[tuple[np.ndarray, np.ndarray]]:
        x, y = self.project(self.communes.lon, self.communes.lat)
        cuts = self.communes.start[1:-1]
        return list(zip(np.split(x, cuts), np.split(y, cuts), strict=True))

    def with_assets(self, assets: Assets) -> City:
        """The same city with another revision of its register."""
        return City(self.description, self.communes, self.streets, assets)


def _outside_m(x: np.ndarray, y: np.ndarray) -> float:
    """How far the origin is from a closed ring, in the ring's unit; 0 inside of it."""
    x0, y0, dx, dy = x[:-1], y[:-1], np.diff(x), np.diff(y)
    crosses = (y[:-1] > 0) != (y[1:] > 0)
    right = x0[crosses] - y0[crosses] * dx[crosses] / dy[crosses] > 0
    if right.sum() % 2:
        return 0.0
    along = np.clip(-(x0 * dx + y0 * dy) / np.maximum(dx * dx + dy * dy, 1e-12), 0, 1)
    return float(np.hypot(x0 + along * dx, y0 + along * dy).min())


def save(city: City, folder: Path) -> None:
    """Write the city folder. Raises OSError where it cannot."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ABOUT).write_text(_toml(city.description), "utf-8")
    arrays = {f"streets.{f.name}": getattr(city.streets, f.name) for f in fields(Streets)}
    arrays |= {f"communes.{f.name}": getattr(city.communes, f.name) for f in fields(Communes)}
    packed = {name: np.array(value) if isinstance(value, tuple) else value for name, value in arrays.items()}
    np.savez_compressed(folder / STREETS, **packed)  # type: ignore[arg-type]
    (folder / ASSETS).write_bytes(pack_assets(city.assets))


def pack_assets(assets: Assets) -> bytes:
    """The register as it is stored."""
    return msgspec.msgpack.encode(
        {
            "format": FORMAT,
            "revision": assets.revision,
            "ids": assets.ids,
            "names": assets.names,
            "kinds": assets.kinds,
            "gateways": assets.gateways,
            "columns": {name: getattr(assets, name).tobytes() for name in Assets.COLUMNS},
            "attributes": {
                kind: {name: _plain(values) for name, values in of.items()}
                for kind, of in assets.attributes.items()
            },
        }
    )


def _plain(values: Sequence[Any] | np.ndarray) -> list[Any]:
    """Attributes without numpy's own types; some are lists themselves, of any length."""
    if isinstance(values, np.ndarray):
        return list(values.tolist())
    return [value.item() if isinstance(value, np.generic) else value for value in values]


def load(folder: Path) -> City:
    """Read a city folder. Raises CityError naming the file, what is wrong and what to do."""
    description = _load_description(folder / ABOUT)
    streets, communes = _load_streets(folder / STREETS)
    assets = load_assets(folder / ASSETS)
    if np.any((assets.edge >= streets.edges) & (assets.edge != 0xFFFFFFFF)):
        raise CityError(
            "an asset stands on a street that is not there.", where=str(folder), next="Import again."
        )
    if np.any(assets.commune >= len(communes.names)):
        raise CityError(
            "an asset lies in a commune that is not there.", where=str(folder), next="Import again."
        )
    return City(description, communes, streets, assets)


def _load_description(path: Path) -> Description:
    try:
        with path.open("rb") as file:
            raw = tomllib.load(file)
    except FileNotFoundError as error:
        raise CityError(
            "no city folder here.",
            where=str(path.parent),
            next="Make one with `ondijon city import` or `city generate`.",
        ) from error
    except OSError as error:
        raise CityError(f"cannot be read: {error}.", where=str(path)) from error
    except (ValueError, RecursionError) as error:
        raise CityError(f"not TOML: {error}.", where=str(path)) from error
    version = raw.get("format", 0)
    if isinstance(version, int) and version > FORMAT:
        raise CityError(
            f"format {version} is newer than this version reads ({FORMAT}).",
            where=str(path),
            next="Update ondijon, or import the city again with this version.",
        )
    try:
        return msgspec.convert(raw, Description)
    except msgspec.ValidationError as error:
        raise CityError(f"{error}.", where=str(path)) from error


def _load_streets(path: Path) -> tuple[Streets, Communes]:
    try:
        with zipfile.ZipFile(path) as archive:
            files = unpack(archive, archive.namelist(), _STREETS_MAX)
        arrays = {name.removesuffix(".npy"): _array(content) for name, content in files.items()}

        def part(prefix: str) -> dict[str, Any]:
            found = {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}
            return found | {"names": tuple(map(str, found["names"].tolist()))}

        streets, communes = Streets(**part("streets.")), Communes(**part("communes."))
        _check_streets(streets)
        _check_communes(communes)
        return streets, communes
    except Exception as error:  # zipfile and numpy answer damaged bytes with errors of a dozen kinds
        raise CityError(
            f"cannot be read: {error}.", where=str(path), next="Import the city again."
        ) from error


def _array(content: bytes) -> np.ndarray:
    """The array of an ``.npy`` file, on its own bytes: what its header claims is never allocated."""
    stream = io.BytesIO(content)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("an array is not of npy version 1.0")
    shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    if len(shape) != 1 or dtype.kind not in "iufU" or not dtype.itemsize:
        raise ValueError(f"an array is of shape {shape} and type {dtype}")
    if not shape[0]:
        return np.empty(0, dtype)
    return np.frombuffer(content, dtype, shape[0], stream.tell())


def _check_streets(streets: Streets) -> None:
    """Raise ValueError where an index would lead outside."""
    nodes, edges, points = streets.nodes, streets.edges, len(streets.point_lon)
    _indexes("edge_from", streets.edge_from, edges, nodes)
    _indexes("edge_to", streets.edge_to, edges, nodes)
    _indexes("edge_class", streets.edge_class, edges, len(STREET_CLASSES))
    _indexes("edge_oneway", streets.edge_oneway.astype(np.int64) + 1, edges, 3)
    _indexes("edge_name", streets.edge_name, edges, len(streets.names))
    _indexes("arc_to", streets.arc_to, len(streets.arc_to), nodes)
    _indexes("arc_edge", streets.arc_edge, len(streets.arc_to), edges)
    _starts("arc_start", streets.arc_start, nodes, len(streets.arc_to), 0)
    _starts("point_start", streets.point_start, edges, points, 2)
    _measures("node_lon and node_lat", nodes, streets.node_lon, streets.node_lat)
    _measures("point_lon and point_lat", points, streets.point_lon, streets.point_lat)
    _measures("edge_length_m", edges, streets.edge_length_m)


def _check_communes(communes: Communes) -> None:
    _starts("start", communes.start, len(communes.names), len(communes.lon), 4)
    _measures("lon and lat", len(communes.lon), communes.lon, communes.lat)


def _indexes(name: str, array: np.ndarray, rows: int, limit: int) -> None:
    if array.dtype.kind not in "iu" or len(array) != rows or np.any((array < 0) | (array >= limit)):
        raise ValueError(f"{name} does not hold {rows} whole numbers below {limit}")


def _starts(name: str, array: np.ndarray, rows: int, end: int, least: int) -> None:
    _indexes(name, array, rows + 1, end + 1)
    if array[0] != 0 or array[-1] != end or np.any(np.diff(array.astype(np.int64)) < least):
        raise ValueError(f"{name} does not climb from 0 to {end} by {least} or more")


def _measures(name: str, rows: int, *arrays: np.ndarray) -> None:
    for array in arrays:
        if array.dtype.kind != "f" or len(array) != rows or not np.isfinite(array).all():
            raise ValueError(f"{name} are not {rows} finite numbers")


class _StoredAssets(msgspec.Struct, frozen=True):
    revision: int
    ids: list[str]
    names: list[str]
    kinds: list[str]
    gateways: list[str]
    columns: dict[str, bytes]
    attributes: dict[str, dict[str, list[Any]]]


def load_assets(path: Path) -> Assets:
    """A register's file. Raises CityError."""
    try:
        return unpack_assets(path.read_bytes())
    except OSError as error:
        raise CityError(f"cannot be read: {error}.", where=str(path)) from error
    except CityError as error:
        raise CityError(error.what, where=str(path), next=error.next) from error


def unpack_assets(data: bytes) -> Assets:
    """A register that was packed. Raises CityError."""
    try:
        stored = msgspec.msgpack.decode(data, type=_StoredAssets)
        n = len(stored.ids)
        columns = {
            name: np.frombuffer(stored.columns[name], dtype=_DTYPES[name], count=n) for name in Assets.COLUMNS
        }
        _measures("lon and lat", n, columns["lon"], columns["lat"])
        return Assets(
            ids=stored.ids,
            names=stored.names,
            kinds=stored.kinds,
            gateways=stored.gateways,
            columns=columns,
            attributes=stored.attributes,
            revision=stored.revision,
        )
    except (msgspec.DecodeError, KeyError, ValueError, RecursionError) as error:
        raise CityError(f"cannot be read: {error}.", next="Import the city again.") from error


_DTYPES = {
    "kind": "<u2",
    "commune": "<u2",
    "lon": "<f8",
    "lat": "<f8",
    "edge": "<u4",
    "offset_m": "<f4",
    "parent": "<u4",
    "gateway": "<u4",
    "since": "<i8",
    "until": "<i8",
}


def _toml(description: Description) -> str:
    """TOML's basic strings, numbers and arrays are written as JSON writes them."""
    stored = msgspec.structs.asdict(description)
    return "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in stored.items())
