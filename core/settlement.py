"""What trades propose, one by one: taken as it was declared, or refused alone."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from core import availability, commands, job_clocks, proposals, requests, sealed, vocabulary
from core.alarm_state import Data
from core.alarms import Alarms
from core.assets import NONE
from core.availability import Availability, ServiceChanged
from core.city import City
from core.clock import Now
from core.commands import Commands
from core.declaration import Declaration
from core.errors import PluginError
from core.event import CHAIN_MAX, Event
from core.gate import Gate
from core.job_clocks import ClockChanged, JobClocks
from core.journal import Record
from core.plugins import Plugin
from core.step import Outputs
from core.troubles import Troubles
from core.wire import TEXT_MAX, Name

#: What one event's data and one view's row may measure (bytes of msgpack).
EVENT_MAX = 65_536
ROW_MAX = 16_384


class Settlement:
    """Holds each proposal to its trade's declaration and to the register. ``counts`` are the kernel's."""

    def __init__(
        self,
        declarations: Sequence[Declaration],
        city: City,
        gate: Gate,
        commands: Commands,
        alarms: Alarms,
        availability: Availability,
        clocks: JobClocks,
        troubles: Troubles,
        counts: dict[str, int],
    ) -> None:
        self._city = city
        self._gate = gate
        self._commands = commands
        self._alarms = alarms
        self._availability = availability
        self._clocks = clocks
        self._troubles = troubles
        self._counts = counts
        counts |= {"commands": 0, "refused": 0, "chains_cut": 0}
        self._events = {kind.name: (kind, d.name) for d in declarations for kind in d.events}
        self._events |= {kind.name: (kind, vocabulary.POST) for kind in vocabulary.EVENTS}
        self._views = {view.name: (view, d.name) for d in declarations for view in d.views}
        self._alarm_owners = {kind.code: vocabulary.POST for kind in vocabulary.ALARMS}
        self._alarm_owners |= {kind.code: d.name for d in declarations for kind in d.alarms}
        self._network_alarms = {alarm.code: kind for kind, alarm in vocabulary.NETWORK.items()}
        self._asset_owners = {kind.name: d.name for d in declarations for kind in d.assets}

    def renumber(self, city: City) -> None:
        """The register changed."""
        self._city = city

    def settle(
        self, plugin: Plugin, now: Now, cause: Event | None, proposal: proposals.Proposal, outputs: Outputs
    ) -> None:
        """Take one proposal; whatever is wrong with it, the step and the other trades go on."""
        try:
            match proposal:
                case proposals.Command() | proposals.Release():
                    self._command(plugin, proposal, now, outputs)
                case proposals.Emit():
                    self._emit(plugin, proposal, now, cause, outputs)
                case proposals.Raise():
                    # A copy: the plugin may go on writing into its own.
                    said = msgspec.convert(proposal.data, Data)
                    _bounded(said, EVENT_MAX, f"alarm {proposal.code}")
                    self._alarms.raise_(self._alarmed(plugin, proposal), proposal.code, now.mono, said)
                case proposals.Clear():
                    self._alarms.clear(self._alarmed(plugin, proposal), proposal.code, now.mono)
                case proposals.Publish():
                    self._publish(plugin, proposal, outputs)
                case proposals.Serves():
                    self._serves(plugin, proposal, now, outputs)
                case proposals.Clock():
                    self._clock(plugin, proposal, now, outputs)
        except Exception as error:
            plugin.errors += 1
            outputs.faults.append(f"plugin {plugin.name}: {type(proposal).__name__} refused: {error!r}.")

    def commit(self, command: commands.TrackedCommand, now: Now) -> None:
        """A checked command goes out with this step's orders."""
        self._counts["commands"] += 1
        self._commands.commit(command, now.mono)

    def _known(self, asset: int) -> int:
        if not 0 <= asset < len(self._city.assets):
            raise PluginError(f"asset {asset} is not in the register.")
        return int(asset)

    def _alarmed(self, plugin: Plugin, proposal: proposals.Raise | proposals.Clear) -> np.ndarray:
        """The assets of an alarm, u32[n], NONE: the trade itself; those of the network belong to whoever watches it."""
        register = self._city.assets
        assets = np.atleast_1d(np.asarray(proposal.asset, np.int64))
        for asset in assets[((assets < 0) | (assets >= len(register))) & (assets != NONE)].tolist():
            raise PluginError(f"asset {asset} is not in the register.")
        of_kind = self._network_alarms.get(proposal.code)
        if of_kind is None and self._alarm_owners[proposal.code] != plugin.name:
            raise PluginError(f"alarm {proposal.code!r} belongs to {self._alarm_owners[proposal.code]}.")
        known = assets[assets != NONE]
        if of_kind is not None and (
            len(known) < len(assets) or np.any(register.kind[known] != register.kinds.index(of_kind))
        ):
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
        register = self._city.assets
        self._known(int(assets.max()))
        kinds = {register.kinds[kind] for kind in np.unique(register.kind[assets])}
        foreign = sorted(kind for kind in kinds if self._asset_owners.get(kind) != plugin.name)
        if foreign:
            raise PluginError(f"{', '.join(foreign)} belong to another trade.")
        changed = self._availability.set(assets, proposal.state)
        if len(changed):
            said = ServiceChanged(
                plugin.name, proposal.state, proposal.reason[:TEXT_MAX], changed.astype("<u4").tobytes()
            )
            outputs.records.append(availability.record(now.step, now.utc, said))

    def _clock(self, plugin: Plugin, proposal: proposals.Clock, now: Now, outputs: Outputs) -> None:
        job = msgspec.convert(proposal.job, Name)
        changed = ClockChanged(plugin.name, job, proposal.state, proposal.reason[:TEXT_MAX])
        if self._clocks.set(changed):
            outputs.records.append(job_clocks.record(now.step, now.utc, changed))

    def _command(
        self, plugin: Plugin, proposal: proposals.Command | proposals.Release, now: Now, outputs: Outputs
    ) -> None:
        command = self._gate.check(proposal, plugin.name, now, self._commands.number())
        if command.refusal is None:
            self._gate.leave_out(command, self._commands.by_person(command, now.mono))
        outputs.records.append(Record(commands.COMMAND, now.step, now.utc, command.record()))
        if command.refusal is None:
            self.commit(command, now)
            return
        self._counts["refused"] += 1
        if command.refusal.code == "rate":
            self._troubles.say("limit_reached", now, plugin=plugin.name, what="targets a minute")
        outputs.ended(command, now)

    def _emit(
        self, plugin: Plugin, proposal: proposals.Emit, now: Now, cause: Event | None, outputs: Outputs
    ) -> None:
        kind, owner = self._events[proposal.kind]
        own = owner == plugin.name or proposal.kind in requests.NAMES
        if not own or not isinstance(proposal.data, kind.data):
            raise PluginError(f"{proposal.kind} is declared by {owner} with {kind.data.__name__}.")
        _bounded(proposal.data, EVENT_MAX, f"event {proposal.kind}")
        asset = None if proposal.asset is None else self._known(proposal.asset)
        if cause is not None and cause.chain + 1 > CHAIN_MAX:
            self._counts["chains_cut"] += 1
            self._troubles.say("limit_reached", now, plugin=plugin.name, what="chain of events")
            outputs.faults.append(
                f"plugin {plugin.name}: {proposal.kind} would be link {cause.chain + 1} of a chain; cut."
            )
            return
        lon, lat = proposal.lon, proposal.lat
        outputs.emit(
            proposal.kind,
            proposal.data,
            now,
            by=plugin.name,
            communes=self._city.communes_of(asset, lon, lat),
            asset=asset,
            lon=lon,
            lat=lat,
            cause=cause,
        )


def _bounded(data: object, most: int, what: str) -> None:
    """Raise where ``data`` cannot be stored or told, or is too large: better here than in the journal."""
    if isinstance(data, msgspec.Struct):
        sealed.check(data, what)
    size = len(msgspec.msgpack.encode(data))
    if size > most:
        raise PluginError(f"{what} has {size} bytes, at most {most} are taken.")
