"""kill -9 of whatever runs, at any moment: nothing that was acknowledged is lost, and nothing comes twice."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import Any

import pytest

from ondijon.spool import SpoolFile

VICTIMS = ("kernel", "edge-events", "edge-telemetry", "gateway", "all")


class Door:
    """A gateway that tells what happened, with its spool on the disk, and that may be killed too."""

    def __init__(self, post: Any, file: Path) -> None:
        self.post = post
        self.file = file
        self.emitted = 0
        self.acked = 0
        self.start()

    def start(self) -> None:
        """Start, with what an earlier life left on the disk."""
        name = self.post.city.assets.gateways[0]
        self.disk = SpoolFile(self.file)
        self.spool = self.disk.spool(name)
        self.gateway = self.post.gateway(name, spool=self.spool)
        self.post.gateways[:] = [self.gateway]

    def kill(self) -> None:
        """Die without a word, and be born again."""
        for socket in (*self.gateway.sockets, self.gateway._frames):
            socket.close(0)
        self.disk.close()
        self.start()

    def emit(self) -> None:
        """Something happens."""
        self.gateway.emit("watch.door.opened", {"code": self.emitted})
        self.emitted += 1
        # All that the post said it has.
        self.acked = max(self.acked, self.spool.acked)


@pytest.mark.parametrize("rounds", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_nothing_acknowledged_is_lost_and_nothing_comes_twice(post: Any, tmp_path: Path, rounds: int) -> None:
    rng = random.Random(rounds)
    post.start(gateways=0)
    door = Door(post, tmp_path / "spool.sqlite")
    post.until(lambda: door.spool.acked or door.emit(), "the first event is acknowledged")
    for _ in range(rounds):
        victim = rng.choice(VICTIMS)
        until = time.monotonic() + rng.uniform(0.05, 0.6)
        while time.monotonic() < until:
            if door.emitted - door.spool.acked < 500:
                door.emit()
            post.turn()
        strike(post, door, victim)
    before = door.emitted
    door.emit()
    post.until(lambda: door.spool.acked > before, "all events are acknowledged")
    post.until(lambda: len(post.view("watch.doors").get("codes", ())) >= door.emitted, "the trade heard all")
    assert post.view("watch.doors")["codes"] == list(range(door.emitted)), "each once, in order"
    post.stop()
    told = [record["code"] for record in post.journaled("watch.door.opened")]
    assert told[: door.acked] == list(range(door.acked)), "what was acknowledged"
    assert told == list(range(door.emitted)), "each once, in order"


def strike(post: Any, door: Door, victim: str) -> None:
    """Kill it, and what else is named; who is started again comes back by itself."""
    names = VICTIMS[:4] if victim == "all" else (victim,)
    for name in names:
        if name == "gateway":
            door.kill()
        elif (pid := post.process(name).pid) is not None:
            os.kill(pid, 9)
