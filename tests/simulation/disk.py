"""A disk that takes its time, and what a crash leaves on it."""

from __future__ import annotations

from collections.abc import Sequence

from core.journal import Durable, Record
from ondijon.testing import MemoryJournal


class Disk(MemoryJournal):
    """A journal whose commits take their time. Of what is not committed a crash leaves nothing.

    ``splits``: a planted bug, commits that end within a batch.
    """

    splits = False

    def __init__(self) -> None:
        super().__init__()
        self.hold = True
        self.generation = 0
        self._ends: list[int] = []

    def append(self, records: Sequence[Record]) -> int:
        """Queue a batch."""
        last = super().append(records)
        if records:
            self._ends += range(last - len(records) + 1, last + 1) if self.splits else [last]
        return last

    def durable(self) -> Durable:
        """What is committed."""
        return Durable(self._durable, self._durable)

    def commit(self, batches: int) -> None:
        """The disk gets so many batches further."""
        due, self._ends = self._ends[:batches], self._ends[batches:]
        self._durable = max(due, default=self._durable)

    def crash(self) -> None:
        """What was not committed is gone."""
        del self.records[self._durable :]
        self._ends.clear()
        self._snapshots = [(seq, data) for seq, data in self._snapshots if seq <= self._durable]
        if self._register is not None and self._register[0] > self._durable:
            self._register = None
