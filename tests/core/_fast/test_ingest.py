"""Ingest against a plain twin of the wire, written from docs/protocol.md alone; then lies and garbage."""

from __future__ import annotations

import math
import struct
import time

import numpy as np
import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st

from core import wire
from core._fast.ingest import COUNTERS_NAMES, FRAME_REFUSALS, SAMPLE_REFUSALS, Ingest, resolve_libzmq
from core._fast.slots import Slots
from core.histogram import Histogram

NOW = 1_800_000_000_000_000
ASSETS = 10
#: Kind 0 has metrics 0 and 1, kind 1 has metric 2 only, kind 2 none.
OFFSETS = np.array([[0, 1, -1], [-1, -1, 0], [-1, -1, -1]], np.int16)
KIND = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 2], np.uint16)
FIRST = np.array([0, 2, 4, 6, 8, 10, 11, 12, 13, 0xFFFFFFFF], np.uint32)
METRIC = np.array([0, 1] * 5 + [2] * 4, np.uint16)
SESSION = 0xCAFE


def new() -> Ingest:
    slots = Slots(
        20,
        deadband=np.zeros(3),
        low=np.full(3, -100.0),
        high=np.full(3, 100.0),
        merge=np.array([0, 0, 2], np.uint8),
        refresh_s=np.zeros(3),
    )
    slots.extend(METRIC)
    ingest = Ingest(slots, OFFSETS, sessions=4, origin_utc=NOW, origin_mono=time.monotonic_ns(), speed=1e-6)
    ingest.open(SESSION, FIRST, KIND)
    return ingest


def state(ingest: Ingest) -> tuple[bytes, dict[str, int]]:
    return ingest.slots.records_array().tobytes(), ingest.counters()


def refusal(index: int, metric: int, at: int, value: float) -> str | None:
    """Why the documented wire refuses a sample of the session, in the documented order."""
    if index >= ASSETS:
        return "unknown_index"
    if metric >= 3 or OFFSETS[KIND[index], metric] < 0:
        return "unknown_metric"
    if not math.isfinite(value):
        return "not_finite"
    if abs(value) > 100:
        return "out_of_range"
    if at > NOW + 2_000_000:
        return "future"
    if at < 0:
        return "bad_time"
    return None


times = st.integers(NOW - 10_000_000, NOW + 1_000_000) | st.sampled_from(
    [0, -1, NOW + 2_500_000, 2**62, -(2**63)]
)
values = st.floats(-110, 110) | st.sampled_from([math.nan, math.inf, -math.inf])
sample = st.tuples(st.integers(0, 11), st.integers(0, 4), times, values)


@settings(deadline=None)
@given(st.lists(sample, max_size=150))
def test_single_samples_equal_the_plain_twin(samples: list[tuple[int, int, int, float]]) -> None:
    ingest = new()
    expected: dict[str, int] = {}
    last: dict[tuple[int, int], tuple[float, int]] = {}
    for sequence, (index, metric, at, value) in enumerate(samples):
        ingest.feed(wire.single(SESSION, sequence, index, metric, at, value))
        reason = refusal(index, metric, at, value)
        if reason is None and metric < 2:
            before = last.get((index, metric))
            if before is not None and at < before[1]:
                reason = "late"
            else:
                last[index, metric] = (value, at)
        if reason:
            expected[reason] = expected.get(reason, 0) + 1
    counters = ingest.counters()
    assert {name: counters[name] for name in SAMPLE_REFUSALS if counters[name]} == expected
    assert counters["received"] == len(samples)
    balanced(counters)
    records = ingest.slots.records_array()
    for (index, metric), (value, at) in last.items():
        record = records[FIRST[index] + OFFSETS[KIND[index], metric]]
        assert (record["value"], record["time"]) == (value, at)


def balanced(counters: dict[str, int]) -> None:
    refused = sum(counters[name] for name in SAMPLE_REFUSALS)
    assert (
        counters["received"] == counters["applied"] + counters["unchanged"] + counters["conflated"] + refused
    )


