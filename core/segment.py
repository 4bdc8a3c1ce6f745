"""The record of a post: each step with what it was given, in segments that tell a stretch of city time by themselves.

A segment is a line of magic and one zstd stream of messages, each behind its length. The first message is the
segment's head, the second a keyframe (core/keyframe.py), the rest are blocks of about a second. A segment that was
cut off is good up to its last whole block.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, BinaryIO, TypeVar

import msgspec
import numpy as np
import zstandard

from core import status
from core.errors import RecordError
from core.event import Event
from core.inventory import AssetChange
from core.operators import Asked
from core.step import Inputs, Outputs
from core.table import HandOver
from core.vocabulary import HandshakeRefused

#: The format of a segment. N reads N-1 and refuses N+1.
FORMAT = 1

MAGIC = b"ondijon record\n"

#: A message is no longer (bytes): what claims more is damaged.
MESSAGE_MAX = 1 << 30

#: So many bytes are read at once.
CHUNK = 1 << 16

#: More costs more CPU than it saves disk.
LEVEL = 3

_LENGTH = struct.Struct("<I")

#: The digest that a segment's first step is chained to.
GENESIS = bytes(16)


Rows = Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]


#: Bytes that one who reads keeps of what went before: more than LEVEL ever asks for, whatever a damaged file says.
WINDOW_MAX = 1 << 24


class Head(msgspec.Struct, frozen=True, kw_only=True, tag="head"):
    """What a segment belongs to: the run ``run`` of the post (the journal's generation), its ``number`` within it.

    ``build`` and ``machine`` say what computed it: bit for bit holds for one build on one kind of CPU. ``city`` is
    the folder of the city beside the segment; ``metrics`` are (name, kind), in the order that slots rest on;
    ``plugin_config`` and ``gate`` are the tables of the configuration, as msgpack; ``login`` the login process's
    public keys.
    """

    format: int = FORMAT
    run: int
    number: int = 0
    build: str
    machine: str
    city: str
    step_us: int
    seed: int
    plugins: list[str]
    metrics: list[tuple[str, str]]
    in_workers: list[str] = []
    plugin_config: bytes
    gate: bytes
    login: list[bytes] = []


class Step(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """One step: its instant (µs), the journal's records that were its events from outside, as (first, last).

    ``last`` is the journal's record after it; ``columns`` the (edge, generation, rows) of each hand-over, whose rows
    are the next ones of the block; ``rest`` all other inputs (``Inputs`` without events and hand-overs), empty where
    there were none; ``digest`` chains it, what it was given and what came of it to the step before; ``state`` is
    that of table and states after it, where it was worked out.
    """

    step: int
    utc: int
    mono: int
    last: int
    events: tuple[tuple[int, int], ...] = ()
    columns: tuple[tuple[str, int, Rows], ...] = ()
    rest: bytes = b""
    sent: int = -1
    digest: bytes = b""
    state: bytes = b""

    @property
    def rows(self) -> int:
        """How many rows were handed over to it."""
        return sum(n for _, _, n in self.columns)


class Block(msgspec.Struct, frozen=True, tag="block"):
    """Steps in a row, and the columns of all their hand-overs: slot u32, value f64, time i64, count u32.

    Each column's bytes are transposed, slots and times are told as differences: that is what makes them small.
    """

    steps: list[Step]
    slot: bytes
    value: bytes
    time: bytes
    count: bytes


class Keyframe(msgspec.Struct, frozen=True, kw_only=True, tag="keyframe"):
    """The kernel between two steps. ``snapshot`` as the journal stores one; ``table`` its records; ``register``
    the packed assets; ``exact`` all of it for the same build; ``emitted`` the journal's records of the events that the
    next step takes first.
    """

    snapshot: bytes
    table: bytes
    register: bytes
    exact: bytes
    emitted: list[int]


Message = Head | Keyframe | Block

Kind = TypeVar("Kind")


class Outside(msgspec.Struct, frozen=True):
    """Of a step's inputs, what is neither an event nor said by devices; fields as in ``Inputs``."""

    changes: Sequence[tuple[bytes, Sequence[AssetChange]]] = ()
    asked: Sequence[tuple[bytes, Asked]] = ()
    lies: Sequence[tuple[str, str]] = ()
    knocks: Sequence[HandshakeRefused] = ()
    troubles: Sequence[tuple[str, dict[str, str]]] = ()


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Message).decode
_inputs = msgspec.msgpack.Decoder(Inputs)
_outside = msgspec.msgpack.Decoder(Outside)


def rest(inputs: Inputs) -> bytes:
    """All inputs but events, hand-overs and what was sent; empty where there are none."""
    others = msgspec.structs.replace(inputs, hand_overs=(), events=(), sent=-1)
    return _encode(others) if any(getattr(others, field) for field in _OTHERS) else b""


_OTHERS = tuple(set(Inputs.__struct_fields__) - {"hand_overs", "events", "sent"})


def inputs(step: Step, events: Sequence[Event], hand_overs: Sequence[HandOver]) -> Inputs:
    """What the step was given. Raises RecordError where that cannot be read."""
    others = _rest(step, _inputs, Inputs)
    return msgspec.structs.replace(others, events=events, hand_overs=hand_overs, sent=step.sent)


def outside(step: Step) -> Outside:
    """What of it came from outside, without the answers of devices. Raises RecordError where that cannot be read."""
    return _rest(step, _outside, Outside)


def _rest(step: Step, decoder: msgspec.msgpack.Decoder[Kind], empty: Callable[[], Kind]) -> Kind:
    try:
        return decoder.decode(step.rest) if step.rest else empty()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError(f"the inputs of step {step.step} cannot be read: {error}.") from error


