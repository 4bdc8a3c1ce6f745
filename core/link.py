"""The link between an edge and the kernel: ipc messages, and the shared memory telemetry crosses in.

There are two buffers in one sealed memory file. At a step the kernel lends the telemetry edge one of them: a
descriptor with a count of 0. The edge fills it with its dirty set and answers with the same descriptor and its own
count, 0 where nothing changed (`core/loans.py`). The kernel trusts none of it: it copies first, then checks.
Descriptors go from process to process without a thread between them, all else over ZeroMQ.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import socket
import struct
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import numpy as np

from core import wire
from core.alarm_state import AlarmRows
from core.errors import WireError
from core.minute_rows import MinuteRows
from core.wire import TEXT_MAX

#: Bytes of one slot in a buffer: slot u32, count u32, value f64, time i64.
SLOT_BYTES = 24
BUFFERS = 2

Columns = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]

#: The edges there are, by their identity at the kernel.
TELEMETRY, EVENTS, PARTNERS = b"telemetry", b"events", b"partners"

#: No message from an edge is larger.
MESSAGE_MAX = 131_072

#: Kinds of refused handshakes that an edge tells of at a time.
KNOCKS_MAX = 128

_DESCRIPTOR = struct.Struct("<IIII")
DESCRIPTOR_BYTES = _DESCRIPTOR.size


class Descriptor(msgspec.Struct, frozen=True):
    """``count`` slots of ``generation`` lie in ``buffer``; ``sequence`` is the number of its loan."""

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


def after(sequence: int) -> int:
    """The number that follows a loan's: u32, it wraps."""
    return (sequence + 1) & 0xFFFFFFFF


def is_before(sequence: int, other: int) -> bool:
    """Whether a loan was made before another: within half the numbers there are."""
    return (sequence - other) & 0xFFFFFFFF >= 0x80000000


class Ready(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="ready", tag_field="type"):
    """An edge started, or found a new kernel: give me the register."""

    edge: str
    boot: int


class Numbered(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="numbered", tag_field="type"):
    """The kernel's register lies at ``path``; from now on loans of ``generation`` count, from number ``loan`` on."""

    path: str
    generation: int
    revision: int
    loan: Annotated[int, msgspec.Meta(ge=0, le=0xFFFFFFFF)]


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


#: Why somebody was turned away at a door; the last three before there was a key to judge.
Why = Literal["unknown_key", "revoked", "expired", "other_role", "no_curve", "wrong_server_key", "broken_off"]


