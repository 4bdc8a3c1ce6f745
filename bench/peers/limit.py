"""The limit: a bare loop without the GIL on the same libzmq, same frames, same validation, same number of slots."""

from __future__ import annotations

import numpy as np

from bench import native
from bench.contest import Task
from bench.load import HIGH, LOW, METRICS, ORIGIN_UTC
from bench.peers.zeromq import ZmqPeer, send

__all__ = ["Peer", "send"]


class Peer(ZmqPeer):
    """bench/_limit.pyx: stores the latest value and time, and no more."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        load = task.load
        self.limit = native.load().Limit(
            load.slots,
            load.ids(),
            load.first_slot(),
            np.arange(METRICS, dtype=np.int16)[None, :],
            np.full(METRICS, LOW),
            np.full(METRICS, HIGH),
            ORIGIN_UTC,
            (task.warm + task.frames) * load.per_frame if task.ages else 0,
        )

    def receive(self, frames: int) -> int:
        """The loop."""
        return int(self.limit.receive(self.socket, frames))

    def take_ages(self) -> np.ndarray:
        """Kept by the loop itself."""
        ages: np.ndarray = self.limit.take_ages()
        return ages

    def counts(self) -> dict[str, int]:
        """What the loop counted."""
        return {name: getattr(self.limit, name) for name in ("stored", "late", "lost", "refused")}
