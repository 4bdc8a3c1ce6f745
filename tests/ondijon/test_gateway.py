"""A gateway before a post of two sockets: its events and its answers, when messages are lost on the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import msgspec
import numpy as np
import pytest
import zmq

from core import wire
from core.clock import Clock, origin_now
from core.errors import OndijonError
from ondijon import gateway as gateways
from ondijon.gateway import Endpoints, Gateway, new_context
from ondijon.spool import MemorySpool, SpoolFullError


class Edges:
    """Welcomes whoever comes; keeps what is said, and answers only when asked to."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self.control, self.events = context.socket(zmq.ROUTER), context.socket(zmq.ROUTER)
        self.frames = context.socket(zmq.PULL)
        ports = [s.bind_to_random_port("tcp://127.0.0.1") for s in (self.frames, self.control, self.events)]
        self.endpoints = Endpoints(*(f"tcp://127.0.0.1:{port}" for port in ports))
        self.said: list[wire.FromGateway] = []
        self.hellos: list[wire.Hello] = []
        self.programmed: list[wire.Programmed] = []
        self.route = b""
        self.known = True

    def turn(self) -> None:
        for socket in (self.control, self.events):
            while socket.poll(0):
                route, data = socket.recv_multipart()
                message = wire.decode_from_gateway(data)
                if isinstance(message, wire.Hello):
                    self.hellos.append(message)
                    self.route = route if socket is self.events else self.route
                    session = 9 if socket is self.control else 0
                    welcome = wire.Welcome(session, 1, 1, ["A1", "L1"], ["lamp.level"], ["lamp.dim"])
                    socket.send_multipart([route, wire.encode(welcome)])
                elif isinstance(message, wire.Beat):
                    socket.send_multipart([route, wire.encode(wire.BeatBack(1, self.known))])
                elif isinstance(message, wire.Programmed):
                    self.programmed.append(message)
                else:
                    self.said.append(message)

    def tell(self, message: wire.ToGateway) -> None:
        self.events.send_multipart([self.route, wire.encode(message)])

    def seqs(self) -> list[int]:
        return [message.seq for message in self.said if isinstance(message, wire.FieldEvent)]


@pytest.fixture
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    made = new_context()
    yield made
    made.destroy(linger=0)


@pytest.fixture
def edges(context: zmq.Context[zmq.Socket[bytes]]) -> Edges:
    return Edges(context)


@pytest.fixture
def gateway(edges: Edges, context: zmq.Context[zmq.Socket[bytes]]) -> Iterator[Gateway]:
    made = Gateway("gw", edges.endpoints, Clock(origin_now()), context, MemorySpool(77, limit=300))
    yield made
    made.close(0)


def together(gateway: Gateway, edges: Edges, done: Callable[[], object]) -> None:
    """Turn both until ``done``; each order is carried out."""
    until = time.monotonic() + 20
    while not done():
        assert time.monotonic() < until
        edges.turn()
        for order in gateway.turn():
            gateway.done(order)
        time.sleep(0.002)


def test_events_wait_for_the_handshake_and_until_they_are_acknowledged(
    gateway: Gateway, edges: Edges
) -> None:
    assert gateway.emit("a.b.c", {"x": 1}, at=5) == 1
    assert gateway.emit("a.b.c", {"x": 2}, asset="L1") == 2
    together(gateway, edges, lambda: len(edges.said) == 2)
    first, second = edges.said
    assert first == wire.FieldEvent(1, 0, "a.b.c", 5, None, msgspec.Raw(b"\x81\xa1x\x01"))
    assert isinstance(second, wire.FieldEvent)
    assert second.index == 1
    edges.tell(wire.EventAck(76, 2))
    edges.tell(wire.EventAck(77, 1))
    together(gateway, edges, lambda: gateway.spool.acked == 1)
    gateway.emit("a.b.c", {"x": 3})
    together(gateway, edges, lambda: len(edges.said) == 3)
    assert edges.said[2].acked == 1, "a kernel that starts anew can tell what is missing"


def test_after_a_new_handshake_all_that_is_not_acknowledged_comes_again(
    gateway: Gateway, edges: Edges
) -> None:
    together(gateway, edges, lambda: gateway.ready)
    for _ in range(3):
        gateway.emit("a.b.c", {})
    together(gateway, edges, lambda: len(edges.said) == 3)
    edges.tell(wire.EventAck(77, 1))
    edges.tell(wire.BeatBack(2, False))
    together(gateway, edges, lambda: len(edges.said) == 5)
    assert edges.seqs() == [1, 2, 3, 2, 3]
    assert gateway.statistics.events_resent == 2


