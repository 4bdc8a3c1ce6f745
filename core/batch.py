"""A batch: the slots that changed since the last step, as columns."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np


class Batch(msgspec.Struct, frozen=True):
    """Changed slots, ascending by slot; read-only columns of one length n.

    ``slot``, ``asset`` u32; ``metric`` u16; ``value`` f64; ``time`` i64 µs; ``count`` u32 (samples merged
    into the value). ``metrics`` maps a metric's name to its number in ``metric``.
    """

    generation: int
    slot: np.ndarray
    asset: np.ndarray
    metric: np.ndarray
    value: np.ndarray
    time: np.ndarray
    count: np.ndarray
    metrics: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.slot)

    def of(self, metric: str) -> Batch:
        """The rows of one metric, by name. Raises KeyError for a metric nobody declared."""
        return self.where(self.metric == self.metrics[metric])

    def where(self, mask: np.ndarray) -> Batch:
        """The rows where ``mask`` bool[n] holds."""
        return Batch(
            self.generation,
            self.slot[mask],
            self.asset[mask],
            self.metric[mask],
            self.value[mask],
            self.time[mask],
            self.count[mask],
            self.metrics,
        )
