"""Strangers and liars on each of the three ports: refused under their reason, and nobody else is touched."""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
import zmq

from core import wire
from core.person import ANY

#: The place that the honest gateways leave free.
FREE = "gw-A0003"

NONE = 0xFFFF


@pytest.fixture
def post(running_post: Any) -> Iterator[Any]:
    """The running post; whatever was done to it, its processes and its honest gateways go on."""
    starts = {process.name: process.figures.starts for process in running_post.supervisor.processes}
    lost = running_post.edge("telemetry")["lost"]
    yield running_post
    # Far from what they were: inside the deadband nothing would be seen to arrive.
    value = 5 + ((running_post.view("watch.levels")["level"][0] or 0) + 17) % 80
    running_post.levels(value)
    wanted = [value + (i + 1) / 10 for i in range(20)]
    running_post.until(
        lambda: running_post.view("watch.levels")["level"][:20] == pytest.approx(wanted),
        "the honest gateways' levels are in the table",
    )
    before = len(running_post.orders)
    running_post.present("S0001")
    running_post.until(lambda: len(running_post.orders) > before, "an order goes out")
    assert {process.name: process.figures.starts for process in running_post.supervisor.processes} == starts
    assert all(gateway.statistics.handshakes == 2 for gateway in running_post.gateways)
    assert running_post.edge("telemetry")["lost"] == lost


def liar(post: Any) -> Path:
    """The key of somebody who is let in, may say every gateway's name, and lies."""
    file: Path = post.keys("liar", ANY)
    return file


def hello(gateway: str = FREE, **changes: Any) -> bytes:
    packed: bytes = msgpack.packb({"type": "hello", "gateway": gateway, "boot": 5, "wire": 1} | changes)
    return packed


def ask(post: Any, peer: zmq.Socket[bytes], message: bytes) -> Any:
    """What an edge answers."""
    peer.send(message)
    post.until(lambda: peer.poll(0), "the edge answers")
    return wire.decode_to_gateway(peer.recv())


def settle(post: Any) -> None:
    """Wait until all that was done to the edges before is in their counters: they tell them once a second."""
    step = post.status.step
    post.until(lambda: post.status.step > step + 45, "the counters have come")


def settled(post: Any, edge: str) -> dict[str, int]:
    """The edge's counters when all that was done to it before is in them."""
    settle(post)
    return dict(post.edge(edge))


def counted(post: Any, edge: str, before: dict[str, int], more: dict[str, int]) -> None:
    """The edge counts what was done to it, reason by reason, and nothing else."""
    reasons = set(more)
    post.until(
        lambda: {r: post.edge(edge).get(r, 0) - before.get(r, 0) for r in reasons} == more,
        f"{edge} counts {more}, but {before} became {post.edge(edge)}",
    )


def raw(endpoint: str, data: bytes) -> socket.socket:
    """A TCP connection that said so much."""
    peer = socket.create_connection(("127.0.0.1", int(endpoint.rpartition(":")[2])))
    peer.sendall(data)
    peer.setblocking(False)
    return peer


def cut_off(peer: socket.socket) -> bool:
    """Whether the other side closed the connection."""
    try:
        return not peer.recv(65536)
    except BlockingIOError:
        return False
    except OSError:
        return True


#: A greeting of ZMTP 3 ends here in bytes that are none, stops half way, or never begins.
UNFINISHED = (b"\xff" + bytes(8) + b"\x7f\x03\0NULL" + bytes([7] * 500), b"\xff" + bytes(7) + b"\1\x7f", b"")


@pytest.mark.slow
def test_a_greeting_that_never_ends_is_cut_off(post: Any) -> None:
    ports = post.run.endpoints
    left = [raw(port, data) for port in (ports.telemetry, ports.control, ports.events) for data in UNFINISHED]
    everyone = list(left)

    def all_cut_off() -> bool:
        left[:] = [peer for peer in left if not cut_off(peer)]
        return not left

    post.until(all_cut_off, "all are cut off")
    for peer in everyone:
        peer.close()


def test_noise_ends_at_the_greeting(post: Any) -> None:
    noise, ports, peers = random.Random(3), post.run.endpoints, []
    for port in (ports.telemetry, ports.control, ports.events):
        for data in (noise.randbytes(5000), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 20):
            peers.append(raw(port, data))
    everyone = list(peers)
    settle(post)
    before = {edge: dict(post.edge(edge)) for edge in ("telemetry", "events")}

    def all_cut_off() -> bool:
        peers[:] = [peer for peer in peers if not cut_off(peer)]
        return not peers

    post.until(all_cut_off, "all are cut off")
    heard = ("frames", "refused_malformed", "refused_mistyped", "refused_multipart")
    settle(post)
    for edge, counts in before.items():
        assert [post.edge(edge).get(name) for name in heard] == [counts.get(name) for name in heard]
    for peer in everyone:
        peer.close()


