"""The teams of a city: what each can do, where it is at home, and when it is on duty."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from ondijon import City
from ondijon.shifts import Shifts
from ondijon.streets import Places, StreetMap
from ondijon.travel import drive_seconds


@dataclass(frozen=True)
class Crews:
    """Teams [n] in the order of their assets: ``asset`` u32[n], ``home`` their bases."""

    city: City
    street_map: StreetMap
    seconds: np.ndarray
    ids: tuple[str, ...]
    asset: np.ndarray
    home: Places
    skills: tuple[frozenset[str], ...]
    shifts: Shifts


def build(city: City) -> Crews:
    """What follows from the register. Raises ValueError where a team's shift is none."""
    street_map = StreetMap(city)
    asset = city.assets.of_kind("team")
    kept = city.assets.attributes.get("team", {})
    return Crews(
        city=city,
        street_map=street_map,
        seconds=drive_seconds(city.streets),
        ids=tuple(city.assets.ids[i] for i in asset.tolist()),
        asset=asset,
        home=street_map.nearest(city.assets.lon[asset], city.assets.lat[asset]),
        skills=tuple(frozenset(each) for each in kept.get("skills", ())),
        shifts=Shifts(kept.get("shift", ()), ZoneInfo(city.description.timezone)),
    )
