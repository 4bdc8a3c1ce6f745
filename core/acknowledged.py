"""Acknowledged ingestion: an event from the field is journaled first, then acknowledged and let into a step.

No socket and no clock: intake hands in what gateways say and sends what comes back, tests do the same without a wire.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator

import msgspec

from core import wire
from core.errors import JournalError, VaultError, WireError
from core.event import Event
from core.field import FieldEvents, Place
from core.journal import Journal, Record


class Uncommitted(msgspec.Struct, frozen=True):
    """A field event that waits for the journal to be durable up to ``seq``; None where it was refused."""

    seq: int
    event: Event | None
    gateway: str
    boot: int
    through: int


class Acknowledged:
    """What came from the field and is on its way into a step. Intake hands in and lets out, the reactor takes.

    ``counts`` is where it counts.
    """

    def __init__(self, field: FieldEvents, journal: Journal, counts: dict[str, int]) -> None:
        self._field = field
        self._journal = journal
        self._lock = threading.Lock()
        self._uncommitted: deque[Uncommitted] = deque()
        self._events: list[Event] = []
        self._appended = 0
        self.counts = counts
        counts |= {"field_events": 0, "field_events_repeated": 0, "field_events_refused": 0}
        counts |= {"field_events_unsealed": 0}

    @property
    def waiting(self) -> int:
        """Events that no step has taken."""
        return len(self._uncommitted) + len(self._events)

    def on_event(
        self, gateway: str, boot: int, message: wire.FieldEvent, utc: int, mono: int
    ) -> wire.EventAck | wire.Refused | None:
        """Take an event, or one that came before; return what is to be answered at once."""
        if not self._field.is_next(gateway, boot, message):
            self.counts["field_events_repeated"] += 1
            through = self._field.through(gateway, boot)
            return wire.EventAck(boot, through) if through else None
        try:
            event = self._field.event(gateway, boot, message, utc, mono)
        except WireError as error:
            return self._refuse(gateway, boot, message.seq, error)
        except VaultError:
            # In clear it may not be journaled. Not acknowledged: the gateway keeps it and sends it again.
            self.counts["field_events_unsealed"] += 1
            return None
        with self._lock:
            try:
                seq = self._journal.append([Record("event", 0, utc, wire.encode(event))])
            except JournalError:
                # Not acknowledged: the gateway keeps it and sends it again. The reactor ends this kernel.
                return None
            self._field.took(gateway, boot, message.seq)
            self._appended = seq
            event = msgspec.structs.replace(event, seq=seq)
            self._uncommitted.append(Uncommitted(seq, event, gateway, boot, message.seq))
        self.counts["field_events"] += 1
        return None

    def _refuse(self, gateway: str, boot: int, seq: int, error: WireError) -> wire.Refused:
        # For good: another try would not mend it, and what comes after must not wait for it.
        self.counts["field_events_refused"] += 1
        self.counts[error.reason] = self.counts.get(error.reason, 0) + 1
        with self._lock:
            self._field.took(gateway, boot, seq)
            self._uncommitted.append(Uncommitted(self._appended, None, gateway, boot, seq))
        most = wire.TEXT_MAX
        return wire.Refused(error.reason, str(error)[:most], error.next[:most])

    def let_out(self) -> Iterator[tuple[str, wire.EventAck]]:
        """Let what is durable by now into the next step; yield each acknowledgement with its gateway."""
        durable = self._journal.durable().local
        while self._uncommitted and self._uncommitted[0].seq <= durable:
            with self._lock:
                each = self._uncommitted.popleft()
                if each.event is not None:
                    self._events.append(each.event)
                self._field.committed(each.gateway, each.boot, each.through)
            yield each.gateway, wire.EventAck(each.boot, each.through)

    def take(self) -> list[Event]:
        """The events for a step."""
        with self._lock:
            events, self._events = self._events, []
        return events

    def settled(self) -> tuple[int, dict[str, Place]]:
        """Up to which record every event has been in a step's inputs, and how far each gateway's events came."""
        with self._lock:
            waiting = [each.seq for each in self._uncommitted if each.event] + [e.seq for e in self._events]
            return min(waiting, default=self._journal.last() + 1) - 1, self._field.places()
