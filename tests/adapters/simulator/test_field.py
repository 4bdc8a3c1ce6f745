"""The gateways against a small post of three sockets."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import zmq

from adapters.simulator.field import Field
from adapters.simulator.outbox import METRICS
from adapters.simulator.settings import Faults, Settings
from adapters.simulator.simulation import Simulation
from adapters.simulator.world import TICK_US
from core import wire
from core.city import City
from core.clock import Clock, Origin
from ondijon.gateway import Endpoints
from ondijon.spool import SpoolFile

EPOCH = 3


class Post:
    """Answers handshakes and heartbeats, keeps what else comes."""

    def __init__(self, city: City, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self.city = city
        self.control, self.events = (context.socket(zmq.ROUTER) for _ in range(2))
        self.telemetry = context.socket(zmq.PULL)
        ports = [
            socket.bind_to_random_port("tcp://127.0.0.1")
            for socket in (self.telemetry, self.control, self.events)
        ]
        self.endpoints = Endpoints(*(f"tcp://127.0.0.1:{port}" for port in ports))
        self.routes: dict[str, bytes] = {}
        self.reports: list[wire.Reports] = []
        self.told: list[wire.FieldEvent] = []
        self.programmed: dict[str, wire.Programmed] = {}
        self.frames = 0

    def turn(self) -> None:
        for socket in (self.control, self.events):
            while socket.poll(0):
                route, data = socket.recv_multipart()
                self.hear(socket, route, wire.decode_from_gateway(data))
        while self.telemetry.poll(0):
            self.telemetry.recv()
            self.frames += 1

    def hear(self, socket: zmq.Socket[bytes], route: bytes, message: wire.FromGateway) -> None:
        if isinstance(message, wire.Hello):
            if socket is self.events:
                self.routes[message.gateway] = route
            assets = [self.city.assets.ids[i] for i in self.city.assets.of_gateway(message.gateway)]
            session = 7 if socket is self.control else 0
            socket.send_multipart(
                [
                    route,
                    wire.encode(
                        wire.Welcome(session, 1, 1, assets, list(METRICS), ["other.verb", "lamp.dim"])
                    ),
                ]
            )
        elif isinstance(message, wire.Beat):
            socket.send_multipart([route, wire.encode(wire.BeatBack(1, True))])
        elif isinstance(message, wire.Reports):
            self.reports.append(message)
        elif isinstance(message, wire.FieldEvent):
            self.told.append(message)
        elif isinstance(message, wire.Programmed):
            name = next(name for name, known in self.routes.items() if known == route)
            self.programmed[name] = message

    def order(
        self,
        gateway: str,
        n: int,
        wires: list[int],
        value: float,
        lease_ms: int,
        at: int,
        verb: int = 1,
        leases: Sequence[int] = (),
    ) -> None:
        order = wire.Order(
            n=n,
            epoch=EPOCH,
            command="1-1",
            verb=verb,
            indexes=np.array(wires, "<u2").tobytes(),
            values=np.full(len(wires), value, "<f8").tobytes(),
            lease_ms=lease_ms,
            deadline=at + 5_000_000,
            since=at,
            leases=np.array(leases, "<u4").tobytes(),
        )
        self.events.send_multipart([self.routes[gateway], wire.encode(order)])


@pytest.fixture
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    made: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    yield made
    made.destroy(linger=0)


def together(post: Post, field: Field, done: object, patience_s: float = 5.0) -> None:
    until = time.monotonic() + patience_s
    while not done() and time.monotonic() < until:  # type: ignore[operator]
        post.turn()
        field.serve(10)
    assert done()  # type: ignore[operator]


def test_samples_go_out_and_orders_are_obeyed(
    city: City, evening: int, context: zmq.Context[zmq.Socket[bytes]], tmp_path: Path
) -> None:
    settings = Settings(processes=1, visits_a_day=1.0, faults=Faults(gateway_a_day=0.0, feeder_a_day=0.0))
    simulation = Simulation(city, settings, 9)
    simulation.begin(evening)
    clock = Clock(Origin(evening * TICK_US, time.monotonic_ns()))
    post = Post(city, context)
    field = Field(simulation, post.endpoints, clock, context, SpoolFile(tmp_path / "spool.sqlite"))
    together(post, field, lambda: all(gateway.ready for gateway in field.gateways))

    for tick in range(evening, evening + 30):
        simulation.step(tick)
    field.flush()
    together(post, field, lambda: post.frames >= len(field.gateways))
    assert field.statistics()["dropped"] == 0
    assert field.unsent == 0

    simulation.doors = [(0, True, 5), (0, False, 9)]
    field.tell_doors()
    assert simulation.doors == []
    together(post, field, lambda: len(post.told) == 2)
    assert [(event.kind, event.at, event.seq) for event in post.told] == [
        ("lighting.door.opened", 5, 1),
        ("lighting.door.closed", 9, 2),
    ]

    gateway = field.gateways[0].name
    members = simulation.district.lamps
    lamp = int(np.flatnonzero(members.gateway == 0)[0])
    cabinet_wire = 0
    post.order(gateway, 1, [int(members.wire[lamp]), cabinet_wire, 60_000], 33.0, 10_000, clock.utc())
    post.order(gateway, 2, [int(members.wire[lamp])], 33.0, 10_000, clock.utc(), verb=0)
    together(post, field, lambda: bool(post.reports) and post.reports[-1].executed == 2)
    failed = [(n, fault.index, fault.code) for report in post.reports for n, fault in report.failed]
    assert failed == [
        (1, cabinet_wire, "not_a_lamp"),
        (1, 60_000, "not_a_lamp"),
        (2, int(members.wire[lamp]), "unknown_verb"),
    ]
    assert simulation.lamps.override_pct[lamp] == 33.0
    assert 0 < simulation.lamps.lease_end[lamp] - clock.utc() <= 10_000_000
    assert field.latency.total == 2

    post.order(gateway, 3, [int(members.wire[lamp])], 0.0, 0, clock.utc())
    together(post, field, lambda: post.reports[-1].executed == 3)
    assert simulation.lamps.lease_end[lamp] == 0

    two = np.flatnonzero(members.gateway == 0)[:2]
    wires = members.wire[two].tolist()
    post.order(gateway, 4, wires, 60.0, 20_000, clock.utc(), leases=[20_000, 0])
    post.order(gateway, 5, wires, 60.0, 20_000, clock.utc(), leases=[20_000])
    together(post, field, lambda: post.reports[-1].executed == 5)
    assert post.reports[-1].failed[-1][1].code == "bad_order"
    assert (simulation.lamps.lease_end[two] > clock.utc()).tolist() == [True, False], "each has its own lease"

    lost = np.zeros(len(field.gateways), bool)
    lost[0] = True
    field.hush(lost)
    post.order(gateway, 6, [int(members.wire[lamp])], 50.0, 10_000, clock.utc())
    for _ in range(20):
        post.turn()
        field.serve(5)
    assert post.reports[-1].executed == 5, "a lost gateway hears nothing"
    field.hush(~lost & False)
    together(post, field, lambda: post.reports[-1].executed == 6)
    field.close()


def programme(version: int, zone: str, content: object, wires: list[int]) -> wire.Programme:
    indexes = np.array(wires, "<u2").tobytes()
    return wire.Programme(
        "lighting.calendar", zone, version, bytes([version]) * 32, indexes, wire.encode(content)
    )


def test_cabinets_take_programmes_and_their_lamps_follow_them(
    city: City, evening: int, context: zmq.Context[zmq.Socket[bytes]], tmp_path: Path
) -> None:
    settings = Settings(processes=1, fade_s=1.0, faults=Faults(0, 0, 0, 0, 0, 0))
    clock = Clock(Origin(evening * TICK_US, time.monotonic_ns()))
    post = Post(city, context)

    def started() -> Field:
        simulation = Simulation(city, settings, 9)
        spools = SpoolFile(tmp_path / "spool.sqlite")
        field = Field(simulation, post.endpoints, clock, context, spools)
        simulation.begin(evening)
        return field

    field = started()
    lamps = field.simulation.district.lamps
    mine = np.flatnonzero(lamps.gateway == 0)
    gateway = field.gateways[0].name
    together(post, field, lambda: post.programmed.get(gateway) == wire.Programmed(()))

    def sent(each: wire.Programme) -> str:
        """Send it; the code with which it is answered."""
        post.programmed.pop(gateway)
        post.events.send_multipart([post.routes[gateway], wire.encode(each)])
        together(post, field, lambda: gateway in post.programmed)
        told = {taken.zone: taken for taken in post.programmed[gateway].programmes}[each.zone]
        assert told.hash == each.hash
        return told.code

    def levels(of: Field) -> np.ndarray:
        for tick in range(evening, evening + 20):
            of.simulation.step(tick)
        return of.simulation.lamps.level_pct

    before = levels(field)
    wires = lamps.wire[mine].tolist()
    assert sent(programme(1, "", {"level_pct": 90}, wires)) == ""
    assert sent(programme(2, "Ville", {"level_pct": 95}, wires[:3])) == ""
    assert sent(programme(3, "", {"level_pct": 85}, wires)) == ""
    wanted = before.copy()
    floor = field.simulation.programme._floor
    wanted[mine] = np.maximum(floor[mine], 85)
    wanted[mine[:3]] = np.maximum(floor[mine[:3]], 95)
    np.testing.assert_array_equal(levels(field), wanted)

    night = {"rules": [{"start": "05:00", "end": "22:00", "level_pct": 50}]}
    assert sent(programme(4, "", night, wires)) == "bad_calendar"
    assert sent(programme(5, "", {"level_pct": 0}, wires)) == "bad_calendar", "nobody decided that"
    assert sent(programme(6, "", {"level_pct": 50}, [*wires, 60_000])) == "not_a_lamp"
    assert sent(programme(2, "", {"level_pct": 50}, wires)) == "older"
    np.testing.assert_array_equal(levels(field), wanted)
    field.close()

    again = started()
    np.testing.assert_array_equal(again.simulation.lamps.level_pct, wanted)
    again.close()
