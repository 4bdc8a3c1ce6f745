"""nats-py behind a nats-server: an asyncio callback, msgpack into a dict for single samples, numpy for columns."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import time
from typing import Any

import nats
import numpy as np

from bench.callback import storing
from bench.contest import Task, stop
from bench.peers.nats_server import binary

SUBJECT = "bench"


class Peer:
    """A subscriber with a callback. The server's own CPU is not counted."""

    def __init__(self, task: Task) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.store = storing(task.load)
        self.came, self.wanted = 0, 0
        program = binary()
        assert program is not None
        self._server = subprocess.Popen(
            [program, "-a", "127.0.0.1", "-p", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.sched_setaffinity(self._server.pid, {0})
        self._wait_for_server()
        self.loop = asyncio.new_event_loop()
        self.enough = asyncio.Event()
        self.loop.run_until_complete(self._subscribe())

    def _wait_for_server(self) -> None:
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.02)

    async def _subscribe(self) -> None:
        self.client = await nats.connect(f"nats://127.0.0.1:{self.port}")
        await self.client.subscribe(
            SUBJECT, cb=self._on_message, pending_msgs_limit=-1, pending_bytes_limit=-1
        )
        await self.client.flush()

    async def _on_message(self, message: Any) -> None:
        self.store(message.data)
        self.came += 1
        if self.came == self.wanted:
            self.enough.set()

    def door(self) -> dict[str, int]:
        """The server's port."""
        return {"port": self.port}

    def receive(self, frames: int) -> int:
        """Turn the loop until ``frames`` more came."""
        before = self.wanted
        self.wanted += frames
        if self.came < self.wanted:
            self.enough.clear()
            with contextlib.suppress(TimeoutError):
                self.loop.run_until_complete(asyncio.wait_for(self.enough.wait(), 20))
        return min(self.came, self.wanted) - before

    def take_ages(self) -> np.ndarray:
        """Not measured."""
        return np.empty(0, np.int64)

    def counts(self) -> dict[str, int]:
        """Messages."""
        return {"came": self.came}

    def close(self) -> None:
        """End client and server."""
        self.loop.run_until_complete(self.client.close())
        self._server.terminate()
        stop(self._server)


def send(task: Task, door: dict[str, int], frames: np.ndarray, bounds: np.ndarray) -> Any:
    """Write ready protocol lines to the server, at ``task.rate``: flooded, the consumer would do worse."""
    data = frames.tobytes()
    ring = [data[a:b] for a, b in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)]
    lines = [b"PUB %s %d\r\n%s\r\n" % (SUBJECT.encode(), len(frame), frame) for frame in ring]
    connection = socket.create_connection(("127.0.0.1", door["port"]))
    connection.sendall(b'CONNECT {"verbose":false,"pedantic":false}\r\n')
    burst = max(1, int(task.rate / 500))
    start, total = time.monotonic(), task.warm + task.frames
    for first in range(0, total, burst):
        wait = start + first / task.rate - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        connection.sendall(b"".join(lines[i % len(lines)] for i in range(first, min(first + burst, total))))
    return connection
