"""The wire, version 1: typed control messages and telemetry frames. docs/protocol.md is the contract.

Control and events are msgpack maps with a ``type``; every text and list has a limit, unknown fields are
refused. Telemetry frames are fixed-size binary; core/_fast/ingest decodes them.
"""

from __future__ import annotations

import struct
from typing import Annotated, Any

import msgspec
import numpy as np

from core.errors import WireError

VERSION = 1

#: No control message is larger.
MESSAGE_MAX = 65_536

#: Lists and maps within one another in an event's data: what is deeper, not every reader could read.
DEPTH_MAX = 16

#: Bytes of a programme's content: with the indexes of all assets a welcome can name it fits into a message.
CONTENT_MAX = 16_384

#: Programmes that a gateway holds, and tells of, at most.
PROGRAMMES_MAX = 100

#: Characters of a sentence in a message.
TEXT_MAX = 1000

#: Samples in one columnar frame.
COLUMNS_MAX = 1024

#: Set in a columnar frame's header when each sample names its own metric.
EACH_OWN_METRIC = 0xFFFF

#: Heartbeats go out this often, in real seconds, and after this many without one the peer is gone.
HEARTBEAT_S = 2.0
HEARTBEATS_MISSED = 3

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=120)]
Text = Annotated[str, msgspec.Meta(max_length=TEXT_MAX)]
U32 = Annotated[int, msgspec.Meta(ge=0, le=0xFFFFFFFF)]
U63 = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
Code = Annotated[str, msgspec.Meta(max_length=40)]
Zone = Annotated[str, msgspec.Meta(max_length=120)]
Hash = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


class Hello(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="hello", tag_field="type"):
    """A gateway introduces itself, on either edge. ``boot`` differs at each of its starts.

    ``sent`` samples so far in all its sessions: what went to an edge that died is then not forgotten.
    """

    gateway: Name
    boot: U63
    wire: int = VERSION
    sent: U63 = 0


class Beat(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="beat", tag_field="type"):
    """I am alive; ``sent`` samples so far in ``session`` (0: none)."""

    session: U32 = 0
    sent: U63 = 0


class Bye(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="bye", tag_field="type"):
    """The session ends; ``sent`` samples went into it."""

    session: U32
    sent: U63


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One target of an order that could not be carried out: its wire index and a short code."""

    index: Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]
    code: Code


class Reports(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="reports", tag_field="type"):
    """Cumulative answer to the orders of ``epoch``: accepted and executed up to these numbers, and what failed."""

    epoch: U63
    accepted: U63
    executed: U63
    failed: Annotated[tuple[tuple[U63, Fault], ...], msgspec.Meta(max_length=1000)] = ()


class Taken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A programme that a gateway holds; with a ``code``, one that it was sent last and does not hold, and why."""

    kind: Name
    zone: Zone
    version: U63
    hash: Hash
    code: Code = ""


class Programmed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="programmed", tag_field="type"):
    """All programmes that a gateway holds, on its disk, and those it refused; one of a kind and zone."""

    programmes: Annotated[tuple[Taken, ...], msgspec.Meta(max_length=PROGRAMMES_MAX)]


class FieldEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="event", tag_field="type"):
    """Something happened at a gateway, at one of its assets or at a place in degrees. ``data`` is the kind's map.

    ``seq`` counts from 1 within a boot, without a gap; all up to ``acked`` were acknowledged to the
    gateway. So a kernel that knows nothing yet can tell whether one is missing before this.
    """

    seq: Annotated[int, msgspec.Meta(ge=1, le=(1 << 63) - 1)]
    acked: U63
    kind: Name
    at: U63
    index: Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)] | None = None
    data: msgspec.Raw = msgspec.Raw(b"\x80")
    lon: Annotated[float, msgspec.Meta(ge=-180, le=180)] | None = None
    lat: Annotated[float, msgspec.Meta(ge=-90, le=90)] | None = None

    def fields(self) -> dict[str, Any]:
        """``data``, decoded. Raises WireError where it is no map, or nested deeper than DEPTH_MAX."""
        try:
            fields = _event_data.decode(self.data)
        except _UNREADABLE as error:
            raise WireError(f"an event's data: {error}.", reason="bad_data") from error
        if _nested(fields, DEPTH_MAX):
            raise WireError(f"an event's data is nested over {DEPTH_MAX} deep.", reason="bad_data")
        return fields


