"""The hand-over between edge and kernel, each a process: what is under test, and two idioms that do the same."""

from __future__ import annotations

import multiprocessing
import pickle
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgpack
import msgspec
import numpy as np
import zmq

from bench import contest, native
from core import link
from core._fast.slots import Slots
from core.sockets import context

SLOTS = 262_144

#: A run that hears nothing for so long (ms) gives up.
SILENCE_MS = 10_000

#: First steps that are not counted: pages are touched for the first time.
WARM = 4

#: What is after this (µs) is refused: nothing here is.
LATEST = 1 << 60

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


def run(way: str, changed: int, steps: int, folder: Path, together: int = 1) -> Spent:
    """Hand ``changed`` slots over in each of ``steps`` steps; ``together`` neighbouring slots change at once."""
    fd = link.create_memory(SLOTS)
    endpoint = f"ipc://{folder}/handover"
    processes = multiprocessing.get_context("fork")
    ends = [processes.Pipe(duplex=False) for _ in range(2)]
    workers = [
        processes.Process(target=side, args=(way, changed, steps, endpoint, fd, end, together), daemon=True)
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
    (edge, probe), (kernel, swap) = figures
    return Spent(edge / changed, kernel / changed, swap / changed, int(probe))


def _answer(reader: Connection) -> tuple[float, float]:
    if not reader.poll(60):
        raise contest.ContestError("a side of the hand-over did not come to its end")
    a, b = reader.recv()
    return float(a), float(b)


# -- the edge's side


def _edge(way: str, changed: int, steps: int, endpoint: str, fd: int, out: Connection, together: int) -> None:
    contest.pin(0)
    made = context()
    kernel = made.socket(zmq.DEALER)
    kernel.set(zmq.RCVTIMEO, SILENCE_MS)
    kernel.connect(endpoint)
    staging, scratch, buffers = slots(), link.columns(SLOTS), link.Buffers(fd, writable=True)
    rng, metric = np.random.default_rng(5), np.zeros(SLOTS, np.uint16)
    count = np.ones(changed, np.uint32)
    give = {"ondijon": _give, "numpy_pickle": _give_pickle, "msgpack_dict": _give_dict}[way]
    dirty: dict[int, tuple[float, int, int]] = {}
    spent = []
    for step in range(steps):
        began, aside = time.process_time_ns(), time.thread_time_ns()
        first = rng.choice(SLOTS // together, changed // together, replace=False) * together
        slot = (first[:, None] + np.arange(together)).ravel().astype(np.uint32)
        value, stamp = rng.normal(50, 20, changed), np.full(changed, step + 1)
        if way == "msgpack_dict":
            rows = zip(slot.tolist(), value.tolist(), stamp.tolist(), strict=True)
            dirty = {at: (v, t, 1) for at, v, t in rows}
        else:
            staging.apply(slot, value, stamp, count, metric, LATEST)
        aside = time.thread_time_ns() - aside
        give(kernel, link.unpack(kernel.recv()), staging, buffers, scratch, dirty, step)
        spent.append(time.process_time_ns() - began - aside)
    out.send((np.median(spent[WARM:]), native.load().probe()))
    made.destroy(linger=2000)


def _give(
    kernel: zmq.Socket[bytes],
    credit: link.Descriptor,
    staging: Slots,
    buffers: link.Buffers,
    scratch: Any,
    dirty: Any,
    step: int,
) -> None:
    n = staging.collect(*buffers.columns[credit.buffer])
    kernel.send(link.Descriptor(credit.generation, credit.buffer, n, step).pack())


def _give_pickle(kernel: Any, credit: Any, staging: Slots, buffers: Any, scratch: Any, *_: Any) -> None:
    n = staging.collect(*scratch)
    kernel.send(pickle.dumps([column[:n] for column in scratch], protocol=5))


def _give_dict(
    kernel: Any, credit: Any, staging: Any, buffers: Any, scratch: Any, dirty: dict[int, Any], step: int
) -> None:
    kernel.send(msgpack.packb(dirty))


# -- the kernel's side


def _kernel(
    way: str, changed: int, steps: int, endpoint: str, fd: int, out: Connection, together: int
) -> None:
    contest.pin(1)
    made = context()
    edge = made.socket(zmq.DEALER)
    edge.set(zmq.RCVTIMEO, SILENCE_MS)
    edge.bind(endpoint)
    table, taken, buffers = slots(), link.columns(SLOTS), link.Buffers(fd, writable=False)
    rooms = [link.columns(SLOTS) for _ in range(2)]
    value, stamp, metric = np.zeros(SLOTS), np.zeros(SLOTS, np.int64), np.zeros(SLOTS, np.uint16)
    latest: dict[int, tuple[float, int, int]] = {}
    spent, swaps = [], []
    for step in range(steps):
        began = time.process_time_ns()
        edge.send(link.Descriptor(1, step % link.BUFFERS, 0, 0).pack())
        data = edge.recv()
        if way == "ondijon":
            descriptor = link.unpack(data)
            columns = buffers.copy(descriptor.buffer, descriptor.count, rooms[step % 2])
            table.apply(*columns, metric, LATEST)
        elif way == "numpy_pickle":
            slot, values, stamps, _ = pickle.loads(data)
            value[slot], stamp[slot] = values, stamps
        else:
            latest.update(msgpack.unpackb(data, strict_map_key=False))
        spent.append(time.process_time_ns() - began)
        began = time.thread_time_ns()
        if way == "ondijon":
            assert table.collect(*taken) == changed
        swaps.append(time.thread_time_ns() - began)
    out.send((np.median(spent[WARM:]), np.median(swaps[WARM:])))
    made.destroy(linger=0)
