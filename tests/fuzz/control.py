"""Control messages from both sides of the wire: refused by WireError alone, or the same after another trip."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np

from core import wire
from core.errors import WireError
from tests.fuzz.target import Target


def check(data: bytes) -> None:
    """Both sides read ``data``."""
    for decode in (wire.decode_from_gateway, wire.decode_to_gateway):
        try:
            message = decode(data)
        except WireError as error:
            # The edge answers with it: that too must be a message.
            answer = wire.Refused(error.reason, str(error)[:1000], error.next)
            assert wire.decode_to_gateway(wire.encode(answer)) == answer
        else:
            _holds(decode, message)


def _holds(decode: Callable[[bytes], msgspec.Struct], message: msgspec.Struct) -> None:
    again = wire.encode(message)
    # A longer form of the same numbers may have come in just below the limit, never a shorter one.
    assert wire.encode(decode(again)) == again
    if isinstance(message, wire.FieldEvent):
        # The kernel reads the data, and journals it.
        fields = message.fields()
        assert wire.encode(fields)
    elif isinstance(message, wire.Order):
        try:
            indexes, values = message.targets()
        except WireError as error:
            assert error.reason == "bad_order"
        else:
            assert len(indexes) == len(values)
    elif isinstance(message, wire.Programme):
        try:
            assert message.targets().tobytes() == message.indexes
        except WireError as error:
            assert error.reason == "bad_programme"


def seeds() -> list[bytes]:
    """One of each message, and data of an event that is none."""
    fault = wire.Fault(3, "dead")
    data = msgspec.Raw(
        wire.encode({"speed": 31.5, "plates": ["a", "b"], "more": {"at": [1, 2.5, None, True]}})
    )
    messages = [
        wire.Hello("gw-1", 7),
        wire.Beat(5, 9),
        wire.Bye(5, 9),
        wire.Reports(1, 3, 2, ((2, fault), (3, fault))),
        wire.FieldEvent(1, 0, "traffic.jam.seen", 5, 3, data),
        wire.FieldEvent(1, 0, "traffic.jam.seen", 5),
        wire.Welcome(1, 2, 3, ["L1", "L2"], ["lamp.level"], ["lamp.dim"]),
        wire.BeatBack(1, True),
        wire.Order(1, 2, "2-1", 0, b"\1\0", np.array([80.0]).tobytes(), 1000, 5),
        wire.EventAck(1, 2),
        wire.Programme("lighting.calendar", "Dijon", 3, bytes(32), b"\1\0", b"\x80"),
        wire.Programmed(()),
        wire.Programmed((wire.Taken("lighting.calendar", "", 2, bytes(32), "older"),)),
        wire.Refused("mistyped", "what", "next"),
    ]
    bad = [
        b"\x81\xa1\xff\x01",
        b"\x81\x80\x01",
        b"\xc7\x0c\xff" + b"\xff" * 12,
        b"\x91" * 40 + b"\x01",
        b"\x01",
    ]
    events = [wire.FieldEvent(1, 0, "a.b.c", 5, None, msgspec.Raw(each)) for each in bad]
    return [wire.encode(message) for message in [*messages, *events]]


TARGET = Target("control", check, seeds, longest=2048)
