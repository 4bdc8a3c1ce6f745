"""Lamps: each holds its programme, obeys leases, ramps, draws power; some are broken."""

from __future__ import annotations

import numpy as np

from adapters.simulator.faults import Ailment
from adapters.simulator.settings import Settings

#: What a weak lamp gives of the power it should.
WEAK_SHARE = 0.5

#: A change is reported beyond these, and at the end of a ramp.
LEVEL_STEP_PCT, POWER_STEP_W = 2.0, 3.0


class Lamps:
    """Lamps [n]: ``level_pct``, ``power_w`` f64 what they do now; ``override_pct`` f64 until ``lease_end`` i64 µs.

    ``power_w`` is true; meters and drivers measure it with their own errors. ``powered`` bool[n].
    """

    def __init__(self, full_w: np.ndarray, ailment: np.ndarray, settings: Settings) -> None:
        """``full_w`` f64[n] at 100 %; ``ailment`` u8[n] what each has whenever it is broken."""
        n = len(full_w)
        self._full_w, self._ailment = full_w, ailment
        self._fixed = settings.standby_pct / 100
        self._standby_w = settings.standby_w
        self._rise_pct_s = 100.0 / settings.rise_s
        self._fall_pct_s = 100.0 / settings.fade_s
        self.level_pct = np.zeros(n)
        self.power_w = np.zeros(n)
        self.override_pct = np.zeros(n)
        self.lease_end = np.zeros(n, np.int64)
        self.powered = np.ones(n, bool)
        self._target = np.zeros(n)
        self._said_level = np.zeros(n)
        self._said_power = np.zeros(n)

    def __len__(self) -> int:
        return len(self._full_w)

    def begin(self, programme_pct: np.ndarray, powered: np.ndarray, broken: np.ndarray) -> None:
        """All lamps burn as programmed and have said so."""
        self.powered = powered
        self.level_pct = np.where(powered, programme_pct, 0.0)
        self.power_w = self._draw(np.flatnonzero(broken))
        self.report(np.arange(len(self)), self.said(broken))

    def order(self, rows: np.ndarray, values_pct: np.ndarray, lease_end: np.ndarray | int) -> None:
        """Hold ``values_pct`` until ``lease_end`` µs of city time; an end in the past releases.

        The newest order of a lamp counts.
        """
        self.override_pct[rows] = np.clip(values_pct, 0.0, 100.0)
        self.lease_end[rows] = lease_end

    def step(
        self, utc: int, seconds: float, programme_pct: np.ndarray, powered: np.ndarray, broken: np.ndarray
    ) -> None:
        """Move on by ``seconds`` to ``utc`` µs. A lease ends here, whatever the centre says or does not say."""
        self.powered = powered
        if not powered.all():
            # A lamp that loses power forgets its order; with power it begins again at its programme.
            self.lease_end[~powered] = 0
            self.level_pct[~powered] = 0.0
        self._target = np.where(self.lease_end > utc, self.override_pct, programme_pct)
        low = self.level_pct - self._fall_pct_s * seconds
        high = self.level_pct + self._rise_pct_s * seconds
        self.level_pct = np.minimum(np.maximum(self._target, low), high)
        if not powered.all():
            self.level_pct[~powered] = 0.0
        self.power_w = self._draw(np.flatnonzero(broken))

    def _draw(self, broken: np.ndarray) -> np.ndarray:
        power = self._full_w * (self._fixed + (1 - self._fixed) / 100 * self.level_pct)
        ailment, full = self._ailment[broken], self._full_w[broken]
        wrong = np.select(
            [ailment == Ailment.DARK, ailment == Ailment.STUCK],
            [np.full(len(broken), self._standby_w), full],
            WEAK_SHARE * power[broken],
        )
        out = self.level_pct <= 0
        power[out] = self._standby_w
        power[broken] = np.where(out[broken] & (ailment != Ailment.STUCK), self._standby_w, wrong)
        power[~self.powered] = 0.0
        return power

    def said(self, broken: np.ndarray) -> np.ndarray:
        """f64[n]: the level that drivers report. A dark lamp's driver knows nothing of it; a stuck one's does."""
        level = self.level_pct.copy()
        rows = np.flatnonzero(broken & self.powered)
        level[rows[self._ailment[rows] == Ailment.STUCK]] = 100.0
        return level

    def changed(self, said_pct: np.ndarray) -> np.ndarray:
        """bool[n]: what moved far enough since it was last reported, or came to the end of a ramp."""
        level = np.abs(said_pct - self._said_level)
        settled = (self.level_pct == self._target) & (level > 0)
        return self.powered & (
            (level > LEVEL_STEP_PCT) | settled | (np.abs(self.power_w - self._said_power) > POWER_STEP_W)
        )

    def report(self, rows: np.ndarray, said_pct: np.ndarray) -> None:
        """``rows`` are reported as they are now."""
        self._said_level[rows] = said_pct[rows]
        self._said_power[rows] = self.power_w[rows]
