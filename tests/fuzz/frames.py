"""Telemetry frames, several sessions at one table, beside a plain twin that must agree to the last bit."""

from __future__ import annotations

import math
import struct
import time

import numpy as np

from core import wire
from core._fast.ingest import COUNTERS_NAMES, SAMPLE_REFUSALS, Ingest
from core._fast.slots import Slots
from core.declaration import Merge
from tests.fuzz import twin
from tests.fuzz.target import Target

NOW = 1_800_000_000_000_000
RULES = [
    twin.Rule(Merge.LAST, -100.0, 100.0, deadband=1.0, refresh_s=60.0),
    twin.Rule(Merge.MAX, -100.0, 100.0),
    twin.Rule(Merge.SUM, -1.7e308, 1.7e308),
    twin.Rule(Merge.ANY, 0.0, 1e6),
]
#: Kind 0 has metrics 0 and 1, kind 1 has 2 and 3, kind 2 none.
OFFSETS = np.array([[0, 1, -1, -1], [-1, -1, 0, 1], [-1, -1, -1, -1]], np.int16)
METRICS = [0, 1] * 4 + [2, 3] * 4
FIRST = np.array([0, 2, 4, 6, 8, 10, 12, 14, 0xFFFFFFFF], np.uint32)
KIND = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2], np.uint16)
#: Which assets the sessions map: none shares one with another, and one maps nothing.
MAPS = [np.array([0, 1, 4, 8]), np.array([7, 2]), np.array([], int)]
SESSIONS = (0xCAFE, 7, 0xFFFFFFFF)
LIMIT = 4

_OP = struct.Struct("<BH")
FEED, COLLECT, MARK, CLOSE, OPEN = range(5)


def check(data: bytes) -> None:
    """Play the operations in ``data`` to both."""
    run = _Run()
    while len(data) >= _OP.size:
        op, n = _OP.unpack_from(data)
        part, data = data[_OP.size : _OP.size + n], data[_OP.size + n :]
        run.do(op % 5, n, part)
    run.agree()


class _Run:
    def __init__(self) -> None:
        slots = Slots(
            len(METRICS) + 3,
            deadband=np.array([rule.deadband for rule in RULES]),
            low=np.array([rule.low for rule in RULES]),
            high=np.array([rule.high for rule in RULES]),
            merge=np.array([rule.merge for rule in RULES], np.uint8),
            refresh_s=np.array([rule.refresh_s for rule in RULES]),
        )
        slots.extend(np.array(METRICS, np.uint16))
        # So slow that the city's time stands still.
        origin = time.monotonic_ns()
        self.ingest = Ingest(slots, OFFSETS, sessions=LIMIT, origin_utc=NOW, origin_mono=origin, speed=1e-18)
        self.twin = twin.Decoder(twin.Table(RULES, METRICS), NOW)
        self.before = self.ingest.counters()
        for id, which in zip(SESSIONS, range(3), strict=True):
            self.open(id, which)

    def do(self, op: int, n: int, part: bytes) -> None:
        if op == FEED:
            # Memory of its own and of just this size: a read behind it is seen.
            self.ingest.feed(np.frombuffer(part, np.uint8).copy())
            self.twin.feed(part)
        elif op == COLLECT:
            assert self.collect(n % 20) == self.twin.table.collect(n % 20)
        elif op == MARK:
            self.ingest.slots.mark_all()
            self.twin.table.mark_all()
        elif op == CLOSE:
            self.close(int.from_bytes(part[:4], "little"), int.from_bytes(part[4:12], "little"))
        else:
            self.open(int.from_bytes(part[:4], "little"), n % len(MAPS))
        self.counters()

    def open(self, id: int, which: int) -> None:
        assets = MAPS[which]
        try:
            self.ingest.open(id, FIRST[assets], KIND[assets])
        except KeyError:
            assert id in self.twin.sessions
        except OverflowError:
            assert len(self.twin.sessions) == LIMIT
        else:
            assert id not in self.twin.sessions
            places = [
                {
                    m: int(FIRST[a] + offset)
                    for m, offset in enumerate(OFFSETS[KIND[a]].tolist())
                    if offset >= 0
                }
                for a in assets
            ]
            self.twin.sessions[id] = twin.Session(places)

    def close(self, id: int, sent: int) -> None:
        try:
            self.ingest.close(id, sent)
        except KeyError:
            assert id not in self.twin.sessions
        else:
            self.twin.close(id, sent)

    def collect(self, room: int) -> list[tuple[int, float, int, int]]:
        columns = (
            np.empty(room, np.uint32),
            np.empty(room),
            np.empty(room, np.int64),
            np.empty(room, np.uint32),
        )
        n = self.ingest.slots.collect(*columns)
        return list(zip(*(column[:n].tolist() for column in columns), strict=True))

    def counters(self) -> None:
        """Nothing steps back, each sample is counted once, and the twin counts the same."""
        now = self.ingest.counters()
        assert all(now[name] >= self.before[name] for name in COUNTERS_NAMES)
        taken = now["applied"] + now["unchanged"] + now["conflated"]
        assert now["received"] == taken + sum(now[name] for name in SAMPLE_REFUSALS)
        assert now == {name: self.twin.counts.get(name, 0) for name in COUNTERS_NAMES}
        self.before = now

    def agree(self) -> None:
        """The table holds only what may be, and it is the twin's; so are the sessions."""
        records = self.ingest.slots.records_array()
        for record, metric in zip(records, METRICS, strict=True):
            value = float(record["value"])
            assert math.isfinite(value)
            assert RULES[metric].low <= value <= RULES[metric].high or RULES[metric].merge is Merge.SUM
            assert 0 <= record["time"] <= NOW + twin.TOLERANCE
        assert records.tolist() == self.twin.table.rows()
        assert self.ingest.slots.changed == sum(slot.dirty for slot in self.twin.table.slots)
        for id, session in self.twin.sessions.items():
            assert self.ingest.session(id) == (session.next, session.received, session.lost)
        # No step has touched the room behind the last slot.
        assert not any(bytes(memoryview(self.ingest.slots))[32 * len(METRICS) :])


