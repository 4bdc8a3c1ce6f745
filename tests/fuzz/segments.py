"""A segment of the record: read up to where it is whole, or refused in its own words; its stream and each message."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import msgspec

from core import segment
from core.errors import RecordError
from core.segment import Block, Head, Keyframe, Step
from core.step import Inputs
from tests.fuzz.target import Target

_HEAD = Head(
    run=1,
    build="b",
    machine="m",
    city="c",
    step_us=50_000,
    seed=0,
    plugins=[],
    metrics=[],
    plugin_config=b"\x80",
    gate=b"\x80",
)
_LIED = segment.rest(Inputs(lies=[("edge", "it lies")]))
_BLOCK = Block(
    [Step(1, 2, 3, 4, ((1, 2),), (("telemetry", 1, 1),), _LIED, 5, bytes(16))],
    b"\x01\0\0\0",
    bytes(8),
    bytes(8),
    b"\x01\0\0\0",
)


def check(data: bytes) -> None:
    """As a file, and as the bytes of one block."""
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
        path = Path(file.name)
        path.write_bytes(data)
        for messages in (segment.read(path), _block(data)):
            try:
                for message in messages:
                    if isinstance(message, Block):
                        for step, there in zip(message.steps, segment.hand_overs(message), strict=True):
                            segment.inputs(step, (), there)
            except RecordError as error:
                assert error.what


def _block(data: bytes) -> list[Block]:
    try:
        return [msgspec.msgpack.decode(data, type=Block)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []


def seeds() -> list[bytes]:
    """A whole segment, one that was cut, and a block."""
    file = io.BytesIO()
    writer = segment.Writer(file)
    for message in (_HEAD, Keyframe(snapshot=b"", table=b"", register=b"", exact=b"", emitted=[1]), _BLOCK):
        writer.put(message)
    cut = file.getvalue()
    writer.end()
    return [file.getvalue(), cut[:-3], msgspec.msgpack.encode(_BLOCK)]


TARGET = Target("segments", check, seeds, longest=4096)
