"""Control messages: round trips with an independent encoder, and what is refused under which reason."""

from __future__ import annotations

import msgpack
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import link, wire
from core.errors import WireError


def refusal(decode, data: bytes) -> str | None:
    """The reason of a refusal, or None for a message; any other error is the test's failure."""
    try:
        decode(data)
    except WireError as error:
        return error.reason
    return None


HELLO = {"type": "hello", "gateway": "gw-1", "boot": 5, "wire": 1}


@given(st.text(min_size=1, max_size=120), st.integers(0, 2**63 - 1))
def test_a_hello_from_another_encoder_is_understood(gateway: str, boot: int) -> None:
    message = wire.decode_from_gateway(msgpack.packb(HELLO | {"gateway": gateway, "boot": boot}))
    assert message == wire.Hello(gateway, boot)


def test_our_messages_are_plain_maps_for_another_decoder() -> None:
    assert msgpack.unpackb(wire.encode(wire.Beat(7, 9))) == {"type": "beat", "session": 7, "sent": 9}
    order = wire.Order(1, 2, "2-1", 0, b"\1\0", np.array([80.0]).tobytes(), 1000, 5)
    assert msgpack.unpackb(wire.encode(order))["indexes"] == b"\1\0"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "malformed"),
        (b"\xc1", "malformed"),
        (b"\x80", "mistyped"),
        (b"\x93\x01\x02", "mistyped"),
        (b"\x81" * 5000, "mistyped"),
        (b"\xdf\xff\xff\xff\xff", "malformed"),
        (msgpack.packb(HELLO) + b"\0", "malformed"),
        (msgpack.packb(HELLO | {"type": "welcome"}), "mistyped"),
        (msgpack.packb(HELLO | {"gateway": ""}), "mistyped"),
        (msgpack.packb(HELLO | {"gateway": "x" * 121}), "mistyped"),
        (msgpack.packb(HELLO | {"boot": -1}), "mistyped"),
        (msgpack.packb(HELLO | {"boot": 2**63}), "mistyped"),
        (msgpack.packb(HELLO | {"boot": "5"}), "mistyped"),
        (msgpack.packb(HELLO | {"colour": "red"}), "mistyped"),
        (
            msgpack.packb(
                {
                    "type": "reports",
                    "epoch": 1,
                    "accepted": 1,
                    "executed": 1,
                    "failed": [[1, {"index": 0, "code": ""}]] * 1001,
                }
            ),
            "mistyped",
        ),
        (msgpack.packb(HELLO | {"gateway": "x" * 70_000}), "oversized"),
    ],
)
def test_what_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(WireError) as caught:
        wire.decode_from_gateway(data)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    "data",
    [
        b"\x01",
        b"\xc0",
        b"\x81\xa1\xff\x01",
        b"\x81\xa1a\xa1\xff",
        b"\x81\xa1a\x81\x80\x01",
        b"\x81\xa1a\xc7\x0c\xff" + b"\xff" * 12,
        b"\x81\xa1a" + b"\x91" * wire.DEPTH_MAX + b"\x01",
        b"\x81\xa1a" + b"\x91" * 900 + b"\x01",
    ],
)
def test_the_data_of_an_event_is_read_before_it_is_passed_on(data: bytes) -> None:
    with pytest.raises(WireError) as caught:
        wire.decode_from_gateway(wire.encode(wire.FieldEvent(1, 0, "a.b.c", 5, data=msgspec.Raw(data))))
    assert caught.value.reason == "bad_data"


def test_the_data_of_an_event_is_a_map() -> None:
    nested: dict = {"plates": ["a"], "more": {"at": [1, 2.5, None, True]}}
    raw = msgspec.Raw(wire.encode(nested))
    message = wire.decode_from_gateway(wire.encode(wire.FieldEvent(1, 0, "a.b.c", 5, data=raw)))
    assert isinstance(message, wire.FieldEvent)
    assert message.fields() == nested
    assert wire.FieldEvent(1, 0, "a.b.c", 5).fields() == {}


@pytest.mark.parametrize("decode", [link.decode_from_edge, link.decode_to_edge])
def test_a_link_message_whose_text_is_none_is_refused(decode) -> None:
    with pytest.raises(WireError):
        decode(b"\x81\xa4type\xa1\xff")


@given(st.binary(max_size=300))
def test_garbage_is_refused_by_one_kind_of_error(data: bytes) -> None:
    for decode in (
        wire.decode_from_gateway,
        wire.decode_to_gateway,
        link.decode_from_edge,
        link.decode_to_edge,
    ):
        assert refusal(decode, data) != ""


@given(st.data())
def test_mutated_messages_are_refused_or_understood(data: st.DataObject) -> None:
    raw = bytearray(wire.encode(wire.Reports(1, 3, 2, ((2, wire.Fault(1, "dead")),))))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    assert refusal(wire.decode_from_gateway, bytes(raw)) in {None, "malformed", "mistyped"}


def test_an_answer_says_what_and_what_next_once_each_and_fits() -> None:
    error = WireError("say hello first.", reason="no_handshake", next="Send a hello.")
    assert wire.refused(error) == wire.Refused("no_handshake", "say hello first.", "Send a hello.")
    long = wire.refused(WireError("x" * 9999, reason="mistyped", next="y" * 9999))
    assert wire.decode_to_gateway(wire.encode(long)) == long


def test_an_order_whose_parts_differ_is_refused() -> None:
    with pytest.raises(WireError, match="differ"):
        wire.Order(1, 1, "1-1", 0, b"\0\0", b"\0" * 16, 0, 0).targets()


def test_frames_have_limits() -> None:
    with pytest.raises(ValueError, match="1 to 1024"):
        wire.columns(1, 0, np.zeros(1025), 0, np.zeros(1025, np.int64), np.zeros(1025))
    with pytest.raises(ValueError, match="35 minutes"):
        wire.columns(1, 0, np.zeros(2), 0, np.array([0, 2**31]), np.zeros(2))


def test_descriptors_and_buffers_are_checked() -> None:
    fd = link.create_memory(10)
    buffers = link.Buffers(fd, writable=True)
    assert buffers.slots == 10
    descriptor = link.Descriptor(1, 0, 5, 9)
    assert link.unpack(descriptor.pack()) == descriptor
    with pytest.raises(WireError):
        link.unpack(b"short")
    room = link.columns(buffers.slots)
    for buffer, count in ((2, 1), (0, 0), (0, 11)):
        with pytest.raises(WireError):
            buffers.copy(buffer, count, room)
    buffers.columns[1][1][:] = 7.0
    copied = buffers.copy(1, 3, room)
    assert copied[1].tolist() == [7.0] * 3
    buffers.columns[1][1][:] = 8.0
    assert copied[1].tolist() == [7.0] * 3
    assert not buffers.columns[0][1].any()


def test_the_shared_memory_cannot_be_cut() -> None:
    import os

    fd = link.create_memory(10)
    with pytest.raises(PermissionError):
        os.ftruncate(fd, 0)
