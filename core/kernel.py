"""The kernel is a function: step(now, inputs) -> outputs. Time, disk and network are handed in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np

from core import deliveries, inventory, programmes, state, vocabulary, wire
from core.alarm_desk import AlarmDesk
from core.alarm_state import Change
from core.alarms import POST_ASSET, Alarms
from core.assets import NONE
from core.availability import Availability
from core.city import City
from core.clock import SECOND, Now
from core.commands import Commands
from core.config import GateConfig
from core.deliveries import Deliveries
from core.desk import Desk
from core.errors import CityError, PluginError, WireError
from core.event import Event
from core.gate import Gate
from core.host import Host
from core.inventory import AssetChange
from core.job_clocks import JobClocks
from core.journal import Record
from core.minutes import Minutes
from core.operators import Asked, ChangesTaken
from core.person import Login
from core.plugins import Plugin
from core.programmes import PROGRAMME, Programme, Programmes
from core.register import Numbering
from core.remote import Mail
from core.requests import EXPIRED, RequestExpired, Requests
from core.settlement import Settlement
from core.snapshot import Snapshot
from core.statements import Statements
from core.step import Inputs, Outputs
from core.table import HandOver, Table
from core.tail import Tail
from core.topology import Topology
from core.troubles import Troubles
from core.wire import TEXT_MAX, Refused, Reports

#: How often (µs) stale slots are looked for, commands are compared with the table, and leases end.
SWEEP = 1 * SECOND

#: A hand-over may be this far (µs) ahead of the step: clocks of one host, plus the edge's own tolerance.
AHEAD = 3 * SECOND


class Kernel:
    """The city's present and the trades that react to it. Not thread-safe: one reactor calls ``step``."""

    def __init__(
        self,
        city: City,
        plugins: Sequence[Plugin],
        generation: int,
        seed: int = 0,
        *,
        gate: GateConfig | None = None,
        login: Login | None = None,
    ) -> None:
        self.plugins = plugins
        self.seed = seed
        declarations = [plugin.declaration for plugin in plugins]
        self._kinds = {kind.name: kind for d in declarations for kind in d.assets}
        self._kinds |= {kind.name: kind for kind in vocabulary.ASSETS}
        self.city = city = city.with_assets(city.assets.knowing(self._kinds))
        city.assets.validate({name: kind.attributes for name, kind in self._kinds.items()})
        self.numbering = Numbering.of(city.assets, declarations)
        self.register = self.numbering.register(generation)
        self.table = Table(self.numbering, generation)
        self.gate = Gate(declarations, self.table, city.communes.names, gate)
        self.commands = Commands(generation, self.numbering.verbs, len(city.assets))
        self.programmes = Programmes(declarations, self.gate)
        self.deliveries = Deliveries(self.programmes, city.assets)
        alarms = {kind.code: (kind, d.name) for d in declarations for kind in d.alarms}
        own = (*vocabulary.ALARMS, *vocabulary.NETWORK.values())
        alarms |= {kind.code: (kind, vocabulary.POST) for kind in own}
        self.alarms = Alarms(alarms, Topology(city.assets))
        self.login = login or Login()
        alarm_desk = AlarmDesk(self.alarms, city.communes.names)
        self.availability = Availability(len(city.assets))
        self.clocks = JobClocks()
        self.requests = Requests()
        self.counts = {
            "asked_refused": 0,
            "hand_overs_refused": 0,
            "reports_refused": 0,
            "batches": 0,
            "changed": 0,
        }
        self.minutes = Minutes(self.numbering, self.counts)
        self._troubles = Troubles(self.alarms)
        self.host = Host(plugins, self.numbering, self._troubles, self.counts)
        self.statements = Statements(declarations, city)
        self.desk = Desk(
            self.gate,
            self.commands,
            self.programmes,
            alarm_desk,
            self.host.mailboxes,
            self.statements,
            self.login,
        )
        self._settlement = Settlement(
            declarations,
            city,
            self.gate,
            self.commands,
            self.alarms,
            self.availability,
            self.clocks,
            self._troubles,
            self.counts,
        )
        self._swept = 0
        self._alarms_refused = 0

    def step(self, now: Now, inputs: Inputs) -> Outputs:
        """Take the inputs, let each trade react once, return what is to be journaled and sent."""
        outputs = Outputs()
        for asker, changes in inputs.changes:
            self._change(asker, changes, now, outputs)
        self.commands.sent(inputs.sent)
        self._hear(now, inputs.reports, outputs)
        self._hear_programmed(now, inputs.programmed, outputs)
        taken = self._take(now, inputs.hand_overs, outputs)
        self._sweep(now, outputs)
        for edge, what in inputs.lies:
            self._edge_refused(edge, what, now, outputs)
        for knock in inputs.knocks:
            outputs.emit("post.handshake.refused", knock, now)
        for code, said in inputs.troubles:
            self._troubles.say(code, now, **said)
        for asker, asked in inputs.asked:
            self._ask(asker, asked, now, outputs)
        self.host.hear(inputs.workers, now, outputs)
        self._expire(now, inputs.events, outputs)
        batch, view = self.table.swap(), self.table.view()
        self.counts["batches"] += len(batch) > 0
        self.counts["changed"] += len(batch)
        outputs.minutes = self.minutes.turn(now.utc, batch, self.table)
        for plugin in self.plugins:
            mine = msgspec.structs.replace(now, seed=self.seed, plugin=plugin.name)
            for cause, proposal in self.host.react(plugin, mine, batch, inputs.events, view, taken, outputs):
                self._settlement.settle(plugin, mine, cause, proposal, outputs)
        seeded = msgspec.structs.replace(now, seed=self.seed)
        self.host.send(seeded, self.table, inputs.closing, outputs)
        self.send(now, outputs)
        outputs.programmes = self.deliveries.due(now.mono)
        self._turn(now, outputs)
        return outputs

    def send(self, now: Now, outputs: Outputs) -> None:
        """The commands of this step leave."""
        outputs.orders += self.commands.send(now.step, self.city.assets)

    def resume(
        self, snapshot: Snapshot | None, tail: Tail, now: Now, mail: Mapping[str, Mail] | None = None
    ) -> Outputs:
        """Go on from a snapshot and what was journaled since; return what is to be said of it.

        The plugins have begun with their states of the snapshot already. They see again what was consumed since;
        of what they then propose only views count, because the rest is journaled. How far open commands came
        nobody knows: the devices end their leases by themselves.
        """
        outputs = Outputs()
        if snapshot is not None:
            for plugin in self.plugins:
                plugin.due = dict(snapshot.due.get(plugin.name, {}))
            self.alarms.restore(snapshot.alarms, now.mono)
            self._alarms_refused = self.alarms.refused
            self.commands.restore(snapshot.commanding)
            self.gate.restore(snapshot.authorised, snapshot.asked)
            self.programmes.restore(snapshot.programmes)
            states = np.frombuffer(snapshot.serving, np.uint8)
            self.availability.states[: len(states)] = states
            self.clocks.restore(snapshot.clocks)
            self.requests.restore(snapshot.requests)
        self.programmes.restore(tail.programmes)
        self.deliveries.renumber(self.city.assets)
        for clock in tail.clocks:
            self.clocks.again(clock)
        for said in tail.serving:
            self.availability.again(said)
        self.alarms.again(tail.alarms, self.city.assets.index, now.mono, now.utc)
        for again in tail.again:
            self.requests.hear(again.events, now.mono - (now.utc - again.utc))
        moved = self.host.restore(mail or {}, now)
        seeded = msgspec.structs.replace(now, seed=self.seed)
        for plugin in self.plugins:
            for again in moved.get(plugin.name, tail.again):
                for view in self.host.see_again(plugin, again, seeded, self.table.view(), outputs):
                    self._settlement.settle(plugin, seeded, None, view, outputs)
        self.commands.again(tail.leased.values(), now.mono, now.utc)
        for authorised in tail.authorised:
            self.gate.authorise(authorised.authorisation, now.mono + authorised.until_utc - now.utc)
        for command in tail.commands.values():
            # What waited for a second person was never sent.
            state = "expired" if command.state == "awaiting" else "unknown"
            data = vocabulary.CommandEnded(command.id, command.verb, command.by, state, "restart")
            outputs.emit("post.command.ended", data, now)
        return outputs

    def digest(self) -> str:
        """SHA-256 over the table and every plugin's state: two equal runs agree after each step."""
        sum = hashlib.sha256(self.table.digest())
        for plugin in self.plugins:
            sum.update(plugin.digest())
        return sum.hexdigest()

    # -- the inventory

    def _change(self, asker: bytes, changes: Sequence[AssetChange], now: Now, outputs: Outputs) -> None:
        try:
            if any(change.at_utc > now.utc + AHEAD for change in changes):
                raise CityError("a change lies in the future.", next="Tell it when it is done.")
            self._renumber(inventory.apply(self.city, changes, self._kinds))
        except (CityError, PluginError) as error:
            what = f"{error.where}: {error.what}"
            outputs.answers.append((asker, Refused("inventory", what[:TEXT_MAX], error.next[:TEXT_MAX])))
            return
        outputs.renumbered = True
        assets = self.city.assets
        record = msgspec.msgpack.encode(inventory.Changed(assets.revision, tuple(changes)))
        outputs.records.append(Record(inventory.CHANGED, now.step, now.utc, record))
        outputs.answers.append((asker, ChangesTaken(assets.revision)))
        for change in changes:
            data = vocabulary.AssetChanged(change.id, change.change, change.at_utc, assets.revision)
            asset = assets.index[change.id]
            communes = (int(assets.commune[asset]),)
            outputs.emit("post.asset.changed", data, now, communes=communes, asset=asset)

    def _renumber(self, city: City) -> None:
        """Take a changed city, or raise with all as it was: each plugin derives anew and fits its state."""
        numbering = Numbering.of(city.assets, [plugin.declaration for plugin in self.plugins])
        register = numbering.register(self.table.generation)
        if numbering.slots > self.table.slots.capacity:
            raise CityError(
                f"the table has room for {self.table.slots.capacity} slots, {numbering.slots} are needed.",
                where="inventory",
                next="Restart the post: it makes room anew. Or tell fewer changes at once.",
            )
        derived = [plugin.derive(city, state.copy(plugin.state)) for plugin in self.plugins]
        self.city, self.numbering, self.register = city, numbering, register
        self.table.renumber(numbering)
        self.minutes.renumber(numbering)
        self.gate.renumber()
        self.commands.grow(len(city.assets))
        self.deliveries.renumber(city.assets)
        self.alarms.renumber(Topology(city.assets))
        self._settlement.renumber(city)
        self.statements.renumber(city)
        self.host.renumber(numbering)
        self.availability.grow(len(city.assets))
        for plugin, (fixed, fitted) in zip(self.plugins, derived, strict=True):
            plugin.fixed, plugin.state = fixed, fitted

    # -- what comes in

    def _hear(self, now: Now, reports: Iterable[tuple[str, Reports]], outputs: Outputs) -> None:
        for gateway, report in reports:
            try:
                self.commands.hear(gateway, report, self.city.assets)
            except WireError as error:
                self.counts["reports_refused"] += 1
                outputs.faults.append(str(error))
        self.commands.take_answers(now.mono)

    def _hear_programmed(self, now: Now, programmed: Mapping[str, wire.Programmed], outputs: Outputs) -> None:
        news = [
            (gateway, taken)
            for gateway, each in programmed.items()
            for taken in self.deliveries.hear(gateway, each)
        ]
        if news:
            outputs.records.append(deliveries.record(news, now.step, now.utc))

    def _ask(self, asker: bytes, asked: Asked, now: Now, outputs: Outputs) -> None:
        decision = self.desk.take(asked, now)
        outputs.answers.append((asker, decision.answer))
        outputs.records += [Record(kind, now.step, now.utc, data) for kind, data in decision.records]
        self.counts["asked_refused"] += isinstance(decision.answer, Refused)
        for command in decision.commit:
            self._settlement.commit(command, now)
        for command in decision.ended:
            outputs.ended(command, now)
        if decision.programme is not None:
            self.put(decision.programme, now, outputs)
        if decision.released is not None:
            outputs.emit("post.worker.released", decision.released, now)
        if decision.told is not None:
            outputs.tell(decision.told, now)

    def put(self, programme: Programme, now: Now, outputs: Outputs) -> None:
        """A programme is in force from now on: devices and trades are told."""
        self.programmes.put(programme)
        self.deliveries.put(programme.key)
        names = self.city.communes.names
        data = vocabulary.ProgrammeChanged(*programme.key, programme.version, programme.plain())
        communes = (names.index(programme.zone),) if programme.zone else ()
        outputs.emit("post.programme.changed", data, now, trade=programme.trade, communes=communes)

    def _take(self, now: Now, hand_overs: Iterable[HandOver], outputs: Outputs) -> list[HandOver]:
        taken = []
        for hand_over in hand_overs:
            try:
                self.table.apply(hand_over, now.utc + AHEAD)
                taken.append(hand_over)
            except WireError as error:
                self.counts["hand_overs_refused"] += 1
                self._edge_refused(hand_over.edge, str(error), now, outputs)
        return taken

    def _edge_refused(self, edge: str, what: str, now: Now, outputs: Outputs) -> None:
        outputs.faults.append(f"edge {edge}: {what}")
        self._troubles.say("edge_refused", now, edge=edge, what=what)

    # -- what time brings

    def _turn(self, now: Now, outputs: Outputs) -> None:
        self._tell_ended(now, outputs)
        if self.alarms.refused > self._alarms_refused:
            self._alarms_refused = self.alarms.refused
            self._troubles.say("limit_reached", now, what="alarms")
        if self.deliveries.open:
            gateway, (programme, zone) = self.deliveries.first_open()
            first = {"gateway": gateway, "programme": programme, "zone": zone}
            self._troubles.say("programme_not_taken", now, **first, waiting=str(self.deliveries.open))
        self._troubles.end(now)
        for change in self.alarms.turn(now.mono, now.utc):
            self._alarm_changed(change, now, outputs)

    def _sweep(self, now: Now, outputs: Outputs) -> None:
        # Before the trades react: what they ask for in this step waits for its answer first.
        if now.mono - self._swept < SWEEP:
            return
        self._swept = now.mono
        self.table.sweep(now.utc)
        self.commands.compare(now.mono, self.table)
        self._tell_ended(now, outputs)
        for ended in self.desk.turn(now):
            if isinstance(ended, Programme):
                outputs.records.append(Record(PROGRAMME, now.step, now.utc, programmes.encode(ended)))
            else:
                outputs.ended(ended, now)
        for command in self.commands.end_leases(now.mono):
            # Of what persons asked for; that of everyday rules follows from its record.
            if not command.authorisation:
                data = vocabulary.CommandReverted(command.id, command.verb_name, command.by)
                outputs.emit("post.command.reverted", data, now)

    def _expire(self, now: Now, events: Sequence[Event], outputs: Outputs) -> None:
        self.requests.hear(events, now.mono)
        for seq, waiting in self.requests.expire(now):
            outputs.emit(
                EXPIRED,
                RequestExpired(request=seq, kind=waiting.kind),
                now,
                trade=waiting.trade,
                communes=waiting.communes,
                asset=waiting.asset,
                lon=waiting.lon,
                lat=waiting.lat,
            )
        unanswered = self.requests.unanswered()
        if unanswered is not None:
            self._troubles.say("request_unanswered", now, kind=unanswered.kind, trade=unanswered.trade)

    def _tell_ended(self, now: Now, outputs: Outputs) -> None:
        ended, self.commands.ended = self.commands.ended, []
        for command in ended:
            outputs.ended(command, now)

    def _alarm_changed(self, change: Change, now: Now, outputs: Outputs) -> None:
        kind, trade = self.alarms.kind(change.code)
        one = int(change.assets[0]) if len(change.assets) == 1 else None
        cause = int(change.causes[0])
        alike = bool((change.causes == cause).all())
        ids = self.city.assets.ids
        data = vocabulary.AlarmChanged(
            code=change.code,
            asset="" if one is None or one == POST_ASSET else ids[one],
            state=change.state,
            priority=kind.priority,
            flags=change.flags,
            count=len(change.assets),
            assets=b"" if one is not None else change.assets.astype("<u4").tobytes(),
            announced=change.announced,
            group=change.group,
            parent=change.parent,
            cause=ids[cause] if alike and cause != NONE else "",
            causes=b"" if alike else change.causes.astype("<u4").tobytes(),
            by=change.by,
            reason=change.reason,
            until_utc=change.until,
            data=change.data,
        )
        known = change.assets[change.assets != POST_ASSET]
        communes = tuple(np.unique(self.city.assets.commune[known]).tolist())
        about = None if one == POST_ASSET else one
        outputs.emit("post.alarm.changed", data, now, trade=trade, communes=communes, asset=about)