def frames(session: int, now: int) -> list[tuple[list[bytes], str, int]]:
    """Frames of one session in order of sending, each with the counter it moves and by how many."""
    level, presence = 0, 1
    good = wire.single(session, 0, 1, level, now, 50.0)
    two = wire.columns(session, 1, np.array([1, 2]), level, np.array([now, now]), np.array([np.nan, np.inf]))
    shared = struct.pack("<BBHIIHHqd", 1, 2, 2, session, 11, level, 0, 1 << 62, 0.0) + bytes(28)
    return [
        ([b""], "truncated", 1),
        ([good[:31]], "truncated", 1),
        ([good + b"\0"], "oversized", 1),
        ([b"\x02" + good[1:]], "bad_version", 1),
        ([b"\x01\x03" + good[2:]], "bad_kind", 1),
        ([struct.pack("<BBH", 1, 2, 0) + good[4:]], "bad_count", 1),
        ([struct.pack("<BBH", 1, 2, 1025) + good[4:]], "bad_count", 1),
        ([struct.pack("<BBH", 1, 2, 3) + good[4:]], "bad_length", 1),
        ([two[:-1]], "bad_length", 1),
        ([random.Random(1).randbytes(20_000)], "bad_version", 1),
        ([good, good], "multipart", 1),
        ([wire.single(session ^ 1, 0, 1, level, now, 50.0)], "unknown_session", 1),
        ([good], "applied", 1),
        ([good], "replayed", 1),
        ([two], "not_finite", 2),
        ([wire.single(session, 3, 60_000, level, now, 50.0)], "unknown_index", 1),
        ([wire.single(session, 4, 1, 9, now, 50.0)], "unknown_metric", 1),
        ([wire.single(session, 5, 1, presence, now, 1.0)], "unknown_metric", 1),
        ([wire.single(session, 6, 1, level, now, 101.0)], "out_of_range", 1),
        ([wire.single(session, 7, 1, level, now + 60_000_000, 50.0)], "future", 1),
        ([wire.single(session, 8, 1, level, (1 << 63) - 1, 50.0)], "future", 1),
        ([wire.single(session, 9, 1, level, -1, 50.0)], "bad_time", 1),
        ([wire.single(session, 10, 1, level, now - 1_000_000, 70.0)], "late", 1),
        ([shared], "future", 2),
        ([wire.single(session, 0xFFFFFFFF, 1, level, now, 50.0)], "replayed", 1),
    ]


def test_frames_are_refused_by_reason(post: Any, socket_of: Any) -> None:
    control = socket_of(zmq.DEALER, post.run.endpoints.control, liar(post))
    session = ask(post, control, hello()).session
    before = settled(post, "telemetry")
    push = socket_of(zmq.PUSH, post.run.endpoints.telemetry, liar(post))
    more: dict[str, int] = {}
    for parts, reason, n in frames(session, post.run.clock().utc()):
        push.send_multipart(parts)
        more[reason] = more.get(reason, 0) + n
    # Larger than any frame: the connection is cut, nothing is read.
    push.send(bytes(100_000))
    counted(post, "telemetry", before, more)
    control.send(wire.encode(wire.Bye(session, 13)))
    post.until(lambda: post.edge("telemetry")["gateways"] == 2, "the liar has left")


REFUSED: list[tuple[bytes, str]] = [
    (b"", "malformed"),
    (b"\xc1", "malformed"),
    (random.Random(2).randbytes(3000), "mistyped"),
    (b"\x91" * 60_000, "mistyped"),
    (b"\x81\xa1x" * 20_000, "malformed"),
    (b"\x82\xa1x" + b"\x91" * 60_000 + b"\xc0\xa4type\xa3bye", "malformed"),
    (b"\x81\xa4type\xa2\xff\xff", "malformed"),
    (hello(boot=-1), "mistyped"),
    (hello(gateway=7), "mistyped"),
    (hello(gateway=""), "mistyped"),
    (hello(colour="red"), "mistyped"),
    (hello(type="welcome"), "mistyped"),
    (hello(wire=2), "wire_version"),
    (hello("gw-nobody"), "unknown_gateway"),
    (hello("gw-A0001"), "duplicate_handshake"),
    (wire.encode(wire.Bye(5, 5)), "no_handshake"),
]


