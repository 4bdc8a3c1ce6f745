"""Loans: kernel's and edge's side against one another, with either killed and started again, late, or lying."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import link
from core._fast.slots import Slots
from core.declaration import Merge
from core.errors import WireError
from core.loans import HEARD_MAX, Borrower, Lender
from core.table import HandOver

SLOTS = 64


class Rig:
    """The memory and the doors that outlive either side; ``kernel`` and ``edge`` start one, as after a kill."""

    def __init__(self, folder: Path) -> None:
        self.fd = link.create_memory(SLOTS)
        self.loans, self.answers = folder / "loans", folder / "answers"
        self.buffers = link.Buffers(self.fd, writable=True)
        self.bells: list[link.Bell] = []
        self.refused: list[WireError] = []

    def bell(self, door: Path, other: Path, patience_s: float = 0.0) -> link.Bell:
        self.bells.append(link.Bell(door, other, patience_s))
        return self.bells[-1]

    def close(self) -> None:
        for bell in self.bells:
            bell.close()
        os.close(self.fd)

    def kernel(self, generation: int, grace_s: float = 0.0) -> Lender:
        return Lender(
            self.buffers,
            self.bell(self.answers, self.loans, grace_s),
            generation,
            counts={},
            refuse=self.refused.append,
        )

    def edge(self) -> Edge:
        return Edge(self.buffers, self.bell(self.loans, self.answers))


class Edge:
    """An edge's borrower and its staging table, whose metric adds up: what is counted twice, or lost, shows."""

    def __init__(self, buffers: link.Buffers, bell: link.Bell) -> None:
        one, self.bell = np.ones(1), bell
        self.borrower = Borrower(buffers, bell)
        self.slots = Slots(
            SLOTS,
            deadband=0 * one,
            low=-1e9 * one,
            high=1e9 * one,
            merge=np.array([Merge.SUM], np.uint8),
            refresh_s=0 * one,
        )
        self.metric = np.zeros(SLOTS, np.uint16)
        self.slots.extend(self.metric)

    def sample(self, slot: int, value: float) -> None:
        column = np.array([slot], np.uint32)
        one = np.ones(1, np.uint32)
        self.slots.apply(column, np.array([value]), np.ones(1, np.int64), one, self.metric, 1 << 60)

    def staged(self) -> float:
        records = self.slots.records_array()
        return float(records["value"][(records["flags"] & 1) == 1].sum())

    def turn(self) -> None:
        self.borrower.hear()
        if self.borrower.owes:
            self.borrower.hand_over(self.slots)


def rows(landed: list[HandOver]) -> list[tuple[int, float]]:
    return [row for each in landed for row in zip(each.slot.tolist(), each.value.tolist(), strict=True)]


def poll(edge: Edge) -> bool:
    return bool(select.select([edge.bell], [], [], 20)[0])


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    made.close()


@pytest.fixture
def met(rig: Rig) -> tuple[Lender, Edge]:
    """Both sides, after their meeting."""
    kernel, edge = rig.kernel(1), rig.edge()
    edge.borrower.numbered(1, kernel.meet())
    return kernel, edge


def test_the_dirty_set_crosses_in_order_and_once(met: tuple[Lender, Edge]) -> None:
    kernel, edge = met
    assert kernel.take() == []
    edge.sample(7, 1.5)
    edge.sample(3, 2.5)
    edge.turn()
    assert rows(kernel.take()) == [(3, 2.5), (7, 1.5)]
    edge.turn()
    assert kernel.take() == []
    assert kernel.counts["hand_overs"] == edge.borrower.handed == 1
    assert kernel.counts["hand_overs_stale"] == 0


def test_an_answer_is_waited_for_within_the_grace(rig: Rig) -> None:
    kernel, edge = rig.kernel(1, grace_s=20.0), rig.edge()
    edge.borrower.numbered(1, kernel.meet())
    edge.sample(1, 2.0)

    def answer() -> None:
        assert poll(edge)
        edge.turn()

    answering = threading.Thread(target=answer)
    answering.start()
    assert rows(kernel.take()) == [(1, 2.0)]
    answering.join()
    assert kernel.counts["answers_late"] == 0


