"""The gateways of one part: real sockets, one context, one poll set."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import zmq

from adapters.simulator.outbox import METRICS
from adapters.simulator.simulation import Simulation
from core.clock import Clock
from core.errors import WireError
from core.histogram import Histogram
from ondijon.gateway import Endpoints, Fault, Gateway, Order, SpoolFullError, Statistics
from ondijon.spool import SpoolFile

#: The verb that lamps know.
DIM = "lamp.dim"

#: What a cabinet's door contact says.
DOOR_OPENED, DOOR_CLOSED = "lighting.door.opened", "lighting.door.closed"

#: Latencies wait to be counted together, at most about so many.
_LATENCIES_MAX = 1000

#: A metric that this post does not have.
_NO_METRIC = 0xFFFF


class Field:
    """Gateways [g] by their own number. What the devices measure goes out, what the post orders goes to them."""

    def __init__(
        self,
        simulation: Simulation,
        endpoints: Endpoints,
        clock: Clock,
        context: zmq.Context[Any],
        spools: SpoolFile,
        keys: Path | None = None,
    ) -> None:
        self.simulation, self.clock = simulation, clock
        self._latency = Histogram()
        self._latencies: list[float] = []
        self.unsent = 0
        self._poller = zmq.Poller()
        district = simulation.district
        self._ids = simulation.ids
        self.gateways = [
            Gateway(name, endpoints, clock, context, spools.spool(name), keys) for name in district.gateways
        ]
        self._of_socket = {socket: g for g, gateway in enumerate(self.gateways) for socket in gateway.sockets}
        for g, gateway in enumerate(self.gateways):
            gateway.on_welcome(partial(self._welcomed, g))
        self._numbers = [np.full(len(METRICS), _NO_METRIC, np.uint16)] * len(self.gateways)
        self._lamp_at = [self._lamps_of(g) for g in range(len(self.gateways))]
        self._silent = np.ones(len(self.gateways), bool)
        self._next_alive, self._alive_since = 0, time.monotonic()
        self.hush(simulation.lost)

    def _lamps_of(self, gateway: int) -> np.ndarray:
        """i64[65,537 at most]: the lamp (by position) at each wire index of a gateway, -1 where there is none.

        The last place is always -1: there go the indexes beyond.
        """
        lamps = self.simulation.district.lamps
        rows = np.flatnonzero(lamps.gateway == gateway)
        out = np.full(int(lamps.wire[rows].max(initial=0)) + 2, -1)
        out[lamps.wire[rows]] = rows
        return out

    # -- sockets

    def hush(self, lost: np.ndarray) -> None:
        """Gateways that are ``lost`` bool[g] say nothing and hear nothing; the others do."""
        for g in np.flatnonzero(lost != self._silent).tolist():
            change: Callable[..., object] = self._poller.unregister if lost[g] else self._listen
            for socket in self.gateways[g].sockets:
                change(socket)
        self._silent = lost.copy()

    def _listen(self, socket: zmq.Socket[bytes]) -> None:
        self._poller.register(socket, zmq.POLLIN)

    def serve(self, timeout_ms: float) -> None:
        """Wait for orders at most so long, carry them out; keep every gateway known, about once a second."""
        ready = {self._of_socket[socket] for socket, _ in self._poller.poll(math.ceil(timeout_ms))}
        for g in ready:
            self._turn(g)
        now = time.monotonic()
        due = int((now - self._alive_since) * len(self.gateways))
        if due:
            self._alive_since = now
            for _ in range(min(due, len(self.gateways))):
                self._next_alive = (self._next_alive + 1) % len(self.gateways)
                self._turn(self._next_alive)

    def _turn(self, g: int) -> None:
        if self._silent[g]:
            return
        gateway = self.gateways[g]
        # What was done is reported by the next turn: the post shall not wait a second for it.
        while orders := gateway.turn():
            for order in orders:
                gateway.done(order, self._obey(g, order))
                if order.since:
                    self._latencies.append(self.clock.wall_seconds(self.clock.utc() - order.since) * 1e6)

    def _welcomed(self, g: int) -> None:
        known = self.gateways[g].metrics
        self._numbers[g] = np.array([known.get(name, _NO_METRIC) for name in METRICS], np.uint16)
        self.simulation.welcome(g)

    # -- orders

    def _obey(self, g: int, order: Order) -> list[Fault]:
        """Hand an order to the lamps; what cannot be carried out, by wire index.

        A lamp whose LEDs are dead answers like any other: its driver lives. One without power does not.
        """
        try:
            wire, value = order.targets()
            lease_ms = order.leases_ms().astype(np.int64)
        except WireError as error:
            return [Fault(0, error.reason)]
        if order.verb != self.gateways[g].verbs.get(DIM):
            return [Fault(index, "unknown_verb") for index in wire.tolist()]
        lamp_at, lamps = self._lamp_at[g], self.simulation.lamps
        row = lamp_at[np.minimum(wire, len(lamp_at) - 1)]
        answers = (row >= 0) & np.isfinite(value)
        answers[answers] = lamps.powered[row[answers]]
        end = np.where(lease_ms > 0, self.clock.utc() + lease_ms * 1000, 0)
        if answers.all():
            lamps.order(row, value, end)
            return []
        lamps.order(row[answers], value[answers], end[answers])
        code = np.select([row < 0, ~np.isfinite(value)], ["not_a_lamp", "bad_value"], "no_answer")
        return [Fault(int(wire[i]), str(code[i])) for i in np.flatnonzero(~answers)]

    # -- events

    def tell_doors(self) -> None:
        """Say which doors were opened and closed. A gateway without a link says so when it has one again."""
        cabinets, later = self.simulation.district.cabinets, []
        for row, is_open, utc in self.simulation.doors:
            g = int(cabinets.gateway[row])
            if self._silent[g] or not self.gateways[g].index:
                later.append((row, is_open, utc))
                continue
            kind = DOOR_OPENED if is_open else DOOR_CLOSED
            try:
                self.gateways[g].emit(kind, {}, self._ids[cabinets.asset[row]], utc)
            except SpoolFullError:
                later.append((row, is_open, utc))
        self.simulation.doors = later

    # -- samples

    def flush(self) -> None:
        """Send what waits, one frame a gateway; what a gateway cannot send is counted."""
        if len(self._latencies) > _LATENCIES_MAX:
            _ = self.latency
        for g, wire, metric, value, at in self.simulation.outbox.take():
            gateway = self.gateways[g]
            if self._silent[g] or not gateway.session:
                self.unsent += len(wire)
                continue
            number = self._numbers[g][metric]
            if (number == _NO_METRIC).any():
                known = number != _NO_METRIC
                wire, number, value, at = wire[known], number[known], value[known], at[known]
            if len(wire):
                gateway.send_columns(wire, number, value, at)

    def close(self) -> None:
        """Say goodbye, gateway by gateway."""
        for gateway in self.gateways:
            gateway.close()

    @property
    def latency(self) -> Histogram:
        """Real µs from somebody's being seen to the order at the lamp."""
        self._latency.add_all(np.array(self._latencies))
        self._latencies.clear()
        return self._latency

    def statistics(self) -> dict[str, int]:
        """The sums of what the gateways counted."""
        names = [field.name for field in msgspec.structs.fields(Statistics)]
        return {name: sum(getattr(gateway.statistics, name) for gateway in self.gateways) for name in names}
