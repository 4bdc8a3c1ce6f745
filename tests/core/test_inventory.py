"""Changes of the inventory: what fits, what is refused, and what a restart finds again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from core import city as cities
from core import inventory, vocabulary
from core.city import City
from core.declaration import AssetKind
from core.errors import CityError
from core.inventory import AssetChange
from core.journal import Journal, Record, SqliteJournal
from ondijon import Text
from ondijon.testing import City as SmallCity
from ondijon.testing import MemoryJournal
from tests.attributes import Lamp

LAMP = {"power_w": 40, "old_power_w": 100.0, "old_hours": 4100.0, "lighting_class": "P3", "conflict": False}


class Pump(msgspec.Struct):
    flow: float


KINDS = {
    "lamp": AssetKind(name="lamp", attributes=Lamp, parent="cabinet", text=Text("lampe", "lamp")),
    "pump": AssetKind(name="pump", attributes=Pump, text=Text("pompe", "pump")),
}


def change(change: str, id: str, **fields: Any) -> AssetChange:
    return AssetChange(**{"change": change, "id": id, "at_utc": 10, **fields})


def lamp(id: str, **fields: Any) -> AssetChange:
    return change("added", id, **{"kind": "lamp", "lon": 5.04, "lat": 47.32, "attributes": LAMP} | fields)


@pytest.fixture
def city() -> City:
    small = SmallCity.small()
    return small.with_assets(small.assets.knowing(KINDS))


def test_what_is_added_stands_behind_all_that_was_there(city: City) -> None:
    changes = [
        lamp("L1", parent="A0002", gateway="gw-A0002", name="Mât 1"),
        lamp("L2", edge=1, offset_m=12.0, gateway="gw-new", lon=5.05),
        change("changed", "L1", attributes={"power_w": 41.0}),
        change("added", "P1", kind="pump", lon=5.04, lat=47.32, attributes={"flow": 2}),
    ]
    after = inventory.apply(city, changes, KINDS).assets
    n = len(city.assets)
    assert after.ids == (*city.assets.ids, "L1", "L2", "P1")
    assert after.names[n:] == ("Mât 1", "L2", "P1")
    assert after.revision == 4
    assert after.attribute("lamp", "power_w").tolist()[-2:] == [41.0, 40.0]
    assert after.attribute("pump", "flow").tolist() == [2.0]
    assert after.gateways[-1] == "gw-new"
    assert (after.ids[after.parent[n]], after.gateway[n], after.commune[n]) == ("A0002", 1, 0)
    assert (after.edge[n], after.edge[n + 1], after.offset_m[n + 1]) == (0xFFFFFFFF, 1, 12.0)
    assert after.commune[n + 1] == 1
    assert (after.since[n], after.until[n]) == (10, 0)
    assert after.wire_index[n] == len(city.assets.of_gateway("gw-A0002"))
    np.testing.assert_array_equal(after.lon[:n], city.assets.lon)


def test_what_is_changed_keeps_its_place_and_what_is_retired_too(city: City) -> None:
    before = city.assets.attribute("lamp", "power_w")
    changes = [
        change("changed", "L0002", attributes={"power_w": 99.0}, name="new", parent=""),
        change("changed", "L0003", lon=5.05, lat=47.32),
        change("retired", "L0001"),
    ]
    after = inventory.apply(city, changes, KINDS).assets
    assert after.attribute("lamp", "power_w").tolist() == [before[0], 99.0, *before[2:]]
    assert after.ids == city.assets.ids
    assert after.names[after.index["L0002"]] == "new"
    assert after.parent[after.index["L0002"]] == 0xFFFFFFFF
    assert after.commune[after.index["L0003"]] == 1
    assert after.edge[after.index["L0003"]] == 0xFFFFFFFF, "where it stands now was not told"
    assert np.flatnonzero(~after.in_service()).tolist() == [after.index["L0001"]]
    assert city.assets.in_service().all(), "the city before is as it was"


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (lamp("L0001"), "used before"),
        (lamp("L1", kind="tree"), "no kind 'tree'. Known: cabinet, lamp"),
        (lamp("L1", lon=None), "no position"),
        (lamp("L1", lat=None), "half a position"),
        (lamp("L1", lon=47.32, lat=5.04), "far from every commune"),
        (lamp("L1", edge=3), "no street has the number 3"),
        (lamp("L1", attributes={"power_w": 1.0}), "A lamp has exactly"),
        (lamp("L1", attributes=LAMP | {"power_w": "much"}), r"Expected `float`, got `str` - at `\$.power_w`"),
        (lamp("L1", parent="A9"), "'A9' is no other asset"),
        (lamp("L1", parent="L1"), "'L1' is no other asset"),
        (lamp("L1", parent="L0001"), "'L0001' is a lamp, not a cabinet"),
        (change("added", "J1", kind="junction", lon=5.04, lat=47.32), r"exactly \['arms'\]"),
        (change("changed", "L9"), "no asset has this id"),
        (change("changed", "L0001", kind="pump"), "kind and gateway of an asset stay"),
        (change("changed", "L0001", gateway="gw-A0002"), "kind and gateway of an asset stay"),
        (change("changed", "L0001", attributes={"colour": "red"}), "A lamp has exactly"),
        (change("changed", "L0001", edge=1), "half a position"),
        (change("retired", "L0001", name="x"), "what is retired does not change"),
        (change("retired", "L9"), "no asset has this id"),
    ],
)
def test_a_list_with_one_that_does_not_fit_is_refused_whole(city: City, wrong: AssetChange, why: str) -> None:
    with pytest.raises(CityError, match=why) as refused:
        inventory.apply(city, [lamp("L77"), wrong], KINDS)
    assert refused.value.where.startswith(f"change 2 of 2, {wrong.change} ")


def test_what_was_retired_neither_changes_nor_comes_back(city: City) -> None:
    retired = inventory.apply(city, [change("retired", "L0001", at_utc=20)], KINDS)
    for wrong in (change("changed", "L0001"), change("retired", "L0001"), lamp("L0001")):
        with pytest.raises(CityError, match=r"retired|used before"):
            inventory.apply(retired, [wrong], KINDS)
    added = inventory.apply(city, [lamp("L1", at_utc=30)], KINDS)
    with pytest.raises(CityError, match="into service after that"):
        inventory.apply(added, [change("retired", "L1", at_utc=29)], KINDS)


def keep(journal: Journal, city: City, *changes: AssetChange) -> City:
    after = inventory.apply(city, changes, KINDS)
    data = msgspec.msgpack.encode(inventory.Changed(after.assets.revision, changes))
    journal.append([Record("command", 0, 0, b""), Record(inventory.CHANGED, 0, 0, data)])
    return after


def test_a_restart_finds_what_changed(city: City, tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path)
    one = keep(journal, city, lamp("L1"), change("retired", "L0001"))
    two = keep(journal, one, change("changed", "L1", attributes={"power_w": 7.0}))
    journal.close()
    journal = SqliteJournal(tmp_path)
    again = inventory.resume(SmallCity.small(), journal, KINDS)
    assert again.assets.ids == two.assets.ids
    network = {kind.name: kind for kind in vocabulary.ASSETS}
    assert again.assets.attributes == two.assets.knowing(network).attributes
    assert again.assets.revision == 3
    np.testing.assert_array_equal(again.assets.until, two.assets.until)
    journal.save(0, 0, b"", cities.pack_assets(two.assets))
    three = keep(journal, two, change("retired", "L0002"))
    journal.close()
    journal = SqliteJournal(tmp_path)
    again = inventory.resume(SmallCity.small(), journal, KINDS)
    assert again.assets.revision == three.assets.revision == 4, "the saved register, and what came after it"
    np.testing.assert_array_equal(again.assets.until, three.assets.until)
    journal.close()


def test_the_data_of_another_city_is_refused(city: City) -> None:
    journal = MemoryJournal()
    larger = SmallCity.small().having("pump", {"P1": Pump(1.0)})
    journal.save(0, 0, b"", cities.pack_assets(larger.assets))
    inventory.resume(larger, journal, KINDS)
    assert len(inventory.resume(city, journal, KINDS).assets) == 46, (
        "a folder of which it is the continuation"
    )
    renamed = SmallCity.small().having("pump", {"P2": Pump(1.0)})
    with pytest.raises(CityError, match="its 46 assets are not those that this data was kept for"):
        inventory.resume(renamed, journal, KINDS)
    larger = SmallCity.small().having("pump", {"P1": Pump(1.0), "P2": Pump(2.0)})
    with pytest.raises(CityError, match="a new `data` folder"):
        inventory.resume(larger, journal, KINDS)


def test_changes_that_do_not_fit_are_refused(city: City) -> None:
    journal = MemoryJournal()
    keep(journal, inventory.apply(city, [lamp("L1")], KINDS), change("retired", "L1"))
    with pytest.raises(
        CityError, match="change 2 does not fit: change 1 of 1, retired 'L1': no asset has this id"
    ):
        inventory.resume(city, journal, KINDS)
