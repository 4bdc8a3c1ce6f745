"""One part of the living city, in steps of its own time. No socket, no clock: a function of what it is given."""

from __future__ import annotations

import numpy as np

from adapters.simulator import faults
from adapters.simulator.cabinets import Cabinets
from adapters.simulator.district import District
from adapters.simulator.draws import Stream, uniform
from adapters.simulator.faults import Outages
from adapters.simulator.lamps import Lamps
from adapters.simulator.outbox import Outbox
from adapters.simulator.programme import Programme
from adapters.simulator.rota import Rota
from adapters.simulator.sensors import Sensors
from adapters.simulator.settings import Settings
from adapters.simulator.world import TICK_S, TICK_US, World
from core.city import City

#: A lamp does not report changes more often than this, in ticks.
CHANGE_TICKS = 5

#: Lamps differ from their inventory by up to so much, drivers measure with up to such an error.
_SPREAD, _NOISE = 0.03, 0.005


class Simulation:
    """The world, and the devices of one district in it. ``outbox`` fills at each step."""

    def __init__(self, city: City, settings: Settings, seed: int, part: int = 0) -> None:
        self.district = district = District(city.assets, part, settings.processes)
        self.ids = city.assets.ids
        self.world = World(city, settings.movers, seed)
        self.outbox = Outbox()
        self.detections = 0
        self._seed = seed
        self._welcome_ticks = _ticks(settings.welcome_s)
        self._devices(city, settings)
        self._rotas(settings)
        self._outages(settings)
        self.sensors = Sensors(
            city,
            district.sensors.asset,
            district.attribute(district.sensors, "presence_sensor", "range_m"),
            _ticks(settings.repeat_s),
        )

    def _devices(self, city: City, settings: Settings) -> None:
        district, seed = self.district, self._seed
        lamps, cabinets = district.lamps, district.cabinets
        spread = 1 + _SPREAD * (2 * uniform(seed, Stream.LAMP_SPREAD, lamps.asset) - 1)
        full_w = district.attribute(lamps, "lamp", "power_w") * spread
        broken = settings.faults
        self._lamp_faults = Outages(seed, faults.LAMP, lamps.asset, broken.lamp_share, broken.lamp_a_day)
        self.lamps = Lamps(full_w, self._lamp_faults.ailments(), settings)
        # Lamps of one cabinet share its clock.
        clock = uniform(seed, Stream.CLOCK_OFFSET, lamps.gateway + district.first)
        self.programme = Programme(city, settings, lamps.asset, clock)
        self._feeds = district.parents(lamps, cabinets)
        class_pct = district.attribute(cabinets, "cabinet", "meter_class_pct")
        error = class_pct / 100 * (2 * uniform(seed, Stream.METER_ERROR, cabinets.asset) - 1)
        start_kwh = np.floor(80_000 * uniform(seed, Stream.METER_START, cabinets.asset))
        self.cabinets = Cabinets(self._feeds, error, start_kwh)

    def _rotas(self, settings: Settings) -> None:
        district = self.district

        def rota(asset: np.ndarray, period_s: float) -> Rota:
            return Rota(_ticks(period_s), uniform(self._seed, Stream.STAGGER, asset))

        self._lamp_rota = rota(district.lamps.asset, settings.report_s)
        self._sensor_rota = rota(district.sensors.asset, settings.alive_s)
        self._cabinet_rota = rota(district.cabinets.asset, settings.meter_s)
        self._next_change = np.zeros(len(district.lamps), np.int64)

    def _outages(self, settings: Settings) -> None:
        district, seed, of = self.district, self._seed, settings.faults
        gateways = np.arange(district.first, district.last)
        sensors, cabinets = district.sensors.asset, district.cabinets.asset
        self._sensor_faults = Outages(seed, faults.SENSOR, sensors, of.sensor_share, of.sensor_a_day)
        self._gateway_faults = Outages(seed, faults.GATEWAY, gateways, 0.0, of.gateway_a_day)
        self._feeder_faults = Outages(seed, faults.FEEDER, cabinets, 0.0, of.feeder_a_day)
        self._visits = Outages(seed, faults.VISIT, cabinets, 0.0, settings.visits_a_day)
        self._open = np.zeros(len(cabinets), bool)
        #: Doors that were opened or closed, until somebody tells: cabinet (by position), open, µs.
        self.doors: list[tuple[int, bool, int]] = []

    # -- in time

    def begin(self, tick: int) -> None:
        """The city as it is just before ``tick``; the first step is ``tick`` itself."""
        self.world.warm_up(tick - 1)
        self.sensors.detect(self.world)
        utc = (tick - 1) * TICK_US
        self._open = self._visits.at(utc)
        self._fail(utc)
        self.lamps.begin(self.programme.at(utc), self._fed(), self.broken)
        for rota in (self._lamp_rota, self._sensor_rota, self._cabinet_rota):
            rota.begin(tick - 1)

    def step(self, tick: int) -> None:
        """Move everything on to ``tick`` (µs of city time / TICK_US); ticks come in order."""
        utc = tick * TICK_US
        self._fail(utc)
        self._visit(utc)
        self.world.step(tick)
        self._see(utc)
        self.lamps.step(utc, TICK_S, self.programme.at(utc), self._fed(), self.broken)
        self.cabinets.step(self.lamps.power_w, TICK_S)
        self._report_lamps(tick, utc)
        self._report_cabinets(self._cabinet_rota.take(tick), utc)

    def _fail(self, utc: int) -> None:
        self.broken = self._lamp_faults.at(utc)
        self.deaf = self._sensor_faults.at(utc)
        self.lost = self._gateway_faults.at(utc)
        self.powered = ~self._feeder_faults.at(utc)

    def _visit(self, utc: int) -> None:
        is_open = self._visits.at(utc)
        moved = np.flatnonzero(is_open != self._open)
        self.doors += [(row, bool(is_open[row]), utc) for row in moved.tolist()]
        self._open = is_open

    def _fed(self) -> np.ndarray:
        """bool[lamps]: with power. What no cabinet here feeds always has some."""
        return np.append(self.powered, True)[self._feeds]

    def _see(self, utc: int) -> None:
        members = self.district.sensors
        speaks = self.sensors.detect(self.world)
        speaks = speaks[~self.deaf[speaks]]
        self.detections += len(speaks)
        self.outbox.put(members, speaks, "presence_sensor.presence", np.ones(len(speaks)), utc)
        alive = self._sensor_rota.take(self.world.tick)
        alive = alive[~self.deaf[alive]]
        self.outbox.put(members, alive, "presence_sensor.alive", np.ones(len(alive)), utc)

    def _report_lamps(self, tick: int, utc: int) -> None:
        said = self.lamps.said(self.broken)
        due = self.lamps.changed(said) & (self._next_change <= tick)
        due[self._lamp_rota.take(tick)] = True
        rows = np.flatnonzero(due & self.lamps.powered)
        if not len(rows):
            return
        self._next_change[rows] = tick + CHANGE_TICKS
        self.lamps.report(rows, said)
        noise = _NOISE * (
            2 * uniform(self._seed, Stream.POWER_NOISE, self.district.lamps.asset[rows], tick) - 1
        )
        self.outbox.put(self.district.lamps, rows, "lamp.level", said[rows].round(1), utc)
        self.outbox.put(self.district.lamps, rows, "lamp.power", self.lamps.power_w[rows] * (1 + noise), utc)

    def _report_cabinets(self, rows: np.ndarray, utc: int) -> None:
        self.outbox.put(
            self.district.cabinets, rows, "cabinet.energy", self.cabinets.register_kwh()[rows], utc
        )
        self.outbox.put(self.district.cabinets, rows, "cabinet.power", self.cabinets.metered_w()[rows], utc)

    # -- what comes from outside

    def welcome(self, gateway: int) -> None:
        """The post knows nothing of this gateway's devices: all report soon, spread over some seconds."""
        district, tick = self.district, self.world.tick
        for members, rota in (
            (district.cabinets, self._cabinet_rota),
            (district.lamps, self._lamp_rota),
            (district.sensors, self._sensor_rota),
        ):
            rota.hasten(np.flatnonzero(members.gateway == gateway), tick, self._welcome_ticks)

    def farewell(self) -> None:
        """Read every meter once more: what was used since the last reading shall not be missing."""
        self._report_cabinets(np.arange(len(self.cabinets)), self.world.tick * TICK_US)


def _ticks(seconds: float) -> int:
    return max(round(seconds / TICK_S), 1)
