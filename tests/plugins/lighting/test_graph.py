"""Lamps along the streets."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np

from ondijon.testing import City
from plugins.lighting.graph import lamp_graph


def neighbours(city: City, link_m: float) -> list[list[int]]:
    start, to = lamp_graph(city, city.assets.of_kind("lamp"), link_m)
    return [to[a:b].tolist() for a, b in itertools.pairwise(start)]


def moved(city: City, **columns: np.ndarray) -> City:
    """The city with other places of assets."""
    assets = city.assets
    other = type(assets)(
        ids=assets.ids,
        names=assets.names,
        kinds=assets.kinds,
        gateways=assets.gateways,
        columns={name: getattr(assets, name) for name in assets.COLUMNS} | columns,
        attributes=assets.attributes,
    )
    return dataclasses.replace(city, assets=other)


def test_lamps_follow_each_other_and_cross_junctions() -> None:
    chain = neighbours(City.small(), 40.0)
    assert chain[0] == [1]
    assert chain[29] == [28]
    assert all(chain[i] == [i - 1, i + 1] for i in range(1, 29)), "also from lamp 9 to 10 around the junction"


def test_too_far_is_not_linked() -> None:
    assert neighbours(City.small(), 29.0) == [[] for _ in range(30)]


def test_a_street_without_lamps_may_be_crossed_and_lamps_without_street_stay_alone() -> None:
    city = City.small()
    lamps = city.assets.of_kind("lamp")
    edge = city.assets.edge.copy()
    edge[lamps[10:20]] = 0xFFFFFFFF
    found = neighbours(moved(city, edge=edge), 350.0)
    assert found[9] == [8, 20], "15 m, the dark street of 300 m, 15 m"
    assert all(found[i] == [] for i in range(10, 20))
    assert neighbours(moved(city, edge=edge), 329.0)[9] == [8]


def test_links_go_both_ways_once_and_never_to_oneself() -> None:
    for link_m in (30.0, 80.0, 700.0):
        found = neighbours(City.small(), link_m)
        for lamp, of in enumerate(found):
            assert of == sorted(set(of) - {lamp})
            assert all(lamp in found[other] for other in of)
