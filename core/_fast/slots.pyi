import numpy as np
from numpy.typing import NDArray

RECORD: np.dtype[np.void]
FLAG_STALE: int
FLAG_VALID: int

class Slots:
    capacity: int
    size: int
    metrics: int
    changed: int
    def __init__(
        self,
        capacity: int,
        *,
        deadband: NDArray[np.float64],
        low: NDArray[np.float64],
        high: NDArray[np.float64],
        merge: NDArray[np.uint8],
        refresh_s: NDArray[np.float64],
    ) -> None: ...
    def extend(self, metric: NDArray[np.uint16]) -> None: ...
    def collect(
        self,
        slot: NDArray[np.uint32],
        value: NDArray[np.float64],
        time: NDArray[np.int64],
        count: NDArray[np.uint32],
    ) -> int: ...
    def apply(
        self,
        slot: NDArray[np.uint32],
        value: NDArray[np.float64],
        time: NDArray[np.int64],
        count: NDArray[np.uint32],
        metric: NDArray[np.uint16],
        latest: int,
    ) -> int: ...
    def mark_all(self) -> None: ...
    def sweep(self, metric: NDArray[np.uint16], stale_after: NDArray[np.int64], now: int) -> int: ...
    def records_array(self) -> NDArray[np.void]: ...
