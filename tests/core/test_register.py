"""The numbering of slots, and the register file the edges load."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from core import register
from core.assets import AssetChange
from core.declaration import Merge
from core.errors import CityError, WireError
from core.register import GatewayEntry, MetricEntry, Numbering
from ondijon.testing import City


@pytest.fixture
def numbering(make_trial) -> Numbering:
    return Numbering(City.small().assets, [make_trial().declare()])


def test_every_metric_of_every_asset_has_one_slot(numbering: Numbering) -> None:
    assert numbering.slots == 30 * 1 + 10 * 1
    seen = set()
    for metric, number in numbering.metric_index.items():
        assets, slots = numbering.slots_of(metric)
        assert (numbering.slot_asset[slots] == assets).all()
        assert (numbering.slot_metric[slots] == number).all()
        seen.update(slots.tolist())
    assert seen == set(range(numbering.slots))


def test_the_register_survives_its_file(numbering: Numbering, tmp_path: Path) -> None:
    made = numbering.register(3)
    path = tmp_path / "register.msgpack"
    made.save(path)
    read = register.load(path)
    assert read.generation == 3
    assert read.numbering == made.numbering == numbering.register(4).numbering
    assert read.slots == numbering.slots
    np.testing.assert_array_equal(read.kind_offsets, numbering.offsets)
    assert read.gateways["gw-A0001"].assets[0] == "A0001"


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"garbage")
    with pytest.raises(WireError, match="no register of this version"):
        register.load(tmp_path / "x")


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("metric", b"\0"),
        ("metric", b"\xff\xff"),
        ("offsets", b"\0\0"),
        ("kinds", ["lamp"]),
        ("gateways", {"g": GatewayEntry(["L1"], b"", b"")}),
        ("gateways", {"g": GatewayEntry(["L1"], b"\0" * 4, b"\xff\xff")}),
        ("gateways", {"g": GatewayEntry(["L1"], b"\xff" * 4, b"\1\0")}),
        ("metrics", [MetricEntry("m", 0, float("nan"), 1, Merge.LAST, 0)] * 2),
        ("metrics", [MetricEntry("m", 0, 0, 1, Merge.LAST, 1e300)] * 2),
        ("metrics", [MetricEntry("m", float("nan"), 0, 1, Merge.LAST, 0)] * 2),
    ],
)
def test_a_register_that_contradicts_itself_is_refused(
    numbering: Numbering, tmp_path: Path, part: str, value: object
) -> None:
    msgspec.structs.replace(numbering.register(1), **{part: value}).save(tmp_path / "x")
    with pytest.raises(WireError, match="no register of this version"):
        register.load(tmp_path / "x")


def test_an_added_asset_leaves_all_other_slots_in_place(make_trial) -> None:
    assets = City.small().assets
    change = AssetChange(
        change="added",
        id="S9999",
        at_utc=1,
        kind="presence_sensor",
        fields={"lon": 5.0, "lat": 47.0, "commune": 0, "gateway": "gw-new"},
        attributes={"range_m": 5.0},
    )
    before, after = (Numbering(a, [make_trial().declare()]) for a in (assets, assets.apply(change)))
    np.testing.assert_array_equal(after.slot_asset[: before.slots], before.slot_asset)
    np.testing.assert_array_equal(after.slot_metric[: before.slots], before.slot_metric)
    assert after.slots == before.slots + 1
    assert after.register(1).numbering != before.register(1).numbering


def test_changes_that_do_not_fit_are_refused() -> None:
    assets = City.small().assets
    with pytest.raises(CityError, match="was used before"):
        assets.apply(AssetChange(change="added", id="L0001", at_utc=1, kind="lamp"))
    with pytest.raises(CityError, match="Give exactly the attributes"):
        assets.apply(AssetChange(change="added", id="L1", at_utc=1, kind="lamp", attributes={"power_w": 1}))
    with pytest.raises(CityError, match="no asset has the id"):
        assets.apply(AssetChange(change="retired", id="L1", at_utc=1))
    with pytest.raises(CityError, match="cannot change"):
        assets.apply(AssetChange(change="changed", id="L0001", at_utc=1, fields={"kind": 2}))
    changed = assets.apply(AssetChange(change="changed", id="L0002", at_utc=1, attributes={"power_w": 99.0}))
    assert changed.attribute("lamp", "power_w")[1] == 99.0
    assert assets.attribute("lamp", "power_w")[1] != 99.0
    assert changed.revision == assets.revision + 1
