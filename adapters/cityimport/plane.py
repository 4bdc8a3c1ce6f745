"""A flat sheet of metres over the city: where lengths and distances are measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.city import EARTH_RADIUS_M

_METRES_A_DEGREE = EARTH_RADIUS_M * np.radians(1.0)


@dataclass(frozen=True)
class Plane:
    """Metres east and north of (``lon``, ``lat``), by the formula of ``core.city.City.project``."""

    lon: float
    lat: float

    @classmethod
    def over(cls, lon: np.ndarray, lat: np.ndarray) -> Plane:
        """The plane whose origin is the middle of the given positions."""
        return cls(float(lon.min() + lon.max()) / 2, float(lat.min() + lat.max()) / 2)

    def metres(self, degrees: np.ndarray) -> np.ndarray:
        """(x, y) f64[n, 2] of (lon, lat) f64[n, 2]."""
        return (np.asarray(degrees, np.float64) - (self.lon, self.lat)) * self._scale

    def degrees(self, metres: np.ndarray) -> np.ndarray:
        """(lon, lat) f64[n, 2] of (x, y) f64[n, 2]."""
        return np.asarray(metres, np.float64) / self._scale + (self.lon, self.lat)

    @property
    def _scale(self) -> tuple[float, float]:
        return (float(_METRES_A_DEGREE * np.cos(np.radians(self.lat))), float(_METRES_A_DEGREE))