class Welcome(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="welcome", tag_field="type"):
    """The session and its numbering: ``assets`` by wire index, metrics and verbs by number."""

    session: U32
    boot: U63
    generation: U63
    assets: list[str]
    metrics: list[str]
    verbs: list[str]


class BeatBack(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="beat_back", tag_field="type"):
    """The edge is alive. Another ``boot``, or a session it does not know: say hello again."""

    boot: U63
    known: bool


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="order", tag_field="type"):
    """One gateway's part of a command: an absolute value for each target, under a lease.

    ``n`` is the order's number at this gateway in ``epoch``; ``indexes`` u16[k] and ``values`` f64[k]
    little endian; ``lease_ms`` 0 releases; ``deadline`` and ``since`` µs of city time. Where the targets' leases
    differ, ``leases`` u32[k] has them in ms, and ``lease_ms`` is the longest. ``command`` is the newest one in it.
    """

    n: U63
    epoch: U63
    command: Name
    verb: Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]
    indexes: bytes
    values: bytes
    lease_ms: U32
    deadline: U63
    since: U63 = 0
    leases: bytes = b""

    def targets(self) -> tuple[np.ndarray, np.ndarray]:
        """(indexes u16[k], values f64[k]). Raises WireError where they do not fit."""
        if len(self.indexes) % 2 or len(self.values) != 4 * len(self.indexes):
            raise WireError("an order's targets and values differ in number.", reason="bad_order")
        return np.frombuffer(self.indexes, "<u2"), np.frombuffer(self.values, "<f8")

    def leases_ms(self) -> np.ndarray:
        """u32[k]: the lease of each target, in ms. Raises WireError where they do not fit."""
        n = len(self.indexes) // 2
        if not self.leases:
            return np.full(n, self.lease_ms, np.uint32)
        if len(self.leases) != 4 * n:
            raise WireError("an order's targets and leases differ in number.", reason="bad_order")
        return np.frombuffer(self.leases, "<u4")


class Programme(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="programme", tag_field="type"):
    """What assets of a gateway do by themselves from now on, instead of what they had of this ``kind`` and ``zone``.

    ``indexes`` u16[k] little endian: the assets that obey it; where one of a ``zone`` and one of "" name an asset, the
    former holds. ``content`` is the kind's map as msgpack; ``hash`` stands for all of it, and is told back.
    """

    kind: Name
    zone: Zone
    version: U63
    hash: Hash
    indexes: bytes
    content: Annotated[bytes, msgspec.Meta(max_length=CONTENT_MAX)]

    def targets(self) -> np.ndarray:
        """The indexes, u16[k]. Raises WireError where they are none."""
        if len(self.indexes) % 2:
            raise WireError("a programme's indexes are cut.", reason="bad_programme")
        return np.frombuffer(self.indexes, "<u2")


class EventAck(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="event_ack", tag_field="type"):
    """All events of this boot up to ``through`` are committed, or were refused; ``durability`` says how far."""

    boot: U63
    through: U63
    durability: str = "local"


class Refused(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="refused", tag_field="type"):
    """What was asked is refused: a code for programs, a sentence and the next step for people."""

    reason: Code
    what: Text
    next: Text = ""


FromGateway = Hello | Beat | Bye | Reports | Programmed | FieldEvent
ToGateway = Welcome | BeatBack | Order | Programme | EventAck | Refused

_from_gateway = msgspec.msgpack.Decoder(FromGateway)
_to_gateway = msgspec.msgpack.Decoder(ToGateway)
_event_data = msgspec.msgpack.Decoder(dict[str, Any])
encode = msgspec.msgpack.Encoder().encode

