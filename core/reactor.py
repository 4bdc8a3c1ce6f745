"""The kernel with its journal: a step and what it consumed are one commit, and a restart goes on where that ends."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Mapping, Sequence, Set

import msgspec

from core import city as cities
from core import keyframe, mail_tail, requests, status
from core import plugins as plugin_host
from core import snapshot as snapshots
from core import tail as tails
from core.clock import SECOND, Now
from core.event import Event
from core.field import Place
from core.journal import Journal, Record
from core.kernel import Kernel
from core.recorder import Recorder
from core.remote import Mail
from core.segment import Keyframe
from core.snapshot import Snapshot
from core.step import Inputs, Outputs

#: The register is stored with a snapshot at least this often (µs).
REGISTER = 86_400 * SECOND


#: The kind of record that vouches for a segment's keyframe: its name, and SHA-256.
SEGMENT = "segment"


class Reactor:
    """Not thread-safe: whoever turns it does all."""

    def __init__(
        self,
        kernel: Kernel,
        journal: Journal,
        snapshot: Snapshot | None,
        recorder: Recorder | None = None,
    ) -> None:
        self.kernel = kernel
        #: Is told each step; None: nothing is recorded.
        self.recorder = recorder
        self._journal = journal
        self._snapshot = snapshot
        self._states = dict(snapshot.plugins) if snapshot else {}
        #: What the last step emitted; the next one takes it.
        self.emitted: list[Event] = []
        self._saved_revision, self._saved_register = -1, 0
        self._leaving: deque[tuple[int, int]] = deque()
        reads = (plugin.declaration.reads.events for plugin in kernel.plugins)
        self._read = frozenset(kind for kinds in reads for kind in kinds) | requests.KEPT

    def resume(self, now: Now, records: Sequence[Record] = ()) -> tuple[Outputs, Mapping[str, Place]]:
        """Go on where the journal ends, and journal that; return what is to be said, and each gateway's place."""
        tail = tails.read(self._journal, self._snapshot, self._read)
        outputs = self.kernel.resume(self._snapshot, tail, now, self._mail(tail.in_workers))
        outputs.records += records
        self._commit(now, (), outputs)
        self.emitted = [*tail.fresh, *self.emitted]
        return outputs, tail.places

    def _mail(self, lately: Set[str]) -> dict[str, Mail]:
        """What trades that are in workers, or were, are owed where the journal ends; only for them it is read."""
        were = lately | (self._snapshot.mail.keys() if self._snapshot else set())
        reads = {
            plugin.name: frozenset(plugin.declaration.reads.events)
            for plugin in self.kernel.plugins
            if plugin.name in self.kernel.host.mailboxes or plugin.name in were
        }
        if not reads:
            return {}
        if self._snapshot is None:
            return mail_tail.read(self._journal, 0, -1, {}, reads)
        return mail_tail.read(
            self._journal, self._snapshot.after, self._snapshot.step, self._snapshot.mail, reads
        )

    def turn(self, now: Now, inputs: Inputs) -> tuple[Outputs, int]:
        """One step; return its outputs and the record after which they may leave. Raises JournalError."""
        outside = inputs.events
        events = [*outside, *self.emitted]
        inputs = msgspec.structs.replace(inputs, events=events, sent=self._sent())
        outputs = self.kernel.step(now, inputs)
        last = self._commit(now, events, outputs)
        if outputs.orders:
            self._leaving.append((now.step, last))
        if self.recorder is not None:
            self.recorder.take(now, inputs, outside, outputs, last, self.kernel.digest)
            self._record(now)
        return outputs, last

    def _record(self, now: Now) -> None:
        """Begin a segment of the record where it is time to, and journal what vouches for its keyframe."""
        if self.recorder is None or not self.recorder.wants(now):
            return
        frozen, table = keyframe.freeze(self.kernel)
        stored, _ = self._snapshot_at(now, self._journal.last(), {})
        name = self.recorder.begin(
            now,
            Keyframe(
                snapshot=snapshots.encode(stored),
                table=table,
                register=cities.pack_assets(self.kernel.city.assets),
                exact=frozen,
                emitted=[event.seq for event in self.emitted],
            ),
        )
        vouched = msgspec.msgpack.encode((name, hashlib.sha256(frozen).digest()))
        self._journal.append([Record(SEGMENT, now.step, now.utc, vouched)])

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
        snapshot, faults = self._snapshot_at(now, through, places)
        assets = self.kernel.city.assets
        # Once a day also where it is the same: the journal keeps all since it was saved last.
        again = assets.revision != self._saved_revision or now.mono - self._saved_register >= REGISTER
        register = cities.pack_assets(assets) if again else None
        self._journal.save(now.step, now.utc, snapshots.encode(snapshot), register)
        self._saved_revision = assets.revision
        self._saved_register = now.mono if again else self._saved_register
        return faults

    def _snapshot_at(self, now: Now, through: int, places: Mapping[str, Place]) -> tuple[Snapshot, list[str]]:
        states, faults = plugin_host.stored(self.kernel.plugins)
        # Of one that cannot be stored the last one stays.
        self._states |= dict(states)
        mail = self.kernel.host.stored()
        owed = [first - 1 for each in mail.values() if (first := each.first()) is not None]
        snapshot = Snapshot(
            after=min([through, *owed, *(event.seq - 1 for event in self.emitted)]),
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
            mail=mail,
            requests=self.kernel.requests.stored(),
        )
        return snapshot, faults
