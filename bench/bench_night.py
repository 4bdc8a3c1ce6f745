"""What a night of presence lighting writes into the journal: 34,000 lamps, 3,400 people seen a second, all night.

    pytest bench/bench_night.py --benchmark-json=night.json

The real kernel and the lighting trade, stepped through the night as fast as they go, on each fifth of a second at
which the trade looks. Lamps answer and report what was asked, at once. The journal only counts. With ``--quick`` it is
ten minutes of the night, and the rest is reckoned from them.
"""

from __future__ import annotations

import datetime
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from adapters.cityimport.command import generate_city
from bench import contest
from core import city as cities
from core import plugins as plugin_host
from core.clock import SECOND, Now
from core.journal import Durable, Record
from core.kernel import Kernel
from core.reactor import Reactor
from core.step import Inputs, Outputs
from core.table import HandOver
from core.wire import Reports
from ondijon.testing import MemoryJournal

LAMPS = 34_000

#: People seen a second, in the whole city.
SEEN_S = 3_400

#: A winter's night from before dusk to after dawn, in Dijon.
BEGIN, END = "2026-01-15T17:00:00+01:00", "2026-01-16T08:30:00+01:00"

STEP_US = 200_000

#: What a row of the journal needs beside its data: sequence, kind, step, time, and SQLite's own (bytes, about).
ROW = 40


class Counted(MemoryJournal):
    """Counts records and bytes, by who wrote them, and keeps nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.seq = 0
        self.rows: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()

    def append(self, records: Sequence[Record]) -> int:
        """Count."""
        self.seq += len(records)
        for record in records:
            self.rows[record.kind] += 1
            self.bytes[record.kind] += len(record.data) + ROW
        return self.seq

    def last(self) -> int:
        """The sequence of the last record."""
        return self.seq

    def durable(self) -> Durable:
        """All of it."""
        return Durable(self.seq, self.seq)


class Night:
    """A kernel with the lighting trade, its lamps and its passers-by."""

    def __init__(self, city: cities.City) -> None:
        plugins = plugin_host.load(["lighting"])
        for plugin in plugins:
            # Lamps here tell no power: what would be made of that is not what is measured.
            plugin.configure({"faults": {"found_max": 1, "lamp_delay_s": 3000, "sensor_delay_s": 3000}})
            plugin.begin(city, None)
        self.journal = Counted()
        self.kernel = Kernel(city, plugins, 1)
        self.reactor = Reactor(self.kernel, self.journal, None)
        numbering = self.kernel.numbering
        self._sensors = numbering.slots_of("presence_sensor.presence")[1]
        self._level = np.zeros(len(city.assets), np.uint32)
        of, slots = numbering.slots_of("lamp.level")
        self._level[of] = slots
        self._rng = np.random.default_rng(5)
        self._reports: list[tuple[str, Reports]] = []
        self._behind = {name: city.assets.of_gateway(name) for name in city.assets.gateways}
        self._levels: list[tuple[np.ndarray, np.ndarray]] = []
        self.detections = self.targets = 0

    def live(self, begin: int, seconds: float) -> None:
        """From ``begin`` µs utc on."""
        self.reactor.resume(Now(0, begin, 0))
        for step in range(1, int(seconds * SECOND / STEP_US)):
            now = Now(step, begin + step * STEP_US, step * STEP_US)
            inputs = Inputs(hand_overs=[self._samples(now.utc)], reports=self._reports)
            self._reports, self._levels = [], []
            self._answer(self.reactor.turn(now, inputs)[0])

    def _samples(self, utc: int) -> HandOver:
        drawn = self._rng.choice(self._sensors, int(SEEN_S * STEP_US / SECOND))
        slots, counts = np.unique(drawn, return_counts=True)
        self.detections += len(drawn)
        # The newest level of a lamp stands last: it is the one that stays.
        slot = np.concatenate([slots, *(slot for slot, _ in self._levels)])
        value = np.concatenate([counts.astype(np.float64), *(value for _, value in self._levels)])
        n = len(slot)
        return HandOver("night", 1, slot, value, np.full(n, utc), np.ones(n, np.uint32))

    def _answer(self, outputs: Outputs) -> None:
        for gateway, order in outputs.orders:
            self._reports.append((gateway, Reports(1, order.n, order.n)))
            indexes, values = order.targets()
            self.targets += len(indexes)
            self._levels.append((self._level[self._behind[gateway][indexes]], values))


def utc(text: str) -> int:
    """µs of a local time."""
    return int(datetime.datetime.fromisoformat(text).timestamp()) * SECOND


def test_night(benchmark: Any, tmp_path: Path, quick: bool) -> None:
    generate_city(out=tmp_path / "town", seed=0, lamps=LAMPS)
    city = cities.load(tmp_path / "town")
    begin, whole_s = utc(BEGIN), (utc(END) - utc(BEGIN)) / SECOND
    if quick:
        # When lamps are dimmed: before, nobody needs more light.
        begin += 6 * 3600 * SECOND
    seconds = 600.0 if quick else whole_s
    night = Night(city)
    began = time.monotonic()
    benchmark.pedantic(lambda: night.live(begin, seconds), rounds=1)
    journal = night.journal
    megabytes = sum(journal.bytes.values()) / 1e6
    benchmark.extra_info.update(
        {
            "lamps": LAMPS,
            "city_s": seconds,
            "wall_s": round(time.monotonic() - began),
            "detections_s": round(night.detections / seconds),
            "leases_s": round(night.targets / seconds),
            "records_s": round(journal.seq / seconds, 1),
            "records_s_by_kind": {kind: round(n / seconds, 2) for kind, n in journal.rows.items()},
            "mb_a_night": round(megabytes * whole_s / seconds),
            "mb_by_kind": {kind: round(n / 1e6, 1) for kind, n in journal.bytes.items()},
            "load": contest.load_average(),
        }
    )