#: What a decoder raises.
_UNREADABLE = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)


def decode_from_gateway(data: bytes) -> FromGateway:
    """What a gateway said. Raises WireError with the reason to count."""
    message: FromGateway = decoded(_from_gateway, data)
    if isinstance(message, FieldEvent):
        # Raw bytes would pass unseen, and break whoever reads them behind the edge.
        message.fields()
    return message


def decode_to_gateway(data: bytes) -> ToGateway:
    """What an edge said to a gateway. Raises WireError with the reason to count."""
    return decoded(_to_gateway, data)  # type: ignore[no-any-return]


def decoded(decoder: msgspec.msgpack.Decoder[Any], data: bytes, most: int = MESSAGE_MAX) -> Any:
    """A message of at most ``most`` bytes. Raises WireError with the reason to count."""
    if len(data) > most:
        raise WireError(f"a message of {len(data)} bytes, at most {most} are read.", reason="oversized")
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        raise WireError(f"{error}.", reason="mistyped") from error
    except _UNREADABLE as error:
        raise WireError(f"not msgpack: {error}.", reason="malformed") from error


def read(decoder: msgspec.msgpack.Decoder[Any], data: bytes, reason: str, next: str = "") -> Any:
    """A message of this machine's own processes and tools. Raises WireError with ``reason``."""
    try:
        return decoder.decode(data)
    except _UNREADABLE as error:
        raise WireError(f"{error}.", reason=reason, next=next) from error


def refused(error: WireError) -> Refused:
    """What its sender is answered to bytes that are no message."""
    return Refused(error.reason, error.what[:TEXT_MAX], error.next[:TEXT_MAX])


def _nested(value: Any, deeper_than: int) -> bool:
    level = [value]
    for _ in range(deeper_than + 1):
        level = [
            inner
            for each in level
            if isinstance(each, (dict, list, tuple))
            for inner in ([*each, *each.values()] if isinstance(each, dict) else each)
        ]
    return bool(level)


# -- telemetry frames

_HEADER = struct.Struct("<BBHIIHHqd")
SINGLE, COLUMNS = 1, 2
HEADER_BYTES = _HEADER.size


def single(session: int, sequence: int, index: int, metric: int, time: int, value: float) -> bytes:
    """One sample as a frame of 32 bytes; ``time`` µs of city time."""
    return _HEADER.pack(VERSION, SINGLE, index, session, sequence & 0xFFFFFFFF, metric, 0, time, value)


def columns(
    session: int,
    sequence: int,
    index: np.ndarray,
    metric: np.ndarray | int,
    time: np.ndarray,
    value: np.ndarray,
) -> bytes:
    """A columnar frame: ``index`` u16[n], ``metric`` u16[n] or one number, ``time`` i64[n] µs, ``value`` f64[n].

    Raises ValueError for n outside 1..1,024 or times more than 35 minutes apart.
    """
    n = len(index)
    if not 0 < n <= COLUMNS_MAX:
        raise ValueError(f"a columnar frame holds 1 to {COLUMNS_MAX} samples, not {n}")
    start = int(time[0])
    offset = np.asarray(time, np.int64) - start
    if np.any(np.abs(offset) > 0x7FFFFFFF):
        raise ValueError("the samples of one frame lie within 35 minutes")
    shared = metric if isinstance(metric, int) else EACH_OWN_METRIC
    parts = [
        _HEADER.pack(VERSION, COLUMNS, n, session, sequence & 0xFFFFFFFF, shared, 0, start, 0.0),
        np.ascontiguousarray(value, "<f8").tobytes(),
        offset.astype("<i4").tobytes(),
        np.ascontiguousarray(index, "<u2").tobytes(),
    ]
    if not isinstance(metric, int):
        parts.append(np.ascontiguousarray(metric, "<u2").tobytes())
    return b"".join(parts)
