"""The history of a city: 34,000 devices over a day, 48.96 M rows, kept as its process keeps them, and asked.

    pytest bench/bench_history.py --benchmark-json=history.json

``extra_info``: what a minute costs (taken, written ahead, synced, shown), what sealing an hour costs, what a day takes
on disk, and the whole time of each question, from its files to its rows. Values are a lamp's power with 1 % of noise in
steps of 0.1 W, as meters tell it; ``day_mib_all_digits`` is the same with every digit, which no meter tells.
The first hours come minute by minute; of those after them ten minutes at a time, and they are sealed alike.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from adapters.cityimport.command import generate_city
from adapters.history.asked import Query, Table
from adapters.history.keeper import Keeper
from adapters.history.reader import Reader
from adapters.history.settings import Settings
from adapters.history.store import Store
from core import city as cities
from core.city import City
from core.clock import SECOND
from core.minute_rows import COLUMNS
from core.minutes import GRACE, Minutes
from core.partner_wire import Change
from core.person import Login
from core.publication import MINUTE_BLOCK
from core.register import Numbering
from core.table import HandOver
from core.table import Table as Slots
from plugins.lighting.declaration import DECLARATION

LAMPS, MINUTE = 34_000, 60 * SECOND

#: 15 January 2026, 00:00 in the city.
BEGIN = 1_768_431_600 * SECOND

SETTINGS = Settings(query_rows=100_000)


class Day:
    """A day of a city's lamps."""

    def __init__(self, folder: Path, digits: int | None = 1) -> None:
        self.folder = folder
        self.city = city_of(folder.parent)
        self.utc = BEGIN
        self.keeper = Keeper(folder / "history", SETTINGS, lambda: self.utc)
        self.keeper.begin(lambda: (self.city.assets, self.city.streets))
        self._digits = digits
        self._rng = np.random.default_rng(0)
        lamps = self.city.assets.of_kind("lamp")[:LAMPS]
        communes, blocks = self.city.assets.commune[lamps], lamps // MINUTE_BLOCK
        order = np.lexsort((lamps, blocks, communes))
        ends = np.flatnonzero(np.diff(communes[order]) | np.diff(blocks[order])) + 1
        self._blocks = [lamps[part] for part in np.split(order, ends)]
        self._nominal = self._rng.choice([36.0, 60.0, 100.0, 150.0], len(self.city.assets))

    def minute(self, n: int) -> list[Change]:
        """What the edge tells of a minute."""
        return [self._block(n, asset) for asset in self._blocks]

    def _block(self, n: int, asset: np.ndarray) -> Change:
        commune = self.city.communes.names[self.city.assets.commune[asset[0]]]
        value = self._nominal[asset] * 0.7 * (1 + 0.01 * self._rng.standard_normal(len(asset)))
        if self._digits is not None:
            value = np.round(value, self._digits)
        ones = np.ones(len(asset))
        columns = dict.fromkeys(("last", "low", "high", "total"), value)
        columns |= {"asset": asset, "values": ones, "count": ones}
        row: dict[str, Any] = {"minute": BEGIN + n * MINUTE, "after": 0}
        row |= {name: columns[name].astype(dtype).tobytes() for name, dtype in COLUMNS.items()}
        key = f"{commune} {asset[0] // MINUTE_BLOCK}"
        return Change("minute", "lamp.power", key, "lighting", (commune,), row)

    def hour(self, number: int, by_minute: bool) -> tuple[list[float], float]:
        """Keep an hour and seal it; return the ms of each minute that came alone, and the seconds of the seal."""
        took = []
        for n in range(60 * number, 60 * number + 60):
            changes = self.minute(n)
            self.utc = BEGIN + n * MINUTE + 65 * SECOND
            began = time.perf_counter()
            self.keeper.take(changes)
            if by_minute or n % 10 == 9:
                self.keeper.sync()
            took.append(1000 * (time.perf_counter() - began))
        began = time.perf_counter()
        self.keeper.seal_all()
        return took if by_minute else [], time.perf_counter() - began

    def mib(self) -> float:
        """What lies on the disk."""
        return sum(file.size for file in self.keeper.store.sealed("minutes")) / (1 << 20)

    def reader(self) -> Reader:
        """Who answers."""
        city, assets = self.folder.parent / "city", self.folder.parent / "assets.msgpack"
        assets.write_bytes(cities.pack_assets(self.city.assets))
        return Reader(Store(self.folder / "history"), SETTINGS, city, assets, Login(), self.folder / "none")


