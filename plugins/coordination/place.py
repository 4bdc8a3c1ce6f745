"""What follows from city and settings: built once, handed to the hooks as ``fixed``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ondijon import City, Event
from plugins.coordination.settings import Settings


@dataclass(frozen=True)
class Place:
    """The city, and its teams: ``team`` maps a team's id to its asset, ``skills`` to what it can do."""

    city: City
    settings: Settings
    team: dict[str, int]
    skills: dict[str, frozenset[str]]

    def of(self, event: Event) -> tuple[float, float] | None:
        """Where an event is, in degrees: its position, or else its asset's."""
        if event.lon is not None and event.lat is not None:
            return event.lon, event.lat
        if event.asset is None:
            return None
        assets = self.city.assets
        return float(assets.lon[event.asset]), float(assets.lat[event.asset])

    def plane(self, lon: float, lat: float) -> tuple[float, float]:
        """Metres east and north."""
        x, y = self.city.project(np.array(lon), np.array(lat))
        return float(x), float(y)


def build(city: City, settings: Settings) -> Place:
    """What follows from the register."""
    asset = city.assets.of_kind("team").tolist()
    kept = city.assets.attributes.get("team", {})
    ids = [city.assets.ids[i] for i in asset]
    skills = dict(zip(ids, map(frozenset, kept.get("skills", ())), strict=True))
    return Place(city, settings, dict(zip(ids, asset, strict=True)), skills)
