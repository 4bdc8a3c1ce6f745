"""What comes from the egress, as rows of the two tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np

from adapters.history.store import WHOLE
from core.minute_rows import COLUMNS
from core.partner_wire import Change

#: The topics that are kept.
TOPICS = ("minute", "alarm", "event", "command")


class Batch(msgspec.Struct, frozen=True):
    """Changes that came together at ``utc`` µs of city time: what a record of the write-ahead file holds."""

    utc: int
    changes: tuple[Change, ...]


class _Minute(msgspec.Struct, frozen=True):
    minute: int
    after: int
    asset: bytes
    last: bytes
    low: bytes
    high: bytes
    total: bytes
    values: bytes
    count: bytes


class Block(msgspec.Struct, frozen=True):
    """What some assets of one trade and commune showed of a metric in one minute. ``after`` is the one before it."""

    minute: int
    after: int
    metric: str
    key: str
    trade: str
    commune: str
    columns: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.columns["asset"])


def block(change: Change) -> Block:
    """A minute's row as columns. Raises ValueError where it is none."""
    row = msgspec.convert(change.row, _Minute)
    columns = {name: np.frombuffer(getattr(row, name), dtype) for name, dtype in COLUMNS.items()}
    if len({len(column) for column in columns.values()}) != 1 or len(change.communes) != 1:
        raise ValueError("its columns differ in length, or it is of no commune")
    (commune,) = change.communes
    return Block(row.minute, row.after, change.name, change.key, change.trade, commune, columns)


def stamp(change: Change) -> int:
    """When an alarm, a command or an event was told to be so (µs); 0 where it does not say."""
    row = change.row or {}
    return max(0, *(row.get(name) or 0 for name in ("at", "raised", "returned", "acked", "created")))


def minute_columns(blocks: Sequence[Block]) -> dict[str, np.ndarray]:
    """Blocks as one set of columns, each row with the number of its block."""
    columns = {name: np.concatenate([each.columns[name] for each in blocks]) for name in COLUMNS}
    columns["block"] = np.repeat(np.arange(len(blocks), dtype=np.uint32), [len(each) for each in blocks])
    return columns


def block_columns(blocks: Sequence[Block]) -> dict[str, np.ndarray]:
    """What all rows of a block have in common."""
    return {
        "block": np.arange(len(blocks), dtype=np.uint32),
        "minute": np.array([each.minute for each in blocks], "datetime64[us]"),
        **{name: _texts(getattr(each, name) for each in blocks) for name in ("metric", "trade", "commune")},
    }


def event_columns(events: Sequence[tuple[int, Change]]) -> dict[str, np.ndarray]:
    """Alarms, commands and events, each with when it came (µs). Sealed values stay as they are: sealed."""
    changes = [change for _, change in events]
    return {
        "happened": np.array([stamp(change) or utc for utc, change in events], "datetime64[us]"),
        "received": np.array([utc for utc, _ in events], "datetime64[us]"),
        "topic": _texts(change.topic for change in changes),
        "name": _texts(change.name for change in changes),
        "key": _texts(change.key for change in changes),
        "asset": _texts(_asset(change) for change in changes),
        "data": _texts(msgspec.json.encode(change.row).decode() for change in changes),
        "trade": _texts(change.trade for change in changes),
        "commune": _texts(change.communes[0] if len(change.communes) == 1 else WHOLE for change in changes),
    }


def _asset(change: Change) -> str:
    if change.topic == "alarm":
        return change.key
    return str((change.row or {}).get("asset") or "")


def _texts(texts: Iterable[Any]) -> np.ndarray:
    return np.array(list(texts), dtype=object)
