"""The numbering of slots, and the register file the edges load."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from core import inventory, register
from core.assets import NONE, Assets
from core.declaration import Merge
from core.errors import CityError, ConfigError, WireError
from core.inventory import AssetChange
from core.register import HEADROOM, GatewayEntry, MetricEntry, Numbering
from ondijon.testing import City


class Range(msgspec.Struct):
    range_m: float


@pytest.fixture
def numbering(make_trial) -> Numbering:
    return Numbering.of(City.small().assets, [make_trial().declare()])


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
    assert read == made
    assert numbering.register(4).continues(read)
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
    city = City.small()
    change = AssetChange(
        change="added",
        id="S9999",
        at_utc=1,
        kind="presence_sensor",
        lon=5.04,
        lat=47.32,
        gateway="gw-A0002",
        attributes={"range_m": 5.0},
    )
    cities = city, inventory.apply(city, [change], {})
    before, after = (Numbering.of(each.assets, [make_trial().declare()]) for each in cities)
    np.testing.assert_array_equal(after.slot_asset[: before.slots], before.slot_asset)
    np.testing.assert_array_equal(after.slot_metric[: before.slots], before.slot_metric)
    assert after.slots == before.slots + 1
    old, new = before.register(1), after.register(1)
    assert new.continues(old)
    assert not old.continues(new), "an asset was taken away"
    assert [name for name in old.gateways if old.gateways[name] != new.gateways[name]] == ["gw-A0002"]


def test_a_register_of_other_metrics_does_not_continue(numbering: Numbering) -> None:
    register = numbering.register(1)
    entry = msgspec.structs.replace(register.metrics[0], high=1e6)
    other = msgspec.structs.replace(register, metrics=[entry, *register.metrics[1:]])
    assert not other.continues(register)
    assert not msgspec.structs.replace(register, gateways={}).continues(register)


def test_a_gateway_that_no_message_could_welcome_is_refused(make_trial) -> None:
    things = {f"{i:0>100}": Range(range_m=5.0) for i in range(700)}
    city = City.small().having("presence_sensor_2", things)
    columns = {name: getattr(city.assets, name) for name in Assets.COLUMNS}
    columns["gateway"] = np.where(columns["gateway"] == NONE, NONE, 0)
    one = Assets(
        ids=city.assets.ids,
        names=city.assets.names,
        kinds=city.assets.kinds,
        gateways=city.assets.gateways[:1],
        columns=columns,
        attributes=city.assets.attributes,
    )
    with pytest.raises(CityError, match=r"gw-A0001.*Divide them"):
        Numbering.of(one, [make_trial().declare()]).register(1)


def test_a_city_that_an_edge_cannot_hold_is_refused(numbering: Numbering) -> None:
    register = numbering.register(1)
    register.check_room(register.slots + HEADROOM)
    with pytest.raises(ConfigError, match=f"Give {register.slots + HEADROOM} or more"):
        register.check_room(register.slots + HEADROOM - 1)
