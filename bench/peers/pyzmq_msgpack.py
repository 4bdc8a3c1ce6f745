"""The Python idiom: pyzmq, msgpack, a dict."""

from __future__ import annotations

import msgpack
import zmq

from bench.contest import Task
from bench.peers.zeromq import ZmqPeer, send

__all__ = ["Peer", "send"]


class Peer(ZmqPeer):
    """Latest (value, time) by (device, metric). No validation, no change detection."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.table = task.load.known()

    def receive(self, frames: int) -> int:
        """One message after the other."""
        recv, unpack, table = self.socket.recv, msgpack.unpackb, self.table
        rows = self.task.load.per_frame > 1
        for came in range(frames):
            try:
                data = recv()
            except zmq.Again:
                return came
            if rows:
                for device, at, metric, value in unpack(data):
                    table[device, metric] = (value, at)
            else:
                device, at, metric, value = unpack(data)
                table[device, metric] = (value, at)
        return frames

    def counts(self) -> dict[str, int]:
        """Entries of the dict."""
        return {"stored": len(self.table)}
