from typing import Any

import numpy as np
import zmq
from numpy.typing import NDArray

from core._fast.slots import Slots

COUNTERS_NAMES: tuple[str, ...]
SAMPLE_REFUSALS: tuple[str, ...]
FRAME_REFUSALS: tuple[str, ...]

def resolve_libzmq() -> tuple[int, int, int]: ...

class Ingest:
    slots: Slots
    def __init__(
        self,
        slots: Slots,
        offsets: NDArray[np.int16],
        *,
        sessions: int = 4096,
        origin_utc: int,
        origin_mono: int,
        speed: float = 1.0,
        tolerance: int = 2_000_000,
    ) -> None: ...
    def open(self, id: int, first_slot: NDArray[np.uint32], kind: NDArray[np.uint16]) -> None: ...
    def close(self, id: int, sent: int | None = None) -> None: ...
    def session(self, id: int) -> tuple[int, int, int]: ...
    def drain(self, socket: zmq.Socket[Any], limit: int = 65536) -> int: ...
    def drain_portable(self, socket: zmq.Socket[Any], limit: int = 65536) -> int: ...
    def feed(self, frame: bytes | bytearray | memoryview) -> None: ...
    def counters(self) -> dict[str, int]: ...
    def latencies(self) -> NDArray[np.uint64]: ...