@settings(deadline=None)
@given(st.lists(st.lists(sample, min_size=1, max_size=80), max_size=4), st.booleans())
def test_a_columnar_frame_is_its_samples(
    frames: list[list[tuple[int, int, int, float]]], shared: bool
) -> None:
    columnar, single = new(), new()
    sequence = 0
    for frame in frames:
        base = frame[0][2]
        rows = [
            (i, frame[0][1] if shared else m, at if abs(at - base) < 2**31 else base, v)
            for i, m, at, v in frame
        ]
        index, metric, at, value = (list(column) for column in zip(*rows, strict=True))
        columnar.feed(
            wire.columns(
                SESSION,
                sequence,
                np.array(index),
                metric[0] if shared else np.array(metric),
                np.array(at, np.int64),
                np.array(value),
            )
        )
        for k, row in enumerate(rows):
            single.feed(wire.single(SESSION, sequence + k, *row))
        sequence += len(rows)
    ours, theirs = columnar.counters(), single.counters()
    del ours["frames"], theirs["frames"]
    # An impossible header time is told once for the whole frame, before any other reason.
    if all(0 <= frame[0][2] <= NOW + 2_000_000 for frame in frames):
        assert ours == theirs
        assert columnar.slots.records_array().tobytes() == single.slots.records_array().tobytes()
    balanced(columnar.counters())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda f: f[:-1], "truncated"),
        (lambda f: b"", "truncated"),
        (lambda f: f[:1], "truncated"),
        (lambda f: f + b"\0", "oversized"),
        (lambda f: b"\x02" + f[1:], "bad_version"),
        (lambda f: f[:1] + b"\x07" + f[2:], "bad_kind"),
        (lambda f: f[:1] + b"\x02\x00\x00" + f[4:], "bad_count"),
        (lambda f: f[:1] + b"\x02\x01\x04" + f[4:], "bad_count"),
        (lambda f: f[:1] + b"\x02\x05\x00" + f[4:], "bad_length"),
    ],
)
def test_a_frame_that_is_not_one_is_counted_and_stores_nothing(change, reason: str) -> None:
    ingest = new()
    before = ingest.slots.records_array().tobytes()
    ingest.feed(change(wire.single(SESSION, 0, 0, 0, NOW, 1.0)))
    counters = ingest.counters()
    assert counters[reason] == 1
    assert counters["received"] == 0
    assert reason in FRAME_REFUSALS
    assert ingest.slots.records_array().tobytes() == before


@given(st.binary(max_size=200))
def test_garbage_never_raises_nor_stores(data: bytes) -> None:
    ingest = new()
    before = ingest.slots.records_array().tobytes()
    ingest.feed(data)
    assert ingest.slots.records_array().tobytes() == before
    balanced(ingest.counters())


