"""zenoh, peer to peer over TCP: a Python callback, msgpack into a dict for single samples, numpy for columns."""

from __future__ import annotations

import json
import socket
import threading
import time
from typing import Any

import numpy as np
import zenoh

from bench.callback import storing
from bench.contest import Task

KEY = "ondijon/bench"


def _config(**settings: Any) -> Any:
    config = zenoh.Config()
    config.insert_json5("mode", '"peer"')
    config.insert_json5("scouting/multicast/enabled", "false")
    # Real gateways are elsewhere: over TCP, not through this machine's memory.
    config.insert_json5("transport/shared_memory/enabled", "false")
    for key, value in settings.items():
        config.insert_json5(key.replace("__", "/"), json.dumps(value))
    return config


class Peer:
    """A subscriber with a callback."""

    def __init__(self, task: Task) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.endpoint = f"tcp/127.0.0.1:{free.getsockname()[1]}"
        self.store = storing(task.load)
        self.came, self.wanted = 0, 0
        self.enough = threading.Event()
        self.session = zenoh.open(_config(listen__endpoints=[self.endpoint]))
        self.subscriber = self.session.declare_subscriber(KEY, self._on_sample)

    def _on_sample(self, sample: Any) -> None:
        self.store(sample.payload.to_bytes())
        self.came += 1
        if self.came == self.wanted:
            self.enough.set()

    def door(self) -> dict[str, str]:
        """Where the sender connects."""
        return {"endpoint": self.endpoint}

    def receive(self, frames: int) -> int:
        """Wait until ``frames`` more came."""
        before = self.wanted
        self.enough.clear()
        self.wanted += frames
        if self.came < self.wanted:
            self.enough.wait(20)
        return min(self.came, self.wanted) - before

    def take_ages(self) -> np.ndarray:
        """Not measured."""
        return np.empty(0, np.int64)

    def counts(self) -> dict[str, int]:
        """Messages."""
        return {"came": self.came}

    def close(self) -> None:
        """End the session."""
        self.session.close()


def send(task: Task, door: dict[str, str], frames: np.ndarray, bounds: np.ndarray) -> Any:
    """Put ready frames, blocking where the consumer is slower: none may be lost."""
    session = zenoh.open(_config(connect__endpoints=[door["endpoint"]]))
    publisher = session.declare_publisher(KEY, congestion_control=zenoh.CongestionControl.BLOCK)
    data = frames.tobytes()
    ring = [data[a:b] for a, b in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)]
    until = time.monotonic() + 5
    while not publisher.matching_status.matching and time.monotonic() < until:
        time.sleep(0.01)
    for i in range(task.warm + task.frames):
        publisher.put(ring[i % len(ring)])
    return session
