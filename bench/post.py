"""A real post for a benchmark: kernel and edges as processes, and the trade bench/plugins/clocked.py."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import numpy as np

from bench import contest
from core import city as cities
from core import keyring
from core.assets import NONE, Assets
from core.city import City, Description
from core.config import Config, PostConfig, WorkersConfig
from core.person import ANY
from core.supervisor import Supervisor
from ondijon.testing import City as SmallCity

PLUGINS = Path(__file__).with_name("plugins")
GATEWAYS, METERS = 16, 4096


class Heard(msgspec.Struct, frozen=True):
    """What the hook saw: ``rows`` i64[n, 3] (µs, samples, slots), ``ages`` i64[m] µs; and the post's own figures."""

    rows: np.ndarray
    ages: np.ndarray
    skipped: int
    steps: int
    sent: int
    lost: int
    edge_p50_us: float

    def settled(self, drop_s: float = 0.5) -> Heard:
        """Without the beginning, when handshakes and page faults are in the way."""
        begin = self.rows[0, 0] + drop_s * 1e6
        keep = self.rows[:, 0] >= begin
        first = int(self.rows[~keep, 2].sum())
        return msgspec.structs.replace(self, rows=self.rows[keep], ages=self.ages[first:])

    @property
    def samples_s(self) -> float:
        """Samples applied a second, from the first step to the last."""
        return float(self.rows[1:, 1].sum() / (self.rows[-1, 0] - self.rows[0, 0]) * 1e6)


def town(folder: Path) -> Path:
    """A city of meters, written once."""
    path = folder / "meters"
    if not path.exists():
        small, n = SmallCity.small(), GATEWAYS * METERS
        zero = np.zeros(n)
        assets = Assets(
            ids=[f"m{i:05x}" for i in range(n)],
            names=[""] * n,
            kinds=("meter",),
            gateways=[f"gw-{i}" for i in range(GATEWAYS)],
            columns={
                "kind": zero,
                "commune": zero,
                "lon": zero + 5.04,
                "lat": zero + 47.32,
                "edge": zero,
                "offset_m": zero,
                "parent": np.full(n, NONE),
                "gateway": np.arange(n) // METERS,
                "since": zero,
                "until": zero,
            },
            attributes={"meter": {}},
        )
        description = Description(
            format=cities.FORMAT,
            name="Meters",
            timezone="Europe/Paris",
            licence="Apache-2.0",
            origin="made for benchmarks",
            synthetic=["everything"],
        )
        cities.save(City(description, small.communes, small.streets, assets), path)
    return path


def run(folder: Path, *, seconds: float, rate: float, per_frame: int, hold_ms: float = 0.0) -> Heard:
    """Run a post for ``seconds`` under ``rate`` samples/s in frames of ``per_frame``; return what its hook heard."""
    where = folder / f"post-{time.monotonic_ns()}"
    out = where / "heard"
    config = Config(
        version=1,
        post=PostConfig(city=town(folder), data=where / "data", plugins=["clocked"], plugin_folder=PLUGINS),
        workers=WorkersConfig(trusted=["clocked"]),
        plugins={"clocked": {"out": str(out), "hold_ms": hold_ms}},
    )
    post = Supervisor(config, where)
    keyring.own(config.post.data, "bench-0", (ANY,))
    post.start()
    try:
        sent = _send(where, seconds, rate, per_frame)
    finally:
        post.stop()
    report = msgspec.json.decode((where / "report-kernel.json").read_bytes())
    edge = report["edges"].get("telemetry", {})
    return Heard(
        rows=np.fromfile(f"{out}.rows", np.int64).reshape(-1, 3),
        ages=np.fromfile(f"{out}.ages", np.int64),
        skipped=report["skipped"],
        steps=report["steps"],
        sent=sent,
        lost=edge.get("lost", 0),
        edge_p50_us=report["latency_us"]["sample_to_dirty"].get("p50") or 0.0,
    )


def _send(where: Path, seconds: float, rate: float, per_frame: int) -> int:
    command = [sys.executable, "-m", "bench.gateways", str(where), str(seconds), str(rate), str(per_frame)]
    environment = os.environ | {"PYTHONPATH": str(contest.ROOT)}
    done = subprocess.run(
        command, cwd=contest.ROOT, env=environment, stdout=subprocess.PIPE, timeout=seconds + 40, check=True
    )
    return int(done.stdout)
