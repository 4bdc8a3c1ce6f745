"""A plain twin of the table and of the telemetry decoder, written from docs/protocol.md and the docstrings."""

from __future__ import annotations

import math
import struct
import sys
from dataclasses import dataclass, field

from core.declaration import Merge

UNIT = 1 << 22
TOLERANCE = 2_000_000


@dataclass(frozen=True)
class Rule:
    """A metric's rule."""

    merge: Merge
    low: float
    high: float
    deadband: float = 0.0
    refresh_s: float = 0.0


@dataclass
class Slot:
    """One record, its flags apart."""

    metric: int
    value: float = 0.0
    time: int = 0
    reported: float = 0.0
    told: int = 0
    count: int = 0
    valid: bool = False
    dirty: bool = False
    window: bool = False


class Table:
    """Slots that merge samples."""

    def __init__(self, rules: list[Rule], metrics: list[int]) -> None:
        self.rules = rules
        self.slots = [Slot(metric) for metric in metrics]

    def merge(self, at: int, value: float, time: int, count: int = 1) -> str:
        """Take a sample; say what became of it."""
        slot = self.slots[at]
        rule = self.rules[slot.metric]
        if rule.merge is Merge.LAST:
            return self._last(slot, rule, value, time, count)
        if not slot.window:
            slot.value = float(value != 0) if rule.merge is Merge.ANY else value
            slot.time = max(time, slot.time) if slot.valid else time
            slot.count = count
        else:
            if rule.merge is Merge.SUM:
                total = slot.value + value
                slot.value = max(-sys.float_info.max, min(sys.float_info.max, total))
            elif rule.merge is Merge.MAX:
                slot.value = max(slot.value, value)
            else:
                slot.value = float(slot.value != 0 or value != 0)
            slot.time = max(time, slot.time)
            slot.count = (slot.count + count) % 2**32
        slot.window = True
        return self._touch(slot)

    def _last(self, slot: Slot, rule: Rule, value: float, time: int, count: int) -> str:
        if slot.valid and time < slot.time:
            return "late"
        slot.value, slot.time, slot.count = value, time, (slot.count + count) % 2**32
        steady = slot.valid and not slot.dirty and abs(value - slot.reported) <= rule.deadband
        refresh = int(rule.refresh_s * 1e6 / UNIT) if rule.refresh_s else 65536
        if steady and (time // UNIT - slot.told) % 65536 < refresh:
            return "unchanged"
        return self._touch(slot)

    def _touch(self, slot: Slot) -> str:
        if slot.dirty:
            return "conflated"
        slot.dirty = slot.valid = True
        return "applied"

    def collect(self, room: int) -> list[tuple[int, float, int, int]]:
        """The first ``room`` dirty slots: (slot, value, time, count)."""
        out = []
        for at, slot in enumerate(self.slots):
            if slot.dirty and len(out) < room:
                out.append((at, slot.value, slot.time, slot.count))
                slot.dirty = slot.window = False
                slot.reported, slot.told, slot.count = slot.value, slot.time // UNIT % 65536, 0
        return out

    def mark_all(self) -> None:
        """Another reader: all latest values are news again."""
        for slot in self.slots:
            if slot.valid and not slot.dirty and self.rules[slot.metric].merge is Merge.LAST:
                slot.dirty = True
                slot.count = max(slot.count, 1)

    def rows(self) -> list[tuple[float, int, float, int, int]]:
        """What ``records_array`` holds."""
        return [
            (
                slot.value,
                slot.time,
                slot.reported,
                slot.count,
                slot.dirty
                | slot.valid << 3
                | self.rules[slot.metric].merge << 4
                | slot.window << 6
                | slot.told << 16,
            )
            for slot in self.slots
        ]


@dataclass
class Session:
    """What a decoder knows of a sender: per wire index the place of each metric's slot."""

    assets: list[dict[int, int]]
    next: int = 0
    received: int = 0
    lost: int = 0


@dataclass
class Decoder:
    """Frames into a table."""

    table: Table
    now: int
    sessions: dict[int, Session] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, name: str, n: int = 1) -> None:
        """Add to a counter."""
        self.counts[name] = self.counts.get(name, 0) + n

    def close(self, id: int, sent: int) -> None:
        """End a session; what never came is lost, unless the sender counts less than came."""
        missing = (sent - self.sessions.pop(id).next) % 2**32
        if missing < 2**31:
            self.count("lost", missing)

    def feed(self, frame: bytes) -> None:
        """Decode one frame."""
        self.count("frames")
        reason = _form(frame)
        if reason:
            self.count(reason)
            return
        _, kind, index, id, sequence, metric, _, time, value = struct.unpack("<BBHIIHHqd", frame[:32])
        n = 1 if kind == 1 else index
        self.count("received", n)
        session = self.sessions.get(id)
        if session is None:
            self.count("unknown_session", n)
            return
        gap = (sequence - session.next) % 2**32
        if gap >= 2**31:
            self.count("replayed", n)
            return
        self.count("lost", gap)
        session.lost += gap
        session.received += n
        session.next = (sequence + n) % 2**32
        if kind == 1:
            self._sample(session, index, metric, time, value)
        elif time < 0 or time > self.now + 2**40:
            self.count("bad_time" if time < 0 else "future", n)
        else:
            for row in _columns(frame[32:], n, metric, time):
                self._sample(session, *row)

    def _sample(self, session: Session, index: int, metric: int, time: int, value: float) -> None:
        outcome = self._refusal(session, index, metric, time, value)
        self.count(outcome or self.table.merge(session.assets[index][metric], value, time))

    def _refusal(self, session: Session, index: int, metric: int, time: int, value: float) -> str:
        if index >= len(session.assets):
            return "unknown_index"
        if metric not in session.assets[index]:
            return "unknown_metric"
        if not math.isfinite(value):
            return "not_finite"
        rule = self.table.rules[metric]
        if not rule.low <= value <= rule.high:
            return "out_of_range"
        if time > self.now + TOLERANCE:
            return "future"
        return "bad_time" if time < 0 else ""


def _form(frame: bytes) -> str:
    if len(frame) < 32:
        return "truncated"
    if frame[0] != 1:
        return "bad_version"
    if frame[1] == 1:
        return "" if len(frame) == 32 else "oversized"
    if frame[1] != 2:
        return "bad_kind"
    n = int.from_bytes(frame[2:4], "little")
    if not 1 <= n <= 1024:
        return "bad_count"
    return "" if len(frame) == 32 + n * (16 if frame[12:14] == b"\xff\xff" else 14) else "bad_length"


def _columns(body: bytes, n: int, metric: int, start: int) -> list[tuple[int, int, int, float]]:
    own = "H" * n if metric == 0xFFFF else ""
    flat = struct.unpack(f"<{n}d{n}i{n}H{own}", body)
    value, offset, index = flat[:n], flat[n : 2 * n], flat[2 * n : 3 * n]
    metrics = flat[3 * n :] if own else (metric,) * n
    return [(index[k], metrics[k], start + offset[k], value[k]) for k in range(n)]
