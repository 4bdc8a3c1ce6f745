"""The sender's process: ``python -m bench.sender TASK``; reads where to send from its standard input."""

from __future__ import annotations

import importlib
import json
import sys
import time

import numpy as np

from bench import contest
from bench.contest import Task


def main() -> None:
    """Wait for the consumer's door, send, and stay until told to go: what is queued must arrive."""
    task = contest.task_of_process()
    if not task.ages:
        contest.pin(0)
    frames, bounds = task.load.map()
    peer = importlib.import_module(f"bench.peers.{task.peer}")
    line = sys.stdin.readline()
    if not line:
        return
    send = peer.send(task, json.loads(line), frames, bounds)
    sys.stdin.read()
    del send


def due_ns(task: Task) -> tuple[np.ndarray, int]:
    """(when each frame of the ring is due, length of a lap), in ns; connections have phases of their own."""
    frames = task.load.frames
    if task.lap_s:
        lap, laps = int(task.lap_s * 1e9), frames // task.load.gateways
        phase = np.sort(np.random.default_rng(3).integers(0, lap, task.load.gateways))
        return (np.arange(laps)[:, None] * lap + phase).ravel().astype(np.int64), laps * lap
    interval = 1e9 / task.rate
    return (np.arange(frames) * interval).astype(np.int64), int(frames * interval)


def start_ns() -> int:
    """When an open loop begins: the connection has a moment to come up."""
    return time.monotonic_ns() + 200_000_000


if __name__ == "__main__":
    main()
