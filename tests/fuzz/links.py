"""Link messages: the kernel reads what an edge says, and the reverse; only WireError may come out."""

from __future__ import annotations

import numpy as np

from core import link, wire
from core.errors import WireError
from tests.fuzz.target import Target


def check(data: bytes) -> None:
    """Both sides read ``data``, as a message and as a descriptor."""
    for decode in (link.decode_from_edge, link.decode_to_edge):
        try:
            message = decode(data)
        except WireError as error:
            assert error.reason in {"edge_message", "kernel_message"}
            continue
        assert decode(link.encode(message)) == message
        if isinstance(message, link.Said):
            _said(message)
    try:
        assert link.unpack(data).pack() == data
    except WireError as error:
        assert error.reason == "descriptor"
        assert len(data) != link.DESCRIPTOR_BYTES


def _said(said: link.Said) -> None:
    try:
        wire.decode_from_gateway(said.message)
    except WireError as error:
        assert error.reason in {"malformed", "mistyped", "bad_data"}


def seeds() -> list[bytes]:
    """One of each message."""
    said = wire.encode(wire.Reports(1, 3, 2, ((2, wire.Fault(1, "dead")),)))
    messages = [
        link.Ready("telemetry", 7),
        link.Counters("telemetry", {"frames": 9, "lost": 0}, np.zeros(256, np.uint64).tobytes(), 3),
        link.Knocked([(link.Knock("unknown_key", "0123456789abcdef"), 3)], "no allow-list"),
        link.Said("gw-1", 7, said),
        link.Numbered("register.msgpack", 3, 1, 9),
        link.Tell([("gw-1", b"\x80"), ("gw-2", said)]),
        link.Alive(3),
    ]
    return [*(link.encode(message) for message in messages), link.Descriptor(3, 1, 5, 9).pack()]


TARGET = Target("links", check, seeds, longest=4096)
