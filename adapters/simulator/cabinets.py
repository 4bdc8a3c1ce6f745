"""Cabinets: each feeds lamps and meters what they truly draw, within its meter's class."""

from __future__ import annotations

import numpy as np

JOULES_PER_KWH = 3.6e6


class Cabinets:
    """Cabinets [c]: ``true_j`` f64 the energy delivered since the start; ``power_w`` f64 now.

    ``feeds`` i64[lamps] is each lamp's cabinet (c: none of these).
    """

    def __init__(self, feeds: np.ndarray, error: np.ndarray, start_kwh: np.ndarray) -> None:
        """``error`` f64[c] relative, of each meter; ``start_kwh`` f64[c] what its register shows first."""
        self._feeds, self._error, self._start_kwh = feeds, error, start_kwh
        self.true_j = np.zeros(len(error))
        self.power_w = np.zeros(len(error))

    def __len__(self) -> int:
        return len(self._error)

    def step(self, lamp_w: np.ndarray, seconds: float) -> None:
        """``lamp_w`` f64[lamps] flowed for ``seconds``."""
        n = len(self._error)
        self.power_w = np.bincount(self._feeds, lamp_w, n + 1)[:n]
        self.true_j += self.power_w * seconds

    def metered_kwh(self) -> np.ndarray:
        """f64[c]: what each meter counted since the start."""
        return self.true_j / JOULES_PER_KWH * (1 + self._error)

    def register_kwh(self) -> np.ndarray:
        """f64[c]: what each meter shows."""
        return self._start_kwh + self.metered_kwh()

    def metered_w(self) -> np.ndarray:
        """f64[c]: the power that each meter shows."""
        return self.power_w * (1 + self._error)
