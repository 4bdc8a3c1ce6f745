"""A whole post in memory: the real kernel, and all that comes to it and leaves it."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from core import city as cities
from core import inventory, privacy, proposals, status
from core import plugins as plugin_host
from core import snapshot as snapshots
from core.alarm_state import Alarm
from core.assets import NONE
from core.clock import SECOND, Now
from core.config import GateConfig
from core.errors import CityError
from core.event import Event, Source
from core.inventory import AssetChange
from core.journal import Record
from core.kernel import Kernel
from core.operators import (
    Answer,
    Approve,
    Asked,
    CommandTaken,
    ErasePersonal,
    Propose,
    ProposeProgramme,
    ReleaseAll,
    Tell,
)
from core.person import Login, Person, Role, token
from core.plugins import Plugin
from core.privacy import Line, Privacy
from core.reactor import Reactor
from core.remote import Remote
from core.sealed import Sealed
from core.statements import Sealing
from core.step import Inputs, Outputs
from core.table import HandOver
from core.vault import Vault
from core.wire import Fault, Order, Programme, Programmed, Refused, Reports, Taken
from ondijon.testing.apart import Apart
from ondijon.testing.journal import MemoryJournal

STEP_US = 50_000


class Post:
    """A whole post in memory.

    ``plugins`` are names of installed plugins or modules of hooks; ``config`` maps a plugin's name to its
    table. With ``reload`` every plugin's state is stored and restored after each step, and must stay the
    same. Devices answer each order as executed and take each programme, unless ``answers`` is False; with
    ``follows`` they also report the value that was asked, where the verb names a metric for it. ``gate`` is the
    table ``[gate]``. Those ``in_workers`` run as in a process of their own, though they do not have one.
    """

    def __init__(
        self,
        city: cities.City,
        plugins: Sequence[str | ModuleType],
        *,
        config: Mapping[str, Mapping[str, Any]] | None = None,
        start: str | datetime.datetime = "2026-01-15T23:30:00+01:00",
        seed: int = 0,
        reload: bool = False,
        answers: bool = True,
        follows: bool = False,
        gate: GateConfig | None = None,
        in_workers: Sequence[str] = (),
    ) -> None:
        begin = datetime.datetime.fromisoformat(start) if isinstance(start, str) else start
        self.origin = int(begin.timestamp() * SECOND)
        self.mono = 0
        self.journal = MemoryJournal()
        self._modules = {_name(plugin): plugin for plugin in plugins if isinstance(plugin, ModuleType)}
        self._names = [plugin if isinstance(plugin, str) else _name(plugin) for plugin in plugins]
        self._config = dict(config or {})
        self._load(in_workers)
        self.declared = [plugin.declaration for plugin in self.plugins]
        draws = np.random.Generator(np.random.Philox(seed))
        #: The keys of personal values; drawn from the seed, so that two runs are alike.
        self.vault = Vault(None, (each for d in self.declared for each in d.retention), draws.bytes)
        self._seed = seed
        self._city = city
        self._gate = gate
        self._login = Ed25519PrivateKey.from_private_bytes(bytes(32))
        self._requests = 0
        self._begin()
        self.events: list[Event] = []
        self.orders: list[tuple[str, Order]] = []
        self.faults: list[str] = []
        self.views: dict[str, dict[str, msgspec.Struct]] = {}
        self._reload = reload
        self._answers, self._follows = answers, follows
        self._samples: list[tuple[int, float, int]] = []
        self._next_events: list[Event] = []
        self._reports: list[tuple[str, Reports]] = []
        self._programmed: dict[str, Programmed] = {}
        #: What gateways hold, by name, then by kind and zone: on their disks, so it outlives the post.
        self.held: dict[str, dict[tuple[str, str], Programme]] = {}
        self._greet()
        self._changes: list[tuple[bytes, Sequence[AssetChange]]] = []
        self._asked: list[tuple[bytes, Asked]] = []

    # -- what comes in

    @property
    def utc(self) -> int:
        """City time of the next step, µs."""
        return self.origin + self.mono

    def sample(self, asset: str, metric: str, value: float, at: int | None = None) -> None:
        """A sample arrives before the next step."""
        self.samples([asset], metric, [value], at)

    def samples(
        self, assets: Sequence[str], metric: str, values: Sequence[float], at: int | None = None
    ) -> None:
        """Samples of one metric arrive before the next step. Raises KeyError for unknown names."""
        numbering = self.kernel.numbering
        known, slots = numbering.slots_of(metric)
        by_asset = dict(zip(known.tolist(), slots.tolist(), strict=True))
        time = self.utc if at is None else at
        for asset, value in zip(assets, values, strict=True):
            self._samples.append((by_asset[numbering.assets.index[asset]], float(value), time))

    def event(
        self,
        kind: str,
        data: msgspec.Struct | dict[str, Any],
        asset: str | None = None,
        lon: float | None = None,
        lat: float | None = None,
    ) -> None:
        """An event arrives from outside, its personal fields in clear, and is committed with them sealed."""
        assets = self.kernel.city.assets
        for declared in (each for d in self.declared for each in d.events if each.name == kind):
            if declared.personal:
                fields = msgspec.to_builtins(data, builtin_types=(bytes,))
                data = privacy.sealed(declared, fields, self.vault, self.utc)
        event = Event(
            seq=0,
            kind=kind,
            at_utc=self.utc,
            received_utc=self.utc,
            mono=self.mono,
            source=Source(gateway="test", seq=self.journal.last() + 1),
            trade=kind.partition(".")[0],
            communes=self.kernel.city.communes_of(assets.index[asset] if asset else None, lon, lat),
            asset=assets.index[asset] if asset else None,
            lon=lon,
            lat=lat,
            data=data,
        )
        seq = self.journal.append([Record("event", 0, self.utc, status.encode(event))])
        self._next_events.append(msgspec.structs.replace(event, seq=seq))

    def report(self, gateway: str, executed: int, failed: Sequence[tuple[int, Fault]] = ()) -> None:
        """A gateway answers its orders up to number ``executed``."""
        self._reports.append((gateway, Reports(self.journal.generation, executed, executed, tuple(failed))))

    def change(self, *changes: AssetChange) -> None:
        """The register changes in a step of its own. Raises CityError where it does not take the list."""
        self._changes.append((b"test", changes))
        for _, answer in self.step().answers:
            if isinstance(answer, Refused):
                raise CityError(answer.what, next=answer.next)

    # -- persons

    def person(
        self,
        id: str,
        *,
        trade: str = "*",
        commune: str = "*",
        verbs: Sequence[str] = ("*",),
        seconds: float = 3600,
    ) -> bytes:
        """Somebody logs in for ``seconds``, with one role: the session's token."""
        expires = self.utc + int(seconds * SECOND)
        roles = (Role(trade, commune, tuple(verbs)),)
        return token(Person(id, id, roles, f"{id} {self._requests}", expires), self._login)

    def ask(self, asked: Asked) -> Answer:
        """A request comes to the desk, just as it is; its answer, after a step."""
        self._asked.append((b"test", asked))
        ((_, answer),) = self.step().answers
        return answer

    def propose(
        self, token: bytes, verb: str, targets: Sequence[str], values: Sequence[float] = (), **given: Any
    ) -> Answer:
        """A person asks for a command, with a lease of 60 s unless ``given`` says otherwise; the answer."""
        fields: dict[str, Any] = {"lease_s": 60.0, "reason": "a test"} | given
        return self.ask(
            Propose(**self._request(token), verb=verb, targets=tuple(targets), values=tuple(values), **fields)
        )

    def approve(self, token: bytes, command: str, hash: bytes) -> Answer:
        """Another person agrees; the answer."""
        return self.ask(Approve(**self._request(token), command=command, hash=hash))

    def release_all(self, token: bytes, zone: str = "") -> Answer:
        """A person releases all leases of a commune, or of the city; the answer."""
        return self.ask(ReleaseAll(**self._request(token), zone=zone))

    def tell(self, token: bytes, kind: str, data: Any, asset: str = "", **place: Any) -> Answer:
        """A person tells an event: ``data`` as the kind's Struct with clear values, or as a plain map; the answer."""
        raw = msgspec.Raw(msgspec.msgpack.encode(data))
        told = Tell(**self._request(token), kind=kind, data=raw, asset=asset, **place)
        closed = Sealing(self.declared, self.vault, self._login_knows).close(told, self.utc)
        return closed if isinstance(closed, Refused) else self.ask(closed)

    def _request(self, token: bytes) -> dict[str, Any]:
        self._requests += 1
        return {
            "token": token,
            "request": f"request {self._requests}",
            "epoch": self.journal.generation,
            "asked_utc": self.utc,
        }

    def propose_programme(self, token: bytes, kind: str, zone: str, content: Any, **given: Any) -> Answer:
        """A person asks for a programme: ``content`` as the kind's Struct, or as a plain map; the answer."""
        raw = msgspec.Raw(msgspec.msgpack.encode(content))
        fields: dict[str, Any] = {"reason": "a test"} | given
        return self.ask(ProposeProgramme(**self._request(token), kind=kind, zone=zone, content=raw, **fields))

    def set_programme(self, kind: str, zone: str, content: Any) -> int:
        """Two persons set a programme, and the gateways take it; its version. Raises AssertionError where refused."""
        answer = self.propose_programme(self.person("Anne"), kind, zone, content)
        assert isinstance(answer, CommandTaken), answer
        if answer.state == "awaiting":
            answer = self.approve(self.person("Bruno"), answer.command, answer.hash)
            assert isinstance(answer, CommandTaken), answer
        self.run(STEP_US / SECOND * 2)
        return self.kernel.programmes.in_force[kind, zone].version

    # -- personal data

    def kept(self, subject: str) -> list[Line]:
        """All values that the journal holds about a person, opened."""
        return list(privacy.kept(self.journal.read(), self.vault.persons(subject), self.vault))

    def opened(self, value: Sealed[Any]) -> Any:
        """What a sealed value says, or why it is Closed."""
        return self.vault.open(value)

    def erase(self, subject: str) -> Answer | None:
        """Erase all that is kept of a person; what the tool that asked is told."""
        asked = ErasePersonal(by="test", subject=subject, why="a test")
        now = self._at(self.mono)
        said = self.privacy.take(b"test", asked, now)
        told = [answer for _, answer, _ in self.privacy.turn(now)]
        return said[0] if said else next(iter(told), None)

    # -- what persons do of alarms, before the next step

    def acknowledge(self, asset: str, code: str, person: str = "Anne") -> Alarm | None:
        """A person has seen an alarm (asset '': of the post itself); None where there is nothing to acknowledge."""
        return self.kernel.alarms.acknowledge(self._about(asset), code, person, self.mono, self.utc)

    def shelve(
        self, asset: str, code: str, seconds: float, reason: str = "known", person: str = "Anne"
    ) -> Alarm:
        """A person puts an alarm aside. Raises AlarmError where that cannot be."""
        about = self._about(asset)
        return self.kernel.alarms.shelve(about, code, seconds, reason, person, self.mono, self.utc)

    def _about(self, asset: str) -> int:
        return self.kernel.city.assets.index[asset] if asset else NONE

    # -- time

    def step(self) -> Outputs:
        """One step of the kernel."""
        now = self._at(self.mono)
        list(self.privacy.turn(now))
        inputs = Inputs(
            self._hand_over(),
            self._next_events,
            self._reports,
            self._changes,
            self._asked,
            programmed=self._programmed,
            workers=[said for worker in self.workers.values() for said in worker.said()],
        )
        self._next_events, self._reports, self._changes, self._asked = [], [], [], []
        self._programmed = {}
        outputs, _ = self.reactor.turn(now, inputs)
        self._keep(outputs)
        for name, generation, message in outputs.post:
            self.workers[name].ask(generation, message)
        self.mono += STEP_US
        if self._reload:
            self.reload()
        return outputs

    def run(self, seconds: float) -> None:
        """Steps for ``seconds`` of city time."""
        for _ in range(round(seconds * SECOND / STEP_US)):
            self.step()

    def jump(self, seconds: float) -> None:
        """City time passes without steps, as when the post was stopped."""
        self.mono += int(seconds * SECOND)

    def reload(self) -> None:
        """Store and restore plugins and alarms. Raises AssertionError where something does not come back the same."""
        for plugin in self.plugins:
            before = plugin.digest()
            plugin.begin(self.kernel.city, plugin.stored())
            assert plugin.digest() == before, f"the state of {plugin.name} does not survive a restart"
        stored = self.kernel.alarms.stored()
        self.kernel.alarms.restore(stored, stored.mono)
        assert self.kernel.alarms.stored() == stored, "the alarms do not survive a restart"

    def save(self) -> None:
        """A snapshot is stored, as each minute and at an orderly stop."""
        waiting = [event.seq for event in self._next_events]
        through = min(waiting, default=self.journal.last() + 1) - 1
        self.faults += self.reactor.save(self._at(self.mono - STEP_US), through, {})

    def crash(self, *, in_workers: Sequence[str] | None = None) -> None:
        """The post is killed and started again: it goes on from its last snapshot and its journal.

        ``in_workers``: from now on these run so.
        """
        self.journal.generation += 1
        self._next_events, self._samples, self._reports = [], [], []
        self._changes, self._asked, self._programmed = [], [], {}
        self.views.clear()
        for worker in self.workers.values():
            worker.leave()
        if in_workers is not None:
            self._load(in_workers)
        self._greet()
        self._keep(self._begin())

    def _load(self, in_workers: Sequence[str]) -> None:
        kinds = dict.fromkeys(in_workers, Remote)
        self.plugins: list[Plugin] = plugin_host.load(self._names, modules=self._modules, kinds=kinds)
        for plugin in self.plugins:
            plugin.configure(self._config.get(plugin.name, {}))
        #: The workers by plugin; each may ``die``.
        self.workers = {
            name: Apart(name, self._modules.get(name), self._config.get(name, {}), lambda: self.kernel)
            for name in in_workers
        }

    def _begin(self) -> Outputs:
        kinds = {kind.name: kind for plugin in self.plugins for kind in plugin.declaration.assets}
        city = inventory.resume(self._city, self.journal, kinds)
        snapshot = snapshots.newest(self.journal)
        for plugin in self.plugins:
            plugin.due = {}
            plugin.begin(city, snapshot.plugins.get(plugin.name) if snapshot else None)
        login = self._login_knows = Login([self._login.public_key()])
        self.kernel = Kernel(
            city, self.plugins, self.journal.generation, self._seed, gate=self._gate, login=login
        )
        self.privacy = Privacy(self.vault, self.journal, login, lambda: city.communes.names)
        self.reactor = Reactor(self.kernel, self.journal, snapshot)
        now = self._at(self.mono)
        started = inventory.started(city, self._names, [*self.workers], now.step, now.utc)
        return self.reactor.resume(now, [started])[0]

    def _at(self, mono: int) -> Now:
        return Now(mono // STEP_US, self.origin + mono, mono)

    def digest(self) -> str:
        """The hash of table and states."""
        return self.kernel.digest()

    # -- what came of it

    @property
    def alarms(self) -> dict[tuple[str, str], Alarm]:
        """Known alarms by (asset id, code); the post's own have the id ''."""
        ids = self.kernel.city.assets.ids
        known = self.kernel.alarms.all()
        return {("" if alarm.asset == NONE else ids[alarm.asset], alarm.code): alarm for alarm in known}

    def commanded(self, asset: str) -> list[float]:
        """The values ordered of one asset so far, in order."""
        assets = self.kernel.city.assets
        i = assets.index[asset]
        gateway, index = assets.gateways[assets.gateway[i]], assets.wire_index[i]
        found = []
        for name, order in self.orders:
            if name == gateway:
                indexes, values = order.targets()
                found += values[indexes == index].tolist()
        return found

    def events_of(self, kind: str) -> list[Event]:
        """The events of one kind so far."""
        return [event for event in self.events if event.kind == kind]

    def _hand_over(self) -> list[HandOver]:
        if not self._samples:
            return []
        samples, self._samples = self._samples, []
        return [
            HandOver(
                "test",
                self.journal.generation,
                np.array([s[0] for s in samples], np.uint32),
                np.array([s[1] for s in samples], np.float64),
                np.array([s[2] for s in samples], np.int64),
                np.ones(len(samples), np.uint32),
            )
        ]

    def _keep(self, outputs: Outputs) -> None:
        emitted = self.reactor.emitted
        self.events += emitted[len(emitted) - len(outputs.events) :]
        self.orders += outputs.orders
        self.faults += outputs.faults
        for published in outputs.views:
            self._publish(published)
        if self._answers:
            for gateway, programme in outputs.programmes:
                self.held.setdefault(gateway, {})[programme.kind, programme.zone] = programme
                self._tell_programmes(gateway)
            for gateway, order in outputs.orders:
                self.report(gateway, order.n)
                if self._follows and order.lease_ms:
                    self._follow(gateway, order)

    def _greet(self) -> None:
        """After a handshake gateways tell which programmes they hold."""
        for gateway in self.kernel.city.assets.gateways if self._answers else ():
            self._tell_programmes(gateway)

    def _tell_programmes(self, gateway: str) -> None:
        held = self.held.get(gateway, {}).values()
        self._programmed[gateway] = Programmed(tuple(Taken(p.kind, p.zone, p.version, p.hash) for p in held))

    def _follow(self, gateway: str, order: Order) -> None:
        metric = self.kernel.numbering.verbs[order.verb].verify_metric
        if metric is None:
            return
        assets = self.kernel.city.assets
        indexes, values = order.targets()
        leased = order.leases_ms() > 0
        behind = assets.of_gateway(gateway)[indexes[leased]]
        # After the next step, when the order has gone out and come back.
        self.samples([assets.ids[i] for i in behind], metric, values[leased].tolist(), self.utc + STEP_US)

    def _publish(self, published: proposals.Publish) -> None:
        rows = self.views.setdefault(published.view, {})
        if published.row is None:
            rows.pop(published.key, None)
        else:
            rows[published.key] = published.row


def _name(module: ModuleType) -> str:
    declaration = module.declare()
    return str(declaration.name)
