"""What stands still for a while and goes on: a process that is stopped, a network that is cut."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from core.run import Endpoints
from ondijon.gateway import Gateway

SLOW = pytest.mark.slow


def emit(post: Any, gateway: Gateway, code: int) -> int:
    gateway.emit("watch.door.opened", {"code": code})
    post.turn()
    return code + 1


@pytest.mark.parametrize(
    ("process", "seconds"),
    [
        ("kernel", 4.0),
        *(pytest.param(process, 30.0, marks=SLOW) for process in ("kernel", "edge-telemetry", "edge-events")),
    ],
)
def test_a_process_that_stands_still_goes_on_and_nothing_is_lost(
    post: Any, process: str, seconds: float
) -> None:
    post.start()
    code = emit(post, post.gateways[0], 0)
    post.until(lambda: post.gateways[0].spool.acked == code, "the first event is acknowledged")
    post.present("S0001")
    post.until(lambda: post.orders, "an order goes out")
    before = len(post.orders)
    pid = post.process(process).pid
    os.kill(pid, signal.SIGSTOP)
    until = time.monotonic() + seconds
    try:
        while time.monotonic() < until:
            if code < 100:
                code = emit(post, post.gateways[0], code)
            post.present("S0001")
            post.levels(20)
            post.turn()
            time.sleep(0.05)
    finally:
        os.kill(pid, signal.SIGCONT)
    post.until(lambda: post.gateways[0].spool.acked == code, "all events are acknowledged")
    post.until(post.together, "all are together")
    post.levels(60)
    post.until(lambda: post.levels(60) or post.shows(60), "the table is up to date")
    late = [order for order in post.orders[before:] if order.deadline < order.since]
    assert not late, "an order past its deadline was carried out"
    assert post.process(process).figures.starts == 1, "nobody was started again"
    post.stop()
    told = [record["code"] for record in post.journaled("watch.door.opened")]
    assert told == list(range(code)), "each once, in order"
    post.balance()


class Cut:
    """TCP ports that pass on what comes, until they are cut: then nothing passes, and nobody is told."""

    def __init__(self, targets: list[str]) -> None:
        self.cut = False
        self._ending = False
        self._selector = selectors.DefaultSelector()
        self.endpoints = [self._listen(target) for target in targets]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _listen(self, target: str) -> str:
        host, port = target.removeprefix("tcp://").split(":")
        door = socket.create_server(("127.0.0.1", 0))
        self._selector.register(door, selectors.EVENT_READ, (host, int(port)))
        return f"tcp://127.0.0.1:{door.getsockname()[1]}"

    def _run(self) -> None:
        while not self._ending:
            for key, _ in self._selector.select(0.05):
                if isinstance(key.data, tuple):
                    near, _ = key.fileobj.accept()  # type: ignore[union-attr]
                    far = socket.create_connection(key.data)
                    for a, b in ((near, far), (far, near)):
                        self._selector.register(a, selectors.EVENT_READ, b)
                elif not self.cut:
                    self._pass(key.fileobj, key.data)
            if self.cut:
                time.sleep(0.02)

    def _pass(self, near: Any, far: Any) -> None:
        try:
            data = near.recv(65_536)
            if data:
                far.sendall(data)
                return
        except OSError:
            pass
        for end in (near, far):
            # One of the two may have ended a moment ago.
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(end)
            end.close()

    def close(self) -> None:
        """End."""
        self._ending = True
        self._thread.join(5)
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]


@pytest.fixture
def cut(post: Any) -> Iterator[Cut]:
    made = Cut(list(msgspec.structs.astuple(post.run.endpoints)))
    yield made
    made.close()


@pytest.mark.parametrize("seconds", [8.0, pytest.param(60.0, marks=SLOW)])
def test_a_cut_network_heals_and_nothing_is_lost_or_done_late(post: Any, cut: Cut, seconds: float) -> None:
    endpoints = Endpoints(*cut.endpoints)
    post.start(gateways=0)
    post.gateways.append(post.gateway(post.city.assets.gateways[0], endpoints=endpoints))
    gateway = post.gateways[0]
    post.until(post.together, "the gateway is in")
    code = emit(post, gateway, 0)
    post.present("S0001")
    post.until(lambda: gateway.spool.acked == code and post.orders, "events come and orders go")
    cut.cut = True
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if code < 60:
            code = emit(post, gateway, code)
        if gateway.session:
            post.present("S0001")
        post.turn()
        time.sleep(0.05)
    cut.cut = False
    post.until(lambda: gateway.ready and gateway.session, "it shook hands again")
    post.until(lambda: gateway.spool.acked == code, "all events are acknowledged")
    clock = post.run.clock()
    for order in gateway.turn():
        assert order.deadline > clock.utc(), "an order past its deadline is not for the lamps"
    before = len(post.orders)
    post.present("S0002")
    post.until(lambda: len(post.orders) > before, "orders go again")
    post.stop()
    told = [record["code"] for record in post.journaled("watch.door.opened")]
    assert told == list(range(code)), "each once, in order"