def _op(op: int, part: bytes = b"", n: int | None = None) -> bytes:
    return _OP.pack(op, len(part) if n is None else n) + part


def _columns(session: int, sequence: int, n: int, metric: int | None) -> bytes:
    each = np.arange(n)
    shared = each % 4 if metric is None else metric
    return _op(
        FEED, wire.columns(session, sequence, each % 4, shared, NOW - each[::-1] * 1000, each % 50 * 0.5)
    )


def seeds() -> list[bytes]:
    """Singles, columns of both kinds and of every size, hand-overs between them, sessions that come and go."""
    singles = [
        _op(FEED, wire.single(session, k, k % 4, k % 4, NOW + k, k * 0.7))
        for k in range(9)
        for session in SESSIONS
    ]
    late = _op(FEED, wire.single(7, 9, 0, 2, NOW - 5_000_000, 1.7e308))
    hostile = [
        _op(FEED, wire.single(0xCAFE, 9 + k, 0, 0, at, value))
        for k, (at, value) in enumerate(
            [
                (-1, 1.0),
                (2**63 - 1, 1.0),
                (NOW, math.nan),
                (NOW, math.inf),
                (NOW, 101.0),
                (0, -0.0),
                (NOW, 1.0),
            ]
        )
    ]
    life = [_op(CLOSE, struct.pack("<IQ", 7, 12)), _op(OPEN, struct.pack("<I", 9)), _op(MARK)]
    collect = _op(COLLECT, n=7)
    return [
        b"".join(singles),
        b"".join([*singles[:6], collect, *singles[6:], _op(MARK), collect, late, late, collect]),
        b"".join([*singles, *hostile, *life]),
        b"".join(
            [_columns(0xCAFE, 0, 5, 0), collect, _columns(7, 3, 40, None), _op(COLLECT, n=19), _op(MARK)]
        ),
        _columns(0xCAFE, 0, 1024, None) + _columns(7, 0, 1024, 2),
        _op(FEED, b"") + _op(FEED, b"\x01") + _op(FEED, bytes(32)) + _op(FEED, b"\x01\x02" + bytes(40)),
    ]


TARGET = Target("frames", check, seeds, longest=20_000, share=4)
