"""Calls and commands while ten times the samples come, and 34,000 devices at once.

    pytest bench/bench_overload.py --benchmark-json=overload.json

A real post. A gateway's events raise alarms and are answered with commands: from the event to the order that comes of
it, alone and beside a crowd of 34,005 devices that sends single samples in an open loop, 5,670 a second (a city's 567,
ten times over), then all of them within a second, thrice. Nothing may be lost, and in the end the table must hold the
newest value of every device.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from adapters.cli.follow import Follower
from bench import contest
from bench.gateways import greet
from bench.post import GATEWAYS, METERS, PLUGINS, town
from bench.sight import look_at_all
from core import keyring
from core.config import Config, PostConfig, WorkersConfig
from core.person import ANY
from core.supervisor import Supervisor
from ondijon.gateway import Gateway

#: Samples a second, and how often all devices send at once.
SAMPLES_S, BURSTS = 5_670.0, 3

#: Calls a second.
CALLS_S = 40.0

#: How long (s) anything is waited for.
PATIENCE_S = 30.0


class Caller:
    """The gateway that calls, and how long each answer took."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        run = supervisor.run
        self.gateway = Gateway(f"gw-{GATEWAYS - 1}", run.endpoints, run.clock(), keys=run.keys("bench-0"))
        greet([self.gateway])
        self._called: dict[int, float] = {}
        self._next = 0
        self.ages_ms: list[float] = []

    def call(self, seconds: float) -> np.ndarray:
        """Call in an open loop; f64[n], ms from each intended moment to its order, once all have come."""
        self.ages_ms = []
        begin = time.monotonic()
        for i in range(int(seconds * CALLS_S)):
            due = begin + i / CALLS_S
            while time.monotonic() < due:
                self._turn()
            self._called[self._next] = due
            asset = (GATEWAYS - 1) * METERS + self._next
            self.gateway.emit("called.meter.rang", {"number": self._next}, f"m{asset:05x}")
            self._next += 1
        until = time.monotonic() + PATIENCE_S
        while self._called and time.monotonic() < until:
            self._turn()
        assert not self._called, f"{len(self._called)} calls were not answered"
        return np.array(self.ages_ms)

    @property
    def calls(self) -> int:
        """So far."""
        return self._next

    def _turn(self) -> None:
        self._supervisor.turn()
        for order in self.gateway.turn():
            now = time.monotonic()
            for value in order.targets()[1].tolist():
                self.ages_ms.append((now - self._called.pop(int(value))) * 1000)
            self.gateway.done(order)
        time.sleep(0.001)


def test_overload(benchmark: Any, folder: Path, quick: bool) -> None:
    info: dict[str, Any] = {}
    benchmark.pedantic(lambda: info.update(live(folder, 4.0 if quick else 15.0)), rounds=1)
    benchmark.extra_info.update(info | {"load": contest.load_average()})


def live(folder: Path, seconds: float) -> dict[str, Any]:
    """Run the post; return the figures."""
    where = folder / f"overload-{time.monotonic_ns()}"
    config = Config(
        version=1,
        post=PostConfig(city=town(folder), data=where / "data", plugins=["called"], plugin_folder=PLUGINS),
        workers=WorkersConfig(trusted=["called"]),
    )
    supervisor = Supervisor(config, where)
    keyring.own(config.post.data, "bench-0", (ANY,))
    supervisor.start()
    follower = Follower(supervisor.run.status_ipc)
    try:
        caller = Caller(supervisor)
        alone = caller.call(seconds)
        crowd = _crowd(where, seconds)
        sights = _look(supervisor)
        beside = caller.call(seconds + BURSTS)
        sent, dropped, newest = map(int, crowd.communicate(timeout=PATIENCE_S)[0].split())
        known = _known(follower, newest)
        grown = {name: round(rss - sights[name], 1) for name, rss in _look(supervisor).items()}
        active = follower.status.alarms.active["rang"] if follower.status else 0
        caller.gateway.close()
    finally:
        supervisor.stop()
        follower.close()
    assert not dropped
    assert known == newest, f"{known} is known, {newest} newest"
    assert active == caller.calls, f"{active} alarms of {caller.calls} calls"
    edge = msgspec.json.decode((where / "report-telemetry.json").read_bytes())["counts"]
    return {
        "calls": caller.calls,
        "alarms": active,
        "sent": sent,
        "lost": edge["lost"],
        "conflated": edge["conflated"],
        "memory_cap_mib": config.edges.memory_mib,
        "rss_grown_mib": grown,
        **{f"{p}_ms_alone": round(float(np.percentile(alone, q)), 1) for p, q in PERCENTILES},
        **{f"{p}_ms_beside": round(float(np.percentile(beside, q)), 1) for p, q in PERCENTILES},
    }


PERCENTILES = (("p50", 50), ("p99", 99), ("max", 100))


def _crowd(where: Path, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench.crowd", str(where), str(seconds), str(SAMPLES_S), str(BURSTS)]
    environment = os.environ | {"PYTHONPATH": str(contest.ROOT)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    crowd = subprocess.Popen(command, cwd=contest.ROOT, env=environment, text=True, **pipes)
    assert crowd.stdout is not None
    assert "ready" in crowd.stdout.readline()
    assert crowd.stdin is not None
    crowd.stdin.write("\n")
    crowd.stdin.flush()
    return crowd


def _known(follower: Follower, newest: int) -> int:
    """The sum of all values that the trade finds in its table, when it is what it should be, or after a while."""
    until, sum = time.monotonic() + 5, -1
    while sum != newest and time.monotonic() < until:
        status = follower.update(0.2)
        if status is not None and "called.known" in status.views:
            sum = int(status.views["called.known"]["all"]["sum"])
    return sum


def _look(supervisor: Supervisor) -> dict[str, float]:
    return {name: sight.rss_mib for name, sight in look_at_all(supervisor).items()}
