"""What the journal holds of workers since a snapshot: the events that each is still owed, and what it has seen.

A trade in a worker answers later than the step that consumed its events; that it has is journaled with what came of it.
One in the kernel has with the step. Which of both it was each start says: between two it may have moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from core import tail
from core.clock import Now
from core.event import Again, Event
from core.inventory import STARTED, ran_in_workers
from core.journal import Journal, Record
from core.remote import Mail, StoredMail
from core.tail import CONSUMED
from core.vocabulary import WorkerEnded, WorkerReleased

#: The journal's kind of record for the events that a worker has answered.
WORKED = "worked"


class _Worked(msgspec.Struct, frozen=True, array_like=True):
    plugin: str
    step: int
    utc: int
    ranges: list[tuple[int, int]]


class _Kind(msgspec.Struct):
    kind: str


class _Ended(msgspec.Struct):
    data: WorkerEnded


class _Released(msgspec.Struct):
    data: WorkerReleased


_kind = msgspec.msgpack.Decoder(_Kind)
_worked = msgspec.msgpack.Decoder(_Worked)
_ended = msgspec.msgpack.Decoder(_Ended)
_released = msgspec.msgpack.Decoder(_Released)
_ranges = msgspec.msgpack.Decoder(list[tuple[int, int]])


def worked(plugin: str, then: Now, events: Iterable[Event], now: Now) -> Record:
    """The record of events, work of the step at ``then``, that a worker has answered."""
    said = (plugin, then.step, then.utc, tail.ranges(events))
    return Record(WORKED, now.step, now.utc, msgspec.msgpack.encode(said))


def read(
    journal: Journal,
    after: int,
    step: int,
    stored: Mapping[str, StoredMail],
    reads: Mapping[str, frozenset[str]],
) -> dict[str, Mail]:
    """The mail of each plugin in ``reads``, which names the kinds it reads.

    ``stored`` is that of the snapshot after ``step``, which names all that ran in workers; its events are numbered
    above ``after``.
    """
    mailboxes = {name: _Reading(stored.get(name), kinds) for name, kinds in reads.items()}
    for seq, record in journal.read(after):
        if record.kind == "event":
            kind = _kind.decode(record.data).kind
            for mailbox in mailboxes.values():
                if kind in mailbox.kinds:
                    mailbox.events[seq] = record.data
            if record.step > step:
                _hold(kind, record.data, mailboxes)
        elif record.kind == CONSUMED and record.step > step:
            for mailbox in mailboxes.values():
                mailbox.consumed(record, _ranges.decode(record.data))
        elif record.kind == STARTED and record.step > step:
            in_workers = ran_in_workers(record.data)
            for name, mailbox in mailboxes.items():
                mailbox.in_worker = name in in_workers
        elif record.kind == WORKED and record.step > step:
            said = _worked.decode(record.data)
            if said.plugin in mailboxes:
                mailboxes[said.plugin].worked(said)
    return {name: mailbox.mail() for name, mailbox in mailboxes.items()}


def _hold(kind: str, data: bytes, mailboxes: Mapping[str, _Reading]) -> None:
    if kind == "post.worker.ended":
        ended = _ended.decode(data).data
        if ended.plugin in mailboxes and ended.held:
            mailboxes[ended.plugin].held = True
    elif kind == "post.worker.released":
        released = _released.decode(data).data
        if released.plugin in mailboxes:
            mailboxes[released.plugin].held = False


class _Reading:
    """One plugin's mail, while the journal is read."""

    def __init__(self, stored: StoredMail | None, kinds: frozenset[str]) -> None:
        self.kinds = kinds
        self.in_worker = stored is not None
        stored = stored or StoredMail()
        self.held = stored.held
        #: The events of these kinds, by seq.
        self.events: dict[int, bytes] = {}
        self._owed = dict.fromkeys(stored.owed)
        self._seen: list[tuple[int, int, Sequence[int]]] = list(stored.seen)

    def consumed(self, by: Record, ranges: Iterable[tuple[int, int]]) -> None:
        seqs = [seq for first, last in ranges for seq in range(first, last + 1) if seq in self.events]
        if self.in_worker:
            self._owed |= dict.fromkeys(seqs)
        elif seqs:
            self._seen.append((by.step, by.utc, seqs))

    def worked(self, said: _Worked) -> None:
        seqs = [seq for first, last in said.ranges for seq in range(first, last + 1) if seq in self._owed]
        for seq in seqs:
            del self._owed[seq]
        if not self.in_worker and self._seen and self._seen[-1][0] == said.step:
            # A step in the kernel took what was owed before what it consumed.
            seqs += self._seen.pop()[2]
        self._seen.append((said.step, said.utc, seqs))

    def mail(self) -> Mail:
        seen = [Again(step, utc, self._events(seqs)) for step, utc, seqs in self._seen]
        return Mail(self._events(self._owed), seen, self.held)

    def _events(self, seqs: Iterable[int]) -> list[Event]:
        return [tail.numbered(seq, self.events[seq]) for seq in seqs if seq in self.events]
