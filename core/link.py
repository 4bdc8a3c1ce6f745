"""The link between an edge and the kernel: ipc messages, and the shared memory telemetry crosses in.

An edge that speaks telemetry owns two buffers in one sealed memory file. Before a step the kernel gives it
credit for one: a descriptor with a count of 0. The edge fills it with its dirty set and answers with a
descriptor of its own, of count 0 where nothing changed. The kernel trusts none of it: it copies first, then
checks.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from typing import Annotated

import msgspec
import numpy as np

from core.errors import WireError

#: Bytes of one slot in a buffer: slot u32, count u32, value f64, time i64.
SLOT_BYTES = 24
BUFFERS = 2

Columns = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]

#: The edges there are, by their identity at the kernel.
TELEMETRY, EVENTS = b"telemetry", b"events"

#: No message from an edge is larger.
MESSAGE_MAX = 131_072

_DESCRIPTOR = struct.Struct("<IIII")
DESCRIPTOR_BYTES = _DESCRIPTOR.size


class Descriptor(msgspec.Struct, frozen=True):
    """``count`` slots of ``generation`` lie in ``buffer``; ``sequence`` numbers the hand-overs of an edge's boot."""

    generation: int
    buffer: int
    count: int
    sequence: int

    def pack(self) -> bytes:
        """The 16 bytes."""
        return _DESCRIPTOR.pack(self.generation, self.buffer, self.count, self.sequence)


def unpack(data: bytes) -> Descriptor:
    """A descriptor from its 16 bytes. Raises WireError for any other length."""
    if len(data) != DESCRIPTOR_BYTES:
        raise WireError(f"a descriptor of {len(data)} bytes.", reason="descriptor")
    return Descriptor(*_DESCRIPTOR.unpack(data))


class Ready(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="ready", tag_field="type"):
    """An edge started, or found a new kernel: give me the register."""

    edge: str
    boot: int


class Numbered(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="numbered", tag_field="type"):
    """The kernel's register lies at ``path``; from now on hand over for ``generation``."""

    path: str
    generation: int
    revision: int


class Counters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="counters", tag_field="type"):
    """An edge's own figures, once a second."""

    edge: str
    counts: dict[str, int]
    latency: bytes = b""
    sessions: int = 0


class Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="said", tag_field="type"):
    """A gateway's message, already decoded once by the edge, from ``gateway`` of ``boot``."""

    gateway: str
    boot: int
    message: Annotated[bytes, msgspec.Meta(max_length=65_536)]


class Tell(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="tell", tag_field="type"):
    """Messages for gateways, each already encoded."""

    messages: list[tuple[str, bytes]]


class Alive(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="alive", tag_field="type"):
    """The kernel of ``generation`` turns."""

    generation: int


FromEdge = Ready | Counters | Said
ToEdge = Numbered | Tell | Alive

_from_edge = msgspec.msgpack.Decoder(FromEdge)
_to_edge = msgspec.msgpack.Decoder(ToEdge)
encode = msgspec.msgpack.Encoder().encode

_UNREADABLE = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)


def decode_from_edge(data: bytes) -> FromEdge:
    """What an edge said. Raises WireError: the edge is not trusted."""
    try:
        return _from_edge.decode(data)  # type: ignore[no-any-return]
    except _UNREADABLE as error:
        raise WireError(f"{error}.", reason="edge_message") from error


def decode_to_edge(data: bytes) -> ToEdge:
    """What the kernel said to an edge. Raises WireError."""
    try:
        return _to_edge.decode(data)  # type: ignore[no-any-return]
    except _UNREADABLE as error:
        raise WireError(f"{error}.", reason="kernel_message") from error


def create_memory(slots: int) -> int:
    """A memory file for two buffers of ``slots``; return its descriptor.

    It is sealed against shrinking: an edge that cut it would kill the kernel with SIGBUS.
    """
    fd = os.memfd_create("ondijon-handover", os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, BUFFERS * slots * SLOT_BYTES)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    os.set_inheritable(fd, True)
    return fd


class Buffers:
    """The two buffers of a memory file, as columns of ``slots`` entries each."""

    def __init__(self, fd: int, *, writable: bool) -> None:
        size = os.fstat(fd).st_size
        self.slots = size // (BUFFERS * SLOT_BYTES)
        self._map = mmap.mmap(fd, size, prot=mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0))
        n = self.slots

        def buffer(start: int) -> Columns:
            return (
                np.frombuffer(self._map, np.uint32, n, start + 16 * n),
                np.frombuffer(self._map, np.float64, n, start),
                np.frombuffer(self._map, np.int64, n, start + 8 * n),
                np.frombuffer(self._map, np.uint32, n, start + 20 * n),
            )

        #: Per buffer: slot u32, value f64, time i64, count u32, each [slots].
        self.columns = [buffer(i * n * SLOT_BYTES) for i in range(BUFFERS)]

    def copy(self, buffer: int, count: int, room: Columns) -> Columns:
        """Copy the first ``count`` entries of a buffer into ``room``; return them. Raises WireError outside of it."""
        if not 0 <= buffer < BUFFERS or not 0 < count <= self.slots:
            raise WireError(f"{count} slots in buffer {buffer}.", reason="descriptor")
        taken = tuple(column[:count] for column in room)
        for ours, theirs in zip(taken, self.columns[buffer], strict=True):
            np.copyto(ours, theirs[:count])
        return taken  # type: ignore[return-value]


def columns(slots: int) -> Columns:
    """Private memory for ``slots`` entries: slot u32, value f64, time i64, count u32. Pages come as they are used."""
    return np.empty(slots, np.uint32), np.empty(slots), np.empty(slots, np.int64), np.empty(slots, np.uint32)
