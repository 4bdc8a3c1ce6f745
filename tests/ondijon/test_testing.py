"""The test post itself: cities with things of their own, kept as folders."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from core import city as cities
from core.assets import NONE
from ondijon.testing import City


class Gauge(msgspec.Struct):
    limit_cm: float


GAUGES = {f"W{i}": Gauge(10.0 * i) for i in range(1, 4)}


def test_a_city_has_things_of_its_own() -> None:
    city = City.small().having("gauge", GAUGES, street=2)
    assets = city.assets
    found = assets.of_kind("gauge")
    assert [assets.ids[i] for i in found] == ["W1", "W2", "W3"]
    assert assets.validate({"gauge": Gauge, "lamp": msgspec.defstruct("Lamp", assets.attributes["lamp"])})
    np.testing.assert_allclose(assets.offset_m[found], [50, 150, 250])
    assert set(assets.commune[found].tolist()) == {1}, "the street lies in the second commune"
    assert [assets.gateways[assets.gateway[i]] for i in found] == ["gw-W1", "gw-W2", "gw-W3"]
    assert set(assets.parent[found].tolist()) == {NONE}
    lamps = assets.of_kind("lamp")
    near = lamps[assets.edge[lamps] == 2]
    assert assets.lon[near].min() < assets.lon[found].min() < assets.lon[found].max() < assets.lon[near].max()


def test_an_id_is_not_used_twice() -> None:
    with pytest.raises(Exception, match="two assets share an id"):
        City.small().having("gauge", {"L0001": Gauge(1.0)})


def test_a_city_of_a_test_is_kept_as_a_folder(tmp_path: Path) -> None:
    city = City.small().having("gauge", GAUGES)
    city.save(tmp_path / "city")
    loaded = cities.load(tmp_path / "city")
    assert loaded.assets.ids == city.assets.ids
    assert loaded.assets.attributes["gauge"] == {"limit_cm": [10.0, 20.0, 30.0]}
