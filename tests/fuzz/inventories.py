"""Inventories of a city: CityError naming the file, or rows that are all used or refused under a reason."""

from __future__ import annotations

import io
import json
import struct
import warnings
import zipfile

import numpy as np
import pyproj
import shapefile

from adapters.cityimport import shapefiles
from adapters.cityimport.inventory import read
from core.errors import CityError
from tests.fuzz.target import Target, written

#: What parts a shapefile has here, and what stands between them in an input.
PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")
BETWEEN = b"--next--"
#: A zip archive may not unpack to more while it is fuzzed.
UNPACKED_MAX = 1 << 20

_LAMBERT = pyproj.CRS.from_epsg(2154)


def _read(name: str, data: bytes) -> None:
    path = written(name, data)
    try:
        inventory = read(path, _LAMBERT)
    except CityError as error:
        assert str(path) in str(error)
        return
    tally = inventory.tally
    assert tally.rows == len(inventory.geometry) + sum(tally.refused.values())
    assert len(inventory.geometry) == len(inventory.attributes) > 0
    bounds = np.array([geometry.bounds for geometry in inventory.geometry])
    assert np.isfinite(bounds).all()


def check_geojson(data: bytes) -> None:
    """Read ``data`` as GeoJSON."""
    _read("a.geojson", data)


def check_csv(data: bytes) -> None:
    """Read ``data`` as CSV."""
    _read("a.csv", data)


def check_zip(data: bytes) -> None:
    """Read ``data`` as a zip archive."""
    before, shapefiles.UNPACKED_MAX = shapefiles.UNPACKED_MAX, UNPACKED_MAX
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pyshp warns of damaged headers
            _read("a.zip", data)
    finally:
        shapefiles.UNPACKED_MAX = before


def check_shapefile(data: bytes) -> None:
    """Read the parts in ``data`` as a zipped shapefile; an empty part is not there."""
    parts = zip(PARTS, data.split(BETWEEN, len(PARTS) - 1), strict=False)
    check_zip(_zip({f"a{suffix}": content for suffix, content in parts if content}))


def _zip(files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _shapefile(kind: int) -> list[bytes]:
    streams = [io.BytesIO() for _ in range(3)]
    shp, shx, dbf = streams
    with shapefile.Writer(shp=shp, shx=shx, dbf=dbf, shapeType=kind) as writer:
        writer.field("nom", "C", 8)
        writer.field("watts", "N", 6, 1)
        writer.field("le", "D")
        for k in range(3):
            x, y = 854_200.0 + 9 * k, 6_693_000.0
            ring = [[x, y], [x, y + 9], [x + 9, y + 9], [x, y]]
            if kind == shapefile.POINT:
                writer.point(x, y)
            elif kind == shapefile.POLYLINE:
                writer.line([ring[:3], ring[1:]])
            elif kind == shapefile.POLYGON:
                writer.poly([ring])
            else:
                writer.null()
            writer.record(f"n{k}", 40.5, "20260115")
    prj = _LAMBERT.to_wkt("WKT1_ESRI").encode()
    return [*(stream.getvalue() for stream in streams), prj, b"UTF-8"]


KINDS = (shapefile.POINT, shapefile.POLYLINE, shapefile.POLYGON, shapefile.NULL)


def seeds_shapefile() -> list[bytes]:
    """All kinds of shape, with and without index, and one whose records lead back to themselves."""
    whole = [_shapefile(kind) for kind in KINDS]
    without = [shp + 2 * BETWEEN + dbf for shp, _, dbf, _, _ in whole]
    shp, _, dbf, *_ = whole[0]
    endless = shp[:104] + struct.pack(">i", -4) + shp[108:]
    return [*(BETWEEN.join(parts) for parts in whole), *without, endless + 2 * BETWEEN + dbf]


def seeds_zip() -> list[bytes]:
    """Archives, packed and not, and one that unpacks to far more than it is."""
    files = {
        f"folder/a{suffix}": content for suffix, content in zip(PARTS, _shapefile(KINDS[0]), strict=True)
    }
    methods = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    bomb = _zip({"a.shp": bytes(4 * UNPACKED_MAX)}, zipfile.ZIP_DEFLATED)
    return [*(_zip(files, method) for method in methods), bomb, _zip({"readme.txt": b"x"})]


def seeds_geojson() -> list[bytes]:
    """Each kind of geometry, a crs member, and rows that are none."""
    point, ring = [5.04, 47.32], [[5.0, 47.0], [5.1, 47.0], [5.1, 47.1], [5.0, 47.0]]
    kinds = {"Point": point, "LineString": ring, "Polygon": [ring], "MultiPoint": ring}
    kinds |= {"MultiLineString": [ring, ring], "MultiPolygon": [[ring]]}
    shapes = [{"type": kind, "coordinates": at} for kind, at in kinds.items()]
    shapes.append({"type": "GeometryCollection", "geometries": shapes[:2]})
    features = [
        {"type": "Feature", "properties": {"Nom": "x", "n": 1}, "geometry": shape} for shape in shapes
    ]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::2154"}}
    files = [{"features": features}, {"features": features[:1], "crs": crs}, {"features": [None, {}, 3]}]
    huge = [{"geometry": {"type": "Point", "coordinates": [10**400, 47.0]}}, features[0]]
    deep = b'{"features": ' + b"[" * 1500
    return [*(json.dumps(file).encode() for file in [*files, {"features": huge}]), deep]


def seeds_csv() -> list[bytes]:
    """The habits of tests/adapters/cityimport/test_inventory.py."""
    tables = [
        "lon,lat\n5.0417,47.3216\n#N/A,1\ninf,47\n",
        "Nom;Latitude;Longitude\nGare;47,3216;5,0417\n",
        "id\tgeo_point_2d\n1\t47.3216, 5.0417\n",
        "id|wkt\n1|POINT (5.0417 47.3216)\n2|POLYGON ((0 0, 1 0, 1 1, 0 0))\n",
        'id;geo_shape\n1;"{""type"": ""Point"", ""coordinates"": [5.0417, 47.3216]}"\n',
        "\ufeffX;Y\n854200;6693000\n\n",
    ]
    return [table.encode() for table in tables]


TARGETS = (
    Target("shapefile", check_shapefile, seeds_shapefile, longest=3000, share=2),
    Target("zip", check_zip, seeds_zip, longest=6000),
    Target("geojson", check_geojson, seeds_geojson, longest=4096, share=2),
    Target("csv", check_csv, seeds_csv, longest=1024),
)