def test_an_answer_after_the_grace_reaches_the_next_step(met: tuple[Lender, Edge]) -> None:
    kernel, edge = met
    edge.sample(1, 1.0)
    assert kernel.take() == []
    assert kernel.take() == []
    assert kernel.counts["answers_late"] == 2
    # Both buffers are out: nothing is lent, so nothing is waited for.
    assert kernel.take() == []
    assert kernel.counts["answers_late"] == 2
    edge.turn()
    edge.sample(1, 2.0)
    edge.turn()
    assert rows(kernel.take()) == [(1, 1.0), (1, 2.0)]
    assert not edge.borrower.owes


def test_a_kernel_slower_than_its_grid_leaves_the_edge_merging(met: tuple[Lender, Edge]) -> None:
    kernel, edge = met
    kernel.take()
    for k in range(100):
        edge.sample(5, 1.0)
        edge.turn()
        assert edge.slots.changed == (k > 0)
    assert rows(kernel.take()) == [(5, 1.0)]
    edge.turn()
    assert rows(kernel.take()) == [(5, 99.0)]


def test_what_a_killed_edge_handed_over_still_lands(rig: Rig, met: tuple[Lender, Edge]) -> None:
    kernel, edge = met
    kernel.take()
    edge.sample(9, 4.0)
    edge.turn()
    edge.bell.close()
    reborn = rig.edge()
    # Its staging fills, and loans of before the meeting lie at its door, before it is numbered.
    kernel.take()
    reborn.sample(2, 8.0)
    reborn.turn()
    first = kernel.meet()
    kernel.take()
    reborn.turn()
    assert reborn.slots.changed == 1, "a loan of which it does not know whether it counts is not answered"
    reborn.borrower.numbered(1, first)
    reborn.turn()
    assert rows(kernel.take()) == [(2, 8.0)]
    assert not rig.refused
    assert kernel.counts["hand_overs_stale"] == 0
    assert kernel.counts["hand_overs"] == 2


def test_a_meeting_takes_what_the_edge_before_left_for_the_next_step(
    rig: Rig, met: tuple[Lender, Edge]
) -> None:
    kernel, edge = met
    kernel.take()
    edge.sample(9, 4.0)
    edge.turn()
    edge.bell.close()
    first = kernel.meet()
    reborn = rig.edge()
    reborn.borrower.numbered(1, first)
    kernel_rows = rows(kernel.take())
    reborn.sample(9, 1.0)
    reborn.turn()
    assert kernel_rows == [(9, 4.0)]
    assert rows(kernel.take()) == [(9, 1.0)]


def test_an_answer_to_a_loan_of_before_the_meeting_is_stale(rig: Rig, met: tuple[Lender, Edge]) -> None:
    kernel, edge = met
    kernel.take()
    edge.sample(9, 4.0)
    kernel.meet()
    edge.turn()
    assert kernel.take() == []
    assert kernel.counts["hand_overs_stale"] == 1
    assert not rig.refused


def test_a_new_kernel_takes_nothing_of_the_one_before(rig: Rig, met: tuple[Lender, Edge]) -> None:
    kernel, edge = met
    kernel.take()
    edge.turn()
    kernel.take()
    kernel._bell.close()
    successor = rig.kernel(2)
    edge.sample(1, 5.0)
    edge.turn()
    first = successor.meet()
    assert successor.take() == []
    assert successor.counts["hand_overs_stale"] == 1
    # Its loan comes by another way than its numbering, and may be there first: it is kept, not answered.
    edge.sample(1, 6.0)
    edge.turn()
    assert edge.borrower.owes
    assert edge.slots.changed == 1
    edge.borrower.numbered(2, first)
    edge.turn()
    assert rows(successor.take()) == [(1, 6.0)]
    assert not rig.refused


