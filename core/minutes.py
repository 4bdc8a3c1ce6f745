"""The minutes of city time: what the slots of kept metrics showed in each, for whoever keeps a history.

A sample belongs to the minute of its own time. A minute is told some seconds after it ended, in parts of bounded
size, a few a step: the step that ends a minute does little more than the others. The first minute of an hour, and the
first of all, tells what stood too, changed or not: so no hour needs another to be understood.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from core._fast.slots import FLAG_STALE, FLAG_VALID
from core.batch import Batch
from core.clock import SECOND
from core.declaration import Merge
from core.minute_rows import COLUMNS, MinuteRows
from core.register import Numbering
from core.table import Table

MINUTE, HOUR = 60 * SECOND, 3600 * SECOND

#: How long (µs) after its end a minute waits for samples that are on their way.
GRACE = 5 * SECOND

#: Assets in one part, parts that are told in a step at most, and minutes that wait for it.
PART, TOLD_MAX, WAITING_MAX = 16_384, 4, 3


class _Window:
    """One minute that is not told yet, an entry a kept slot."""

    def __init__(self, slots: int) -> None:
        self.time = np.zeros(slots, np.int64)
        self.last, self.total = np.zeros(slots), np.zeros(slots)
        self.low, self.high = np.full(slots, np.inf), np.full(slots, -np.inf)
        self.values, self.count = np.zeros(slots, np.uint32), np.zeros(slots, np.uint32)
        #: What stood as it began, of slots that nothing may come of: their places, values and times.
        self.stood: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None

    def add(self, at: np.ndarray, value: np.ndarray, time: np.ndarray, count: np.ndarray) -> None:
        """Take values at places ``at``, each of which occurs once."""
        newer = time >= self.time[at]
        self.last[at[newer]], self.time[at[newer]] = value[newer], time[newer]
        self.low[at] = np.minimum(self.low[at], value)
        self.high[at] = np.maximum(self.high[at], value)
        self.total[at] += value
        self.values[at] += np.uint32(1)
        self.count[at] += count

    def end(self) -> None:
        """Nothing comes any more: where nothing came, what stood is what it showed."""
        if self.stood is None:
            return
        at, value, time = self.stood
        silent = self.values[at] == 0
        at, value = at[silent], value[silent]
        self.last[at] = self.low[at] = self.high[at] = value
        self.time[at] = time[silent]

    def moved(self, slots: int, to: np.ndarray) -> _Window:
        """The same with other places: what was at i is at ``to[i]``."""
        window = _Window(slots)
        for name in ("time", "last", "low", "high", "total", "values", "count"):
            getattr(window, name)[to] = getattr(self, name)
        if self.stood is not None:
            window.stood = to[self.stood[0]], *self.stood[1:]
        return window


class Minutes:
    """Gathers batches into minutes. Not thread-safe: it belongs to the step."""

    def __init__(self, numbering: Numbering, counts: dict[str, int]) -> None:
        self._counts = counts
        counts |= {"minutes_told": 0, "minutes_late": 0, "minutes_left_out": 0}
        self._windows: dict[int, _Window] = {}
        self._telling: deque[MinuteRows] = deque()
        self._told = 0
        self._hour = -1
        self._number(numbering)

    def _number(self, numbering: Numbering) -> None:
        kept = [metric for metric in numbering.metrics if metric.kept]
        places = [numbering.slots_of(metric.name) for metric in kept]
        self._metrics: Sequence[tuple[str, Merge]] = [(metric.name, metric.merge) for metric in kept]
        self._ends = np.cumsum([0, *(len(slot) for _, slot in places)])
        self._assets = np.concatenate([np.empty(0, np.uint32), *(asset for asset, _ in places)])
        self._slots = np.concatenate([np.empty(0, np.uint32), *(slot for _, slot in places)])
        self._place = np.full(numbering.slots, -1, np.int64)
        self._place[self._slots] = np.arange(len(self._slots))

    def renumber(self, numbering: Numbering) -> None:
        """Take the numbering after assets were added: slots stay, places move."""
        slots = self._slots
        self._number(numbering)
        to = self._place[slots]
        self._windows = {
            minute: window.moved(len(self._slots), to) for minute, window in self._windows.items()
        }

    def turn(self, utc: int, batch: Batch, table: Table) -> list[MinuteRows]:
        """Take a step's changed slots, at ``utc`` µs; return what is to be told of minutes that are over."""
        if not len(self._slots):
            return []
        now = utc // MINUTE
        # Also where nothing came: the minute in which all were silent is over some time too.
        if now > self._told:
            window = self._window(now)
            if now * MINUTE // HOUR != self._hour:
                self._hour = now * MINUTE // HOUR
                window.stood = self._stands(now * MINUTE, table)
        self._take(now, batch)
        for minute in sorted(self._windows):
            if (minute + 1) * MINUTE + GRACE <= utc:
                self._close(minute, table)
        return [self._telling.popleft() for _ in range(min(TOLD_MAX, len(self._telling)))]

    def _take(self, now: int, batch: Batch) -> None:
        if not len(batch):
            return
        at = self._place[batch.slot]
        kept = at >= 0
        at, value, time, count = at[kept], batch.value[kept], batch.time[kept], batch.count[kept]
        minutes = time // MINUTE
        late = minutes <= self._told
        # The first minute that is told has none before it: what came before is nobody's, but it stands.
        late |= minutes < now - 1
        self._counts["minutes_late"] += int(late.sum())
        for minute in np.unique(minutes[~late]).tolist():
            mine = minutes == minute
            self._window(minute).add(at[mine], value[mine], time[mine], count[mine])

    def _window(self, minute: int) -> _Window:
        if minute not in self._windows:
            self._windows[minute] = _Window(len(self._slots))
        return self._windows[minute]

    def _close(self, minute: int, table: Table) -> None:
        window, first = self._windows.pop(minute), not self._told
        self._told = max(self._told, minute)
        waiting = sorted({part.minute for part in self._telling})
        while len(waiting) >= WAITING_MAX and self._telling[0].minute == waiting[0]:
            # Bounded, whatever the clock does: the oldest gives way.
            self._counts["minutes_left_out"] += len(self._telling.popleft())
            if not self._telling:
                break
        before = len(self._telling)
        if first:
            # As it began, nothing was known yet.
            window.stood = self._stands((minute + 1) * MINUTE, table)
        window.end()
        for (metric, _), start, end in zip(self._metrics, self._ends, self._ends[1:], strict=False):
            seen = start + np.flatnonzero(window.time[start:end])
            for part in np.split(seen, np.flatnonzero(np.diff(self._assets[seen] // PART)) + 1):
                if len(part):
                    self._telling.append(self._rows(minute, metric, window, part))
        self._counts["minutes_told"] += sum(len(self._telling[i]) for i in range(before, len(self._telling)))

    def _stands(self, before: int, table: Table) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(places, values, times) of what is known since ``before`` µs."""
        records = table.slots.records_array()[self._slots]
        stands = (records["flags"] & (FLAG_VALID | FLAG_STALE)) == FLAG_VALID
        stands &= records["time"] < before
        for (_, merge), start, past in zip(self._metrics, self._ends, self._ends[1:], strict=False):
            # A sum or a maximum is of the time it was gathered in: it does not stand.
            stands[start:past] &= merge == Merge.LAST
        at = np.flatnonzero(stands)
        return at, records["value"][at], records["time"][at]

    def _rows(self, minute: int, metric: str, window: _Window, at: np.ndarray) -> MinuteRows:
        columns = {name: getattr(window, name)[at] for name in COLUMNS if name != "asset"}
        columns["asset"] = self._assets[at]
        packed = {name: columns[name].astype(dtype).tobytes() for name, dtype in COLUMNS.items()}
        return MinuteRows(minute * MINUTE, metric, **packed)
