import numpy as np
from numpy.typing import NDArray

LONGEST_DS: int
FULL: int

class Reach:
    start: NDArray[np.uint32]
    lamp: NDArray[np.uint32]
    level: NDArray[np.uint8]
    lamps: int
    sensors: int
    def __init__(
        self,
        start: NDArray[np.uint32],
        to: NDArray[np.uint32],
        sensor_lamp: NDArray[np.uint32],
        boost: NDArray[np.uint8],
    ) -> None: ...
    def notice(
        self,
        seen: NDArray[np.uint32],
        want: NDArray[np.uint8],
        hold: NDArray[np.int16],
        hold_ds: int,
    ) -> int: ...
    def blind(self, silent: NDArray[np.uint8]) -> NDArray[np.uint8]: ...

def tick(
    *,
    base: NDArray[np.uint8],
    keep: NDArray[np.uint8],
    want: NDArray[np.uint8],
    hold: NDArray[np.int16],
    leased: NDArray[np.uint8],
    lease: NDArray[np.int16],
    level: NDArray[np.int16],
    out_lamp: NDArray[np.uint32],
    out_level: NDArray[np.uint8],
    out_lease: NDArray[np.int16],
    elapsed_ds: int,
    renew_ds: int,
    keep_lease_ds: int,
    rise: int,
    fall: int,
) -> int: ...
