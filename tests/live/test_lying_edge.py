"""A process that speaks with an edge's name at the kernel's door: refused whole, told of, and the kernel goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgpack
import msgspec
import numpy as np
import pytest
import zmq

from core import link, wire


class Liar:
    """The telemetry edge's place at the kernel, and its memory."""

    def __init__(self, post: Any, socket_of: Any) -> None:
        self.post = post
        self.socket = socket_of(zmq.DEALER, post.run.kernel_ipc, IDENTITY=b"telemetry")
        self.bell = link.Bell(post.run.loans, post.run.answers)
        self.buffers = link.Buffers(post.run.memory_fd, writable=True)
        self.generation = 0
        self.loans: list[link.Descriptor] = []
        self.socket.send(link.encode(link.Ready("telemetry", 1)))
        post.until(self.hears(lambda: self.generation and self.loans), "the kernel welcomes it")

    def hears(self, done: Callable[[], object]) -> Callable[[], object]:
        def hear() -> object:
            while self.socket.poll(0):
                message = link.decode_to_edge(self.socket.recv())
                if isinstance(message, link.Numbered):
                    self.generation = message.generation
            while (data := self.bell.hear()) is not None:
                self.loans.append(link.unpack(data))
            return done()

        return hear

    def hand_over(self, slot: int, value: float, time: int, count: int, n: int = 1) -> None:
        """Fill a buffer that it was given with one row ``n`` times, and hand it over."""
        self.post.until(self.hears(lambda: self.loans), "a buffer is lent")
        loan = self.loans.pop(0)
        for column, of in zip(self.buffers.columns[loan.buffer], (slot, value, time, count), strict=True):
            column[:n] = of
        self.say(msgspec.structs.replace(loan, count=n))

    def say(self, *descriptors: link.Descriptor) -> None:
        """Answer so; the door takes a few at a time."""
        for descriptor in descriptors:
            self.post.until(lambda descriptor=descriptor: self.bell.send(descriptor), "there is room")


@pytest.fixture
def liar(post: Any, socket_of: Any) -> Iterator[Liar]:
    # Only the kernel runs: the real edge would take its place back.
    post.supervisor.processes[1:] = []
    post.supervisor.start()
    post.until(lambda: post.follower.status, "the kernel steps")
    made = Liar(post, socket_of)
    yield made
    made.bell.close()
    assert post.process("kernel").figures.starts == 1


def test_nothing_it_hands_over_is_believed(post: Any, liar: Liar) -> None:
    utc = post.run.clock().utc
    for lie in (
        (10_000, 50.0, utc(), 1),
        (0, float("nan"), utc(), 1),
        (0, float("inf"), utc(), 1),
        (0, 50.0, utc(), 0),
        (0, 50.0, utc() + 60_000_000, 1),
        (0, 50.0, (1 << 63) - 1, 1),
        (0, 50.0, -1, 1),
    ):
        liar.hand_over(*lie)
    post.until(lambda: post.status.counts["hand_overs_refused"] == 7, "seven are refused")
    lent = post.status.counts["hand_overs"]
    post.until(liar.hears(lambda: len(liar.loans) == link.BUFFERS), "both buffers are lent")
    mine, other = liar.loans
    liar.say(
        msgspec.structs.replace(mine, buffer=9, count=1),
        msgspec.structs.replace(mine, generation=mine.generation + 1, count=1),
        msgspec.structs.replace(mine, sequence=mine.sequence + 1000, count=1),
        msgspec.structs.replace(mine, buffer=other.buffer, count=1),
        msgspec.structs.replace(mine, count=0xFFFFFFFF),
        # The loan is over with that.
        msgspec.structs.replace(mine, count=1),
        # Those of a kernel that is gone are no lies, but nothing of them is taken.
        msgspec.structs.replace(mine, generation=mine.generation - 1, count=1),
    )
    post.until(lambda: post.status.counts["hand_overs_stale"] == 1, "the stale one is counted")
    assert post.status.counts["edge_messages_refused"] == 6
    assert post.status.counts["hand_overs"] == lent
    post.until(lambda: post.status.alarms.active.get("edge_refused") == 1, "the alarm is raised")
    assert any("edge telemetry" in fault for fault in post.status.faults)
    assert post.view("watch.levels")["level"] == [None] * 30, "nothing of it is in the table"
    # Then it tells the truth, and is heard.
    liar.loans = [other]
    liar.hand_over(0, 50.0, utc(), 1)
    post.until(lambda: 50.0 in post.view("watch.levels")["level"], "the truth is in the table")


def test_no_message_of_it_ends_the_kernel(post: Any, liar: Liar, socket_of: Any) -> None:
    event = wire.encode(wire.FieldEvent(1, 0, "watch.door.opened", 1))
    strangers = [
        socket_of(zmq.DEALER, post.run.kernel_ipc, IDENTITY=name)
        for name in (b"events", b"nobody", b"\xff\xfe")
    ]
    lies = [
        b"",
        b"\xc1" * 17,
        b"\x82\xa1x" + b"\x91" * 60_000 + b"\xc0\xa4type\xa4said",
        b"\x81\xa4type\xa2\xff\xff",
        msgpack.packb({"type": "ready", "edge": "telemetry", "boot": "x"}),
        msgpack.packb({"type": "said", "gateway": "gw-nobody", "boot": 1, "message": event}),
        msgpack.packb({"type": "said", "gateway": "gw-A0001", "boot": 1, "message": b"\xc1"}),
    ]
    for socket in (liar.socket, *strangers):
        for lie in lies:
            socket.send(lie)
        socket.send_multipart([b"a", b"b", b"c"])
        socket.send(bytes(link.DESCRIPTOR_BYTES))
    # Only the events edge speaks for gateways.
    liar.socket.send(link.encode(link.Said("gw-A0001", 1, event)))
    # It tells only its own counters, whatever name it gives.
    liar.socket.send(link.encode(link.Counters("x" * 50, {"received": 5}, b"short", 3)))
    least = 4 * len(lies) + 4 + 2
    post.until(lambda: post.status.counts["edge_messages_refused"] >= least, f"{least} are refused")
    post.until(lambda: post.edge("telemetry").get("received") == 5, "its counters are its own")
    assert set(post.status.edges) <= {"telemetry", "events"}
    assert post.status.counts["field_events"] == 0
    liar.socket.send(bytes(1_000_000))
    step = post.status.step
    post.until(lambda: post.status.step > step + 20, "the kernel goes on")


@pytest.mark.slow
def test_a_rows_end_is_where_the_memory_ends(post: Any, liar: Liar) -> None:
    liar.hand_over(0, 50.0, post.run.clock().utc(), 1, n=liar.buffers.slots)
    post.until(lambda: 50.0 in post.view("watch.levels")["level"], "a full buffer is read")
    assert np.isfinite(post.status.latency_us["sample_to_hook"]["p50"])
