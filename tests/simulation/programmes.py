"""A post, the persons who set programmes, and the gateways that hold them, in one seeded world where all goes wrong.

Desk, kernel, reactor and the gateways' side are the real ones. A crash takes what the disk had not made durable;
messages are lost, doubled, late and out of order; gateways crash, and are exchanged for new ones. First all of that
happens (safety is checked all the while), then nothing more goes wrong and everything must arrive.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from core import programmes, wire
from core.config import GateConfig
from core.operators import Approve, Asked, CommandTaken, ProposeProgramme
from core.person import Login, Person, Role, token
from core.step import Inputs
from ondijon.programmes import Programmes
from ondijon.spool import MemorySpool
from tests.simulation.disk import Disk
from tests.simulation.seeded import STEP_US, BrokenPromiseError, Seeded

KIND = "trial.plan"
ZONES = ("", "Petite-Ville", "Voisine")
GATEWAYS = {"gw-A0001": "Petite-Ville", "gw-A0002": "Petite-Ville", "gw-A0003": "Voisine"}


class Device:
    """A gateway: its disk outlives it; what it runs are the programmes it was handed last."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.exchange()

    def exchange(self) -> None:
        """A new one with an empty disk."""
        self.spool = MemorySpool(1)
        self.highest: dict[str, int] = {}
        self.start()

    def start(self) -> None:
        """It starts, with what its disk holds."""
        self.runs: dict[str, wire.Programme] = {}
        self.programmes = Programmes(self.spool)
        self.programmes.obey(KIND, lambda programme: "", self.run)
        self.check()

    def run(self, held: Iterable[wire.Programme]) -> None:
        """It runs these from now on."""
        self.runs = {each.zone: each for each in held}

    def check(self) -> None:
        """No version goes back, whatever happens."""
        for zone, highest in self.highest.items():
            now = self.runs[zone].version if zone in self.runs else 0
            if now < highest:
                raise BrokenPromiseError(f"{self.name} ran version {highest} of {zone!r}, and runs {now} now")
        for told in self.programmes.told().programmes:
            if not told.code:
                self.highest[told.zone] = max(self.highest.get(told.zone, 0), told.version)


