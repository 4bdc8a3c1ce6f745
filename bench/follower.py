"""Subscribers of the egress benchmark in one process: partners of the edge, or SUBs of the bare XPUB."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import msgpack
import numpy as np
import zmq

from core.keys import ClientKey
from core.sockets import context
from ondijon.partner import Partner

#: Without news for so long (s) it gives up.
SILENCE_S = 8.0


def partners(task: dict[str, Any]) -> list[Any]:
    """Partners under one key each."""
    made = context()
    return [
        Partner(task["endpoint"], ClientKey(**key), context=made, topics=["view"]) for key in task["keys"]
    ]


def subscribers(task: dict[str, Any]) -> list[zmq.Socket[bytes]]:
    """SUBs of everything."""
    made, out = context(), []
    for key in task["keys"]:
        socket: zmq.Socket[bytes] = made.socket(zmq.SUB)
        socket.set(zmq.RCVHWM, 100_000)
        ClientKey(**key).secure(socket)
        socket.subscribe(b"")
        socket.connect(task["endpoint"])
        out.append(socket)
    return out


def rows(each: Any) -> list[dict[str, Any]]:
    """The rows that came to one subscriber."""
    if isinstance(each, Partner):
        return [change.row or {} for change in each.turn()]
    found = []
    for _ in range(1000):
        if not each.poll(0):
            break
        found.append(msgpack.unpackb(each.recv()))
    return found


def main() -> None:
    """Take ``rows`` rows at each subscriber; say how many came and how old they were (µs)."""
    task = json.loads(sys.argv[1])
    everyone = partners(task) if task["peer"] == "ondijon" else subscribers(task)
    came, ages, heard = [0] * len(everyone), [], time.monotonic()
    poller = zmq.Poller()
    for each in everyone:
        poller.register(each.socket if isinstance(each, Partner) else each, zmq.POLLIN)
    ready = False
    while min(came) < task["rows"] and time.monotonic() - heard < SILENCE_S:
        poller.poll(100)
        now = time.monotonic_ns()
        for n, each in enumerate(everyone):
            new = [row["t"] for row in rows(each) if row.get("run") == task["run"]]
            came[n] += len(new)
            ages += [now - sent for sent in new]
            heard = time.monotonic() if new else heard
        if not ready and (task["peer"] != "ondijon" or all(each.whole for each in everyone)):
            ready = True
            print("ready", flush=True)
    age = np.array(ages or [0]) / 1e3
    figures = {f"p{p}": float(np.percentile(age, p)) for p in (50, 99)}
    print(json.dumps({"came": came, **figures}), flush=True)


if __name__ == "__main__":
    main()
