"""The consumer's process: ``python -m bench.consumer TASK``; says where it listens, then what it measured."""

from __future__ import annotations

import importlib
import os
import resource
import sys
import time

import msgspec
import numpy as np

from bench import contest, native
from bench.contest import Result


def main() -> None:
    """Listen, take the warm-up, measure."""
    contest.pin(1)
    task = contest.task_of_process()
    limit = native.load()
    # Before the door opens: in an open loop what comes meanwhile would wait.
    probe = limit.probe()
    peer = importlib.import_module(f"bench.peers.{task.peer}").Peer(task)
    contest.say(peer.door())
    if peer.receive(task.warm) < task.warm:
        raise SystemExit(f"{task.peer}: the warm-up did not come")
    peer.take_ages()
    cpu, wall = _cpu_ns(), time.monotonic_ns()
    frames = peer.receive(task.frames)
    cpu, wall = _cpu_ns() - cpu, time.monotonic_ns() - wall
    result = Result(
        samples=frames * task.load.per_frame,
        frames=frames,
        cpu_ns=cpu,
        wall_ns=wall,
        probe_ns=probe,
        load_1min=os.getloadavg()[0],
        ages_us=_percentiles(peer.take_ages()) if task.ages else {},
        counts=peer.counts(),
    )
    sys.stdout.write(msgspec.json.encode(result).decode() + "\n")
    sys.stdout.flush()
    peer.close()


def _cpu_ns() -> int:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return int((usage.ru_utime + usage.ru_stime) * 1e9)


def _percentiles(ages: np.ndarray) -> dict[str, float]:
    if not len(ages):
        return {}
    p50, p99, p999 = np.percentile(ages, [50, 99, 99.9])
    return {
        "n": len(ages),
        "p50": float(p50),
        "p99": float(p99),
        "p999": float(p999),
        "max": float(ages.max()),
    }


if __name__ == "__main__":
    main()
