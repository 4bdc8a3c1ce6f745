"""The table of the numpy contenders: latest value and time, without validation or change detection."""

from __future__ import annotations

import struct

import numpy as np

from bench.load import METRICS, Load

_HEADER = struct.Struct("<BBHIIHHqd")
HEADER_BYTES = _HEADER.size


class Columns:
    """``value`` f64[slots], ``time`` i64[slots]; ``store`` takes one wire frame, single or columnar."""

    def __init__(self, load: Load) -> None:
        self.value, self.time = np.zeros(load.slots), np.zeros(load.slots, np.int64)
        self.first = {id: int(first[0]) for id, first in zip(load.ids(), load.first_slot(), strict=True)}
        self.last = 0

    def store(self, data: bytes) -> None:
        """Put a frame's samples where they belong."""
        _, kind, n, session, _, metric, _, start, value = _HEADER.unpack_from(data)
        self.last = start
        first = self.first[session] + metric
        if kind == 1:
            slot = first + n * METRICS
            self.value[slot] = value
            self.time[slot] = start
            return
        at = HEADER_BYTES
        values = np.frombuffer(data, np.float64, n, at)
        offset = np.frombuffer(data, np.int32, n, at + 8 * n)
        index = np.frombuffer(data, np.uint16, n, at + 12 * n)
        slots = index.astype(np.intp) * METRICS + first
        self.value[slots] = values
        self.time[slots] = offset + np.int64(start)