class World(Seeded):
    """Persons set programmes, and devices hold them."""

    def __init__(self, seed: int, trade: ModuleType, disk: Disk) -> None:
        super().__init__(seed, trade, disk)
        self.key = Ed25519PrivateKey.from_private_bytes(bytes(32))
        self.devices = {name: Device(name) for name in GATEWAYS}
        self.asked: list[tuple[bytes, Asked]] = []
        self.up: list[tuple[str, wire.Programmed]] = []
        self.down: list[tuple[str, wire.Programme]] = []
        self.waiting: list[CommandTaken] = []
        self.promised: set[str] = set()
        self.requests = 0
        self.start()

    # -- the post

    def start(self) -> None:
        """The kernel starts, and knows its login process."""
        self.boot(gate=GateConfig(danger_targets=10), login=Login([self.key.public_key()]))
        self.outgoing: deque[tuple[int, Any]] = deque()

    def step(self) -> None:
        """One step of the post."""
        self.mono += STEP_US
        inputs = Inputs(asked=self.asked, programmed=dict(self.arrived(self.up)))
        self.asked = []
        outputs, last = self.reactor.turn(self.now(), inputs)
        self.outgoing += [(last, answer) for _, answer in outputs.answers]
        self.outgoing += [(last, sent) for sent in outputs.programmes]

    def crash(self) -> None:
        """The kernel dies, and what lay on the wires with it; or some of it was through already."""
        self.disk.crash()
        self.asked.clear()
        self.waiting.clear()
        self.up.clear()
        if self.rng.random() < 0.5:
            self.down.clear()
        self.start()
        lost = self.promised - {each.id for each in self.kernel.programmes.in_force.values()} - self.before()
        if lost:
            raise BrokenPromiseError(f"{sorted(lost)} were answered as in force, and are forgotten")

    def let_out(self) -> None:
        """What is durable leaves."""
        while self.outgoing and self.may_leave(self.outgoing[0][0]):
            _, message = self.outgoing.popleft()
            if isinstance(message, CommandTaken):
                self.answered(message)
            elif isinstance(message, tuple):
                self.sent(*message)

    def may_leave(self, seq: int) -> bool:
        """Whether what waits for this record may go."""
        return seq <= self.disk.durable().local

    def answered(self, answer: CommandTaken) -> None:
        """An answer leaves: from now on the promise holds."""
        if answer.state == "awaiting":
            self.waiting.append(answer)
            return
        if answer.command not in {each.id for each in self.in_force(safe=True)}:
            raise BrokenPromiseError(f"{answer.command} is answered as in force, and not safe")
        self.promised.add(answer.command)

    def sent(self, gateway: str, programme: wire.Programme) -> None:
        """A programme leaves."""
        wanted = (programme.zone, programme.version, programme.content)
        if wanted not in {(each.zone, each.version, each.content) for each in self.in_force(safe=True)}:
            raise BrokenPromiseError(f"{wanted} is sent to {gateway}, and nothing safe says so")
        self.down.append((gateway, programme))

    def in_force(self, safe: bool = False) -> list[programmes.Programme]:
        """What came in force, as the journal tells it."""
        records = self.disk.records[: self.disk.durable().local if safe else None]
        read = [programmes.decode(record.data) for record in records if record.kind == programmes.PROGRAMME]
        return [each for each in read if each.state == "in_force"]

    def before(self) -> set[str]:
        """What was in force, and gave place to a newer version."""
        newest = {key: each.version for key, each in self.kernel.programmes.in_force.items()}
        return {each.id for each in self.in_force() if each.version < newest.get(each.key, 0)}

    # -- persons, wires, devices

    def person(self, name: str) -> dict[str, Any]:
        """What each request of somebody holds."""
        self.requests += 1
        now = self.now().utc
        who = Person(name, name, (Role("*", "*", ("*",)),), name, 1 << 61)
        return {
            "token": token(who, self.key),
            "request": str(self.requests),
            "epoch": self.disk.generation,
            "asked_utc": now,
        }

    def ask(self) -> None:
        """A person asks for a programme; for more than ten lamps another one must agree."""
        content = msgspec.Raw(msgspec.msgpack.encode({"level": self.requests}))
        given = {"kind": KIND, "zone": self.rng.choice(ZONES), "content": content, "reason": "r"}
        self.asked.append((b"", ProposeProgramme(**self.person("anna"), **given)))

    def approve(self) -> None:
        """Somebody agrees, and perhaps twice."""
        if self.waiting:
            answer = self.rng.choice(self.waiting)
            for _ in range(self.rng.choice((1, 1, 2))):
                agreed = Approve(**self.person("bob"), command=answer.command, hash=answer.hash)
                self.asked.append((b"", agreed))

    def tell(self, device: Device) -> None:
        """A gateway says what it holds."""
        self.up.append((device.name, device.programmes.told()))

    def deliver(self) -> None:
        """Some programmes arrive."""
        for name, programme in self.arrived(self.down):
            device = self.devices[name]
            device.programmes.take(programme)
            device.check()
            self.tell(device)

    # -- what happens

    def act(self) -> None:
        """One thing happens."""
        acts = {
            "ask": 6,
            "approve": 8,
            "tell": 10,
            "deliver": 20,
            "step": 25,
            "commit": 20,
            "let_out": 20,
            "save": 3,
            "crash": 2,
            "wait": 3,
            "restart": 3,
            "exchange": 1,
        }
        what = self.rng.choices(list(acts), list(acts.values()))[0]
        device = self.rng.choice(list(self.devices.values()))
        if what == "tell":
            self.tell(device)
        elif what == "commit":
            self.disk.commit(self.rng.randint(1, 4))
        elif what == "save":
            # A service of which nothing is left to be read says so.
            self.reactor.save(self.now(), self.disk.last(), {})
        elif what == "wait":
            self.mono += 16_000_000
        elif what == "restart":
            device.start()
        elif what == "exchange":
            device.exchange()
        else:
            getattr(self, what)()

    def run(self) -> None:
        """All goes wrong for a while, then nothing more; then every gateway must hold what is in force."""
        for _ in range(200):
            self.act()
        self.faulty = False
        for _ in range(8):
            for device in self.devices.values():
                self.tell(device)
            self.mono += 16_000_000
            self.step()
            self.disk.commit(1000)
            self.let_out()
            self.deliver()
        self.step()
        self.check()

    def check(self) -> None:
        """Each version once, each device what is in force, and the trade knows it."""
        journaled = [(each.zone, each.version) for each in self.in_force()]
        for zone in ZONES:
            versions = [version for of, version in journaled if of == zone]
            if versions != list(range(1, len(versions) + 1)):
                raise BrokenPromiseError(f"versions of {zone!r}: {versions}")
        in_force = {zone: each for (_, zone), each in self.kernel.programmes.in_force.items()}
        for device in self.devices.values():
            wanted = {
                zone: (each.version, each.content)
                for zone, each in in_force.items()
                if zone in ("", GATEWAYS[device.name])
            }
            there = {zone: (each.version, each.content) for zone, each in device.runs.items()}
            if there != wanted:
                raise BrokenPromiseError(f"{device.name} runs {there}, in force is {wanted}")
        if self.kernel.deliveries.open:
            raise BrokenPromiseError("a gateway is believed not to hold what it holds")
        if self.plugin.state.heard != [f"{zone} {version}" for zone, version in journaled]:
            raise BrokenPromiseError(f"the trade heard of {self.plugin.state.heard}, not of {journaled}")
