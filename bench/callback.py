"""What the contenders with callbacks share: store a message, count it."""

from __future__ import annotations

from collections.abc import Callable

import msgpack

from bench.columns import Columns
from bench.load import Load


def storing(load: Load) -> Callable[[bytes], None]:
    """How a message is stored: msgpack rows in a dict, wire frames in numpy columns."""
    if load.kind == "wire":
        return Columns(load).store
    table, unpack = load.known(), msgpack.unpackb

    def one(data: bytes) -> None:
        device, at, metric, value = unpack(data)
        table[device, metric] = (value, at)

    return one
