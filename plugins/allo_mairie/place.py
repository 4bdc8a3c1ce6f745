"""What follows from city and settings: built once, handed to the hooks as ``fixed``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from ondijon import City
from plugins.allo_mairie import routing
from plugins.allo_mairie.routing import Route
from plugins.allo_mairie.settings import Settings


@dataclass(frozen=True)
class Place:
    """The city, and where reports of each category go."""

    city: City
    settings: Settings
    zone: ZoneInfo
    routes: dict[str, Route]
    other: Route

    def route(self, category: str) -> Route:
        """Where a category goes."""
        return self.routes.get(category, self.other)

    def of(self, asset: int | None, lon: float | None, lat: float | None) -> tuple[float, float] | None:
        """Where something is, in degrees: the register knows better than who reports it."""
        if asset is not None:
            assets = self.city.assets
            return float(assets.lon[asset]), float(assets.lat[asset])
        return None if lon is None or lat is None else (lon, lat)

    def commune(self, communes: Sequence[int]) -> str:
        """The name of the commune that an event is stamped with; "" outside of all."""
        return self.city.communes.names[communes[0]] if communes else ""

    def id(self, asset: int | None) -> str:
        """An asset's id; "" for none."""
        return "" if asset is None else self.city.assets.ids[asset]


def build(city: City, settings: Settings) -> Place:
    """What follows from the register."""
    routes, other = routing.by_category(settings.other_h)
    return Place(city, settings, ZoneInfo(city.description.timezone), routes, other)
