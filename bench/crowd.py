"""Many devices that send single samples in an open loop; prints how many were sent, and the sum of the newest values.

python -m bench.crowd FOLDER SECONDS SAMPLES_S BURSTS

Each of ``BURSTS`` is all devices within one second. A device's value is how often it has sent.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from bench import contest
from bench.gateways import greet
from bench.post import GATEWAYS, METERS
from core import run as runs
from ondijon.gateway import Gateway

#: The last gateway is left to who measures.
SENDERS = GATEWAYS - 1

#: Devices behind each: 34,005 in all.
DEVICES = 2_267


class Crowd:
    """The devices and their gateways."""

    def __init__(self, folder: Path) -> None:
        run = runs.load(folder)
        self._gateways = [Gateway(f"gw-{i}", run.endpoints, run.clock()) for i in range(SENDERS)]
        greet(self._gateways)
        self._sent = np.zeros((SENDERS, DEVICES), np.int64)
        self._next = 0
        self._names = [[f"m{i * METERS + n:05x}" for n in range(DEVICES)] for i in range(SENDERS)]

    def send(self, samples: int, samples_s: float) -> None:
        """So many samples, each at its time, device after device."""
        begin = time.monotonic()
        for i in range(samples):
            wait = begin + i / samples_s - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            at, device = self._next % SENDERS, self._next // SENDERS % DEVICES
            self._next += 1
            self._sent[at, device] += 1
            self._gateways[at].send(self._names[at][device], "meter.count", float(self._sent[at, device]))
            if i % 256 == 0:
                self.turn()

    def turn(self) -> None:
        """Heartbeats."""
        for gateway in self._gateways:
            gateway.turn()

    def close(self) -> str:
        """Say goodbye; what was sent, what was dropped, and the sum of the newest values."""
        for gateway in self._gateways:
            gateway.close()
        sent = sum(gateway.statistics.sent for gateway in self._gateways)
        dropped = sum(gateway.statistics.dropped for gateway in self._gateways)
        return f"{sent} {dropped} {self._sent.sum()}"


def main() -> None:
    """Send at a rate for some seconds, then the bursts, then stay known until standard input closes."""
    folder, seconds, rate, bursts = Path(sys.argv[1]), *map(float, sys.argv[2:5])
    crowd = Crowd(folder)
    contest.say("ready")
    sys.stdin.readline()
    crowd.send(int(seconds * rate), rate)
    devices = SENDERS * DEVICES
    for _ in range(int(bursts)):
        crowd.send(devices, devices)
    sys.stdout.write(crowd.close() + "\n")


if __name__ == "__main__":
    main()