def test_both_are_started_again(rig: Rig, met: tuple[Lender, Edge]) -> None:
    kernel, edge = met
    kernel.take()
    kernel._bell.close()
    edge.bell.close()
    successor, reborn = rig.kernel(2), rig.edge()
    reborn.borrower.numbered(2, successor.meet())
    successor.take()
    reborn.sample(3, 1.0)
    reborn.turn()
    assert rows(successor.take()) == [(3, 1.0)]


def test_without_an_edge_nothing_is_lent_and_nothing_waited_for(rig: Rig) -> None:
    kernel = rig.kernel(1, grace_s=1000.0)
    assert kernel.take() == []
    kernel.meet()
    for n in range(1, 4):
        assert kernel.take() == []
        assert kernel.counts["loans_undelivered"] == n
    assert kernel.counts["answers_late"] == 0


def test_an_answer_that_finds_the_kernel_away_is_kept(rig: Rig, met: tuple[Lender, Edge]) -> None:
    kernel, edge = met
    kernel.take()
    os.rename(rig.answers, rig.answers.with_suffix(".away"))
    edge.sample(4, 2.0)
    edge.turn()
    assert edge.borrower.holds
    edge.sample(4, 3.0)
    edge.turn()
    os.rename(rig.answers.with_suffix(".away"), rig.answers)
    edge.turn()
    assert not edge.borrower.holds
    assert rows(kernel.take()) == [(4, 2.0)]
    edge.turn()
    assert rows(kernel.take()) == [(4, 3.0)]


