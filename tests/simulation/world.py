"""A post and its gateways in one seeded world, where clock jumps, disk forgets and network misbehaves.

Kernel, reactor, acknowledged ingestion and plugin host are the real ones. Disk, clock, network and gateways are
simulated: a crash takes what the disk had not made durable; messages are lost, doubled, late and out of order. First
all of that happens (safety is checked all the while), then nothing more goes wrong and everything must arrive.
"""

from __future__ import annotations

from collections import Counter
from types import ModuleType
from typing import Any

import msgspec

from core import tail, wire
from core.acknowledged import Acknowledged
from core.field import FieldEvents
from core.step import Inputs
from tests.simulation.disk import Disk
from tests.simulation.seeded import STEP_US, BrokenPromiseError, Seeded

GATEWAYS = ("gw-A0001", "gw-A0002")


class Gateway:
    """A gateway's side of acknowledged ingestion, with its spool on a disk of its own."""

    def __init__(self, name: str, boot: int) -> None:
        self.name = name
        self.boot = boot
        self.emitted = self.acked = self.sent = 0

    def send(self) -> list[wire.FieldEvent]:
        """What is due, up to a window."""
        due = range(self.sent + 1, min(self.emitted, self.acked + 20) + 1)
        self.sent = max(self.sent, *due, 0)
        return [self.event(seq) for seq in due]

    def event(self, seq: int) -> wire.FieldEvent:
        """An event by its number; its code says who and which."""
        code = msgspec.Raw(wire.encode({"count": GATEWAYS.index(self.name) * 1_000_000 + seq}))
        return wire.FieldEvent(seq, self.acked, "trial.seen", 1, None, code)

    def hear(self, ack: wire.EventAck) -> None:
        """All up to a number is with the post."""
        if ack.boot == self.boot:
            self.acked = max(self.acked, ack.through)
            self.sent = max(self.sent, self.acked)


class World(Seeded):
    """Gateways tell events, and believe what is acknowledged."""

    def __init__(self, seed: int, trade: ModuleType, disk: Disk) -> None:
        super().__init__(seed, trade, disk)
        self.gateways = [Gateway(name, self.rng.randrange(1 << 40)) for name in GATEWAYS]
        self.up: list[tuple[Gateway, wire.FieldEvent]] = []
        self.down: list[tuple[Gateway, wire.EventAck]] = []
        self.start()

    # -- the post

    def start(self) -> None:
        """The kernel starts, with its side of acknowledged ingestion."""
        places = self.boot()
        field = FieldEvents([self.plugin.declaration], self.city, places)
        self.ingestion = Acknowledged(field, self.disk, {})

    def step(self) -> None:
        """One step of the post."""
        self.mono += STEP_US
        self.reactor.turn(self.now(), Inputs(events=self.ingestion.take()))

    def crash(self) -> None:
        """The kernel dies, and what lay on the wires with it."""
        self.disk.crash()
        self.up.clear()
        self.start()

    # -- the wires

    def deliver(self) -> None:
        """Some messages arrive."""
        for gateway, message in self.arrived(self.up):
            now = self.now()
            answer = self.ingestion.on_event(gateway.name, gateway.boot, message, now.utc, now.mono)
            if isinstance(answer, wire.EventAck):
                self.acknowledge(gateway, answer)
            elif answer is not None:
                raise BrokenPromiseError(f"an honest event is refused: {answer}")
        for gateway, ack in self.arrived(self.down, in_order=True):
            gateway.hear(ack)

    def acknowledge(self, gateway: Gateway, ack: wire.EventAck) -> None:
        """An acknowledgement leaves: from now on the promise holds."""
        if ack.boot == gateway.boot:
            safe = {
                event.source.seq
                for event in self.journaled(self.disk.durable().local)
                if event.source.gateway == gateway.name
            }
            missing = set(range(1, ack.through + 1)) - safe
            if missing:
                raise BrokenPromiseError(
                    f"{gateway.name}: {sorted(missing)[:3]} are acknowledged and not safe"
                )
        self.down.append((gateway, ack))

    def journaled(self, until: int | None = None) -> list[Any]:
        """The field's events in the journal."""
        records = self.disk.records[:until]
        events = [tail._event.decode(record.data) for record in records if record.kind == "event"]
        return [event for event in events if event.source.gateway]

    # -- what happens

    def act(self) -> None:
        """One thing happens."""
        what = self.rng.choices(
            ("emit", "send", "deliver", "out", "step", "commit", "save", "crash", "resend", "jump"),
            (20, 20, 25, 20, 20, 20, 3, 2, 4, 1),
        )[0]
        gateway = self.rng.choice(self.gateways)
        if what == "emit":
            gateway.emitted += 1
        elif what == "send":
            self.up += [(gateway, message) for message in gateway.send()]
        elif what == "deliver":
            self.deliver()
        elif what == "out":
            self.let_out()
        elif what == "step":
            self.step()
        elif what == "commit":
            self.disk.commit(self.rng.randint(1, 4))
        elif what == "save":
            self.save()
        elif what == "crash":
            self.crash()
        elif what == "resend":
            gateway.sent = gateway.acked
        else:
            self.utc_jump += self.rng.choice((-1, 1)) * 3_600_000_000

    def let_out(self) -> None:
        """Acknowledgements leave."""
        for name, ack in self.ingestion.let_out():
            self.acknowledge(next(g for g in self.gateways if g.name == name), ack)

    def save(self) -> None:
        """A snapshot."""
        self.reactor.save(self.now(), *self.ingestion.settled())

    def run(self) -> None:
        """All goes wrong for a while, then nothing more; then everything must have arrived, once."""
        for _ in range(250):
            self.act()
        self.faulty = False
        for _ in range(60):
            for gateway in self.gateways:
                gateway.sent = gateway.acked
                self.up += [(gateway, message) for message in gateway.send()]
            self.deliver()
            self.disk.commit(1000)
            self.let_out()
            self.step()
        self.check()

    def check(self) -> None:
        """Everything arrived, each once, and the trade knows it."""
        events = self.journaled()
        for gateway in self.gateways:
            numbers = [event.source.seq for event in events if event.source.gateway == gateway.name]
            if numbers != list(range(1, gateway.emitted + 1)):
                raise BrokenPromiseError(f"{gateway.name}: journaled {numbers}, emitted {gateway.emitted}")
            if gateway.acked != gateway.emitted:
                raise BrokenPromiseError(f"{gateway.name}: {gateway.acked} of {gateway.emitted} acknowledged")
        wanted = Counter(event.data["count"] for event in events)
        if Counter(self.plugin.state.codes) != wanted:
            raise BrokenPromiseError(
                f"the trade knows {Counter(self.plugin.state.codes) - wanted} too often, "
                f"{wanted - Counter(self.plugin.state.codes)} not"
            )
        echoes = Counter(
            event.data["links"]
            for event in (tail._event.decode(r.data) for r in self.disk.records if r.kind == "event")
            if event.kind == "trial.echo"
        )
        if echoes != wanted:
            raise BrokenPromiseError(
                f"what came of events: {echoes - wanted} too often, {wanted - echoes} not"
            )
