"""City folders: what is saved comes back, what is damaged is named."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from core import city as cities
from core.errors import CityError
from ondijon.testing import City


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    cities.save(City.small(), tmp_path)
    return tmp_path


def refused(folder: Path, file: str, words: str) -> None:
    with pytest.raises(CityError, match=words) as caught:
        cities.load(folder)
    assert str(folder / file) in str(caught.value)


def test_a_city_survives_its_folder(folder: Path) -> None:
    made, read = City.small(), cities.load(folder)
    assert read.description == made.description
    assert read.streets.names == made.streets.names
    assert read.communes.names == made.communes.names
    assert read.assets.ids == made.assets.ids
    for name in ("arc_to", "point_lon", "edge_length_m"):
        np.testing.assert_array_equal(getattr(read.streets, name), getattr(made.streets, name))
    assert not read.streets.arc_to.flags.writeable


@pytest.mark.parametrize(
    "text", [b"a = \xe9", b"a = " + b"[" * 5000, b"a = " + b"9" * 5000, b"=", b"format = 'x'"]
)
def test_a_description_that_is_none_is_refused(folder: Path, text: bytes) -> None:
    (folder / "city.toml").write_bytes(text)
    refused(folder, "city.toml", "not TOML|missing|Expected")


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("streets.edge_to", np.array([1, 2, 4], np.uint32)),
        ("streets.edge_to", np.array([1, 2], np.uint32)),
        ("streets.edge_to", np.array([1.0, 2.0, 3.0])),
        ("streets.edge_to", np.array([[1, 2, 3]], np.uint32)),
        ("streets.edge_class", np.array([0, 0, 9], np.uint8)),
        ("streets.edge_oneway", np.array([0, 0, 127], np.int8)),
        ("streets.node_lon", np.array([5.0, 5.0, 5.0, np.nan])),
        ("streets.point_start", np.array([0, 4, 2, 6], np.uint32)),
        ("streets.arc_start", np.array([0, 1, 2, 3, 999], np.uint32)),
        ("communes.start", np.array([0, 9, 10], np.uint32)),
        ("streets.surplus", np.zeros(3)),
    ],
)
def test_streets_whose_indexes_lead_outside_are_refused(folder: Path, name: str, array: np.ndarray) -> None:
    with np.load(folder / "streets.npz") as stored:
        arrays = dict(stored) | {name: array}
    np.savez(folder / "streets.npz", **arrays)
    refused(folder, "streets.npz", "cannot be read")


def test_an_array_longer_than_its_file_is_not_allocated(folder: Path) -> None:
    path = folder / "streets.npz"
    np.savez(path, **dict(np.load(path)))  # not packed, so that the claim can be changed in place
    assert b"(4,), }" in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(b"(4,), }         ", b"(4000000000,), }"))
    refused(folder, "streets.npz", "cannot be read")


@pytest.mark.parametrize("damage", [b"", b"PK", b"\x93NUMPY"])
def test_streets_that_are_no_archive_are_refused(folder: Path, damage: bytes) -> None:
    (folder / "streets.npz").write_bytes(damage)
    refused(folder, "streets.npz", "cannot be read")


@pytest.mark.parametrize("change", [{"ids": [1]}, {"ids": ["a", "a"]}, {"columns": {}}, {"attributes": []}])
def test_assets_that_do_not_fit_are_refused(folder: Path, change: dict) -> None:
    path = folder / "assets.msgpack"
    path.write_bytes(msgspec.msgpack.encode(msgspec.msgpack.decode(path.read_bytes()) | change))
    refused(folder, "assets.msgpack", "cannot be read|do not have 2 rows")


def test_an_asset_in_no_commune_is_refused(folder: Path) -> None:
    city = cities.load(folder)
    columns = {name: getattr(city.assets, name) for name in cities.Assets.COLUMNS}
    columns["commune"] = columns["commune"] + 2
    moved = cities.Assets(
        ids=city.assets.ids,
        names=city.assets.names,
        kinds=city.assets.kinds,
        gateways=city.assets.gateways,
        columns=columns,
        attributes=city.assets.attributes,
    )
    cities.save(city.with_assets(moved), folder)
    with pytest.raises(CityError, match="commune that is not there"):
        cities.load(folder)
