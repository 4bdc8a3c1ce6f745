"""Following a running post's status, from the processes beside it."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Any

import zmq

from core import status
from core.errors import ConfigError
from core.status import Status


class Follower:
    """The newest status of a post. Not thread-safe: ``update`` belongs to one thread, ``readiness`` only reads."""

    def __init__(self, endpoint: str) -> None:
        self._socket = zmq.Context.instance().socket(zmq.SUB)
        self._socket.set(zmq.LINGER, 0)
        self._socket.set(zmq.RCVHWM, 16)
        self._socket.subscribe(status.TOPIC)
        self._socket.connect(endpoint)
        self.status: Status | None = None
        self.at = 0.0

    def update(self, timeout_s: float = 0.0) -> Status | None:
        """Take what came, waiting at most ``timeout_s`` for something; return the newest known status."""
        self._socket.poll(int(timeout_s * 1000))
        with contextlib.suppress(zmq.Again):
            while True:
                _, data = self._socket.recv_multipart(zmq.DONTWAIT)
                self.status, self.at = status.decode(data), time.monotonic()
        return self.status

    def readiness(self, alive: bool) -> dict[str, Any]:
        """What ``/readyz`` answers: every process runs, and the kernel told so within 5 s."""
        self.update()
        fresh = time.monotonic() - self.at < 5.0
        ready = alive and fresh and self.status is not None and self.status.ready
        return {
            "ready": ready,
            "processes": alive,
            "kernel": fresh,
            "step": self.status.step if self.status else 0,
        }

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def _pointer() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return cache / "ondijon" / "last-run"


def remember(folder: Path) -> None:
    """Let ``ondijon top`` find this run."""
    pointer = _pointer()
    pointer.parent.mkdir(parents=True, exist_ok=True)
    pointer.write_text(str(folder), "utf-8")


def last_run() -> Path:
    """The folder of the run started last on this machine. Raises ConfigError where there is none."""
    try:
        return Path(_pointer().read_text("utf-8"))
    except OSError as error:
        raise ConfigError(
            "no post was started here yet.", next="Start one with `ondijon demo` or `ondijon run`."
        ) from error
