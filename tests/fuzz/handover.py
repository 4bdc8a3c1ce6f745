"""The hand-over of an edge that lies: a batch is taken whole, as the twin takes it, or leaves no trace."""

from __future__ import annotations

import math
import os
import struct
from functools import cache

import numpy as np

from core import link
from core.errors import WireError
from core.table import HandOver, Table
from tests.fuzz import twin
from tests.fuzz.city import TRADE, numbering
from tests.fuzz.target import Target

GENERATION = 3
LATEST = 1_800_000_000_000_000
SLOTS = 16
_MEMORY = link.BUFFERS * SLOTS * link.SLOT_BYTES
_STEP = link.DESCRIPTOR_BYTES + _MEMORY
# The edge judged the deadband: the kernel's table has it too, but refreshes nothing.
RULES = [twin.Rule(m.merge, m.low, m.high, m.deadband) for m in TRADE.metrics]


@cache
def _shared() -> tuple[int, link.Buffers, link.Columns]:
    fd = link.create_memory(SLOTS)
    return fd, link.Buffers(fd, writable=False), link.columns(SLOTS)


def check(data: bytes) -> None:
    """Each part of ``data`` is a descriptor and what the edge leaves in the memory."""
    table = Table(numbering(), GENERATION)
    plain = twin.Table(RULES, numbering().slot_metric.tolist())
    for n, at in enumerate(range(0, max(len(data), 1), _STEP)):
        _hand_over(table, plain, data[at : at + _STEP])
        if n % 2:
            assert _rows(table) == plain.collect(len(plain.slots))
    assert _records(table) == plain.rows()
    assert all(math.isfinite(row[0]) and 0 <= row[1] <= LATEST for row in _records(table))
    table.sweep(LATEST)


def _hand_over(table: Table, plain: twin.Table, part: bytes) -> None:
    fd, buffers, room = _shared()
    os.pwrite(fd, part[link.DESCRIPTOR_BYTES :].ljust(_MEMORY, b"\0"), 0)
    before = table.digest(), table.slots.changed
    try:
        descriptor = link.unpack(part[: link.DESCRIPTOR_BYTES])
        columns = buffers.copy(descriptor.buffer, descriptor.count, room)
        late = table.apply(HandOver("telemetry", descriptor.generation, *columns), LATEST)
    except WireError as error:
        assert error.reason in {"descriptor", "generation", "slot", "not_finite", "time", "count"}
        assert (table.digest(), table.slots.changed) == before
        if error.reason not in {"descriptor", "generation"}:
            assert not _possible(columns, len(plain.slots))
    else:
        assert descriptor.generation == GENERATION
        assert _possible(columns, len(plain.slots))
        rows = zip(*(column.tolist() for column in columns), strict=True)
        assert [plain.merge(*row) for row in rows].count("late") == late
    assert table.slots.changed == sum(slot.dirty for slot in plain.slots)


def _possible(columns: tuple[np.ndarray, ...], slots: int) -> bool:
    return all(
        slot < slots and math.isfinite(value) and 0 <= time <= LATEST and count
        for slot, value, time, count in zip(*(column.tolist() for column in columns), strict=True)
    )


def _rows(table: Table) -> list[tuple[int, float, int, int]]:
    batch = table.swap()
    assert len(batch.asset) == len(batch.metric) == len(batch.slot)
    columns = (batch.slot, batch.value, batch.time, batch.count)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _records(table: Table) -> list[tuple[float, int, float, int, int]]:
    rows: list[tuple[float, int, float, int, int]] = table.slots.records_array().tolist()
    return rows


def seeds() -> list[bytes]:
    """What an honest edge hands over, the same with one lie each, and one slot told twice."""

    def step(rows: list[tuple[int, float, int, int]], generation: int = GENERATION, buffer: int = 0) -> bytes:
        memory = bytearray(_MEMORY)
        start = buffer % link.BUFFERS * SLOTS * link.SLOT_BYTES
        for k, (slot, value, time, count) in enumerate(rows):
            struct.pack_into("<d", memory, start + 8 * k, value)
            struct.pack_into("<q", memory, start + 8 * (SLOTS + k), time)
            struct.pack_into("<I", memory, start + 16 * SLOTS + 4 * k, slot)
            struct.pack_into("<I", memory, start + 20 * SLOTS + 4 * k, count)
        return link.Descriptor(generation, buffer, len(rows), 1).pack() + bytes(memory)

    honest = [(k, k * 1.5, LATEST - k, 1 + k) for k in range(SLOTS)]
    lies = [(9999, 1.0, 5, 1), (1, math.nan, 5, 1), (1, 1.0, LATEST + 1, 1), (1, 1.0, -1, 1), (1, 1.0, 5, 0)]
    return [
        step(honest) + step(honest[::-1], buffer=1) + step(honest[:3]),
        step([(2, 1.7e308, 5, 2**32 - 1)] * 3) + step([(2, -1.7e308, 4, 1)] * 4),
        *(step([*honest[:4], lie]) for lie in lies),
        step(honest, generation=4),
        step(honest, buffer=2),
        step(honest)[:15],
    ]


TARGET = Target("handover", check, seeds, longest=4 * _STEP, share=2)
