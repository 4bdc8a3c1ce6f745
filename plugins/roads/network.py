"""The city's streets, as this trade asks about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ondijon import NONE, STREET_CLASSES, City
from ondijon.streets import StreetMap
from ondijon.whereabouts import OFF_STREET_M
from plugins.roads.settings import Settings


@dataclass(frozen=True)
class Network:
    """Streets and settings; ``access`` maps the id of an access to its asset."""

    city: City
    settings: Settings
    streets: StreetMap
    access: dict[str, int]

    def edge(self, lon: float, lat: float) -> int | None:
        """The street section a place is on."""
        at = self.streets.nearest(np.array([lon]), np.array([lat]), within_m=OFF_STREET_M)
        return None if at.edge[0] == NONE else int(at.edge[0])

    def class_of(self, edge: int) -> str:
        """The class of a street section."""
        return STREET_CLASSES[int(self.city.streets.edge_class[edge])]

    def name_of(self, edge: int) -> str:
        """The name of a street section."""
        streets = self.city.streets
        return streets.names[int(streets.edge_name[edge])] if streets.names else ""

    def middle(self, edge: int) -> tuple[float, float]:
        """The middle of a street section, in degrees."""
        lon, lat = self.streets.point_at(
            np.array([edge]), np.array([self.city.streets.edge_length_m[edge] / 2])
        )
        return float(lon[0]), float(lat[0])


def build(city: City, settings: Settings) -> Network:
    """What follows from city and settings. Raises ValueError where a street class has no delays, or is none."""
    if set(settings.delay_h) != set(STREET_CLASSES):
        raise ValueError(
            f"`delay_h` must name {', '.join(STREET_CLASSES)}, and names {', '.join(settings.delay_h)}"
        )
    access = city.assets.of_kind("access").tolist()
    return Network(city, settings, StreetMap(city), {city.assets.ids[i]: i for i in access})