class Knock(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Who was turned away at a door: why, its key's fingerprint and name, as far as they are known."""

    why: Why
    fingerprint: Annotated[str, msgspec.Meta(max_length=16)] = ""
    name: Annotated[str, msgspec.Meta(max_length=120)] = ""


class Knocked(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="knocked", tag_field="type"):
    """Refused handshakes of an edge, each with how many; and why its allow-list cannot be read, where it cannot."""

    knocks: Annotated[
        list[tuple[Knock, Annotated[int, msgspec.Meta(ge=1, lt=1 << 62)]]],
        msgspec.Meta(max_length=KNOCKS_MAX),
    ]
    unreadable: Annotated[str, msgspec.Meta(max_length=TEXT_MAX)] = ""


class Tell(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="tell", tag_field="type"):
    """Messages for gateways, each already encoded; without ``keep``, only for those that are there."""

    messages: list[tuple[str, bytes]]
    keep: bool = True


class Alive(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="alive", tag_field="type"):
    """The kernel of ``generation`` turns."""

    generation: int


class Took(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="took", tag_field="type"):
    """The partners' edge has what the kernel told it up to ``sequence``: there is room for more."""

    sequence: int


#: Stands for a row that is gone: nil.
GONE = msgspec.Raw(b"\xc0")


class ViewRow(msgspec.Struct, frozen=True):
    """A row of a view, or that it is gone (GONE), as the kernel stamped it."""

    view: str
    key: str
    trade: str
    communes: tuple[int, ...]
    row: msgspec.Raw


class CommandRow(msgspec.Struct, frozen=True):
    """A command and its state. ``communes`` index the city's; ``targets`` counts them, ``failed`` those that failed.

    Who asked is not told: it may be a person.
    """

    id: str
    verb: str
    trade: str
    communes: tuple[int, ...]
    state: str
    targets: int
    created_utc: int
    deadline: int
    lease_s: float
    failed: int = 0
    refusal: str = ""


class Stepped(msgspec.Struct, frozen=True, kw_only=True, tag="stepped", tag_field="type", omit_defaults=True):
    """What partners may hear of a step, all of it durable. ``sequence`` goes up by 1: a gap says that one is missing.

    ``journal`` is the last record it tells of; ``events`` are core.event.Event as journaled; ``layers`` metric and
    u8[assets]; ``status`` the post's own figures; ``minutes`` of those that are over.
    """

    sequence: int
    journal: int
    utc: int
    views: tuple[ViewRow, ...] = ()
    events: tuple[msgspec.Raw, ...] = ()
    alarms: AlarmRows | None = None
    commands: tuple[CommandRow, ...] = ()
    layers: tuple[tuple[str, bytes], ...] = ()
    status: bytes = b""
    minutes: tuple[MinuteRows, ...] = ()


class Present(msgspec.Struct, frozen=True, kw_only=True, tag="present", tag_field="type"):
    """Everything as it stands after the step of ``now``: what follows is told from there.

    ``trades`` those that run; ``communes`` their names, ``owners`` the trade of each kind of asset, ``alarms`` the
    (priority, trade) of each code, ``metrics`` the (kind of asset, trade) of each.
    """

    now: Stepped
    trades: tuple[str, ...]
    communes: tuple[str, ...]
    owners: dict[str, str]
    alarms: dict[str, tuple[int, str]]
    metrics: dict[str, tuple[str, str]]


FromEdge = Ready | Counters | Said | Took | Knocked
ToEdge = Numbered | Tell | Alive | Stepped | Present

_from_edge = msgspec.msgpack.Decoder(FromEdge)
_to_edge = msgspec.msgpack.Decoder(ToEdge)
encode = msgspec.msgpack.Encoder().encode


def decode_from_edge(data: bytes) -> FromEdge:
    """What an edge said. Raises WireError: the edge is not trusted."""
    return wire.read(_from_edge, data, "edge_message")  # type: ignore[no-any-return]


def decode_to_edge(data: bytes) -> ToEdge:
    """What the kernel said to an edge. Raises WireError."""
    return wire.read(_to_edge, data, "kernel_message")  # type: ignore[no-any-return]


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


class Bell:
    """A process's end of the way descriptors go: a datagram socket at ``door``, which it alone hears.

    ``other`` is the other process's door. That may be away, or be another process each time: nothing here fails
    because of it, and only ``wait`` waits for it, ``patience_s`` at most.
    """

    def __init__(self, door: Path, other: Path, patience_s: float = 0.0) -> None:
        self._other = os.fsencode(other)
        self.patience_s = patience_s
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._waiting = 0 if patience_s > 0 else socket.MSG_DONTWAIT
        # To the socket 0 µs are for ever.
        timeout = max(round(patience_s * 1e6), 1)
        self._socket.setsockopt(
            socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", *divmod(timeout, 1_000_000))
        )
        # The file of one that died is in the way; what lies at it goes with it.
        door.unlink(missing_ok=True)
        self._socket.bind(os.fsencode(door))

    def fileno(self) -> int:
        """What a poller waits for."""
        return self._socket.fileno()

    def send(self, descriptor: Descriptor) -> bool:
        """Say it to the other process; False where that is away or hears nothing."""
        try:
            self._socket.sendto(descriptor.pack(), socket.MSG_DONTWAIT, self._other)
        except OSError:
            return False
        return True

    def hear(self) -> bytes | None:
        """The next message, of any length up to one byte too many; None where there is none."""
        return self._receive(socket.MSG_DONTWAIT)

    def wait(self) -> bytes | None:
        """The next message, for which it waits within its patience."""
        return self._receive(self._waiting)

    def _receive(self, flags: int) -> bytes | None:
        try:
            return self._socket.recv(DESCRIPTOR_BYTES + 1, flags)
        except OSError:
            return None

    def close(self) -> None:
        """Hear no more."""
        self._socket.close()
