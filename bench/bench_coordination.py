"""What the coordination trade costs a step: over 50 open cases, over 200 jobs on the board, 60 teams with missions.

    pytest bench/bench_coordination.py --benchmark-json=coordination.json

``quiet`` steps have nothing for it but its tick, once a second; ``busy`` steps bring an event each: a call, a job that
is wanted or needed no more, a visit that begins or ends. The time is that of the whole turn of the trade (the copy of
its state, its hooks, the check of what it proposes), CPU of the thread. The solver is not in it: tours run in a worker.
"""

from __future__ import annotations

import gc
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from adapters.cityimport.command import generate_city
from core import city as cities
from core import state, work
from core.clock import Now
from core.event import Event, Source
from core.plugins import Plugin, load
from core.table import TableView
from ondijon import NONE, Text, requests
from ondijon.streets import StreetMap
from ondijon.testing import City
from plugins.coordination.vocabulary import (
    MissionPlanned,
    PlanMade,
    PlannedStop,
    Team,
    VisitBegun,
    VisitEnded,
)

#: More jobs than are asked for: the visits of the run take some off the board.
CASES, JOBS, TEAMS = 50, 270, 60
T = Text("essai", "trial")


class Board:
    """The trade alone, as the kernel's host asks it."""

    def __init__(self) -> None:
        teams = {f"E{i:02}": Team(["lamp", "road", "green"], "12:00-12:00") for i in range(TEAMS)}
        with tempfile.TemporaryDirectory() as folder:
            generate_city(out=Path(folder) / "city", seed=0, lamps=3000)
            generated = cities.load(Path(folder) / "city")
        city = City(generated.description, generated.communes, generated.streets, generated.assets)
        edge = int(generated.assets.edge[generated.assets.edge != NONE][0])
        self.city = city.having("team", teams, street=edge)
        self.streets = StreetMap(self.city)
        (self.plugin,) = load(["coordination"])
        self.plugin.configure({})
        self.plugin.begin(self.city, None)
        self.mono = 0
        self.seq = 0
        self._rng = np.random.Generator(np.random.Philox(1))
        self._fill()

    def _fill(self) -> None:
        for i in range(CASES):
            data = requests.IncidentSuggested(category=f"kind_{i}", title=T)
            self.turn([self.event("post.incident.suggested", data)])
        for i in range(JOBS):
            job = requests.JobWanted(job=f"J{i}", title=T, skills=("lamp",), duration_s=1200, crews=1 + i % 2)
            self.turn([self.event("post.job.wanted", job)])
        self.plan()

    def plan(self) -> None:
        """Every site is in somebody's tour."""
        keys = list(self.plugin.state.sites)
        for i, (team, asset) in enumerate(self.plugin.fixed.team.items()):
            stops = tuple(PlannedStop(key, 300, 1, 2) for key in keys[i::TEAMS])
            self.turn([self.event("tours.mission.planned", MissionPlanned(1, stops), asset)])
            assert team
        self.turn([self.event("tours.plan.made", PlanMade(1, ()))])

    def event(self, kind: str, data: msgspec.Struct, asset: int | None = None) -> Event:
        """An event somewhere in the streets."""
        self.seq += 1
        place: dict[str, Any] = {"asset": asset}
        if asset is None:
            edge = self._rng.integers(self.city.streets.edges)
            lon, lat = self.streets.point_at(np.array([edge]), np.array([10.0]))
            place = {"lon": float(lon[0]), "lat": float(lat[0])}
        return Event(
            seq=self.seq,
            kind=kind,
            at_utc=self.mono,
            received_utc=self.mono,
            mono=self.mono,
            source=Source(plugin="bench"),
            trade="bench",
            data=data,
            **place,
        )

    def turn(self, events: Sequence[Event] = (), tick: bool = False) -> float:
        """One step of the trade; its CPU time in µs."""
        self.mono += 1_000_000
        now = Now(self.mono // 50_000, self.mono, self.mono)
        began = time.thread_time_ns()
        done = work.do(self.plugin, now, events, None, ["watch"] if tick else [], _NO_TABLE)
        spent = (time.thread_time_ns() - began) / 1000
        assert done.failed is None, done.failed
        return spent


class _Table:
    def column(self, metric: str) -> None:
        raise AssertionError(f"coordination reads no metric, and asks for {metric}")


_NO_TABLE: TableView = _Table()  # type: ignore[assignment]


def _busy(board: Board, n: int) -> list[Event]:
    """An event of each sort in turn; as many jobs leave the board as come to it."""
    team = list(board.plugin.fixed.team.values())[n % TEAMS]
    visits, sites = list(board.plugin.state.visits), list(board.plugin.state.sites)
    job = requests.JobWanted(job=f"N{n // 4}", title=T, skills=("road",), duration_s=900)
    match n % 4:
        case 0:
            return [board.event("post.sign.noted", requests.SignNoted(topic="police.call", title=T))]
        case 1:
            return [board.event("post.job.wanted", job)]
        case 2 if n % 40 == 2 and visits:
            return [board.event("coordination.visit.ended", VisitEnded(visits[0]), team)]
        case 2 if n % 40 == 22:
            return [board.event("coordination.visit.begun", VisitBegun(sites[n % len(sites)]), team)]
        case _:
            gone = requests.JobWithdrawn(job=job.job, reason="it went away")
            return [board.event("post.job.withdrawn", gone)]


def test_coordination_step(benchmark: Any, request: Any) -> None:
    """Quiet and busy steps in turn."""
    board = Board()
    count = 400 if request.config.getoption("--quick") else 2000
    quiet, busy = [], []
    # As the kernel does when it has started: what stays for good is not looked through again and again.
    gc.collect()
    gc.freeze()
    for n in range(count):
        quiet.append(board.turn(tick=True))
        busy.append(board.turn(_busy(board, n), tick=True))
    held: Plugin = board.plugin
    copies = []
    for _ in range(200):
        began = time.thread_time_ns()
        state.copy(held.state)
        copies.append((time.thread_time_ns() - began) / 1000)
    info = benchmark.extra_info
    info["cases"] = sum(each.state not in ("resolved", "closed") for each in held.state.incidents.values())
    info["jobs"] = sum(each.state not in ("done", "withdrawn") for each in held.state.jobs.values())
    info["teams"] = len(held.fixed.team)
    for name, times in (("quiet", quiet), ("busy", busy), ("copy", copies)):
        info[f"coordination_us_{name}"] = {
            "p50": statistics.median(times),
            "p99": float(np.percentile(times, 99)),
            "most": max(times),
        }
    benchmark.pedantic(lambda: board.turn(tick=True), rounds=20)
