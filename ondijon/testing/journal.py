"""A journal without a disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from core.journal import Durable, Record


class MemoryJournal:
    """The journal's interface on a list. ``hold`` keeps records from becoming durable, as a slow disk would."""

    generation = 1
    failed: Exception | None = None

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.hold = False
        self._durable = 0
        self._snapshots: list[tuple[int, bytes]] = []
        self._register: tuple[int, bytes] | None = None

    def append(self, records: Sequence[Record]) -> int:
        """Number and keep the records."""
        self.records += records
        if not self.hold:
            self._durable = len(self.records)
        return len(self.records)

    def last(self) -> int:
        """The sequence of the last record."""
        return len(self.records)

    def save(self, step: int, utc: int, snapshot: bytes, register: bytes | None = None) -> int:
        """Keep a snapshot."""
        seq = self.append([Record("snapshot", step, utc, b"")])
        self._snapshots.append((seq, snapshot))
        if register is not None:
            self._register = seq, register
        return seq

    def snapshots(self) -> Iterator[tuple[int, bytes]]:
        """The kept snapshots, newest first."""
        return reversed(self._snapshots)

    def old_states(self) -> dict[str, bytes]:
        """This journal is as new as its test."""
        return {}

    def register(self) -> tuple[int, bytes] | None:
        """The register that was kept last."""
        return self._register

    def durable(self) -> Durable:
        """The last sequence that counts as safe."""
        return Durable(self._durable, self._durable)

    def read(self, after: int = 0, kind: str = "") -> Iterator[tuple[int, Record]]:
        """The records above ``after`` that are durable; all, or those of one ``kind``."""
        for seq, record in enumerate(self.records[: self._durable], 1):
            if seq > after and kind in ("", record.kind):
                yield seq, record

    def truncate(self, before: int) -> None:
        """A test's journal forgets nothing."""

    def witnesses_away(self) -> list[tuple[str, str]]:
        """It has no witness."""
        return []

    def close(self) -> None:
        """Nothing to close."""
