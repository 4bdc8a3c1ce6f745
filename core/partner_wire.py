"""The partners' wire, version 1: what a partner and the partners' edge say. docs/protocol.md is the contract.

Msgpack maps with a ``type``, as on the gateways' wire (`core/wire.py`); every text and list from outside has a limit.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from core import wire
from core.person import ANY
from core.wire import U32, U63, Code, Name, Text

VERSION = 1

#: No message of a partner is larger, and none of the post's.
REQUEST_MAX = 16_384
MESSAGE_MAX = 131_072

#: Credit that one partner may hold at most.
MESSAGES_MAX = 10_000
BYTES_MAX = 8 << 20

Topic = Literal["view", "alarm", "event", "command", "asset", "layer", "status", "minute"]
TOPICS: tuple[Topic, ...] = ("view", "alarm", "event", "command", "asset", "layer", "status", "minute")

#: What who names none follows: the present. Minutes are for those who keep a history, and are many bytes.
PRESENT: tuple[Topic, ...] = TOPICS[:-1]

#: Of these each change is told, in order; of the others the newest row of a key.
SEQUENCED: frozenset[Topic] = frozenset({"alarm", "event", "command"})

Names = Annotated[tuple[Name, ...], msgspec.Meta(min_length=1, max_length=200)]


class Subscribe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="subscribe", tag_field="type"):
    """What a partner wants to follow, of what its key may see, and its first credit. One more begins anew."""

    messages: Annotated[int, msgspec.Meta(ge=1, le=MESSAGES_MAX)]
    bytes: Annotated[int, msgspec.Meta(ge=1, le=BYTES_MAX)]
    topics: Annotated[tuple[Topic, ...], msgspec.Meta(min_length=1, max_length=16)] = PRESENT
    trades: Names = (ANY,)
    communes: Names = (ANY,)
    wire: int = VERSION


class Credit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="credit", tag_field="type"):
    """There is room for so much more; with 0 and 0 a sign of life."""

    subscription: U32
    messages: Annotated[int, msgspec.Meta(ge=0, le=MESSAGES_MAX)] = 0
    bytes: Annotated[int, msgspec.Meta(ge=0, le=BYTES_MAX)] = 0


class Unsubscribe(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="unsubscribe", tag_field="type"
):
    """Nothing more is wanted."""


class Change(msgspec.Struct, frozen=True):
    """What (topic, name, key) is now: ``row``, or gone (None). ``communes`` none: the whole city."""

    topic: Topic
    name: str
    key: str
    trade: str
    communes: tuple[str, ...]
    row: dict[str, Any] | None


class Snapshot(msgspec.Struct, frozen=True, tag="snapshot", tag_field="type"):
    """A part of all that stands, in parts 0, 1, 2 ...; with the ``last`` one it is whole, and delta 1 follows.

    ``journal`` is the record that it stands for, ``utc`` µs its time.
    """

    subscription: U32
    boot: U63
    part: U32
    last: bool
    journal: U63
    utc: U63
    changes: tuple[Change, ...]


class Delta(msgspec.Struct, frozen=True, tag="delta", tag_field="type"):
    """What changed. ``sequence`` counts from 1 after the snapshot: a gap means that something is missing."""

    subscription: U32
    sequence: U63
    changes: tuple[Change, ...]


class Heartbeat(msgspec.Struct, frozen=True, tag="heartbeat", tag_field="type"):
    """The edge is alive and costs no credit. ``sequence`` of the last delta; ``waiting`` changes have no credit."""

    subscription: U32
    boot: U63
    sequence: U63
    waiting: U63
    utc: U63


class Cut(msgspec.Struct, frozen=True, tag="cut", tag_field="type"):
    """The subscription has ended: something is missing from it. Subscribe again."""

    subscription: U32
    reason: Code
    what: Text
    next: Text = ""


Refused = wire.Refused

FromPartner = Subscribe | Credit | Unsubscribe
ToPartner = Snapshot | Delta | Heartbeat | Cut | Refused

_from_partner = msgspec.msgpack.Decoder(FromPartner)
_to_partner = msgspec.msgpack.Decoder(ToPartner)
encode = msgspec.msgpack.Encoder().encode


def decode_from_partner(data: bytes) -> FromPartner:
    """What a partner said. Raises WireError with the reason to count."""
    return wire.decoded(_from_partner, data, REQUEST_MAX)  # type: ignore[no-any-return]


def decode_to_partner(data: bytes) -> ToPartner:
    """What the edge said to a partner. Raises WireError with the reason to count."""
    return wire.decoded(_to_partner, data, MESSAGE_MAX)  # type: ignore[no-any-return]
