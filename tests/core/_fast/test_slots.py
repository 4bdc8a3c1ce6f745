"""Slots against a plain twin: one dict a slot, written as API and docstring say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core._fast.slots import FLAG_STALE, Slots
from core.declaration import Merge

#: Metric 0..3 merge LAST (deadband 1, refreshed after 60 s), MAX, SUM, ANY.
RULES = {
    "deadband": np.array([1.0, 0, 0, 0]),
    "low": np.full(4, -1e6),
    "high": np.full(4, 1e6),
    "merge": np.array([Merge.LAST, Merge.MAX, Merge.SUM, Merge.ANY], np.uint8),
    "refresh_s": np.array([60.0, 0, 0, 0]),
}
METRICS = np.tile(np.arange(4, dtype=np.uint16), 20)
UNIT = 1 << 22


def new() -> Slots:
    slots = Slots(100, **RULES)
    slots.extend(METRICS)
    return slots


class Plain:
    """What a slot table does, in the plainest Python."""

    def __init__(self) -> None:
        self.value: dict[int, float] = {}
        self.time: dict[int, int] = {}
        self.reported: dict[int, tuple[float, int]] = {}
        self.count: dict[int, int] = {}
        self.window: set[int] = set()
        self.dirty: set[int] = set()

    def merge(self, slot: int, value: float, time: int) -> None:
        how = Merge(int(METRICS[slot]))
        if how is Merge.LAST:
            if slot in self.time and time < self.time[slot]:
                return
            self.value[slot], self.time[slot] = value, time
            self.count[slot] = self.count.get(slot, 0) + 1
            if slot not in self.dirty and slot in self.reported:
                before, at = self.reported[slot]
                age = ((time // UNIT) - (at // UNIT)) % 65536
                if abs(value - before) <= 1.0 and age < int(60e6 / UNIT):
                    return
        else:
            first = slot not in self.window
            old = None if first else self.value[slot]
            self.value[slot] = {
                Merge.MAX: lambda: value if first else max(old, value),
                Merge.SUM: lambda: value if first else old + value,
                Merge.ANY: lambda: float(value != 0) if first else float(bool(old) or value != 0),
            }[how]()
            self.window.add(slot)
            self.time[slot] = max(time, self.time.get(slot, time))
            self.count[slot] = 1 if first else self.count[slot] + 1
        self.dirty.add(slot)

    def collect(self) -> list[tuple[int, float, int, int]]:
        out = [(s, self.value[s], self.time[s], self.count[s]) for s in sorted(self.dirty)]
        for slot in self.dirty:
            self.reported[slot] = (self.value[slot], self.time[slot])
            self.count[slot] = 0
            self.window.discard(slot)
        self.dirty.clear()
        return out


def collect(slots: Slots, room: int = 100) -> list[tuple[int, float, int, int]]:
    columns = (np.empty(room, np.uint32), np.empty(room), np.empty(room, np.int64), np.empty(room, np.uint32))
    n = slots.collect(*columns)
    return list(zip(*(column[:n].tolist() for column in columns), strict=True))


def apply(slots: Slots, rows: list[tuple[int, float, int]], latest: int = 1 << 60) -> int:
    return slots.apply(
        np.array([r[0] for r in rows], np.uint32),
        np.array([r[1] for r in rows], np.float64),
        np.array([r[2] for r in rows], np.int64),
        np.ones(len(rows), np.uint32),
        METRICS,
        latest,
    )


samples = st.lists(
    st.tuples(
        st.integers(0, 79),
        st.floats(-1e5, 1e5) | st.sampled_from([0.0, 1.0, 1.5, 2.0]),
        st.integers(0, 300_000_000),
    ),
    max_size=60,
)


@settings(deadline=None)
@given(st.lists(samples, max_size=5))
def test_merging_equals_the_plain_twin(batches: list[list[tuple[int, float, int]]]) -> None:
    slots, plain = new(), Plain()
    for batch in batches:
        apply(slots, batch)
        for row in batch:
            plain.merge(*row)
        assert slots.changed == len(plain.dirty)
        assert collect(slots) == plain.collect()
        assert slots.changed == 0


@given(samples, st.integers(1, 7))
def test_collecting_in_small_parts_loses_nothing(batch: list[tuple[int, float, int]], room: int) -> None:
    whole, parts = new(), new()
    apply(whole, batch)
    apply(parts, batch)
    collected = []
    while parts.changed:
        collected += collect(parts, room)
    assert collected == collect(whole)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ((80, 1.0, 0), "slot"),
        ((2**32 - 1, 1.0, 0), "slot"),
        ((0, float("nan"), 0), "not_finite"),
        ((0, float("inf"), 0), "not_finite"),
        ((0, 1.0, 101), "time"),
        ((0, 1.0, -1), "time"),
    ],
)
def test_a_lying_batch_is_refused_whole(row: tuple[int, float, int], reason: str) -> None:
    slots = new()
    with pytest.raises(ValueError, match=reason):
        apply(slots, [(3, 5.0, 50), row], latest=100)
    assert slots.changed == 0
    assert not slots.records_array()["value"].any()


def test_columns_of_different_length_are_refused() -> None:
    slots = new()
    with pytest.raises(ValueError, match="length"):
        slots.apply(
            np.zeros(2, np.uint32),
            np.zeros(1),
            np.zeros(2, np.int64),
            np.ones(2, np.uint32),
            METRICS,
            1 << 60,
        )


def test_extending_beyond_the_capacity_is_refused() -> None:
    with pytest.raises(ValueError, match="capacity"):
        new().extend(np.zeros(21, np.uint16))


def test_a_new_reader_gets_all_latest_values_and_no_window_twice() -> None:
    slots = new()
    apply(slots, [(0, 5.0, 10), (2, 3.0, 10)])
    collect(slots)
    slots.mark_all()
    assert [row[:2] for row in collect(slots)] == [(0, 5.0)]


def test_what_is_silent_too_long_is_stale_until_it_speaks() -> None:
    slots = new()
    apply(slots, [(0, 5.0, 10_000_000)])
    limit = np.array([30_000_000, 0, 0, 0], np.int64)
    assert slots.sweep(METRICS, limit, 40_000_000) == 0
    assert slots.sweep(METRICS, limit, 40_000_001) == 1
    assert slots.records_array()["flags"][0] & FLAG_STALE
    apply(slots, [(0, 5.0, 41_000_000)])
    assert not slots.records_array()["flags"][0] & FLAG_STALE


def test_a_sum_stays_a_number() -> None:
    slots = new()
    apply(slots, [(2, 1.7e308, 10), (2, 1.7e308, 10), (2, 1.7e308, 10)])
    assert collect(slots) == [(2, np.finfo(np.float64).max, 10, 3)]
