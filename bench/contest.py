"""One run: a consumer process on core 1, fed by a sender process on core 0. Interleaved runs, ratios of medians."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import selectors
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.load import Load

ROOT = Path(__file__).parent.parent

#: A run that takes longer (s) is ended, and counts as failed.
RUN_MAX_S = 40.0


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What one run does: ``peer`` (a module of bench.peers) takes ``frames`` frames after ``warm`` ones.

    ``security`` "null" or "curve"; ``rate`` frames/s of an open loop (0: as fast as it goes, unless the
    peer's own pace says otherwise); ``connections`` sockets of the sender, with a frame each ``lap_s`` s at a
    phase of its own; ``ages``: keep each sample's age, and leave the sender unpinned: asleep most of the time,
    it would else share its core with its own libzmq thread.
    """

    peer: str
    load: Load
    frames: int
    warm: int
    security: str = "null"
    rate: float = 0.0
    connections: int = 1
    lap_s: float = 0.0
    ages: bool = False


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What the consumer measured, over ``samples`` samples after the warm-up.

    ``cpu_ns`` of its whole process, libzmq's thread included; ``probe_ns`` a fixed piece of work before
    the warm-up; ``ages_us`` p50, p99, p999, max from the intended send time.
    """

    samples: int
    frames: int
    cpu_ns: int
    wall_ns: int
    probe_ns: int
    load_1min: float
    ages_us: dict[str, float] = {}
    counts: dict[str, int] = {}

    @property
    def cpu_per_sample(self) -> float:
        """ns."""
        return self.cpu_ns / max(self.samples, 1)

    @property
    def wall_per_sample(self) -> float:
        """ns."""
        return self.wall_ns / max(self.samples, 1)

    @property
    def cpu_per_frame(self) -> float:
        """ns."""
        return self.cpu_ns / max(self.frames, 1)

    @property
    def share_of_a_core(self) -> float:
        """CPU over wall."""
        return self.cpu_ns / max(self.wall_ns, 1)


class ContestError(Exception):
    """A run did not come to its end."""


def pin(core: int) -> None:
    """Hold this process, and threads it starts from now on, to one core, where there is more than one."""
    if core in os.sched_getaffinity(0) and len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(0, {core})


def run(task: Task) -> Result:
    """Run consumer and sender, return what the consumer measured. Raises ContestError."""
    with contextlib.ExitStack() as stack:
        consumer = _start(stack, "bench.consumer", task)
        sender = _start(stack, "bench.sender", task)
        hello = _line(consumer, RUN_MAX_S)
        assert sender.stdin is not None
        sender.stdin.write(hello + b"\n")
        sender.stdin.flush()
        return msgspec.json.decode(_line(consumer, RUN_MAX_S), type=Result)


def _start(stack: contextlib.ExitStack, module: str, task: Task) -> subprocess.Popen[bytes]:
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", module, msgspec.json.encode(task).decode()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env=environment,
    )
    stack.callback(stop, process)
    return process


def stop(process: subprocess.Popen[bytes]) -> None:
    """End one process: its standard input closes, then it is asked, then killed."""
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
    for ask in (lambda: None, process.terminate, process.kill):
        ask()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(2)
            break
    if process.stdout is not None:
        process.stdout.close()


def _line(process: subprocess.Popen[bytes], patience_s: float) -> bytes:
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        if not selector.select(patience_s):
            raise ContestError(f"{process.args} said nothing for {patience_s} s")
    line = process.stdout.readline().strip()
    if not line:
        raise ContestError(f"{process.args} ended early")
    return line


Runs = dict[str, list[Result]]


def round_of(tasks: Mapping[str, Task], runs: Runs, turn: int) -> None:
    """Run each task once, in turn forward and backward, and keep the results."""
    for name in sorted(tasks, reverse=bool(turn % 2)):
        runs.setdefault(name, []).append(run(tasks[name]))


def median(runs: Sequence[Result], figure: str) -> float:
    """The median of one figure over runs."""
    return statistics.median(getattr(result, figure) for result in runs)


def figures(runs: Runs, ours: str = "ondijon") -> dict[str, Any]:
    """``extra_info``: CPU and wall per sample of each contender, ratios (above 1: ours is cheaper), probe, load."""
    info: dict[str, Any] = {}
    for name, results in runs.items():
        cpu = [result.cpu_per_sample for result in results]
        info[f"cpu_ns_{name}"] = round(statistics.median(cpu), 2)
        info[f"cpu_ns_min_{name}"] = round(min(cpu), 2)
        info[f"wall_ns_{name}"] = round(median(results, "wall_per_sample"), 2)
        info[f"probe_ms_{name}"] = round(median(results, "probe_ns") / 1e6, 2)
    for name in runs:
        if name != ours:
            info[f"ratio_to_{name}"] = round(info[f"cpu_ns_{name}"] / info[f"cpu_ns_{ours}"], 3)
            info[f"wall_ratio_to_{name}"] = round(info[f"wall_ns_{name}"] / info[f"wall_ns_{ours}"], 3)
    info["runs"] = len(runs[ours])
    info["load"] = load_average()
    return info


def compare(benchmark: Any, tasks: Mapping[str, Task], rounds: int) -> Runs:
    """Run all tasks ``rounds`` times, interleaved; put the figures into ``benchmark.extra_info``.

    The benchmark's own columns time whole runs of ours, processes and all: look at ``extra_info``.
    """
    runs: Runs = {}
    turn = itertools.count()
    others = {name: task for name, task in tasks.items() if name != "ondijon"}
    benchmark.pedantic(
        lambda: round_of({"ondijon": tasks["ondijon"]}, runs, 0),
        setup=lambda: round_of(others, runs, next(turn)),
        rounds=rounds,
        iterations=1,
    )
    benchmark.extra_info.update(figures(runs))
    return runs


def load_average() -> list[float]:
    """Over 1, 5 and 15 minutes."""
    return [round(load, 2) for load in os.getloadavg()]


def say(line: object) -> None:
    """One JSON line to whoever started this process."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def task_of_process() -> Task:
    """The task on this process's command line."""
    return msgspec.json.decode(sys.argv[1], type=Task)


def deadline() -> float:
    """CLOCK_MONOTONIC s at which a run gives up."""
    return time.monotonic() + RUN_MAX_S
