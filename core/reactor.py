"""The kernel with its journal: a step and what it consumed are one commit, and a restart goes on where that ends."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

import msgspec

from core import city as cities
from core import plugins as plugin_host
from core import snapshot as snapshots
from core import status
from core import tail as tails
from core.clock import SECOND, Now
from core.event import Event
from core.field import Place
from core.journal import Journal, Record
from core.kernel import Kernel
from core.snapshot import Snapshot
from core.step import Inputs, Outputs

#: The register is stored with a snapshot at least this often (µs).
REGISTER = 86_400 * SECOND


class Reactor:
    """Not thread-safe: whoever turns it does all."""

    def __init__(self, kernel: Kernel, journal: Journal, snapshot: Snapshot | None) -> None:
        self.kernel = kernel
        self._journal = journal
        self._snapshot = snapshot
        self._states = dict(snapshot.plugins) if snapshot else {}
        #: What the last step emitted; the next one takes it.
        self.emitted: list[Event] = []
        self._saved_revision, self._saved_register = -1, 0
        self._leaving: deque[tuple[int, int]] = deque()
        reads = (plugin.declaration.reads.events for plugin in kernel.plugins)
        self._read = frozenset(kind for kinds in reads for kind in kinds)

    def resume(self, now: Now, records: Sequence[Record] = ()) -> tuple[Outputs, Mapping[str, Place]]:
        """Go on where the journal ends, and journal that; return what is to be said, and each gateway's place."""
        tail = tails.read(self._journal, self._snapshot, self._read)
        outputs = self.kernel.resume(self._snapshot, tail, now)
        outputs.records += records
        self._commit(now, (), outputs)
        self.emitted = [*tail.fresh, *self.emitted]
        return outputs, tail.places

    def turn(self, now: Now, inputs: Inputs) -> tuple[Outputs, int]:
        """One step; return its outputs and the record after which they may leave. Raises JournalError."""
        events = [*inputs.events, *self.emitted]
        inputs = msgspec.structs.replace(inputs, events=events, sent=self._sent())
        outputs = self.kernel.step(now, inputs)
        last = self._commit(now, events, outputs)
        if outputs.orders:
            self._leaving.append((now.step, last))
        return outputs, last

    def _sent(self) -> int:
        """The last step whose orders are durable, and so on their way; -1: none since this was asked last."""
        sent, durable = -1, self._journal.durable().local
        while self._leaving and self._leaving[0][1] <= durable:
            sent = self._leaving.popleft()[0]
        return sent

    def _commit(self, now: Now, consumed: Sequence[Event], outputs: Outputs) -> int:
        # What nobody reads need not be seen again.
        read = [event for event in consumed if event.kind in self._read]
        records = [tails.consumed(read, now.step, now.utc)] if read else []
        records += outputs.records
        records += [Record("event", now.step, now.utc, status.encode(event)) for event in outputs.events]
        last = self._journal.append(records) if records else 0
        first = last - len(outputs.events) + 1
        self.emitted = [
            msgspec.structs.replace(event, seq=first + i) for i, event in enumerate(outputs.events)
        ]
        return last

    def save(self, now: Now, through: int, places: Mapping[str, Place]) -> list[str]:
        """Store a snapshot after the step of ``now``; return a sentence for each state that cannot be stored.

        All events up to record ``through`` have been in a step's inputs; ``places`` are the gateways'.
        """
        states, faults = plugin_host.stored(self.kernel.plugins)
        # Of one that cannot be stored the last one stays.
        self._states |= dict(states)
        snapshot = Snapshot(
            after=min([through, *(event.seq - 1 for event in self.emitted)]),
            step=now.step,
            utc=now.utc,
            mono=now.mono,
            plugins=self._states,
            due={plugin.name: plugin.due for plugin in self.kernel.plugins},
            alarms=self.kernel.alarms.stored(),
            commanding=self.kernel.commands.stored(self.kernel.desk.waiting()),
            authorised=self.kernel.gate.authorised(),
            asked=self.kernel.gate.rates.stored(),
            places=dict(places),
            serving=self.kernel.availability.states.tobytes(),
            programmes=tuple(self.kernel.programmes.in_force.values()),
            clocks=self.kernel.clocks.stored(),
        )
        assets = self.kernel.city.assets
        # Once a day also where it is the same: the journal keeps all since it was saved last.
        again = assets.revision != self._saved_revision or now.mono - self._saved_register >= REGISTER
        register = cities.pack_assets(assets) if again else None
        self._journal.save(now.step, now.utc, snapshots.encode(snapshot), register)
        self._saved_revision = assets.revision
        self._saved_register = now.mono if again else self._saved_register
        return faults
