"""What the kernel and a worker say to one another, over a local socket: each message behind its length.

A worker is asked one thing at a time. Changed slots come in memory that both have mapped, and that the worker may only
read; all else in the messages. The kernel trusts nothing that a worker says.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from typing import Any

import msgspec
import numpy as np

from core import proposals, state
from core.declaration import Declaration, Metric
from core.errors import WireError
from core.event import Again, Event
from core.plugins import PROPOSALS_MAX
from core.proposals import Proposal
from core.remote import Answered
from core.wire import TEXT_MAX
from core.work import Done, Failed

#: Bytes of a changed slot in the memory: value f64, time i64, slot u32, count u32.
SLOT_BYTES = 24

#: Nobody says more at once (bytes).
MESSAGE_MAX = 64 << 20

_LENGTH = struct.Struct("<I")


class Filled(msgspec.Struct, frozen=True):
    """The table's slots of one metric that were ever seen, as columns: u32, f64, i64 µs, f64, u32."""

    slot: bytes
    value: bytes
    time: bytes
    reported: bytes
    flags: bytes


class Begin(msgspec.Struct, frozen=True, kw_only=True, tag="begin"):
    """Begin, or begin anew in a changed city.

    ``state`` is what is kept of it; None: go on with your own. It sees the ``again`` once more. ``revision`` is that of
    the inventory, ``generation`` the table's; ``filled`` what stands in it of the metrics that the plugin reads.
    """

    number: int
    step: int
    utc: int
    mono: int
    seed: int
    generation: int
    revision: int
    state: bytes | None
    again: list[Again]
    filled: list[Filled]


class Turn(msgspec.Struct, frozen=True, kw_only=True, tag="turn"):
    """Work of the step at that instant. What came of slots since the last one lies in ``rows`` of ``columns``:
    slot u32, value f64, time i64, count u32; the worker's table merges it as the kernel's has.

    ``swept``: when stale values were looked for last (µs). With ``store`` the answer has the state.
    """

    number: int
    step: int
    utc: int
    mono: int
    seed: int
    events: list[Event]
    ticks: list[str]
    swept: int
    store: bool
    rows: int
    columns: tuple[bytes, bytes, bytes, bytes]


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """The worker said what cannot be: it is ended. Never leaves the kernel."""

    why: str


Post = Begin | Turn | Stop


class Here(msgspec.Struct, frozen=True, tag="here"):
    """A worker's first word: which plugin it runs."""

    plugin: str


class Ping(msgspec.Struct, frozen=True, tag="ping"):
    """Are you there? A worker's loop answers with the same."""


class Words(msgspec.Struct, frozen=True, tag="words"):
    """Before the first Begin: all metrics of the post in their order; the memory's descriptor comes with it."""

    metrics: list[Metric]


ToWorker = Words | Begin | Turn | Ping
FromWorker = Here | Ping | Answered

_encoder = msgspec.msgpack.Encoder(enc_hook=state.enc_hook)
encode = _encoder.encode
decode_to_worker = msgspec.msgpack.Decoder(ToWorker).decode
_from_worker = msgspec.msgpack.Decoder(FromWorker)


def decode_from_worker(data: bytes) -> FromWorker:
    """A worker's message. Raises WireError."""
    try:
        message: FromWorker = _from_worker.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"a worker said what cannot be: {error}.", reason="worker") from error
    return message


# -- what came of a turn


class _Proposed(msgspec.Struct, frozen=True, array_like=True):
    cause: int
    kind: str
    fields: dict[str, Any]


class _Done(msgspec.Struct, frozen=True, array_like=True):
    proposed: list[_Proposed]
    unread: list[str]
    failed: Failed | None
    dropped: int
    us: list[float]
    state: bytes | None


_done = msgspec.msgpack.Decoder(_Done)
_KINDS = {kind.__name__: kind for kind in Proposal.__args__}
_ARRAYS = ("targets", "values", "assets", "asset")


def pack(done: Done, us: list[float], state: bytes | None) -> bytes:
    """What a turn came to, the µs of each call, and the state where it was asked for."""
    proposed = [
        _Proposed(
            cause.seq if cause else 0,
            type(proposal).__name__,
            {name: getattr(proposal, name) for name in proposal.__struct_fields__},
        )
        for cause, proposal in done.proposed
    ]
    return encode(_Done(proposed, done.unread, done.failed, done.dropped, us, state))


