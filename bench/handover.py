"""The hand-over between edge and kernel, each a process: what is under test, and two idioms that do the same."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import msgpack
import msgspec
import numpy as np
import zmq

from bench import contest, native
from core import link
from core._fast.slots import Slots
from core.errors import WireError
from core.loans import Borrower, Lender
from core.sockets import context

SLOTS = 262_144

#: A run that hears nothing for so long (ms) gives up.
SILENCE_MS = 10_000

#: First steps that are not counted: pages are touched for the first time.
WARM = 4

#: What is after this (µs) is refused: nothing here is.
LATEST = 1 << 60

GENERATION = 1

WAYS = ("ondijon", "numpy_pickle", "msgpack_dict")


class Spent(msgspec.Struct, frozen=True):
    """CPU ns of whole processes, libzmq's threads too, medians over steps: the edge's, the kernel's; its swap apart."""

    edge: float
    kernel: float
    swap: float
    probe_ns: int

    @property
    def both(self) -> float:
        """What a changed sample costs to cross."""
        return self.edge + self.kernel


def slots() -> Slots:
    """A table of one metric, on either side."""
    one = np.ones(1)
    made = Slots(
        SLOTS,
        deadband=0 * one,
        low=-1e9 * one,
        high=1e9 * one,
        merge=np.zeros(1, np.uint8),
        refresh_s=0 * one,
    )
    made.extend(np.zeros(SLOTS, np.uint16))
    return made


class Rig(msgspec.Struct, frozen=True):
    """What both sides are given; each is a process of its own."""

    way: str
    changed: int
    steps: int
    together: int
    endpoint: str
    buffers: link.Buffers
    bells: tuple[link.Bell, link.Bell]


def run(way: str, changed: int, steps: int, folder: Path, together: int = 1) -> Spent:
    """Hand ``changed`` slots over in each of ``steps`` steps; ``together`` neighbouring slots change at once."""
    fd = link.create_memory(SLOTS)
    doors = folder / "loans", folder / "answers"
    bells = link.Bell(*doors), link.Bell(*doors[::-1], SILENCE_MS / 1000)
    endpoint = f"ipc://{folder}/handover"
    rig = Rig(way, changed, steps, together, endpoint, link.Buffers(fd, writable=True), bells)
    processes = multiprocessing.get_context("fork")
    ends = [processes.Pipe(duplex=False) for _ in range(2)]
    workers = [
        processes.Process(target=side, args=(rig, end), daemon=True)
        for side, (_, end) in zip((_edge, _kernel), ends, strict=True)
    ]
    for worker in workers:
        worker.start()
    try:
        figures = [_answer(reader) for reader, _ in ends]
    finally:
        for worker in workers:
            worker.join(2)
            if worker.is_alive():
                worker.kill()
                worker.join()
        for bell in bells:
            bell.close()
        os.close(fd)
    (edge, probe), (kernel, swap) = figures
    return Spent(edge / changed, kernel / changed, swap / changed, int(probe))


def _answer(reader: Connection) -> tuple[float, float]:
    if not reader.poll(60):
        raise contest.ContestError("a side of the hand-over did not come to its end")
    a, b = reader.recv()
    return float(a), float(b)


# -- the edge's side