def digest(before: bytes, step: Step, hand_overs: Iterable[HandOver], outputs: Outputs) -> bytes:
    """16 bytes that change with any bit of what ``step`` was given, of what came of it, and of the steps before."""
    sum = hashlib.blake2b(before, digest_size=16)
    sum.update(_encode(msgspec.structs.replace(step, digest=b"", state=b"")))
    for each in hand_overs:
        for column in (each.slot, each.value, each.time, each.count):
            sum.update(column.data)
    sum.update(status.encode(outputs))
    return sum.digest()


# -- a block's columns


def block(steps: Sequence[Step], hand_overs: Sequence[HandOver]) -> Block:
    """The steps with the rows of all their hand-overs."""
    slot = _joined([each.slot for each in hand_overs], np.uint32)
    time = _joined([each.time for each in hand_overs], np.int64)
    return Block(
        list(steps),
        _transposed(np.diff(slot, prepend=np.uint32(0))),
        _transposed(_joined([each.value for each in hand_overs], np.float64)),
        _transposed(np.diff(time, prepend=np.int64(0))),
        _transposed(_joined([each.count for each in hand_overs], np.uint32)),
    )


class Columns(msgspec.Struct, frozen=True):
    """Rows that were handed over: slot u32[n], value f64[n], time i64[n], count u32[n]."""

    slot: np.ndarray
    value: np.ndarray
    time: np.ndarray
    count: np.ndarray

    def part(self, start: int, end: int) -> Columns:
        """Some of the rows."""
        part = slice(start, end)
        return Columns(self.slot[part], self.value[part], self.time[part], self.count[part])


def columns(block: Block) -> Columns:
    """All rows of a block. Raises RecordError where they do not fit its steps."""
    whole = Columns(
        np.cumsum(_columns(block.slot, np.uint32), dtype=np.uint32),
        _columns(block.value, np.float64),
        np.cumsum(_columns(block.time, np.int64), dtype=np.int64),
        _columns(block.count, np.uint32),
    )
    rows = sum(step.rows for step in block.steps)
    if not rows == len(whole.slot) == len(whole.value) == len(whole.time) == len(whole.count):
        raise RecordError(f"a block of {rows} rows has columns of {len(whole.slot)}.")
    return whole


def hand_overs(block: Block) -> list[list[HandOver]]:
    """What was handed over to each step of a block. Raises RecordError where the columns do not fit the steps."""
    whole = columns(block)
    out, end = [], 0
    for step in block.steps:
        of_step = []
        for edge, generation, n in step.columns:
            part, end = slice(end, end + n), end + n
            of_step.append(
                HandOver(
                    edge, generation, whole.slot[part], whole.value[part], whole.time[part], whole.count[part]
                )
            )
        out.append(of_step)
    return out


def _joined(parts: Sequence[np.ndarray], dtype: type[np.generic]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.empty(0, dtype)


def _transposed(column: np.ndarray) -> bytes:
    return column.view(np.uint8).reshape(-1, column.itemsize).T.tobytes()


def _columns(data: bytes, dtype: type[np.generic]) -> np.ndarray:
    size = np.dtype(dtype).itemsize
    if len(data) % size:
        raise RecordError(f"a column of {len(data)} bytes is not of {size} each.")
    return np.frombuffer(data, np.uint8).reshape(size, -1).T.copy().view(dtype)[:, 0]


# -- a file


class Writer:
    """Writes one segment. Not thread-safe. All of it raises OSError where the disk does."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._stream = zstandard.ZstdCompressor(level=LEVEL).compressobj()
        file.write(MAGIC)

    def put(self, message: Message) -> int:
        """Append a message, so that whoever reads the file now finds it whole; return the bytes it took."""
        data = _encode(message)
        packed = self._stream.compress(_LENGTH.pack(len(data)) + data)
        packed += self._stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
        self._file.write(packed)
        return len(packed)

    def end(self) -> None:
        """Close the stream; the file stays open."""
        self._file.write(self._stream.flush())


def read(path: Path) -> Iterator[Message]:
    """The messages of a segment, up to where it was cut off. Raises RecordError where it is damaged, or newer."""
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise RecordError("it is no segment of a record.")
            for data in _parts(file):
                message = _decode(data)
                if isinstance(message, Head) and message.format > FORMAT:
                    raise RecordError(
                        f"it is of format {message.format}, this version reads up to {FORMAT}.",
                        next="Replay it with the version that wrote it.",
                    )
                yield message
    except RecordError as error:
        raise RecordError(error.what, where=str(path), next=error.next) from error
    except (OSError, zstandard.ZstdError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError(
            f"it is damaged: {error}.", where=str(path), next="Steps before that are whole; see `--to`."
        ) from error


def _parts(file: BinaryIO) -> Iterator[bytes]:
    """What lies behind each length, as far as it is whole."""
    stream = zstandard.ZstdDecompressor(max_window_size=WINDOW_MAX).decompressobj()
    held = bytearray()
    while not stream.eof and (packed := file.read(CHUNK)):
        held += stream.decompress(packed)
        start = 0
        while len(held) - start >= _LENGTH.size:
            size = _LENGTH.unpack_from(held, start)[0]
            if size > MESSAGE_MAX:
                raise RecordError(f"a message of {size} bytes.")
            end = start + _LENGTH.size + size
            if len(held) < end:
                break
            yield bytes(held[start + _LENGTH.size : end])
            start = end
        del held[:start]