def test_an_answer_that_finds_a_full_door_is_kept(rig: Rig, met: tuple[Lender, Edge]) -> None:
    kernel, edge = met
    kernel.take()
    flood = 0
    while edge.bell.send(link.Descriptor(1, 0, 0, 99)):
        flood += 1
    edge.sample(4, 2.0)
    edge.turn()
    assert edge.borrower.holds
    landed = []
    for _ in range(flood // HEARD_MAX + 2):
        landed += rows(kernel.take())
        edge.turn()
    assert landed == [(4, 2.0)]
    assert len(rig.refused) == flood


def test_what_is_kept_for_a_kernel_that_is_gone_is_forgotten(rig: Rig, met: tuple[Lender, Edge]) -> None:
    kernel, edge = met
    kernel.take()
    kernel._bell.close()
    edge.sample(4, 2.0)
    edge.turn()
    assert edge.borrower.holds
    successor = rig.kernel(2)
    edge.borrower.numbered(2, successor.meet())
    assert not edge.borrower.holds
    assert successor.take() == []
    assert successor.counts["hand_overs_stale"] == 0


def test_only_the_newest_loans_are_kept_by_an_edge_that_nobody_numbers(rig: Rig) -> None:
    edge = rig.edge()
    for generation in range(1, 6):
        kernel = rig.kernel(generation)
        kernel.meet()
        kernel.take()
        kernel.take()
        edge.turn()
        kernel._bell.close()
    assert len(edge.borrower._loans) == link.BUFFERS


@pytest.mark.parametrize(
    "change",
    [
        {"buffer": 1},
        {"buffer": 2},
        {"buffer": 0xFFFFFFFF},
        {"generation": 2},
        {"sequence": 2},
        {"sequence": 1000},
        {"count": SLOTS + 1},
        {"count": 0xFFFFFFFF},
    ],
)
def test_a_lie_is_refused_and_the_truth_after_it_taken(
    rig: Rig, met: tuple[Lender, Edge], change: dict[str, int]
) -> None:
    kernel, edge = met
    kernel.take()
    truth = link.Descriptor(1, 0, 1, 1)
    edge.bell.send(msgspec.structs.replace(truth, **change))
    assert kernel.take() == []
    assert [error.reason for error in rig.refused] == ["descriptor"]
    edge.turn()
    kernel.take()
    edge.sample(1, 2.0)
    edge.turn()
    assert rows(kernel.take()) == [(1, 2.0)]


def test_an_answer_is_taken_once(rig: Rig, met: tuple[Lender, Edge]) -> None:
    kernel, edge = met
    kernel.take()
    for _ in range(3):
        edge.bell.send(link.Descriptor(1, 0, 1, 1))
    assert len(kernel.take()) == 1
    assert len(rig.refused) == 2


@pytest.mark.parametrize("data", [b"", b"x", bytes(15), bytes(17), bytes(5000)])
def test_a_message_of_another_length_is_refused_on_either_side(
    rig: Rig, met: tuple[Lender, Edge], data: bytes
) -> None:
    kernel, edge = met
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
        for door in (rig.answers, rig.loans):
            stranger.sendto(data, str(door))
    assert kernel.take() == []
    assert len(rig.refused) == 1
    edge.turn()
    assert edge.borrower.refused == 1
    edge.sample(1, 1.0)
    edge.turn()
    assert rows(kernel.take()) == [(1, 1.0)]


@pytest.mark.parametrize("loan", [link.Descriptor(1, 2, 0, 1), link.Descriptor(1, 0, 1, 1)])
def test_what_is_no_loan_is_not_answered(rig: Rig, met: tuple[Lender, Edge], loan: link.Descriptor) -> None:
    _, edge = met
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(loan.pack(), str(rig.loans))
    edge.sample(1, 1.0)
    edge.turn()
    assert edge.borrower.refused == 1
    assert edge.slots.changed == 1


def test_the_landed_are_the_callers_until_the_next_call(met: tuple[Lender, Edge]) -> None:
    kernel, edge = met
    kernel.take()
    for k in range(20):
        edge.sample(k, float(k))
        edge.turn()
        held = kernel.take()
        kept = rows(held)
        assert kept == [(k, float(k))]
        # A meeting lands what is out, into memory that the step does not hold.
        edge.sample(50, -1.0)
        edge.turn()
        edge.borrower.numbered(1, kernel.meet())
        assert rows(held) == kept
        kernel.take()


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.sampled_from(["take", "take", "turn", "turn", "sample", "sample", "late", "edge", "kernel"]))
)
def test_whoever_dies_whenever_nothing_counts_twice_and_only_the_dead_lose(deeds: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(Rig(Path(folder))) as rig:
        generation, kernel, edge = 1, rig.kernel(1), rig.edge()
        edge.borrower.numbered(1, kernel.meet())
        news: list[tuple[int, int]] = []
        sent = landed = lost = 0.0

        def take() -> None:
            nonlocal landed
            landed += sum(value for _, value in rows(kernel.take()))

        def turn() -> None:
            while news:
                edge.borrower.numbered(*news.pop(0))
            edge.turn()

        for deed in [*deeds, *["turn", "take"] * 5]:
            if deed == "take":
                take()
            elif deed == "turn":
                turn()
            elif deed == "late":
                # Before its numbering, which comes by the other way.
                edge.turn()
            elif deed == "sample":
                edge.sample(int(sent) % SLOTS, 1.0)
                sent += 1
            elif deed == "edge":
                # With its staging; what it handed over is the kernel's.
                lost += edge.staged()
                edge.bell.close()
                edge = rig.edge()
                news = [(generation, kernel.meet())]
            else:
                # With what was handed to it since its last step.
                kernel._bell.close()
                generation += 1
                kernel = rig.kernel(generation)
                news.append((generation, kernel.meet()))
        assert not rig.refused
        assert landed + lost <= sent
        # A window that a dead kernel had asked for is lost with it.
        assert landed + lost == sent or generation > 1


def test_numbers_of_loans_wrap() -> None:
    assert link.after(0xFFFFFFFF) == 0
    assert link.is_before(0xFFFFFFFF, 0)
    assert not link.is_before(0, 0xFFFFFFFF)
    assert not link.is_before(5, 5)