def _edge(rig: Rig, out: Connection) -> None:
    contest.pin(0)
    made = context()
    kernel = made.socket(zmq.DEALER)
    kernel.set(zmq.RCVTIMEO, SILENCE_MS)
    kernel.connect(rig.endpoint)
    staging = slots()
    give = {"ondijon": _ours, "numpy_pickle": _give_pickle, "msgpack_dict": _give_dict}[rig.way](
        rig, kernel, staging
    )
    rng, metric = np.random.default_rng(5), np.zeros(SLOTS, np.uint16)
    count = np.ones(rig.changed, np.uint32)
    spent = []
    for step in range(rig.steps):
        began, aside = time.process_time_ns(), time.thread_time_ns()
        first = rng.choice(SLOTS // rig.together, rig.changed // rig.together, replace=False) * rig.together
        slot = (first[:, None] + np.arange(rig.together)).ravel().astype(np.uint32)
        value, stamp = rng.normal(50, 20, rig.changed), np.full(rig.changed, step + 1)
        rows: dict[int, tuple[float, int, int]] = {}
        if rig.way == "msgpack_dict":
            told = zip(slot.tolist(), value.tolist(), stamp.tolist(), strict=True)
            rows = {at: (v, t, 1) for at, v, t in told}
        else:
            staging.apply(slot, value, stamp, count, metric, LATEST)
        aside = time.thread_time_ns() - aside
        give(rows)
        spent.append(time.process_time_ns() - began - aside)
    out.send((np.median(spent[WARM:]), native.load().probe()))
    made.destroy(linger=2000)


Give = Callable[[dict[int, tuple[float, int, int]]], None]


def _ours(rig: Rig, kernel: zmq.Socket[bytes], staging: Slots) -> Give:
    bell = rig.bells[0]
    borrower = Borrower(rig.buffers, bell)
    borrower.numbered(GENERATION, 1)
    # As the edge waits: for all its sockets.
    poller = zmq.Poller()
    poller.register(kernel, zmq.POLLIN)
    poller.register(bell.fileno(), zmq.POLLIN)

    def give(_: dict[int, tuple[float, int, int]]) -> None:
        if bell.fileno() not in dict(poller.poll(SILENCE_MS)):
            raise contest.ContestError("the kernel lends nothing")
        borrower.hear()
        borrower.hand_over(staging)

    return give


def _give_pickle(rig: Rig, kernel: zmq.Socket[bytes], staging: Slots) -> Give:
    scratch = link.columns(SLOTS)

    def give(_: dict[int, tuple[float, int, int]]) -> None:
        kernel.recv()
        n = staging.collect(*scratch)
        kernel.send(pickle.dumps([column[:n] for column in scratch], protocol=5))

    return give


def _give_dict(rig: Rig, kernel: zmq.Socket[bytes], staging: Slots) -> Give:
    def give(rows: dict[int, tuple[float, int, int]]) -> None:
        kernel.recv()
        kernel.send(msgpack.packb(rows))

    return give


# -- the kernel's side


def _kernel(rig: Rig, out: Connection) -> None:
    contest.pin(1)
    made = context()
    edge = made.socket(zmq.DEALER)
    edge.set(zmq.RCVTIMEO, SILENCE_MS)
    edge.bind(rig.endpoint)
    table, taken = slots(), link.columns(SLOTS)
    lender = Lender(rig.buffers, rig.bells[1], GENERATION, counts={}, refuse=_refuse)
    lender.meet()
    value, stamp, metric = np.zeros(SLOTS), np.zeros(SLOTS, np.int64), np.zeros(SLOTS, np.uint16)
    latest: dict[int, tuple[float, int, int]] = {}
    spent, swaps = [], []
    for _ in range(rig.steps):
        began = time.process_time_ns()
        if rig.way == "ondijon":
            for each in lender.take():
                table.apply(each.slot, each.value, each.time, each.count, metric, LATEST)
        else:
            edge.send(b"")
            data = edge.recv()
        if rig.way == "numpy_pickle":
            slot, values, stamps, _ = pickle.loads(data)
            value[slot], stamp[slot] = values, stamps
        elif rig.way == "msgpack_dict":
            latest.update(msgpack.unpackb(data, strict_map_key=False))
        spent.append(time.process_time_ns() - began)
        began = time.thread_time_ns()
        if rig.way == "ondijon":
            assert table.collect(*taken) == rig.changed
        swaps.append(time.thread_time_ns() - began)
    out.send((np.median(spent[WARM:]), np.median(swaps[WARM:])))
    made.destroy(linger=0)


def _refuse(error: WireError) -> None:
    raise contest.ContestError("an honest hand-over was refused") from error
