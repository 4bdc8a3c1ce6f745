"""The city folder: CityError, or a city whose arrays can be walked without an index that leads outside."""

from __future__ import annotations

import io
import zipfile
from functools import cache

import numpy as np

from core import city as cities
from core.errors import CityError
from ondijon.streets import StreetMap
from tests.fuzz.city import small
from tests.fuzz.target import Target, scratch

FILES = ("city.toml", "assets.msgpack", "streets.npz")
#: The first byte says which file the rest is; after these, which array of streets.npz.
ARRAY = len(FILES)


def check(data: bytes) -> None:
    """Load a good folder in which one file, or one array, is ``data``."""
    folder = scratch() / "city"
    folder.mkdir(exist_ok=True)
    files = dict(_good())
    which, rest = data[0] if data else 0, data[1:]
    if which < ARRAY:
        files[FILES[which]] = rest
    else:
        files["streets.npz"] = _with_array(which - ARRAY, rest)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    try:
        city = cities.load(folder)
    except CityError as error:
        assert str(folder) in str(error)
    else:
        _walk(city)


def _walk(city: cities.City) -> None:
    streets, assets = city.streets, city.assets
    if streets.edges:
        StreetMap(city)
    assert np.isfinite(city.project(streets.node_lon, streets.node_lat)).all()
    for ends in (streets.edge_from, streets.edge_to, streets.arc_to):
        assert len(streets.node_lon[ends]) == len(ends)
    assert len([streets.names[i] for i in streets.edge_name]) == streets.edges
    assert len([cities.STREET_CLASSES[i] for i in streets.edge_class]) == streets.edges
    for e in range(streets.edges):
        assert len(streets.point_lon[streets.point_start[e] : streets.point_start[e + 1]]) >= 2
    for i in range(len(city.communes.names)):
        assert len(city.communes.lon[city.communes.start[i] : city.communes.start[i + 1]]) >= 3
    for gateway in assets.gateways:
        assert (assets.wire_index[assets.of_gateway(gateway)] < len(assets)).all()
    for kind in assets.kinds:
        assert len(assets.of_kind(kind)) <= len(assets)


@cache
def _good() -> dict[str, bytes]:
    folder = scratch() / "good"
    cities.save(small(), folder)
    return {name: (folder / name).read_bytes() for name in FILES}


@cache
def _arrays() -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(_good()["streets.npz"])) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _with_array(which: int, content: bytes) -> bytes:
    arrays = _arrays()
    name = list(arrays)[which % len(arrays)]
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for each, old in arrays.items():
            archive.writestr(each, content if each == name else old)
    return stream.getvalue()


def seeds() -> list[bytes]:
    """Each file, and each array."""
    files = [bytes([i]) + _good()[name] for i, name in enumerate(FILES)]
    return files + [bytes([ARRAY + i]) + content for i, content in enumerate(_arrays().values())]


TARGET = Target("cities", check, seeds, longest=9000, share=2)
