"""pyzmq and numpy: one assignment a frame."""

from __future__ import annotations

import time

import numpy as np
import zmq

from bench.columns import Columns
from bench.contest import Task
from bench.load import ORIGIN_UTC
from bench.peers.zeromq import ZmqPeer, send

__all__ = ["Peer", "send"]


class Peer(ZmqPeer):
    """The wire's own frames into arrays."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.columns = Columns(task.load)
        self._ages: list[int] = []

    def receive(self, frames: int) -> int:
        """One message after the other."""
        recv, columns, ages = self.socket.recv, self.columns, self.task.ages
        for came in range(frames):
            try:
                columns.store(recv())
            except zmq.Again:
                return came
            if ages:
                self._ages.append(ORIGIN_UTC + time.monotonic_ns() // 1000 - columns.last)
        return frames

    def take_ages(self) -> np.ndarray:
        """One age a frame: its samples are all of one time."""
        out = np.repeat(np.array(self._ages, np.int64), self.task.load.per_frame)
        self._ages = []
        return out

    def counts(self) -> dict[str, int]:
        """Slots that have a time."""
        return {"stored": int(np.count_nonzero(self.columns.time))}
