"""The kernel's status, passed on to every browser that looks: the newest one, never a backlog."""

from __future__ import annotations

import asyncio

import msgspec
import zmq
import zmq.asyncio

from core import status


class Feed:
    """Follows the kernel. ``next`` waits for something newer than what was seen."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._changed = asyncio.Condition()
        self.number = 0
        self.status = b"null"
        self.layers: dict[str, bytes] = {}

    async def follow(self) -> None:
        """Take what the kernel publishes, until cancelled."""
        socket = zmq.asyncio.Context.instance().socket(zmq.SUB)
        socket.set(zmq.LINGER, 0)
        socket.set(zmq.RCVHWM, 32)
        socket.subscribe(b"")
        socket.connect(self._endpoint)
        try:
            while True:
                topic, data = await socket.recv_multipart()
                await self._take(topic, data)
        finally:
            socket.close()

    async def _take(self, topic: bytes, data: bytes) -> None:
        if topic != status.TOPIC:
            self.layers[topic.removeprefix(status.LAYER).decode()] = data
            return
        self.status = msgspec.json.encode(status.decode(data))
        async with self._changed:
            self.number += 1
            self._changed.notify_all()

    async def next(self, seen: int) -> int:
        """Wait until there is a status after number ``seen``; return its number."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.number > seen)
            return self.number