def test_what_nobody_acknowledges_comes_again(
    gateway: Gateway, edges: Edges, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateways, "RESEND_S", 0.2)
    together(gateway, edges, lambda: gateway.ready)
    gateway.emit("a.b.c", {})
    together(gateway, edges, lambda: len(edges.said) >= 2)
    assert set(edges.seqs()) == {1}


def test_no_more_are_on_their_way_than_the_window(gateway: Gateway, edges: Edges) -> None:
    together(gateway, edges, lambda: gateway.ready)
    for _ in range(250):
        gateway.emit("a.b.c", {})
    together(gateway, edges, lambda: len(edges.said) == gateways.WINDOW)
    edges.tell(wire.EventAck(77, 10))
    together(gateway, edges, lambda: len(edges.said) == gateways.WINDOW + 10)
    assert edges.seqs() == list(range(1, gateways.WINDOW + 11))


def test_what_cannot_be_kept_is_said_to_who_emits(gateway: Gateway, edges: Edges) -> None:
    together(gateway, edges, lambda: gateway.ready)
    with pytest.raises(OndijonError, match=r"event a.b.c: 70003 bytes of data, at most 64512 are carried"):
        gateway.emit("a.b.c", {"": "x" * 69_996})
    with pytest.raises(KeyError, match="nobody"):
        gateway.emit("a.b.c", {}, asset="nobody")
    for _ in range(300):
        gateway.emit("a.b.c", {})
    with pytest.raises(SpoolFullError):
        gateway.emit("a.b.c", {})
    assert gateway.statistics.events == 300


def test_an_answer_names_the_epoch_whose_orders_it_answers(gateway: Gateway, edges: Edges) -> None:
    together(gateway, edges, lambda: gateway.ready)
    for epoch, n in ((3, 1), (3, 2), (4, 1)):
        values = np.array([50.0]).tobytes()
        edges.tell(wire.Order(n, epoch, "c", 0, b"\1\0", values, 1000, gateway.clock.utc() + 60_000_000))
    together(gateway, edges, lambda: wire.Reports(4, 1, 1) in edges.said)
    assert gateway.epoch == 4


def test_a_hello_tells_all_that_was_sent_before(gateway: Gateway, edges: Edges) -> None:
    together(gateway, edges, lambda: gateway.ready)
    for value in (1.0, 2.0, 3.0):
        gateway.send("L1", "lamp.level", value)
    edges.known = False
    together(gateway, edges, lambda: any(hello.sent == 3 for hello in edges.hellos))


def test_a_context_without_room_says_what_to_do(edges: Edges) -> None:
    small = new_context(max_sockets=2)
    try:
        with pytest.raises(OndijonError, match=r"new_context\(max_sockets="):
            Gateway("gw", edges.endpoints, Clock(origin_now()), small)
    finally:
        small.destroy(linger=0)


def test_programmes_are_told_after_the_handshake_and_when_they_change(
    gateway: Gateway, edges: Edges, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[Sequence[wire.Programme]] = []
    gateway.obey("trial.plan", lambda programme: "", runs.append)
    together(gateway, edges, lambda: edges.programmed == [wire.Programmed(())])
    sent = wire.Programme("trial.plan", "Dijon", 1, bytes(32), b"\1\0", b"\x80")
    edges.tell(sent)
    told = wire.Programmed((wire.Taken("trial.plan", "Dijon", 1, bytes(32)),))
    together(gateway, edges, lambda: edges.programmed[-1] == told)
    assert runs == [[], [sent]]
    assert gateway.spool.programmes() == [sent]
    edges.tell(wire.Programme("snow.plough", "", 1, bytes(32), b"", b"\x80"))
    together(gateway, edges, lambda: len(edges.programmed[-1].programmes) == 2)
    assert edges.programmed[-1].programmes[1].code == "unknown_kind"
    assert (gateway.statistics.programmes, gateway.statistics.programmes_refused) == (1, 1)
    edges.tell(wire.BeatBack(2, False))
    before = len(edges.programmed)
    together(gateway, edges, lambda: len(edges.programmed) > before)


def test_programmes_are_told_again_by_and_by(
    gateway: Gateway, edges: Edges, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateways, "RETELL_S", 0.1)
    together(gateway, edges, lambda: len(edges.programmed) >= 3)
