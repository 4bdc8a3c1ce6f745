"""Times as counts in log-linear buckets: eight an octave, so a percentile is known within 12 %."""

from __future__ import annotations

import numpy as np

BUCKETS = 256


def bucket(us: np.ndarray) -> np.ndarray:
    """The bucket of each time in µs; the ingest loop counts into the same ones."""
    age = np.maximum(np.asarray(us, np.int64), 0)
    octave = np.frexp(np.maximum(age, 1).astype(np.float64))[1] - 1
    high = np.minimum((octave - 2) * 8 + ((age >> np.maximum(octave - 3, 0)) & 7), BUCKETS - 1)
    return np.where(age < 8, age, high)


def _middle(i: int) -> float:
    if i < 8:
        return float(i)
    octave, part = i // 8 + 2, i % 8
    return float((8 + part + 0.5) * 2 ** (octave - 3))


class Histogram:
    """Counts of times in µs."""

    def __init__(self, counts: np.ndarray | None = None) -> None:
        self.counts = np.zeros(BUCKETS, np.uint64) if counts is None else counts

    def add(self, us: float) -> None:
        """Count one time."""
        # As `bucket`, whose arrays would cost more than what is timed.
        age = max(int(us), 0)
        octave = age.bit_length() - 1
        high = min((octave - 2) * 8 + (age >> octave - 3 & 7), BUCKETS - 1) if age >= 8 else age
        self.counts[high] += np.uint64(1)

    def add_all(self, us: np.ndarray) -> None:
        """Count many times."""
        np.add.at(self.counts, bucket(us), np.uint64(1))

    @property
    def total(self) -> int:
        """How many were counted."""
        return int(self.counts.sum())

    def percentile(self, p: float) -> float | None:
        """The time below which ``p`` percent lie, in µs; None where nothing was counted."""
        if not self.total:
            return None
        rank = int(np.searchsorted(np.cumsum(self.counts), np.ceil(self.total * p / 100)))
        return _middle(min(rank, BUCKETS - 1))

    def summary(self) -> dict[str, float | None]:
        """p50, p99 and p999 in µs."""
        return {"p50": self.percentile(50), "p99": self.percentile(99), "p999": self.percentile(99.9)}
