"""What one worker is owed: work waits here while it is busy or away, and nothing of it is lost when it dies.

A worker is asked one thing at a time. What happens meanwhile gathers: events in their order, changed slots merged as
the table merges them, ticks once each. Work in the middle of which a worker died is tried again in two halves; the
half that kills it again is put aside, and told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import msgspec
import numpy as np

from core import worker_wire
from core._fast.slots import Slots
from core.clock import SECOND, Now
from core.event import Again, Event
from core.remote import Mail, Remote, StoredMail
from core.table import Table
from core.worker_wire import Begin, Turn

#: Events that wait for one worker at most; beyond, the oldest are put aside.
EVENTS_MAX = 1000

#: A worker tells its state this often (µs): what it learned from samples since is lost with it.
STORE = 10 * SECOND

#: So many crashes in so long (µs), and a person must release it.
CRASHES_MAX, CRASHES_IN = 5, 600 * SECOND


class Rows(msgspec.Struct, frozen=True):
    """What came of slots: slot u32, value f64, time i64 µs, count u32."""

    slot: np.ndarray
    value: np.ndarray
    time: np.ndarray
    count: np.ndarray

    def __len__(self) -> int:
        return len(self.slot)

    def part(self, of: slice) -> Rows:
        """Some of them."""
        return Rows(self.slot[of], self.value[of], self.time[of], self.count[of])


NO_ROWS = Rows(np.empty(0, np.uint32), np.empty(0, np.float64), np.empty(0, np.int64), np.empty(0, np.uint32))


class Work(msgspec.Struct):
    """What a worker is asked to do, of the step at that instant. ``tries``: how often it died of it."""

    now: Now
    events: list[Event] = []
    rows: Rows = NO_ROWS
    ticks: list[str] = []
    tries: int = 0

    def halves(self) -> list[Work]:
        """The same in two, each tried once; in one where there is nothing to divide."""
        events, rows = len(self.events), len(self.rows)
        if events + rows + len(self.ticks) < 2:
            return [msgspec.structs.replace(self, tries=1)]
        e, r = (events + 1) // 2, (rows + 1) // 2
        first = Work(self.now, self.events[:e], self.rows.part(slice(r)), [], 1)
        second = Work(self.now, self.events[e:], self.rows.part(slice(r, rows)), self.ticks, 1)
        return [first, second]


class Mailbox:
    """Not thread-safe; the kernel's step does all. ``held``: a person must release the worker first."""

    def __init__(self, plugin: Remote) -> None:
        self.plugin = plugin
        self.generation = 0
        self.held = False
        self.begun = False
        self._number = 0
        self._out: Work | Begin | None = None
        self._retry: deque[Work] = deque()
        self._events: list[Event] = []
        self._rows: list[Rows] = []
        self._ticks: list[str] = []
        self._changed = False
        self._now: Now | None = None
        self._seen: list[Again] = []
        self._anew = False
        self._stored = 0
        self._told = False
        self._crashes: deque[int] = deque()

    # -- what waits

    def put(
        self, now: Now, events: Sequence[Event], rows: Rows, changed: bool, ticks: Sequence[str]
    ) -> list[Event]:
        """More work: ``rows`` were merged into the table, and some of it ``changed``.

        Returns the events that are put aside because too many wait.
        """
        self._now = now
        self._events += events
        if len(rows):
            self._rows.append(rows)
        self._changed = self._changed or changed
        self._ticks += [tick for tick in ticks if tick not in self._ticks]
        over = len(self._events) - EVENTS_MAX
        aside, self._events = self._events[: max(over, 0)], self._events[max(over, 0) :]
        return aside

    def send(self, now: Now, table: Table, reads: Sequence[str], store: bool) -> Begin | Turn | None:
        """The next message for the worker that is here; None while it is busy, or nothing is due.

        With ``store``, because all ends, it is asked for its state once where nothing is.
        """
        if sum(map(len, self._rows)) > table.numbering.slots:
            self._rows = [merged(joined(self._rows), table)]
        if not self.generation or self._out is not None or self.held:
            return None
        if not self.begun or self._anew:
            return self._begin(now, table, reads)
        if self._retry:
            work = self._retry.popleft()
        elif self._due():
            work = self._gathered()
        elif store and not self._told:
            self._told = True
            work = Work(now)
        else:
            return None
        self._number += 1
        self._out = work
        due = store or now.mono - self._stored >= STORE
        rows = work.rows
        return Turn(
            number=self._number,
            step=work.now.step,
            utc=work.now.utc,
            mono=work.now.mono,
            seed=work.now.seed,
            events=work.events,
            ticks=work.ticks,
            swept=table.swept,
            store=due,
            rows=len(rows),
            columns=tuple(c.tobytes() for c in (rows.slot, rows.value, rows.time, rows.count)),  # type: ignore[arg-type]
        )

    @property
    def busy(self) -> bool:
        """The worker is here and has something to answer; or was not asked for its state, at the end of all."""
        return bool(self.generation) and not self.held and (self._out is not None or not self._told)

    @property
    def waiting(self) -> int:
        """Events that wait, or are with the worker."""
        return len(self.stored().owed)

    def _due(self) -> bool:
        return bool(self._events or self._ticks) or (self._changed and "on_batch" in self.plugin.hooks)

    def _gathered(self) -> Work:
        assert self._now is not None
        work = Work(self._now, self._events, joined(self._rows), self._ticks)
        self._events, self._rows, self._ticks, self._changed = [], [], [], False
        return work

    def _begin(self, now: Now, table: Table, reads: Sequence[str]) -> Begin:
        waiting = [work.rows.slot for work in self._retry] + [rows.slot for rows in self._rows]
        later = np.zeros(table.numbering.slots, bool)
        later[np.concatenate(waiting) if waiting else []] = True
        keep = self.begun
        self._number += 1
        begin = Begin(
            number=self._number,
            step=now.step,
            utc=now.utc,
            mono=now.mono,
            seed=now.seed,
            generation=table.generation,
            revision=table.numbering.assets.revision,
            state=None if keep else self.plugin.stored(),
            again=[] if keep else self._seen,
            filled=[_filled(table, metric, later) for metric in reads],
        )
        self.begun, self._anew = True, False
        self._out = begin
        return begin

    # -- what the worker says

    def came(self, generation: int) -> None:
        """A worker is here."""
        self.generation, self.begun, self._out = generation, False, None

    def answered(self, generation: int, number: int) -> tuple[dict[int, Event], Work | None] | None:
        """Message ``number`` is answered: the events it was asked about, and the work if it was some.

        None where nobody who is here was asked that.
        """
        if generation != self.generation or number != self._number or self._out is None:
            return None
        out, self._out = self._out, None
        if isinstance(out, Begin):
            return {}, None
        return {event.seq: event for event in out.events}, out

    def unanswered(self, work: Work | None) -> None:
        """What it said of ``work`` is worth nothing."""
        self._out = work

    def saw(self, work: Work, state: bytes | None, now: Now) -> None:
        """The answer to ``work`` was taken; with it came the state, or None."""
        if work.events:
            self._seen.append(Again(work.now.step, work.now.utc, work.events))
        if state is not None:
            self.plugin.state = state
            self._seen = []
            self._stored = now.mono

    def gone(self, generation: int, now: Now) -> Work | None:
        """The worker died; return what is put aside because it died of it twice."""
        if generation != self.generation:
            return None
        out, self._out = self._out, None
        self.generation, self.begun = 0, False
        self._crashes.append(now.mono)
        while now.mono - self._crashes[0] > CRASHES_IN:
            self._crashes.popleft()
        self.held = self.held or len(self._crashes) >= CRASHES_MAX
        if not isinstance(out, Work):
            return None
        if out.tries:
            return out
        self._retry.extendleft(reversed(out.halves()))
        return None

    def release(self) -> bool:
        """A person lets it go on; False where nobody held it."""
        held, self.held = self.held, False
        self._crashes.clear()
        return held

    def renumber(self) -> None:
        """The city changed: it begins anew there, with what it is."""
        self._anew = True

    # -- a restart of the kernel

    def stored(self) -> StoredMail:
        """For a snapshot."""
        out = self._out.events if isinstance(self._out, Work) else []
        retry = [event for work in self._retry for event in work.events]
        owed = [event.seq for event in (*out, *retry, *self._events)]
        seen = [(each.step, each.utc, [event.seq for event in each.events]) for each in self._seen]
        return StoredMail(owed, seen, self.held)

    def restore(self, mail: Mail, now: Now) -> None:
        """Go on after a restart."""
        self._events, self._seen, self.held, self._now = list(mail.owed), list(mail.seen), mail.held, now


