"""The simulator as a process: plays a part of the living city in city time until SIGTERM."""

from __future__ import annotations

import math
import signal
import time
from typing import Any

import msgspec
import structlog

from adapters.simulator.field import Field
from adapters.simulator.settings import Settings
from adapters.simulator.simulation import Simulation
from adapters.simulator.world import TICK_S, TICK_US
from core import city as cities
from core.adapter import Adapter
from core.limits import allow_files
from core.person import ANY
from core.run import Run
from core.sockets import context
from ondijon.spool import SpoolFile

log = structlog.get_logger()

#: The sockets are looked at no more often than this (s): polling hundreds of them is not free.
PACE_S = 0.005

#: Nothing waits longer than this (s), and ticks that are late take no longer than CATCH_UP_S at a time.
WAIT_S, CATCH_UP_S = 0.1, 0.05

SOCKETS_A_GATEWAY = 3


class Player:
    """Steps a simulation along the run's clock and serves its gateways."""

    def __init__(self, run: Run, settings: Settings, part: int) -> None:
        self._stopping = False
        signal.signal(signal.SIGTERM, self._ask_to_stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.run, self.part = run, part
        self.clock = run.clock()
        self.simulation = Simulation(cities.load(run.city), settings, run.seed, part)
        self._linger_s = settings.linger_ms / 1000
        sockets = SOCKETS_A_GATEWAY * len(self.simulation.district.gateways)
        allow_files(3 * sockets + 64)
        self._context = context(max_sockets=sockets + 64)
        self._tick = self._first = self.clock.utc() // TICK_US + 1
        self._began = time.monotonic()
        self.simulation.begin(self._first)
        self._spools = SpoolFile(run.data / "spool" / f"simulator-{part}.sqlite")
        self.field = Field(
            self.simulation,
            run.endpoints,
            self.clock,
            self._context,
            self._spools,
            run.keys(f"simulator-{part}"),
        )
        self._waits_since = math.inf
        self._late_s = self._late_most_s = 0.0

    def main(self) -> None:
        """Play until asked to stop, then send what waits, say goodbye and leave the figures."""
        log.info("simulator ready, all of it simulated", part=self.part, gateways=len(self.field.gateways))
        while not self._stopping:
            woke = time.monotonic()
            self._play(woke + CATCH_UP_S)
            self._flush_when_due()
            self.field.serve(self._wait_s() * 1000)
            time.sleep(max(woke + PACE_S - time.monotonic(), 0.0))
        self._finish()

    def _ask_to_stop(self, *_: object) -> None:
        self._stopping = True

    def _play(self, until: float) -> None:
        """Step the ticks whose time has come. Late ones are all played: the world must stay the same."""
        now = self.clock.utc()
        while self._tick * TICK_US <= now and time.monotonic() < until and not self._stopping:
            self.simulation.step(self._tick)
            self._tick += 1
            self.field.hush(self.simulation.lost)
            if self.simulation.doors:
                self.field.tell_doors()
            if self.simulation.outbox.samples and self._waits_since == math.inf:
                self._waits_since = time.monotonic()
        self._late_s = max(self.clock.wall_seconds(self.clock.utc() - self._tick * TICK_US), 0.0)
        self._late_most_s = max(self._late_most_s, self._late_s)

    def _flush_when_due(self) -> None:
        if time.monotonic() - self._waits_since >= self._linger_s:
            self._waits_since = math.inf
            self.field.flush()

    def _wait_s(self) -> float:
        """Until the next tick or the next frame; never so short that a late process spins."""
        tick = self.clock.wall_seconds(self._tick * TICK_US - self.clock.utc())
        frame = self._waits_since + self._linger_s - time.monotonic()
        return min(max(min(tick, frame), 0.001), WAIT_S)

    def _finish(self) -> None:
        self.simulation.farewell()
        self.field.flush()
        self.field.close()
        self._spools.close()
        self.run.report(f"simulator-{self.part}").write_bytes(msgspec.json.encode(self.report()))
        self._context.term()
        log.info("simulator stopped", part=self.part)

    def report(self) -> dict[str, Any]:
        """What this part really did."""
        simulation, played = self.simulation, self._tick - self._first
        wall = time.monotonic() - self._began
        latency = self.field.latency
        return {
            "simulated": True,
            "part": self.part,
            **self.field.statistics(),
            "unsent": self.field.unsent,
            "gateways": len(self.field.gateways),
            "lamps": len(simulation.district.lamps),
            "sensors": len(simulation.district.sensors),
            "detections": simulation.detections,
            "metered_kwh": float(simulation.cabinets.metered_kwh().sum()),
            "broken_lamps": int(simulation.broken.sum()),
            "silent_sensors": int(simulation.deaf.sum()),
            "silent_gateways": int(simulation.lost.sum()),
            "feeders_off": int((~simulation.powered).sum()),
            "world_ticks": played,
            "city_s": played * TICK_S,
            "wall_s": wall,
            "cpu_s": time.process_time(),
            "speed_asked": self.run.origin.speed,
            "speed_reached": played * TICK_S / wall if wall else 0.0,
            "behind_s": self._late_s,
            "behind_most_s": self._late_most_s,
            "presence_to_command": {"counts": latency.counts.tolist(), "us": latency.summary()},
        }


def main(run: Run, settings: Settings, part: int) -> None:
    """Entry of the process, see ``core.adapter``."""
    Player(run, settings, part).main()


def _parts(settings: Settings) -> int:
    return settings.processes


adapter = Adapter("simulator", Settings, main, parts=_parts, speaks_for=(ANY,))