@pytest.mark.parametrize("edge", [pytest.param("telemetry", marks=pytest.mark.slow), "events"])
def test_messages_are_refused_by_reason(post: Any, socket_of: Any, edge: str) -> None:
    endpoint = post.run.endpoints.control if edge == "telemetry" else post.run.endpoints.events
    before, peer = settled(post, edge), socket_of(zmq.DEALER, endpoint, liar(post))
    more: dict[str, int] = {"refused_multipart": 2}
    for message, reason in REFUSED:
        answer = ask(post, peer, message)
        assert isinstance(answer, wire.Refused), (message[:40], answer)
        assert answer.reason == reason, (message[:40], answer)
        more[f"refused_{reason}"] = more.get(f"refused_{reason}", 0) + 1
    peer.send_multipart([b"a", b"b"])
    peer.send_multipart([b""] * 50)
    # A session that nobody gave: not refused, but told so.
    assert ask(post, peer, wire.encode(wire.Beat(99, 5))).known is False
    welcome = ask(post, peer, hello())
    assert isinstance(welcome, wire.Welcome)
    for message, reason in ((hello(), "hello_flood"), (hello("gw-A0002"), "second_name")):
        assert ask(post, peer, message).reason == reason
        more[f"refused_{reason}"] = 1
    counted(post, edge, before, more)
    peer.send(wire.encode(wire.Bye(welcome.session, 0)))
    # Too large for any message: the connection is cut, nothing is read.
    peer.send(bytes(200_000))
    post.until(lambda: post.edge(edge)["gateways"] == 2, "the stranger has left")


@pytest.mark.slow
def test_a_peer_that_never_reads_harms_only_itself(post: Any, socket_of: Any) -> None:
    before = dict(post.edge("events"))
    peers = [
        socket_of(zmq.DEALER, endpoint, liar(post), RCVHWM=1, RCVBUF=1024)
        for endpoint in (post.run.endpoints.control, post.run.endpoints.events)
    ]
    for _ in range(20):
        for peer in peers:
            for _ in range(500):
                try:
                    peer.send(hello(), zmq.DONTWAIT)
                except zmq.Again:
                    break
        post.turn()
    post.until(
        lambda: (
            post.edge("events").get("refused_hello_flood", 0) - before.get("refused_hello_flood", 0) > 500
        ),
        "the flood is counted",
    )
    for peer in peers:
        peer.close(0)
    post.until(
        lambda: [post.edge(edge)["gateways"] for edge in ("telemetry", "events")] == [2, 2], "it is forgotten"
    )


def test_a_gateways_events_and_answers_are_checked_before_the_step(post: Any, socket_of: Any) -> None:
    before = dict(post.status.counts)
    journaled = len(post.journaled("watch.door.opened"))
    peer = socket_of(zmq.DEALER, post.run.endpoints.events, liar(post))
    assert isinstance(ask(post, peer, hello()), wire.Welcome)

    def event(seq: int, **changes: Any) -> bytes:
        known = {"kind": "watch.door.opened", "at": 1, "index": None, "data": {"code": seq}}
        packed: bytes = msgpack.packb({"type": "event", "seq": seq, "acked": 0} | known | changes)
        return packed

    heard: list[Any] = []

    def acknowledged(through: int) -> Callable[[], bool]:
        def said() -> bool:
            while peer.poll(0):
                heard.append(wire.decode_to_gateway(peer.recv()))
            return any(isinstance(m, wire.EventAck) and m.through == through for m in heard)

        return said

    for message in (
        event(3),  # before it two are missing
        event(1),
        event(1),
        event(2, kind="watch.inner.said"),
        event(3, kind="post.alarm.changed"),
        event(4, data={"code": -1}),
        event(5, data={"code": 1, "more": 1}),
        event(6, index=60_000),
        event(7, data={"code": 950_000}, at=(1 << 63) - 1),  # more than the trade reads
        event(8, index=1),
        event(8),
    ):
        peer.send(message)
    epoch = post.status.generation
    for executed, of in ((1 << 62, epoch), (1, epoch + 9), (1, epoch - 1)):
        peer.send(wire.encode(wire.Reports(of, executed, executed, ((1, wire.Fault(65_535, "x")),))))
    post.until(acknowledged(8), "all are acknowledged")
    assert [m.reason for m in heard if isinstance(m, wire.Refused)] == [
        "unknown_event",
        "unknown_event",
        "bad_data",
        "bad_data",
        "unknown_index",
    ]
    more = {"field_events": 3, "field_events_refused": 5, "events_unread": 1, "reports_refused": 2}
    post.until(
        lambda: {name: post.status.counts[name] - before[name] for name in more} == more, f"it counts {more}"
    )
    assert [each["code"] for each in post.journaled("watch.door.opened")[journaled:]] == [1, 950_000, 8]
    peer.send(wire.encode(wire.Bye(0, 0)))
    post.until(lambda: post.edge("events")["gateways"] == 2, "the liar has left")
