"""The demo city: what edges and kernel cost at 1x, whether their memory stays flat, what is reached at 20x.

    pytest bench/bench_city.py --benchmark-json=city.json

34,000 simulated lamps on their gateways behind real sockets, on the same machine; the simulator's own CPU is told
apart. Figures are of the settled part of a run, from /proc.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from adapters.cli import demo, report
from bench import contest
from bench.sight import look_at_all
from core.config import RecordConfig
from core.supervisor import Supervisor

#: Handshakes, first calendars and first leases are over after so long (s).
SETTLE_S = 20.0

OURS = ("kernel", "edge-telemetry", "edge-events")


@pytest.mark.parametrize("speed", [1, 20])
def test_city(benchmark: Any, folder: Path, quick: bool, speed: int) -> None:
    seconds = 20.0 if quick else 90.0 if speed == 1 else 40.0
    info: dict[str, Any] = {}
    benchmark.pedantic(lambda: info.update(live(folder / f"city-{speed}", speed, seconds)), rounds=1)
    benchmark.extra_info.update(info | {"load": contest.load_average()})


def live(folder: Path, speed: int, seconds: float, *, record: bool = True) -> dict[str, Any]:
    """Run the demo for ``seconds`` after it settled, recorded or not; return the figures."""
    city = demo.default_city(Console(stderr=True)).resolve()
    config = demo.demo_config(city, folder / "data", speed, demo.DEMO_START.isoformat(), 0, None)
    config = msgspec.structs.replace(config, record=RecordConfig(enabled=record))
    supervisor = Supervisor(config, folder)
    supervisor.start()
    try:
        _turn(supervisor, SETTLE_S)
        sights = {name: [sight] for name, sight in look_at_all(supervisor).items()}
        for _ in range(10):
            _turn(supervisor, seconds / 10)
            for name, sight in look_at_all(supervisor).items():
                sights[name].append(sight)
    finally:
        supervisor.stop()
    result = report.gather(supervisor, speed)
    info: dict[str, Any] = {"speed": speed, "speed_reached": result["speed_reached"]}
    for name, seen in sights.items():
        first, last = seen[0], seen[-1]
        info[f"core_percent_{name}"] = round(100 * (last.cpu_s - first.cpu_s) / (last.at - first.at), 1)
        info[f"rss_mib_{name}"] = [round(sight.rss_mib, 1) for sight in seen[:: len(seen) - 1]]
    info["core_percent_post"] = round(sum(info[f"core_percent_{name}"] for name in OURS), 1)
    info["steps_skipped"] = result["steps_skipped"]
    info["samples"] = result["samples"]
    info["presence_to_command_us"] = result["latency_us"]["presence_to_command"]
    return info


def _turn(supervisor: Supervisor, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        supervisor.turn()
        time.sleep(0.2)
