"""Strangers in great numbers at the doors: the edges stay small, the kernel does not notice, orders go on in time."""

from __future__ import annotations

import contextlib
import random
import resource
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from core import keys
from core.keys import ClientKey

pytestmark = pytest.mark.slow

#: What was asked (docs/reliability.md): MiB of an edge, MiB that the kernel may grow by.
EDGE_MIB, KERNEL_MIB = 256.0, 10.0

CONNECTS, LIARS = 5000, 100

#: A greeting of ZMTP 3.1 that asks for CURVE, as a server expects it: what follows must be a HELLO.
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x01CURVE" + bytes(15) + bytes(32)


@pytest.fixture(autouse=True)
def _files() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] != resource.RLIM_INFINITY and before[1] < 3 * CONNECTS:
        pytest.skip("needs more open files than this user may have")
    resource.setrlimit(resource.RLIMIT_NOFILE, (3 * CONNECTS, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def mib(pid: int, what: str = "VmRSS") -> float:
    """Memory of a process now; VmHWM: at most."""
    _, _, after = Path(f"/proc/{pid}/status").read_text().partition(f"{what}:")
    return int(after.split()[0]) / 1024


def order_times(post: Any, n: int) -> list[float]:
    """Seconds from a sighting to its order, ``n`` times, sorted."""
    times = []
    for _ in range(n):
        before, began = len(post.orders), time.monotonic()
        post.present("S0001")
        post.until(lambda before=before: len(post.orders) > before, "an order goes out")
        times.append(time.monotonic() - began)
    return sorted(times)


class Siege:
    """A post, and its memory and orders before it was besieged."""

    def __init__(self, post: Any) -> None:
        post.start(gateways=3)
        self.post = post
        self.calm = order_times(post, 60)
        self.pids = {process.name: process.pid for process in post.supervisor.processes}
        self.kernel = mib(self.pids["kernel"])

    def judge(self, name: str, record: Callable[[str, object], None]) -> None:
        """What was asked holds while it lasts."""
        times = order_times(self.post, 60)
        edges = {name: mib(self.pids[name], "VmHWM") for name in ("edge-telemetry", "edge-events")}
        grown = mib(self.pids["kernel"]) - self.kernel
        record(
            name,
            f"edges {edges}, kernel +{grown:.1f} MiB, order p50 {self.calm[30] * 1e3:.0f} -> {times[30] * 1e3:.0f} ms, "
            f"worst {self.calm[-1] * 1e3:.0f} -> {times[-1] * 1e3:.0f} ms",
        )
        assert max(edges.values()) <= EDGE_MIB
        assert grown <= KERNEL_MIB
        assert all(process.figures.starts == 1 for process in self.post.supervisor.processes)
        assert all(gateway.statistics.handshakes == 2 for gateway in self.post.gateways)
        assert self.post.edge("telemetry")["lost"] == 0


def ports(post: Any) -> list[tuple[str, int]]:
    e = post.run.endpoints
    return [("127.0.0.1", int(each.rpartition(":")[2])) for each in (e.telemetry, e.control, e.events)]


def test_five_thousand_connections_that_never_end_their_greeting(
    post: Any, record_property: Callable[[str, object], None]
) -> None:
    siege, noise = Siege(post), random.Random(5)
    with contextlib.ExitStack() as held:
        for i in range(CONNECTS):
            with contextlib.suppress(OSError):
                peer = held.enter_context(socket.create_connection(ports(post)[i % 3], timeout=1))
                peer.sendall(GREETING[: noise.randrange(len(GREETING) + 1)])
            if i % 50 == 0:
                post.turn()
        siege.judge("connects", record_property)


def test_parts_without_end_and_bytes_that_come_one_by_one(
    post: Any, record_property: Callable[[str, object], None]
) -> None:
    siege = Siege(post)
    # Commands and messages with MORE set, before any handshake: the way a receiver's memory once was filled.
    part = b"\x03" + (60_000).to_bytes(8, "big") + bytes(60_000)
    until = time.monotonic() + 10
    with contextlib.ExitStack() as held:
        slow = [held.enter_context(socket.create_connection(port)) for port in ports(post) for _ in range(50)]
        while time.monotonic() < until:
            for port in ports(post):
                with contextlib.suppress(OSError), socket.create_connection(port, timeout=0.2) as peer:
                    peer.sendall(GREETING)
                    for _ in range(50):
                        peer.sendall(part)
            for peer in slow:
                with contextlib.suppress(OSError):
                    peer.send(b"\xff")
            post.turn()
        siege.judge("parts", record_property)


def test_wrong_keys_that_knock_without_pause(
    post: Any, socket_of: Any, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    siege = Siege(post)
    server = keys.post_key(post.run.data).public
    endpoints = post.run.endpoints
    for i in range(LIARS):
        file = tmp_path / f"{i}.key"
        keys.write(file, ClientKey.new("liar", server if i % 2 else keys.pair()[0]))
        port = (endpoints.telemetry, endpoints.control, endpoints.events)[i % 3]
        socket_of(zmq.PUSH if i % 3 == 0 else zmq.DEALER, port, file, RECONNECT_IVL=10)
    post.until(
        lambda: (
            post.edge("telemetry").get("handshake_unknown_key", 0) > 500
            and post.edge("telemetry").get("handshake_wrong_server_key", 0) > 500
        ),
        "many are turned away",
    )
    siege.judge("keys", record_property)
    told = post.journaled("post.handshake.refused")
    assert 2 <= len(told) <= 256
    assert sum(each["count"] for each in told) > 50
