"""Who reports when: each row once a period, staggered, and soon after a handshake."""

from __future__ import annotations

import numpy as np


class Rota:
    """Rows [n] with a period and a phase of their own, in ticks; ``due`` i64[n] the next tick of each."""

    def __init__(self, period: int, stagger: np.ndarray) -> None:
        self._period = period
        self._phase = (stagger * period).astype(np.int64)
        self.due = np.full(len(stagger), np.iinfo(np.int64).max)

    def begin(self, tick: int) -> None:
        """The first period begins."""
        self.due[:] = self._after(tick, self._phase)

    def hasten(self, rows: np.ndarray, tick: int, spread: int) -> None:
        """Have ``rows`` report within ``spread`` ticks, one after the other."""
        self.due[rows] = tick + 1 + np.arange(len(rows)) * spread // max(len(rows), 1)

    def take(self, tick: int) -> np.ndarray:
        """The rows that are due; each is due again at its own time."""
        rows = np.flatnonzero(self.due <= tick)
        if len(rows):
            self.due[rows] = self._after(tick, self._phase[rows])
        return rows

    def _after(self, tick: int, phase: np.ndarray) -> np.ndarray:
        return tick + 1 + (phase - tick - 1) % self._period