def joined(parts: Sequence[Rows]) -> Rows:
    """Rows in their order."""
    if len(parts) < 2:
        return parts[0] if parts else NO_ROWS
    return Rows(
        *(np.concatenate(columns) for columns in zip(*map(msgspec.structs.astuple, parts), strict=True))
    )


def merged(rows: Rows, table: Table) -> Rows:
    """A row a slot, by each metric's merge. Which of them are changes the worker's table judges."""
    rules = table.rules | {"deadband": np.full(len(table.numbering.metrics), -1.0)}
    slots = Slots(table.numbering.slots, **rules)
    slots.extend(table.numbering.slot_metric)
    latest = int(rows.time.max())
    slots.apply(rows.slot, rows.value, rows.time, rows.count, table.numbering.slot_metric, latest)
    n = len(np.unique(rows.slot))
    out = (np.empty(n, np.uint32), np.empty(n, np.float64), np.empty(n, np.int64), np.empty(n, np.uint32))
    slots.collect(*out)
    return Rows(*out)


def _filled(table: Table, metric: str, later: np.ndarray) -> worker_wire.Filled:
    """What stands of a metric, but for the slots that still come as changes."""
    _, slot = table.numbering.slots_of(metric)
    records = table.slots.records_array()[slot]
    known = (records["time"] != 0) & ~later[slot]
    return worker_wire.filled(slot[known], records[known])
