"""Gateways that send in an open loop; prints how many samples they sent.

python -m bench.gateways FOLDER SECONDS SAMPLES_S PER_FRAME
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from bench.post import GATEWAYS, METERS
from core import run as runs
from ondijon.gateway import Gateway


def main() -> None:
    """Shake hands, then send each frame at its time; the values are the intended moments."""
    folder, seconds, rate, per_frame = Path(sys.argv[1]), *map(float, sys.argv[2:5])
    run = runs.load(folder)
    gateways = [
        Gateway(f"gw-{i}", run.endpoints, run.clock(), keys=run.keys("bench-0")) for i in range(GATEWAYS)
    ]
    _greet(gateways)
    n = int(per_frame)
    interval_ns = n / rate * 1e9
    begin = time.monotonic_ns() + 200_000_000
    for i in range(int(seconds * rate / n)):
        due = int(begin + i * interval_ns)
        wait = due - time.monotonic_ns()
        if wait > 0:
            time.sleep(wait / 1e9)
        lap = i // GATEWAYS
        index = ((lap * n + np.arange(n)) % METERS).astype(np.uint16)
        gateways[i % GATEWAYS].send_columns(
            index, 0, np.full(n, due / 1000), run.origin.utc + _city_us(run, due)
        )
        if i % 64 == 0:
            for gateway in gateways:
                gateway.turn()
    for gateway in gateways:
        gateway.close()
    sys.stdout.write(f"{sum(gateway.statistics.sent for gateway in gateways)}\n")


def _city_us(run: runs.Run, mono_ns: int) -> int:
    return int((mono_ns - run.origin.mono_ns) * run.origin.speed) // 1000


def _greet(gateways: list[Gateway]) -> None:
    until = time.monotonic() + 30
    while not all(gateway.session for gateway in gateways):
        if time.monotonic() > until:
            raise SystemExit("the post did not welcome its gateways")
        for gateway in gateways:
            gateway.turn()
        time.sleep(0.02)


if __name__ == "__main__":
    main()
