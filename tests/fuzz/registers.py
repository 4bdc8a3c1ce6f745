"""The register file: one that loads must serve an edge that opens a session for each gateway."""

from __future__ import annotations

from functools import cache

import msgspec
import numpy as np

from core import register, wire
from core._fast.ingest import Ingest
from core._fast.slots import Slots
from core.errors import WireError
from tests.fuzz.city import numbering
from tests.fuzz.target import Target, written


def check(data: bytes) -> None:
    """Load ``data`` and do with it what the telemetry edge does."""
    try:
        read = register.load(written("register.msgpack", data))
    except WireError as error:
        assert error.reason == "register"
        return
    assert read.continues(read)
    slots = Slots(read.slots, **read.rules())
    slots.extend(read.slot_metric)
    ingest = Ingest(slots, read.kind_offsets, sessions=len(read.gateways) + 1, origin_utc=0, origin_mono=0)
    for session, entry in enumerate(read.gateways.values()):
        ingest.open(session, np.frombuffer(entry.first_slot, np.uint32), np.frombuffer(entry.kind, np.uint16))
        for index in range(min(len(entry.assets), 8)):
            for metric in range(min(len(read.metrics), 8)):
                sequence = 8 * index + metric
                ingest.feed(wire.single(session, sequence, index, metric, 0, read.metrics[metric].low))


@cache
def _valid() -> bytes:
    return msgspec.msgpack.encode(numbering().register(3))


def seeds() -> list[bytes]:
    """The register of the small city, and one of a single gateway."""
    made = msgspec.msgpack.decode(_valid(), type=register.Register)
    name, entry = next(iter(made.gateways.items()))
    small = register.GatewayEntry(entry.assets[:3], entry.first_slot[:12], entry.kind[:6])
    return [_valid(), msgspec.msgpack.encode(msgspec.structs.replace(made, gateways={name: small}))]


TARGET = Target("registers", check, seeds, longest=6000)
