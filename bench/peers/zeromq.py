"""What every contender over ZeroMQ shares: the listening socket with the edge's own limits, and the sender."""

from __future__ import annotations

from typing import Any

import numpy as np
import zmq

from bench import native, sender
from bench.contest import Task
from bench.load import ORIGIN_UTC
from core.sockets import context, limit
from core.telemetry_edge import FRAME_MAX, TELEMETRY_QUEUE

#: A consumer that hears nothing for so long (ms) gives up.
SILENCE_MS = 5000


class ZmqPeer:
    """A consumer on a PULL socket. A subclass gives ``receive`` and whatever it keeps the samples in."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.context = context()
        self.socket = self.context.socket(zmq.PULL)
        limit(self.socket, queue=TELEMETRY_QUEUE, message=FRAME_MAX)
        self.socket.set(zmq.RCVTIMEO, SILENCE_MS)
        self.socket.set(zmq.BACKLOG, 1024)
        self._public = ""
        if task.security == "curve":
            public, secret = zmq.curve_keypair()
            self._public = public.decode()
            self.socket.curve_server = True
            self.socket.curve_secretkey = secret
        self.socket.bind("tcp://127.0.0.1:0")
        self.ages: list[np.ndarray] = []

    def door(self) -> dict[str, str]:
        """What the sender needs to know."""
        return {"endpoint": self.socket.get(zmq.LAST_ENDPOINT).decode(), "public": self._public}

    def receive(self, frames: int) -> int:
        """Take ``frames`` frames; return how many came before silence."""
        raise NotImplementedError

    def take_ages(self) -> np.ndarray:
        """i64[n] µs: ages of samples since the last call."""
        out = np.concatenate(self.ages) if self.ages else np.empty(0, np.int64)
        self.ages = []
        return out

    def counts(self) -> dict[str, int]:
        """Figures that show the work was done."""
        return {}

    def close(self) -> None:
        """Close the socket."""
        self.context.destroy(linger=0)


def send(task: Task, door: dict[str, str], frames: np.ndarray, bounds: np.ndarray) -> Any:
    """Send the warm-up and the run from a native loop; return what must live until all has arrived."""
    made = context(max_sockets=max(1024, 2 * task.connections))
    sockets = [_dial(made, door) for _ in range(task.connections)]
    arguments: dict[str, Any] = {
        "sequence_step": task.load.sequence_step,
        "time_step": task.load.time_step,
        "origin_utc": ORIGIN_UTC,
    }
    if task.rate or task.lap_s:
        due, lap = sender.due_ns(task)
        arguments |= {"due_ns": due, "lap_ns": lap, "start_ns": sender.start_ns()}
    if task.connections > 1:
        arguments["socket_of"] = np.arange(task.load.frames, dtype=np.uint32) % task.connections
    native.load().send(sockets, frames, bounds, task.warm + task.frames, **arguments)
    return made, sockets


def _dial(made: zmq.Context[Any], door: dict[str, str]) -> zmq.Socket[bytes]:
    socket: zmq.Socket[bytes] = made.socket(zmq.PUSH)
    limit(socket, queue=TELEMETRY_QUEUE)
    if door["public"]:
        public, secret = zmq.curve_keypair()
        socket.curve_serverkey = door["public"].encode()
        socket.curve_publickey, socket.curve_secretkey = public, secret
    socket.connect(door["endpoint"])
    return socket
