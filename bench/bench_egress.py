"""Egress: what partners may see goes out to several of them, beside a bare pyzmq XPUB with CURVE.

    pytest bench/bench_egress.py --benchmark-json=egress.json

Figures are the CPU of the process that sends, per row and subscriber, at one pace of steps for both. The XPUB sends a
message a row and knows neither rights nor credit nor gaps. `rows_a_step` 1 is the hard case: nothing to put together.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq

from bench.contest import ROOT
from core import keys
from core.keys import ClientKey
from core.supervisor import _free_ports
from tests.live.edge_alone import EdgeAlone

SUBSCRIBERS = 8

#: Keys of rows in turn, and bytes of one.
ROWS = 500
PAD = bytes(180)


def cpu_s(pid: int) -> float:
    """What a process has used, its threads included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


#: Rows of an earlier run stand in the snapshot: each run has a number.
NUMBERS = itertools.count(1)


def follow(peer: str, endpoint: str, of: list[ClientKey], rows: int, number: int) -> subprocess.Popen[str]:
    """Subscribers in a process of their own, to rows of the run ``number``."""
    task = {"peer": peer, "endpoint": endpoint, "keys": [msgspec.structs.asdict(k) for k in of]}
    task |= {"rows": rows, "run": number}
    started = subprocess.Popen(
        [sys.executable, "-m", "bench.follower", json.dumps(task)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    return started


def figures(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What subscribers said at their end."""
    out, _ = process.communicate(timeout=60)
    return dict(json.loads(out))


def paced(steps: int, step_s: float, tell: Callable[[int], None]) -> None:
    """Call ``tell`` at an even pace."""
    begin = time.monotonic()
    for n in range(steps):
        tell(n)
        time.sleep(max(0.0, begin + (n + 1) * step_s - time.monotonic()))


class Ours:
    """The partners' edge, with this process in the kernel's place."""

    def __init__(self, folder: Path) -> None:
        self.edge = EdgeAlone(folder)
        self.pid = self.edge.process.pid
        self.endpoint = self.edge.run.endpoints.partners
        self.keys = [self.edge.key(f"p{n}")[1] for n in range(SUBSCRIBERS + 1)]

    def tell(self, rows: list[tuple[str, dict[str, Any]]]) -> None:
        """A step."""
        self.edge.hear()
        self.edge.step(views=tuple(self.edge.row(key, row) for key, row in rows))

    def stop(self) -> None:
        """End it."""
        self.edge.stop()


class Bare:
    """The XPUB."""

    def __init__(self, folder: Path) -> None:
        public, secret = keys.pair()
        (port,) = _free_ports("127.0.0.1", 1)
        self.endpoint = f"tcp://127.0.0.1:{port}"
        source = f"ipc://{folder}/xpub"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.peers.xpub", source, self.endpoint, secret], cwd=ROOT
        )
        self.pid = self.process.pid
        self.keys = [ClientKey.new(f"p{n}", public) for n in range(SUBSCRIBERS)]
        self._push = zmq.Context.instance().socket(zmq.PUSH)
        self._push.connect(source)

    def tell(self, rows: list[tuple[str, dict[str, Any]]]) -> None:
        """The same rows, a message each."""
        for key, row in rows:
            self._push.send(msgspec.msgpack.encode({"key": key, **row}))

    def stop(self) -> None:
        """End it."""
        self._push.close(0)
        self.process.terminate()
        self.process.wait(10)


def run(peer: Any, name: str, steps: int, rows_a_step: int, step_s: float) -> dict[str, Any]:
    """One run: all rows to all subscribers; the sender's CPU in µs a row and subscriber."""
    total, number = steps * rows_a_step, next(NUMBERS)
    followers = follow(name, peer.endpoint, peer.keys[:SUBSCRIBERS], total, number)
    time.sleep(1.5)
    before = cpu_s(peer.pid)

    def tell(n: int) -> None:
        now = time.monotonic_ns()
        peer.tell([(str((n + i) % ROWS), {"run": number, "t": now, "pad": PAD}) for i in range(rows_a_step)])

    paced(steps, step_s, tell)
    found = figures(followers)
    used = cpu_s(peer.pid) - before
    assert found["came"] == [total] * SUBSCRIBERS, found
    return found | {"us": 1e6 * used / (total * SUBSCRIBERS)}


@pytest.mark.parametrize(("rows_a_step", "step_s"), [(1, 0.0005), (20, 0.01)], ids=["1", "20"])
def test_egress(benchmark: Any, tmp_path: Path, quick: bool, rows_a_step: int, step_s: float) -> None:
    peers = {"ondijon": Ours(tmp_path), "xpub": Bare(tmp_path)}
    steps = round((4 if quick else 12) / step_s)
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in peers}
    try:

        def once() -> None:
            for name, peer in peers.items():
                runs[name].append(run(peer, name, steps, rows_a_step, step_s))

        benchmark.pedantic(once, rounds=2 if quick else 5, iterations=1)
    finally:
        for peer in peers.values():
            peer.stop()
    cpu = {name: statistics.median(each["us"] for each in found) for name, found in runs.items()}
    benchmark.extra_info.update(
        {f"cpu_us_{name}": round(us, 3) for name, us in cpu.items()}
        | {"ratio_to_xpub": round(cpu["xpub"] / cpu["ondijon"], 3)}
        | {"rows_a_step": rows_a_step, "subscribers": SUBSCRIBERS}
        | {
            f"p99_us_{name}": round(statistics.median(r["p99"] for r in found))
            for name, found in runs.items()
        }
    )


def test_a_stopped_subscriber(benchmark: Any, tmp_path: Path, quick: bool) -> None:
    """p99 of the others, with one that was stopped and without, in turn."""
    ours = Ours(tmp_path)
    p99: dict[bool, list[float]] = {False: [], True: []}
    steps, step_s = 2000, 0.002
    try:

        def once(stopped: bool) -> None:
            number = next(NUMBERS)
            slow = follow("ondijon", ours.endpoint, ours.keys[-1:], 1 << 40, 0) if stopped else None
            followers = follow("ondijon", ours.endpoint, ours.keys[: SUBSCRIBERS // 2], steps, number)
            if slow is not None:
                slow.send_signal(signal.SIGSTOP)

            def tell(n: int) -> None:
                row = {"run": number, "t": time.monotonic_ns(), "pad": PAD}
                ours.tell([(str(n % ROWS), row)])

            paced(steps, step_s, tell)
            p99[stopped].append(figures(followers)["p99"])
            if slow is not None:
                slow.kill()
                slow.wait()

        for _ in range(2 if quick else 7):
            once(False)
            once(True)
        benchmark.pedantic(lambda: once(False), rounds=1, iterations=1)
    finally:
        ours.stop()
    without, with_ = (statistics.median(p99[stopped]) for stopped in (False, True))
    benchmark.extra_info.update(
        {"p99_us": round(without), "p99_us_beside_a_stopped_one": round(with_)}
        | {"ratio": round(with_ / without, 3), "rounds": len(p99[True])}
    )
