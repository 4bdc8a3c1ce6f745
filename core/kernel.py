"""The kernel is a function: step(now, inputs) -> outputs. Time, disk and network are handed in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from core import (
    availability,
    commands,
    deliveries,
    inventory,
    job_clocks,
    programmes,
    proposals,
    sealed,
    state,
    vocabulary,
    wire,
)
from core.alarm_state import Change, Data
from core.alarms import POST_ASSET, Alarms
from core.assets import NONE
from core.availability import Availability, ServiceChanged
from core.batch import Batch
from core.city import City
from core.clock import SECOND, Now
from core.commands import Commands, TrackedCommand, differences
from core.config import GateConfig
from core.deliveries import Deliveries
from core.desk import Desk
from core.errors import CityError, PluginError, WireError
from core.event import CHAIN_MAX, Event, Source
from core.gate import Gate
from core.inventory import AssetChange
from core.job_clocks import ClockChanged, JobClocks
from core.journal import Record
from core.operators import Answer, Asked, ChangesTaken
from core.person import Login
from core.plugins import Plugin
from core.programmes import PROGRAMME, Programme, Programmes
from core.register import Numbering
from core.snapshot import Snapshot
from core.table import HandOver, Table, TableView
from core.tail import Again, Tail
from core.topology import Topology
from core.vocabulary import HandshakeRefused
from core.wire import TEXT_MAX, Name, Order, Refused, Reports

#: How often (µs) stale slots are looked for, commands are compared with the table, and leases end.
SWEEP = 1 * SECOND

#: What one event's data and one view's row may measure (bytes of msgpack).
EVENT_MAX = 65_536
ROW_MAX = 16_384

#: A hand-over may be this far (µs) ahead of the step: clocks of one host, plus the edge's own tolerance.
AHEAD = 3 * SECOND


class Inputs(msgspec.Struct, frozen=True):
    """All that came in since the last step, in the order it was numbered. Events are committed already.

    ``changes``: who asks for which changes of the inventory; ``asked``: who asks what as a person; ``lies``: what
    an edge said that cannot be, and was refused at the door; ``knocks``: who was turned away at an edge;
    ``troubles``: alarms of the post whose condition holds, with what they say; ``sent``: the last step whose orders
    are on their way; ``programmed``: which programmes gateways say they hold.
    """

    hand_overs: Sequence[HandOver] = ()
    events: Sequence[Event] = ()
    reports: Sequence[tuple[str, Reports]] = ()
    changes: Sequence[tuple[bytes, Sequence[AssetChange]]] = ()
    asked: Sequence[tuple[bytes, Asked]] = ()
    lies: Sequence[tuple[str, str]] = ()
    knocks: Sequence[HandshakeRefused] = ()
    troubles: Sequence[tuple[str, dict[str, str]]] = ()
    sent: int = -1
    programmed: Mapping[str, wire.Programmed] = {}


class Outputs(msgspec.Struct):
    """What a step wants done. Nothing of it leaves before ``records`` are durable.

    ``renumbered``: the kernel's city and register are new. ``answers`` go to those who asked.
    """

    records: list[Record] = []
    events: list[Event] = []
    orders: list[tuple[str, Order]] = []
    programmes: list[tuple[str, wire.Programme]] = []
    views: list[proposals.Publish] = []
    faults: list[str] = []
    renumbered: bool = False
    answers: list[tuple[bytes, Answer]] = []


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
        self.numbering = Numbering(city.assets, declarations)
        self.register = self.numbering.register(generation)
        self.table = Table(self.numbering, generation)
        self.gate = Gate(declarations, self.table, city.communes.names, gate)
        self.commands = Commands(generation, self.numbering.verbs, len(city.assets))
        self.programmes = Programmes(declarations, self.gate)
        self.deliveries = Deliveries(self.programmes, city.assets)
        self.desk = Desk(self.gate, self.commands, self.programmes, login or Login())
        alarms = {kind.code: (kind, d.name) for d in declarations for kind in d.alarms}
        self._alarm_owners = {code: owner for code, (_, owner) in alarms.items()}
        self._network_alarms = {alarm.code: kind for kind, alarm in vocabulary.NETWORK.items()}
        own = (*vocabulary.ALARMS, *vocabulary.NETWORK.values())
        alarms |= {kind.code: (kind, vocabulary.POST) for kind in own}
        self.alarms = Alarms(alarms, Topology(city.assets))
        self.counts = {
            "commands": 0,
            "refused": 0,
            "asked_refused": 0,
            "chains_cut": 0,
            "events_unread": 0,
            "hand_overs_refused": 0,
            "reports_refused": 0,
            "batches": 0,
            "changed": 0,
        }
        self._event_kinds = {kind.name: (kind, d.name) for d in declarations for kind in d.events}
        self._event_kinds |= {kind.name: (kind, vocabulary.POST) for kind in vocabulary.EVENTS}
        self._views = {view.name: (view, d.name) for d in declarations for view in d.views}
        self._metrics = {
            plugin.name: np.array(
                [m.name in plugin.declaration.reads.metrics for m in self.numbering.metrics], bool
            )
            for plugin in plugins
        }
        self._kind_owners = {kind.name: d.name for d in declarations for kind in d.assets}
        self.availability = Availability(len(city.assets))
        self.clocks = JobClocks()
        self._swept = 0
        self._troubles: set[str] = set()
        self._alarms_refused = 0

    def step(self, now: Now, inputs: Inputs) -> Outputs:
        """Take the inputs, let each trade react once, return what is to be journaled and sent."""
        outputs = Outputs()
        for asker, changes in inputs.changes:
            self._change(asker, changes, now, outputs)
        self.commands.sent(inputs.sent)
        self._hear(now, inputs.reports, outputs)
        self._hear_programmed(now, inputs.programmed, outputs)
        self._take(now, inputs.hand_overs, outputs)
        self._sweep(now, outputs)
        for edge, what in inputs.lies:
            self._edge_refused(edge, what, now, outputs)
        for knock in inputs.knocks:
            self._emit("post.handshake.refused", knock, now, None, outputs)
        for code, said in inputs.troubles:
            self._trouble(code, now, **said)
        for asker, asked in inputs.asked:
            self._ask(asker, asked, now, outputs)
        batch, view = self.table.swap(), self.table.view()
        self.counts["batches"] += len(batch) > 0
        self.counts["changed"] += len(batch)
        for plugin in self.plugins:
            mine = msgspec.structs.replace(now, seed=self.seed, plugin=plugin.name)
            dropped = plugin.dropped
            proposed = self._react(plugin, mine, batch, inputs.events, view, outputs)
            for cause, proposal in proposed:
                self._settle(plugin, mine, cause, proposal, outputs)
            if plugin.dropped > dropped:
                self._trouble("limit_reached", now, plugin=plugin.name, what="proposals")
        outputs.orders += self.commands.send(now.step, self.city.assets)
        outputs.programmes = self.deliveries.due(now.mono)
        self._turn(now, outputs)
        return outputs

    def resume(self, snapshot: Snapshot | None, tail: Tail, now: Now) -> Outputs:
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
        self.programmes.restore(tail.programmes)
        self.deliveries.renumber(self.city.assets)
        for clock in tail.clocks:
            self.clocks.again(clock)
        for said in tail.serving:
            self.availability.again(said)
        self.alarms.again(tail.alarms, self.city.assets.index, now.mono, now.utc)
        for again in tail.again:
            for plugin in self.plugins:
                self._see_again(plugin, again, now, outputs)
        self.commands.again(tail.leased.values(), now.mono, now.utc)
        for authorised in tail.authorised:
            self.gate.authorise(authorised.authorisation, now.mono + authorised.until_utc - now.utc)
        for command in tail.commands.values():
            # What waited for a second person was never sent.
            state = "expired" if command.state == "awaiting" else "unknown"
            data = vocabulary.CommandEnded(command.id, command.verb, command.by, state, "restart")
            self._emit("post.command.ended", data, now, None, outputs)
        return outputs

    def _see_again(self, plugin: Plugin, again: Again, now: Now, outputs: Outputs) -> None:
        mine = self._read(plugin, again.events, outputs)
        if not mine:
            return
        mono = now.mono - (now.utc - again.utc)
        then = Now(again.step, again.utc, mono, self.seed, plugin.name)
        before = state.copy(plugin.state)
        try:
            proposed = plugin.call("on_events", now=then, events=mine, table=self.table.view())
        except Exception as error:
            plugin.state = before
            plugin.errors += 1
            outputs.faults.append(f"plugin {plugin.name}: on_events raised {error!r} on what it saw before.")
            return
        for proposal in proposed:
            if isinstance(proposal, proposals.Publish):
                self._settle(plugin, then, None, proposal, outputs)

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
            self._emit("post.asset.changed", data, now, None, outputs, asset=assets.index[change.id])

    def _renumber(self, city: City) -> None:
        """Take a changed city, or raise with all as it was: each plugin derives anew and fits its state."""
        numbering = Numbering(city.assets, [plugin.declaration for plugin in self.plugins])
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
        self.gate.renumber()
        self.commands.grow(len(city.assets))
        self.deliveries.renumber(city.assets)
        self.alarms.renumber(Topology(city.assets))
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
            self._commit(command, now)
        for command in decision.ended:
            self._command_ended(command, now, outputs)
        if decision.programme is not None:
            self._put(decision.programme, now, outputs)

    def _put(self, programme: Programme, now: Now, outputs: Outputs) -> None:
        self.programmes.put(programme)
        self.deliveries.put(programme.key)
        names = self.city.communes.names
        data = vocabulary.ProgrammeChanged(*programme.key, programme.version, programme.plain())
        communes = (names.index(programme.zone),) if programme.zone else ()
        self._emit(
            "post.programme.changed", data, now, None, outputs, trade=programme.trade, communes=communes
        )

    def _take(self, now: Now, hand_overs: Iterable[HandOver], outputs: Outputs) -> None:
        for hand_over in hand_overs:
            try:
                self.table.apply(hand_over, now.utc + AHEAD)
            except WireError as error:
                self.counts["hand_overs_refused"] += 1
                self._edge_refused(hand_over.edge, str(error), now, outputs)

    def _edge_refused(self, edge: str, what: str, now: Now, outputs: Outputs) -> None:
        outputs.faults.append(f"edge {edge}: {what}")
        self._trouble("edge_refused", now, edge=edge, what=what)

    def _trouble(self, code: str, now: Now, **data: str) -> None:
        self._troubles.add(code)
        self.alarms.raise_(POST_ASSET, code, now.mono, dict(data))

    # -- the trades

    def _react(
        self,
        plugin: Plugin,
        now: Now,
        batch: Batch,
        events: Sequence[Event],
        view: TableView,
        outputs: Outputs,
    ) -> list[tuple[Event | None, proposals.Proposal]]:
        calls = self._calls(plugin, now, batch, self._read(plugin, events, outputs), view)
        if not calls:
            return []
        before = state.copy(plugin.state)
        proposed: list[tuple[Event | None, proposals.Proposal]] = []
        for hook, cause, arguments in calls:
            try:
                proposed += [
                    (cause, proposal) for proposal in plugin.call(hook, now=now, table=view, **arguments)
                ]
            except Exception as error:
                plugin.state = before
                plugin.errors += 1
                self._plugin_failed(plugin, hook, error, now, outputs)
                return []
        return proposed

    def _calls(
        self, plugin: Plugin, now: Now, batch: Batch, mine: tuple[Event, ...], view: TableView
    ) -> list[tuple[str, Event | None, dict[str, Any]]]:
        calls: list[tuple[str, Event | None, dict[str, Any]]] = []
        if mine:
            # Of several events the longest chain counts: no plugin can outrun the limit.
            calls.append(("on_events", max(mine, key=lambda event: event.chain), {"events": mine}))
        if "on_batch" in plugin.hooks and len(batch):
            wanted = self._wanted(plugin, batch)
            if len(wanted):
                calls.append(("on_batch", None, {"batch": wanted}))
        if "on_tick" in plugin.hooks:
            calls += [("on_tick", None, {"name": name}) for name in plugin.ticks_due(now.mono)]
        return calls

    def _read(self, plugin: Plugin, events: Sequence[Event], outputs: Outputs) -> tuple[Event, ...]:
        """The events of the kinds a plugin reads, each with its data in the plugin's own Struct."""
        reads = plugin.declaration.reads.events
        if "on_events" not in plugin.hooks:
            return ()
        mine = []
        for event in events:
            if event.kind not in reads:
                continue
            try:
                data = msgspec.convert(event.data, reads[event.kind], from_attributes=True)
            except Exception as error:
                # Of any kind: a Struct may run the plugin's own code to check itself, and a gateway may say anything.
                self.counts["events_unread"] += 1
                outputs.faults.append(f"event {event.kind} does not fit what {plugin.name} reads: {error}.")
            else:
                mine.append(msgspec.structs.replace(event, data=data))
        return tuple(mine)

    def _wanted(self, plugin: Plugin, batch: Batch) -> Batch:
        reads = self._metrics[plugin.name]
        return batch if reads.all() else batch.where(reads[batch.metric])

    def _plugin_failed(self, plugin: Plugin, hook: str, error: Exception, now: Now, outputs: Outputs) -> None:
        outputs.faults.append(f"plugin {plugin.name}: {hook} raised {error!r}; its state was put back.")
        self._trouble("plugin_failed", now, plugin=plugin.name, hook=hook)
        data = vocabulary.PluginFailed(plugin.name, hook, repr(error)[:500])
        self._emit("post.plugin.failed", data, now, None, outputs)

    # -- what they propose

    def _settle(
        self, plugin: Plugin, now: Now, cause: Event | None, proposal: proposals.Proposal, outputs: Outputs
    ) -> None:
        try:
            match proposal:
                case proposals.Command() | proposals.Release():
                    self._command(plugin, proposal, now, outputs)
                case proposals.Emit():
                    self._plugin_emits(plugin, proposal, now, cause, outputs)
                case proposals.Raise():
                    # A copy: the plugin may go on writing into its own.
                    said = msgspec.convert(proposal.data, Data)
                    _bounded(said, EVENT_MAX, f"alarm {proposal.code}")
                    self.alarms.raise_(self._alarmed(plugin, proposal), proposal.code, now.mono, said)
                case proposals.Clear():
                    self.alarms.clear(self._alarmed(plugin, proposal), proposal.code, now.mono)
                case proposals.Publish():
                    self._publish(plugin, proposal, outputs)
                case proposals.Serves():
                    self._serves(plugin, proposal, now, outputs)
                case proposals.Clock():
                    self._clock(plugin, proposal, now, outputs)
        except Exception as error:
            # Whatever is wrong with a proposal, the step and the other trades go on.
            plugin.errors += 1
            outputs.faults.append(f"plugin {plugin.name}: {type(proposal).__name__} refused: {error!r}.")

    def _known(self, asset: int) -> int:
        if not 0 <= asset < len(self.city.assets):
            raise PluginError(f"asset {asset} is not in the register.")
        return int(asset)

    def _alarmed(self, plugin: Plugin, proposal: proposals.Raise | proposals.Clear) -> np.ndarray:
        """The assets of an alarm, u32[n]; those of the network belong to whoever watches it."""
        assets = np.atleast_1d(np.asarray(proposal.asset, np.int64))
        for asset in assets[(assets < 0) | (assets >= len(self.city.assets))].tolist():
            raise PluginError(f"asset {asset} is not in the register.")
        of_kind = self._network_alarms.get(proposal.code)
        if of_kind is None and self._alarm_owners[proposal.code] != plugin.name:
            raise PluginError(f"alarm {proposal.code!r} belongs to {self._alarm_owners[proposal.code]}.")
        kinds = self.city.assets.kinds
        if of_kind is not None and np.any(self.city.assets.kind[assets] != kinds.index(of_kind)):
            raise PluginError(f"alarm {proposal.code!r} is for assets of kind {of_kind!r}.")
        return assets.astype(np.uint32)

    def _publish(self, plugin: Plugin, proposal: proposals.Publish, outputs: Outputs) -> None:
        view, owner = self._views[proposal.view]
        if owner != plugin.name or not isinstance(proposal.row, view.row | None):
            raise PluginError(f"{view.name} is declared by {owner} with {view.row.__name__}.")
        if proposal.row is not None:
            _bounded(proposal.row, ROW_MAX, f"row {proposal.key!r} of {view.name}")
        if proposal.asset is not None:
            self._known(proposal.asset)
        outputs.views.append(proposal)

    def _serves(self, plugin: Plugin, proposal: proposals.Serves, now: Now, outputs: Outputs) -> None:
        assets = np.ascontiguousarray(proposal.assets, np.uint32)
        if not len(assets):
            return
        register = self.city.assets
        self._known(int(assets.max()))
        kinds = {register.kinds[kind] for kind in np.unique(register.kind[assets])}
        foreign = sorted(kind for kind in kinds if self._kind_owners.get(kind) != plugin.name)
        if foreign:
            raise PluginError(f"{', '.join(foreign)} belong to another trade.")
        changed = self.availability.set(assets, proposal.state)
        if len(changed):
            said = ServiceChanged(
                plugin.name, proposal.state, proposal.reason[:TEXT_MAX], changed.astype("<u4").tobytes()
            )
            outputs.records.append(availability.record(now.step, now.utc, said))

    def _clock(self, plugin: Plugin, proposal: proposals.Clock, now: Now, outputs: Outputs) -> None:
        job = msgspec.convert(proposal.job, Name)
        changed = ClockChanged(plugin.name, job, proposal.state, proposal.reason[:TEXT_MAX])
        if self.clocks.set(changed):
            outputs.records.append(job_clocks.record(now.step, now.utc, changed))

    def _command(
        self, plugin: Plugin, proposal: proposals.Command | proposals.Release, now: Now, outputs: Outputs
    ) -> None:
        command = self.gate.check(proposal, plugin.name, now, self.commands.number())
        if command.refusal is None:
            self.gate.leave_out(command, self.commands.by_person(command, now.mono))
        outputs.records.append(Record(commands.COMMAND, now.step, now.utc, command.record()))
        if command.refusal is not None:
            self.counts["refused"] += 1
            if command.refusal.code == "rate":
                self._trouble("limit_reached", now, plugin=plugin.name, what="targets a minute")
            self._command_ended(command, now, outputs)
            return
        self._commit(command, now)

    def _commit(self, command: TrackedCommand, now: Now) -> None:
        self.counts["commands"] += 1
        self.commands.commit(command, now.mono)

    def _plugin_emits(
        self, plugin: Plugin, proposal: proposals.Emit, now: Now, cause: Event | None, outputs: Outputs
    ) -> None:
        kind, owner = self._event_kinds[proposal.kind]
        if owner != plugin.name or not isinstance(proposal.data, kind.data):
            raise PluginError(f"{proposal.kind} is declared by {owner} with {kind.data.__name__}.")
        _bounded(proposal.data, EVENT_MAX, f"event {proposal.kind}")
        asset = None if proposal.asset is None else self._known(proposal.asset)
        if cause is not None and cause.chain + 1 > CHAIN_MAX:
            self.counts["chains_cut"] += 1
            self._trouble("limit_reached", now, plugin=plugin.name, what="chain of events")
            outputs.faults.append(
                f"plugin {plugin.name}: {proposal.kind} would be link {cause.chain + 1} of a chain; cut."
            )
            return
        self._emit(
            proposal.kind,
            proposal.data,
            now,
            cause,
            outputs,
            plugin.name,
            asset,
            proposal.lon,
            proposal.lat,
        )

    def _emit(
        self,
        kind: str,
        data: msgspec.Struct,
        now: Now,
        cause: Event | None,
        outputs: Outputs,
        by: str = vocabulary.POST,
        asset: int | None = None,
        lon: float | None = None,
        lat: float | None = None,
        trade: str = "",
        communes: tuple[int, ...] | None = None,
    ) -> None:
        if communes is None:
            communes = self._communes(asset, lon, lat)
        event = Event(
            seq=0,
            kind=kind,
            at_utc=now.utc,
            received_utc=now.utc,
            mono=now.mono,
            source=Source(plugin=by),
            trade=trade or by,
            communes=communes,
            asset=asset,
            lon=lon,
            lat=lat,
            cause=cause.seq if cause else 0,
            chain=cause.chain + 1 if cause else 0,
            data=data,
        )
        outputs.events.append(event)

    def _communes(self, asset: int | None, lon: float | None, lat: float | None) -> tuple[int, ...]:
        if asset is not None:
            return (int(self.city.assets.commune[asset]),)
        commune = None if lon is None or lat is None else self.city.commune_at(lon, lat)
        return () if commune is None else (commune,)

    # -- what time brings

    def _turn(self, now: Now, outputs: Outputs) -> None:
        self._tell_ended(now, outputs)
        if self.alarms.refused > self._alarms_refused:
            self._alarms_refused = self.alarms.refused
            self._trouble("limit_reached", now, what="alarms")
        if self.deliveries.open:
            gateway, (programme, zone) = self.deliveries.first_open()
            first = {"gateway": gateway, "programme": programme, "zone": zone}
            self._trouble("programme_not_taken", now, **first, waiting=str(self.deliveries.open))
        for kind in vocabulary.ALARMS:
            if kind.code not in self._troubles and self.alarms.holds(POST_ASSET, kind.code):
                self.alarms.clear(POST_ASSET, kind.code, now.mono)
        self._troubles.clear()
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
                self._command_ended(ended, now, outputs)
        for command in self.commands.end_leases(now.mono):
            # Of what persons asked for; that of everyday rules follows from its record.
            if not command.authorisation:
                data = vocabulary.CommandReverted(command.id, command.verb_name, command.by)
                self._emit("post.command.reverted", data, now, None, outputs)

    def _tell_ended(self, now: Now, outputs: Outputs) -> None:
        ended, self.commands.ended = self.commands.ended, []
        for command in ended:
            self._command_ended(command, now, outputs)

    def _command_ended(self, command: TrackedCommand, now: Now, outputs: Outputs) -> None:
        data = vocabulary.CommandEnded(
            command=command.id,
            verb=command.verb_name,
            by=command.by,
            state=command.state,
            reason=command.refusal.code if command.refusal else "",
            failed=command.failed,
        )
        if command.differences:
            outputs.records.append(differences(command, now.step, now.utc))
        self._emit("post.command.ended", data, now, None, outputs)

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
        self._emit(
            "post.alarm.changed", data, now, None, outputs, asset=about, trade=trade, communes=communes
        )


def _bounded(data: object, most: int, what: str) -> None:
    """Raise where ``data`` cannot be stored or told, or is too large: better here than in the journal."""
    if isinstance(data, msgspec.Struct):
        sealed.check(data, what)
    size = len(msgspec.msgpack.encode(data))
    if size > most:
        raise PluginError(f"{what} has {size} bytes, at most {most} are taken.")
