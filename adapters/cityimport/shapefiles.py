"""Shapefiles, zipped or as loose parts."""

from __future__ import annotations

import io
import re
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyproj
import shapefile
import shapely

from adapters.cityimport.rows import Rows, geometry
from core.archive import unpack
from core.errors import CityError

#: The files of one shapefile that are read: shapes, their index, attributes, CRS, encoding.
_PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")

#: What an archive may unpack to, in bytes.
UNPACKED_MAX = 1 << 30


def read_shapefile(path: Path) -> Rows:
    """The rows of the ``.shp`` at ``path`` and of what lies beside it under the same name."""
    found = {p.suffix.lower(): p for p in path.parent.glob(f"{_literal(path.stem)}.*")}
    return _decode_shapefile(
        path, {suffix: p.read_bytes() for suffix, p in found.items() if suffix in _PARTS}
    )


def _literal(stem: str) -> str:
    """``stem`` so that a glob takes it literally."""
    return re.sub(r"([\[\]*?])", r"[\1]", stem)


def read_zip(path: Path) -> Rows:
    """The rows of the one shapefile in a zip archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.startswith("__MACOSX/")]
            shapes = [name for name in names if name.lower().endswith(".shp")]
            if len(shapes) != 1:
                raise CityError(
                    f"holds {len(shapes)} shapefiles (.shp), not one, among {names[:10]}.",
                    where=str(path),
                    next="Give a zip of one shapefile with its .shp, .shx, .dbf and .prj.",
                )
            stem = shapes[0][:-4]
            wanted = [n for n in names if n.startswith(f"{stem}.") and n[len(stem) :].lower() in _PARTS]
            files = unpack(archive, wanted, UNPACKED_MAX)
            parts = {name[len(stem) :].lower(): content for name, content in files.items()}
    except CityError:
        raise
    except Exception as error:  # damaged, locked, exotic, a bomb: zipfile has a dozen errors for it
        raise CityError(
            f"is not a readable zip archive: {error}.", where=str(path), next="Download it again."
        ) from error
    return _decode_shapefile(path, parts)


def _decode_shapefile(path: Path, parts: Mapping[str, bytes]) -> Rows:
    declared = parts.get(".cpg", b"").decode("ascii", "replace").strip()
    encodings = [_codec(path, declared)] if declared else ["utf-8", "latin-1"]
    for encoding in encodings:
        try:
            return _read_parts(path, parts, encoding)
        except Exception as error:  # pyshp answers damaged bytes with struct.error, ValueError and its own
            if not _decodes(parts.get(".dbf", b""), encoding):
                continue
            raise CityError(
                f"is not a readable shapefile: {error}.",
                where=str(path),
                next="Export it again, all its parts together.",
            ) from error
    raise CityError(
        f"its .cpg says {declared!r}, but the texts in its .dbf are not that.",
        where=str(path),
        next="Correct the .cpg, or remove it: then UTF-8 and Latin-1 are tried.",
    )


def _decodes(dbf: bytes, encoding: str) -> bool:
    """Whether the records of a .dbf, behind the header whose length bytes 8 and 9 say, are that text."""
    try:
        dbf[int.from_bytes(dbf[8:10], "little") :].decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _codec(path: Path, declared: str) -> str:
    """Python's name of a .cpg's content: ``UTF-8``, ``1252``, ``ANSI 1252``, ``88591``, ``ISO-8859-1``."""
    number = re.sub(r"\D", "", declared)
    for name in (declared, f"cp{number}", f"iso-8859-{number[4:]}" if number.startswith("8859") else ""):
        try:
            "".encode(name or "?")
            return name
        except (LookupError, ValueError):  # a name with a zero byte, or Python's codec that only refuses
            continue
    raise CityError(
        f"its .cpg names an unknown encoding, {declared!r}.",
        where=str(path),
        next="Correct the .cpg (UTF-8 or ISO-8859-1), or remove it.",
    )


def _read_parts(path: Path, parts: Mapping[str, bytes], encoding: str) -> Rows:
    shp, dbf = _whole(parts.get(".shp", b""), parts.get(".shx")), parts.get(".dbf")
    if dbf is not None:
        _check_fields(dbf)
    streams = {"shp": io.BytesIO(shp)} | ({"dbf": io.BytesIO(dbf)} if dbf is not None else {})
    with shapefile.Reader(**streams, encoding=encoding) as reader:
        shapes = [_shape_of(shape) for shape in reader.iterShapes()]
        records = [r.as_dict() for r in reader.iterRecords()] if ".dbf" in parts else [{} for _ in shapes]
    if len(records) != len(shapes):
        raise ValueError(f"its .shp has {len(shapes)} rows and its .dbf {len(records)}")
    return Rows(shapes, records, _prj(parts.get(".prj")))


def _whole(shp: bytes, shx: bytes | None) -> bytes:
    """The .shp up to its last record, each inside the file: after a negative length pyshp would read for ever.

    The index says how many there are, without one the end of the file.
    """
    at, left = 100, (len(shx) - 100) // 8 if shx else len(shp)
    while left > 0 and (shx or at < len(shp)):
        (words,) = struct.unpack_from(">i", shp, at + 4)
        at, left = at + 8 + 2 * words, left - 1
        if words < 2 or at > len(shp):
            raise ValueError("a record of its .shp does not lie inside the file")
    return shp[:at]


def _check_fields(dbf: bytes) -> None:
    """Raise ValueError for a field without width: one byte a row would become a row of 2,000 values."""
    (header,) = struct.unpack_from("<H", dbf, 8)
    if 0 in dbf[32 + 16 : header - 1 : 32]:
        raise ValueError("a field of its .dbf has no width")


def _shape_of(shape: Any) -> Any:
    if shape.shapeType == shapefile.NULL:
        return None
    if shape.shapeType in (shapefile.POINT, shapefile.POINTZ, shapefile.POINTM):
        return shapely.Point(shape.points[0][:2])  # the common case, several times faster than the next
    return geometry(shape.__geo_interface__)


def _prj(content: bytes | None) -> pyproj.CRS | None:
    try:
        return pyproj.CRS.from_wkt(content.decode("utf-8", "replace")) if content else None
    except pyproj.exceptions.CRSError:
        return None  # as good as none: then --crs or the coordinates decide