def unpack(
    data: bytes, events: dict[int, Event], declaration: Declaration
) -> tuple[Done, list[float], bytes | None]:
    """The same for the kernel. ``events`` are those it was asked about, by seq. Raises whatever nonsense raises."""
    said = _done.decode(data)
    if len(said.proposed) > PROPOSALS_MAX:
        raise ValueError(f"{len(said.proposed)} proposals")
    unread = [each[:TEXT_MAX] for each in said.unread[: len(events)]]
    proposed: list[tuple[Event | None, Proposal]] = [
        (events[each.cause] if each.cause else None, _proposal(each, declaration)) for each in said.proposed
    ]
    failed = said.failed and Failed(*(each[:TEXT_MAX] for each in msgspec.structs.astuple(said.failed)))
    return Done(proposed, unread, failed, said.dropped), said.us, said.state


def _proposal(said: _Proposed, declaration: Declaration) -> Proposal:
    kind = _KINDS[said.kind]
    fields = dict(said.fields)
    for name in _ARRAYS:
        if isinstance(fields.get(name), dict):
            fields[name] = state.array(fields[name])
    if kind is proposals.Emit:
        struct_ = next(each.data for each in declaration.events if each.name == fields["kind"])
        fields["data"] = msgspec.convert(fields["data"], struct_, dec_hook=state.dec_hook)
    elif kind is proposals.Publish and fields["row"] is not None:
        struct_ = next(each.row for each in declaration.views if each.name == fields["view"])
        fields["row"] = msgspec.convert(fields["row"], struct_, dec_hook=state.dec_hook)
    proposal: Proposal = kind(**fields)
    return proposal


# -- the line


class Line:
    """One end of the socket between them. Not thread-safe."""

    def __init__(self, socket_: socket.socket) -> None:
        self.socket = socket_

    def send(self, message: object, deadline: float | None = None, fd: int | None = None) -> None:
        """Send a message, with a descriptor where there is one. Raises TimeoutError, OSError."""
        data = encode(message)
        self.socket.settimeout(_left(deadline))
        packed = _LENGTH.pack(len(data)) + data
        if fd is not None:
            sent = socket.send_fds(self.socket, [packed[: _LENGTH.size]], [fd])
            packed = packed[sent:]
        self.socket.sendall(packed)

    def receive(self, deadline: float | None = None) -> tuple[bytes, int | None]:
        """The next message and its descriptor. Raises TimeoutError, EOFError at the end, WireError, OSError."""
        head, fds = b"", list[int]()
        while len(head) < _LENGTH.size:
            self.socket.settimeout(_left(deadline))
            part, found, _, _ = socket.recv_fds(self.socket, _LENGTH.size - len(head), 1)
            if not part:
                raise EOFError
            head, fds = head + part, fds + found
        (size,) = _LENGTH.unpack(head)
        if size > MESSAGE_MAX:
            raise WireError(f"a message of {size} bytes.", reason="worker")
        data = bytearray(size)
        view = memoryview(data)
        while view:
            self.socket.settimeout(_left(deadline))
            n = self.socket.recv_into(view)
            if not n:
                raise EOFError
            view = view[n:]
        return bytes(data), fds[0] if fds else None

    def ready(self, until: float) -> bool:
        """Wait for something to receive, or its end, until then."""
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return bool(poll.poll(max(0.0, (until - time.monotonic()) * 1000)))

    def close(self) -> None:
        """Close it."""
        self.socket.close()


def _left(deadline: float | None) -> float | None:
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


# -- changed slots


def fill(memory: memoryview, turn: Turn) -> None:
    """Put a turn's columns into the memory."""
    for at, column in zip(_places(turn.rows), turn.columns, strict=True):
        memory[at : at + len(column)] = column


def columns(memory: memoryview, rows: int) -> tuple[np.ndarray, ...]:
    """The columns that lie there, copied: slot u32, value f64, time i64, count u32. Raises ValueError."""
    types = (np.uint32, np.float64, np.int64, np.uint32)
    places = zip(_places(rows), types, strict=True)
    return tuple(np.frombuffer(memory, of, rows, at).copy() for at, of in places)


def _places(rows: int) -> tuple[int, int, int, int]:
    # The wide ones first, so that each lies at a multiple of its size.
    return 16 * rows, 0, 8 * rows, 20 * rows


def without_columns(turn: Turn) -> Turn:
    """The turn as it is sent: its columns lie in the memory."""
    return msgspec.structs.replace(turn, columns=(b"", b"", b"", b""))


def filled(slot: np.ndarray, records: np.ndarray) -> Filled:
    """Slots of the table and their records."""
    return Filled(
        slot.astype(np.uint32).tobytes(),
        records["value"].tobytes(),
        records["time"].tobytes(),
        records["reported"].tobytes(),
        records["flags"].tobytes(),
    )