@given(st.data())
def test_a_mutated_frame_never_breaks_the_balance(data: st.DataObject) -> None:
    ingest = new()
    n = data.draw(st.integers(1, 20))
    frame = bytearray(
        wire.columns(SESSION, 0, np.arange(n) % 10, np.arange(n) % 3, np.full(n, NOW), np.linspace(-1, 1, n))
    )
    for _ in range(data.draw(st.integers(1, 6))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    ingest.feed(bytes(frame[: data.draw(st.integers(0, len(frame)))]))
    counters = ingest.counters()
    balanced(counters)
    assert counters["frames"] == 1


def test_the_age_of_an_old_sample_in_a_slow_city_is_the_longest_there_is() -> None:
    slots = new().slots
    ingest = Ingest(slots, OFFSETS, origin_utc=NOW, origin_mono=time.monotonic_ns(), speed=1e-9)
    ingest.open(SESSION, FIRST, KIND)
    ingest.feed(wire.single(SESSION, 0, 0, 0, 0, 1.0))
    assert np.flatnonzero(ingest.latencies()).tolist() == [255]


def test_another_session_cannot_be_named() -> None:
    ingest = new()
    ingest.feed(wire.single(SESSION + 1, 0, 0, 0, NOW, 1.0))
    assert ingest.counters()["unknown_session"] == 1


def test_sequence_gaps_are_losses_and_steps_back_are_replays() -> None:
    ingest = new()
    for sequence in (0, 3, 1, 4):
        ingest.feed(wire.single(SESSION, sequence, 0, 0, NOW, float(sequence)))
    counters = ingest.counters()
    assert (counters["lost"], counters["replayed"], counters["received"]) == (2, 1, 4)
    ingest.close(SESSION, sent=8)
    assert ingest.counters()["lost"] == 5
    with pytest.raises(KeyError):
        ingest.session(SESSION)


def test_the_sequence_wraps() -> None:
    ingest = new()
    ingest.feed(wire.single(SESSION, 0x7FFFFFFF, 0, 0, NOW, 1.0))
    ingest.feed(wire.single(SESSION, 0xFFFFFFFE, 0, 0, NOW, 1.0))
    lost = ingest.counters()["lost"]
    ingest.feed(wire.columns(SESSION, 0xFFFFFFFF, np.zeros(3), 0, np.full(3, NOW), np.ones(3)))
    ingest.feed(wire.single(SESSION, 2, 0, 0, NOW, 1.0))
    counters = ingest.counters()
    assert counters["lost"] == lost
    assert counters["replayed"] == 0


def test_sessions_are_limited_and_checked() -> None:
    ingest = new()
    with pytest.raises(KeyError):
        ingest.open(SESSION, FIRST, KIND)
    with pytest.raises(ValueError, match="no slots"):
        ingest.open(1, np.array([14], np.uint32), np.array([0], np.uint16))
    with pytest.raises(ValueError, match="no slots"):
        ingest.open(1, np.array([0], np.uint32), np.array([9], np.uint16))
    for id in (1, 2, 3):
        ingest.open(id, FIRST, KIND)
    with pytest.raises(OverflowError):
        ingest.open(4, FIRST, KIND)
    ingest.close(2)
    ingest.open(4, FIRST, KIND)
    for id in (SESSION, 1, 3, 4):
        assert ingest.session(id) == (0, 0, 0)


def test_the_libzmq_found_is_pyzmqs() -> None:
    assert resolve_libzmq() == tuple(zmq.zmq_version_info())


@pytest.mark.parametrize("portable", [False, True])
def test_draining_a_socket(portable: bool) -> None:
    ingest = new()
    with zmq.Context() as context, context.socket(zmq.PULL) as pull, context.socket(zmq.PUSH) as push:
        port = pull.bind_to_random_port("tcp://127.0.0.1")
        push.set(zmq.LINGER, 0)
        push.connect(f"tcp://127.0.0.1:{port}")
        for sequence in range(300):
            push.send(wire.single(SESSION, sequence, sequence % 5, 0, NOW, sequence % 100))
        push.send_multipart([b"x" * 32, b"y"])
        push.send(wire.columns(SESSION, 300, np.arange(5), 1, np.full(5, NOW), np.ones(5)))
        drained = 0
        while drained < 303 and pull.poll(2000):
            drained += ingest.drain_portable(pull) if portable else ingest.drain(pull)
    counters = ingest.counters()
    assert counters["received"] == 305
    assert counters["multipart"] == 1
    assert counters["lost"] == 0
    balanced(counters)
    assert Histogram(ingest.latencies()).total > 0


def test_a_closed_socket_is_an_error_not_a_loop() -> None:
    ingest = new()
    context = zmq.Context()
    socket = context.socket(zmq.PULL)
    socket.close()
    with pytest.raises((zmq.ZMQError, TypeError)):
        ingest.drain(socket)
    context.term()


def test_the_header_is_32_bytes_little_endian() -> None:
    frame = wire.single(1, 2, 3, 4, 5, 6.0)
    assert len(frame) == 32
    assert struct.unpack("<BBHIIHHqd", frame) == (1, 1, 3, 1, 2, 4, 0, 5, 6.0)
    assert set(SAMPLE_REFUSALS) | set(FRAME_REFUSALS) < set(COUNTERS_NAMES)
