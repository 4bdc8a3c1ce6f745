"""What assets showed in one minute, as columns: what the kernel tells its edge, and the edge those who follow."""

from __future__ import annotations

import msgspec
import numpy as np

#: Columns of a part, and how they are written: little endian.
COLUMNS = {
    "asset": "<u4",
    "last": "<f8",
    "low": "<f8",
    "high": "<f8",
    "total": "<f8",
    "values": "<u4",
    "count": "<u4",
}


class MinuteRows(msgspec.Struct, frozen=True):
    """What some assets showed of ``metric`` in the minute that began at ``minute`` µs; columns of one length.

    ``asset`` u32, ascending, within one part of PART indexes; ``last`` f64 the newest value, ``low`` and ``high``
    f64 the least and the greatest, ``total`` f64 the sum of so many ``values`` u32; ``count`` u32 the samples merged
    into them. No values: nothing came in this minute, ``last`` is what stood.
    """

    minute: int
    metric: str
    asset: bytes
    last: bytes
    low: bytes
    high: bytes
    total: bytes
    values: bytes
    count: bytes

    def __len__(self) -> int:
        return len(self.asset) // 4

    def columns(self) -> dict[str, np.ndarray]:
        """The columns as arrays."""
        return {name: np.frombuffer(getattr(self, name), dtype) for name, dtype in COLUMNS.items()}