def city_of(folder: Path) -> City:
    """A city of Dijon's size, made once."""
    if not (folder / "city").exists():
        generate_city(out=folder / "city", seed=0, lamps=LAMPS)
    return cities.load(folder / "city")


def questions(day: Day) -> Iterator[tuple[str, Query]]:
    """Each question and its name."""
    lamp = day.city.assets.ids[day.city.assets.of_kind("lamp")[1234]]
    first = "2026-01-15"
    yield "device_day", Query(ready="asset", parameters={"asset": lamp}, first=first)
    sql = f"SELECT minute, last FROM minutes WHERE asset = '{lamp}' ORDER BY minute"
    yield "device_day_sql", Query(sql=sql, first=first)
    metric = {"metric": "lamp.power"}
    yield "street_hours", Query(ready="street", parameters=metric, first=first)
    yield "snapshot", Query(ready="snapshot", parameters=metric | {"minute": f"{first}T12:34"})


def test_history(benchmark: Any, tmp_path: Path, quick: bool) -> None:
    hours, alone = (3, 1) if quick else (24, 3)
    day = Day(tmp_path / "day")
    took: list[float] = []
    sealed: list[float] = []

    def keep() -> None:
        for number in range(hours):
            minutes, seal = day.hour(number, by_minute=number < alone)
            took.extend(minutes)
            sealed.append(seal)

    benchmark.pedantic(keep, rounds=1, iterations=1)
    reader = day.reader()
    found: dict[str, float] = {}
    for name, question in questions(day):
        times, rows = [], 0
        for _ in range(3 if quick else 9):
            began = time.perf_counter()
            answer = reader.take(question, day.utc)
            times.append(1000 * (time.perf_counter() - began))
            assert isinstance(answer, Table), answer
            rows = len(answer.rows)
        assert rows, name
        found |= {f"{name}_ms": round(statistics.median(times), 1), f"{name}_rows": rows}
    lamps = day.city.assets.of_kind("lamp")[:LAMPS]
    assert found["device_day_rows"] == found["device_day_sql_rows"] == 60 * hours
    assert found["snapshot_rows"] == len(lamps)
    files = list(day.keeper.store.sealed("minutes"))
    whole = Day(tmp_path / "digits", digits=None)
    whole.hour(0, by_minute=False)
    benchmark.extra_info.update(
        {
            "rows": day.keeper.counts["rows"],
            "hours": hours,
            "files": len(files),
            "minute_ms_p50": round(statistics.median(took), 1),
            "minute_ms_max": round(max(took), 1),
            "seal_s_p50": round(statistics.median(sealed), 2),
            "day_mib": round(day.mib() * 24 / hours, 1),
            "day_mib_all_digits": round(24 * whole.mib(), 1),
            **found,
        }
    )


def test_minutes_in_the_step(benchmark: Any, tmp_path: Path, quick: bool) -> None:
    """What the kernel's step pays: the changed slots of a busy step, and the step that ends a minute."""
    city = city_of(tmp_path)
    numbering = Numbering.of(city.assets, [DECLARATION])
    table, minutes = Slots(numbering, 1), Minutes(numbering, {})
    asset, slot = numbering.slots_of("lamp.power")
    rng, usual, ends, utc = np.random.default_rng(0), [], [], BEGIN

    def turn(n: int, at: int) -> float:
        chosen = np.sort(rng.choice(slot, n, replace=False))
        value, ones = rng.random(n) * 100, np.ones(n, np.uint32)
        table.apply(HandOver("t", 1, chosen, value, np.full(n, at), ones), at)
        batch = table.swap()
        began = time.thread_time()
        minutes.turn(at, batch, table)
        return 1e6 * (time.thread_time() - began)

    def once() -> None:
        nonlocal utc
        for _ in range(5 if quick else 20):
            # 567 samples a second in steps of 50 ms; all lamps within the minute.
            turn(len(slot), utc)
            usual.extend(turn(28, utc + k) for k in range(1, 50))
            utc += MINUTE
            ends.append(turn(28, utc + GRACE))

    benchmark.pedantic(once, rounds=1, iterations=1)
    assert len(asset) == len(slot)
    benchmark.extra_info.update(
        {"step_us_p50": round(statistics.median(usual), 1), "end_us_p50": round(statistics.median(ends), 1)}
    )
