"""What devices would tell, in a fork of the past."""

from __future__ import annotations

import msgspec
import numpy as np


class Imagined(msgspec.Struct, frozen=True):
    """What devices would tell of a ``metric`` that answers: ``values`` f64[n] of ``assets`` u32[n]."""

    metric: str
    assets: np.ndarray
    values: np.ndarray
