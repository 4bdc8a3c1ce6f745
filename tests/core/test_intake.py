"""The kernel's door for edges, against edges that lie."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
import zmq

from core import link, wire
from core.field import FieldEvents
from core.intake import Intake
from core.journal import Record
from core.register import Numbering
from ondijon.testing import City, MemoryJournal
from tests import runs

GENERATION = 1


class Door:
    """A running intake, and one edge that dialled it."""

    def __init__(self, folder: Path, register, field: FieldEvents, edge: zmq.Socket[bytes]) -> None:
        self.memory = link.create_memory(register.slots)
        run = runs.alone(folder, memory_fd=self.memory)
        self.journal = MemoryJournal()
        self.intake = Intake(run, run.clock(), self.journal, register, City.small().assets, field)
        self.edge = edge
        self.bell = link.Bell(run.loans, run.answers)
        self.intake.start()
        edge.connect(run.kernel_ipc)

    def hear(self) -> bytes:
        """What the kernel says next."""
        assert self.edge.poll(20_000)
        return self.edge.recv()

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait for what must come."""
        end = time.monotonic() + 20
        while not holds():
            assert time.monotonic() < end
            time.sleep(0.005)

    def refused(self, n: int) -> None:
        """Wait until ``n`` messages are refused, by a thread that still turns."""
        self.until(lambda: self.intake.counts["edge_messages_refused"] >= n)
        assert self.intake.counts["edge_messages_refused"] == n
        assert self.intake.is_alive()


@pytest.fixture
def door(make_trial, tmp_path: Path) -> Iterator[Door]:
    city, declarations = City.small(), [make_trial().declare()]
    register = Numbering.of(city.assets, declarations).register(GENERATION)
    with zmq.Context() as context, context.socket(zmq.DEALER) as edge:
        edge.set(zmq.IDENTITY, b"telemetry")
        edge.set(zmq.LINGER, 0)
        opened = Door(tmp_path, register, FieldEvents(declarations, city), edge)
        yield opened
        opened.intake.stop()
        opened.bell.close()
        os.close(opened.memory)


def test_a_buffer_that_was_not_lent_is_not_copied(door: Door) -> None:
    for k in range(50):
        while not door.bell.send(link.Descriptor(GENERATION, k % 2, 1, k + 1)):
            door.intake.take()
    assert not door.intake.take().hand_overs
    door.refused(50)


def test_an_edge_is_told_from_which_loan_on_they_count(door: Door) -> None:
    first = 1
    for _ in range(3):
        door.edge.send(link.encode(link.Ready("telemetry", 1)))
        while not isinstance(numbered := link.decode_to_edge(door.hear()), link.Numbered):
            pass
        assert numbered.loan == first
        door.intake.take()
        loan = link.unpack(door.bell.hear() or b"")
        assert loan == link.Descriptor(GENERATION, 0, 0, first)
        first = link.after(first)


def test_what_is_refused_is_told_to_the_step(door: Door) -> None:
    door.bell.send(link.Descriptor(GENERATION, 0, 1, 1))
    door.edge.send(b"\xc1")
    door.refused(1)
    assert [edge for edge, _ in door.intake.take().lies] == ["telemetry"] * 2
    assert door.intake.counts["edge_messages_refused"] == 2


def test_descriptors_have_their_own_way(door: Door) -> None:
    door.edge.send(link.Descriptor(GENERATION, 0, 1, 1).pack())
    door.refused(1)


def test_data_that_no_edge_should_have_passed_ends_nothing(door: Door) -> None:
    for data in (b"\x81\xa1\xff\x01", b"\x81\xa1a\x81\x80\x01", b"\x91" * 900 + b"\x01"):
        event = wire.FieldEvent(1, 0, "trial.echo", 5, data=msgspec.Raw(data))
        door.edge.send(link.encode(link.Said("gw-A0001", 1, wire.encode(event))))
    door.edge.send(b"\x81\xa4type\xa1\xff")
    door.refused(4)


def test_partners_hear_of_nothing_that_is_not_durable(door: Door) -> None:
    partners = door.edge.context.socket(zmq.DEALER)
    partners.set(zmq.IDENTITY, link.PARTNERS)
    partners.connect(door.edge.get(zmq.LAST_ENDPOINT).decode())
    partners.send(link.encode(link.Ready("partners", 1)))
    assert isinstance(link.decode_to_edge(partners.recv()), link.Numbered)
    door.until(lambda: door.intake.outlet.wanted)
    door.journal.hold = True
    seq = door.journal.append([Record("event", 1, 1, b"\x80")])
    door.intake.tell_partners(link.Stepped(sequence=1, journal=seq, utc=1), seq)
    # What comes after it is not told before it either.
    door.intake.tell_partners(link.Stepped(sequence=2, journal=0, utc=1), 0)
    said = [link.decode_to_edge(partners.recv()) for _ in range(2) if partners.poll(1500)]
    assert not [each for each in said if isinstance(each, link.Stepped)]
    door.journal.hold = False
    door.journal.append([Record("event", 2, 1, b"\x80")])
    door.intake.wake()
    told: list[int] = []
    while len(told) < 2:
        assert partners.poll(20_000)
        message = link.decode_to_edge(partners.recv())
        told += [message.sequence] if isinstance(message, link.Stepped) else []
    assert told == [1, 2]
    partners.close(0)


def test_refused_handshakes_are_told_to_the_step_within_bounds(door: Door) -> None:
    def knocked(first: int, n: int, unreadable: str = "") -> bytes:
        each = [(link.Knock("unknown_key", f"{i:016x}"), 2) for i in range(first, first + n)]
        return link.encode(link.Knocked(each, unreadable))

    door.edge.send(knocked(0, 100))
    door.edge.send(knocked(100, 100, "no allow-list: gone."))
    door.until(lambda: door.intake.counts["handshakes_untold"] > 0)
    knocks = door.intake.take().knocks
    # A moment passes between the two: one more may have been let through.
    assert 128 <= len(knocks) <= 130
    assert (knocks[0].edge, knocks[0].key, knocks[0].count) == ("telemetry", f"{0:016x}", 2)
    assert door.intake.counts["handshakes_untold"] == 2 * (200 - len(knocks))
    assert door.intake.take().knocks == []
    assert door.intake.troubles() == [
        ("keys_unreadable", {"edge": "telemetry", "why": "no allow-list: gone."})
    ]
    door.edge.send(knocked(0, 129))
    door.refused(1)
