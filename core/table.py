"""The latest value of every (asset, metric): one record a slot. Only the kernel's step changes it."""

from __future__ import annotations

import msgspec
import numpy as np

from core._fast.slots import FLAG_STALE, FLAG_VALID, Slots
from core.batch import Batch
from core.errors import WireError
from core.link import columns
from core.register import HEADROOM, Numbering


class Column(msgspec.Struct, frozen=True):
    """The latest values of one metric, read-only, ascending by asset.

    ``asset``, ``slot`` u32[n]; ``value`` f64[n]; ``time`` i64[n] µs (0: never seen); ``valid`` bool[n]: a
    value was seen; ``stale`` bool[n]: it is older than the metric's ``stale_after_s``.
    """

    asset: np.ndarray
    slot: np.ndarray
    value: np.ndarray
    time: np.ndarray
    valid: np.ndarray
    stale: np.ndarray


class TableView:
    """What a plugin sees of the table during one step."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._columns: dict[str, Column] = {}

    def column(self, metric: str) -> Column:
        """The latest values of ``metric`` over all its assets. Raises KeyError if nobody declared it."""
        if metric not in self._columns:
            self._columns[metric] = self._table.column(metric)
        return self._columns[metric]

    def asset(self, id: str) -> int:
        """The index of the asset ``id``. Raises KeyError."""
        return self._table.numbering.assets.index[id]


class HandOver(msgspec.Struct, frozen=True):
    """Columns from an edge, already copied into the kernel's own memory."""

    edge: str
    generation: int
    slot: np.ndarray
    value: np.ndarray
    time: np.ndarray
    count: np.ndarray


class Table:
    """The record of the city's measured present."""

    def __init__(self, numbering: Numbering, generation: int) -> None:
        self.numbering = numbering
        self.generation = generation
        #: When stale values were looked for last (µs).
        self.swept = 0
        # The edge judged the deadband; what it hands over is a change.
        self.rules = numbering.rules() | {"refresh_s": np.zeros(len(numbering.metrics))}
        self.slots = Slots(numbering.slots + HEADROOM, **self.rules)
        self.slots.extend(numbering.slot_metric)
        self._stale_after = np.array([int((m.stale_after_s or 0) * 1e6) for m in numbering.metrics], np.int64)
        self._room()

    def _room(self) -> None:
        self._out = columns(self.numbering.slots)

    def renumber(self, numbering: Numbering) -> None:
        """Take the numbering after assets were added. Raises ValueError beyond the headroom."""
        self.slots.extend(numbering.slot_metric[self.numbering.slots :])
        self.numbering = numbering
        self._room()

    def apply(self, hand_over: HandOver, latest: int) -> int:
        """Merge what an edge handed over; return how many slots were late.

        Raises WireError, with nothing stored, for another generation or a value that cannot be.
        """
        if hand_over.generation != self.generation:
            raise WireError(
                f"batch of generation {hand_over.generation}, the table has {self.generation}.",
                reason="generation",
                where=f"edge {hand_over.edge}",
            )
        try:
            return self.slots.apply(
                hand_over.slot,
                hand_over.value,
                hand_over.time,
                hand_over.count,
                self.numbering.slot_metric,
                latest,
            )
        except ValueError as error:
            raise WireError(
                f"batch refused: bad {error}.", reason=str(error), where=f"edge {hand_over.edge}"
            ) from None

    def swap(self) -> Batch:
        """All that changed since the last swap, as a batch of its own memory."""
        n = self.slots.collect(*self._out)
        slot, value, time, count = (column[:n].copy() for column in self._out)
        asset, metric = self.numbering.slot_asset[slot], self.numbering.slot_metric[slot]
        batch = Batch(self.generation, slot, asset, metric, value, time, count, self.numbering.metric_index)
        for column in (slot, asset, metric, value, time, count):
            column.setflags(write=False)
        return batch

    def sweep(self, now: int) -> int:
        """Mark what is too old at ``now`` µs; return how many slots are stale."""
        self.swept = now
        return self.slots.sweep(self.numbering.slot_metric, self._stale_after, now)

    def column(self, metric: str) -> Column:
        """The latest values of ``metric``."""
        asset, slot = self.numbering.slots_of(metric)
        records = self.slots.records_array()
        flags = records["flags"][slot]
        column = Column(
            asset,
            slot,
            records["value"][slot],
            records["time"][slot],
            (flags & FLAG_VALID) != 0,
            (flags & FLAG_STALE) != 0,
        )
        for array in (column.value, column.time, column.valid, column.stale):
            array.setflags(write=False)
        return column

    def latest(self, metric: str, assets: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(value f64[n], time i64[n] µs, known bool[n]) of ``metric`` for ``assets`` u32[n], which all have it.

        Known is what was seen and is not stale.
        """
        records = self.slots.records_array()[self.numbering.slot(metric, assets)]
        known = (records["flags"] & (FLAG_VALID | FLAG_STALE)) == FLAG_VALID
        return records["value"], records["time"], known

    def view(self) -> TableView:
        """A fresh view for one step."""
        return TableView(self)

    def digest(self) -> bytes:
        """The table's content, for the hash of a step's state."""
        return self.slots.records_array().tobytes()
