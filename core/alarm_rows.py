"""The columns of the alarm register: one row an alarm (code, asset), found by both, and reused when forgotten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from core.alarm_state import ACTIVE, CHATTERS, HOLDS, OUT, SHELVED, STATE, STATES, Data
from core.assets import NONE

#: No code, and no alarm that suppresses: codes are numbered below it.
NO_CODE = 0xFFF

#: Rows to begin with; they double as needed.
_FIRST = 1024

#: So long ago (µs) that no window reaches it.
NEVER = -(1 << 60)

#: What is to be said of a row beside a change of state: its parent is another, a person was told.
MOVED, ANNOUNCED = 1, 2

#: What a fresh row holds; the type is that of the column. ``*_at``, ``announced`` and ``until`` are µs of utc;
#: those in MONO are µs of mono.
_FRESH: Mapping[str, tuple[type, int]] = {
    "code": (np.uint16, NO_CODE),
    "asset": (np.uint32, NONE),
    "flags": (np.uint8, 0),
    "shown": (np.uint8, 0),
    "say": (np.uint8, 0),
    "revision": (np.uint32, 0),
    "count": (np.uint32, 0),
    "group": (np.uint32, 0),
    "by_code": (np.uint16, NO_CODE),
    "by_asset": (np.uint32, NONE),
    "raised_at": (np.int64, 0),
    "returned_at": (np.int64, 0),
    "acked_at": (np.int64, 0),
    "announced": (np.int64, 0),
    "until": (np.int64, 0),
    "raised": (np.int64, NEVER),
    "before": (np.int64, NEVER),
    "told": (np.int64, NEVER),
    "changed": (np.int64, NEVER),
    "due": (np.int64, 0),
    "hold": (np.int64, 0),
    "quiet": (np.int64, 0),
    "shelf": (np.int64, 0),
}

#: The columns in µs of mono, which shift when that clock begins anew.
MONO = ("raised", "before", "told", "changed", "due", "hold", "quiet", "shelf")


class Note(msgspec.Struct):
    """What is known of a few alarms alone: ``data`` as raised, who acknowledged it, who put it aside and why."""

    data: Data = {}
    acked_by: str = ""
    aside_by: str = ""
    aside_why: str = ""


class StoredRows(msgspec.Struct, frozen=True):
    """The taken rows, by code and asset: their columns, and notes by the row's place in these."""

    columns: dict[str, bytes] = {}
    notes: dict[int, Note] = {}


class Rows:
    """Columns over all rows up to ``n``; free ones have NO_CODE. ``live`` of them are taken.

    ``states`` i64[states] counts those taken by the state that was shown last; ``notes`` go by row.
    """

    code: np.ndarray
    asset: np.ndarray
    flags: np.ndarray
    shown: np.ndarray
    say: np.ndarray
    revision: np.ndarray
    count: np.ndarray
    group: np.ndarray
    by_code: np.ndarray
    by_asset: np.ndarray
    raised_at: np.ndarray
    returned_at: np.ndarray
    acked_at: np.ndarray
    announced: np.ndarray
    until: np.ndarray
    raised: np.ndarray
    before: np.ndarray
    told: np.ndarray
    changed: np.ndarray
    due: np.ndarray
    hold: np.ndarray
    quiet: np.ndarray
    shelf: np.ndarray

    def __init__(self, codes: int) -> None:
        self.n = 0
        self.states = np.zeros(len(STATES), np.int64)
        self.notes: dict[int, Note] = {}
        self._free: list[int] = []
        # The post itself has the first place: NONE + 1 is 0 among u32.
        self._places = [np.full(1, -1, np.int32) for _ in range(codes)]
        for name, (dtype, fresh) in _FRESH.items():
            setattr(self, name, np.full(_FIRST, fresh, dtype))

    @property
    def live(self) -> int:
        """How many rows are taken."""
        return self.n - len(self._free)

    def find(self, code: int, assets: np.ndarray) -> np.ndarray:
        """i64[n]: the row of each asset u32[n] under ``code``; -1 where there is none."""
        places, at = self._places[code], (assets + np.uint32(1)).astype(np.int64)
        known = at < len(places)
        out = np.full(len(at), -1, np.int64)
        out[known] = places[at[known]]
        return out

    def row(self, code: int, asset: int) -> int:
        """The row of one asset under ``code``; -1 where there is none."""
        places, at = self._places[code], 0 if asset == NONE else asset + 1
        return int(places[at]) if at < len(places) else -1

    def take(self, code: int, assets: np.ndarray) -> np.ndarray:
        """i64[n]: fresh rows for assets u32[n] that have none under ``code``, each named once."""
        again = min(len(assets), len(self._free))
        rows = np.empty(len(assets), np.int64)
        rows[:again] = self._free[len(self._free) - again :]
        del self._free[len(self._free) - again :]
        rows[again:] = np.arange(self.n, self.n + len(assets) - again)
        self.n += len(assets) - again
        self._grow()
        for name, (_, fresh) in _FRESH.items():
            getattr(self, name)[rows] = fresh
        self.code[rows], self.asset[rows] = code, assets
        self.states[0] += len(rows)
        self._place(code, assets, rows)
        return rows

    def free(self, rows: np.ndarray) -> None:
        """Forget rows i64[n], which are normal."""
        for code in np.unique(self.code[rows]).tolist():
            mine = rows[self.code[rows] == code]
            self._places[code][(self.asset[mine] + np.uint32(1)).astype(np.int64)] = -1
        for name, (_, fresh) in _FRESH.items():
            getattr(self, name)[rows] = fresh
        self._free += rows.tolist()
        self.states[0] -= len(rows)
        for row in rows.tolist():
            self.notes.pop(row, None)

    def note(self, row: int) -> Note:
        """The note of a row, to be written into."""
        return self.notes.setdefault(row, Note())

    def show(self, rows: np.ndarray, mono: int | np.ndarray) -> None:
        """What the flags of rows i64[n] say was told at ``mono`` µs."""
        self.states -= np.bincount(self.shown[rows], minlength=len(STATES))
        self.shown[rows] = STATE[self.flags[rows]]
        self.states += np.bincount(self.shown[rows], minlength=len(STATES))
        self.revision[rows] += np.uint32(1)
        self.changed[rows] = mono
        self.say[rows] = 0

    def over(self) -> np.ndarray:
        """bool[n]: returned, and nothing more to come of it."""
        keep = HOLDS | ACTIVE | SHELVED | OUT | CHATTERS
        over = ((self.flags[: self.n] & keep) == 0) & (self.shown[: self.n] == 0)
        return np.asarray(over & (self.code[: self.n] != NO_CODE))

    def of_code(self, code: int, flags: int) -> np.ndarray:
        """i64[n]: the rows of a code that have all of ``flags``."""
        n = self.n
        return np.flatnonzero((self.code[:n] == code) & ((self.flags[:n] & flags) == flags))

    def taken(self) -> np.ndarray:
        """i64[live]: the rows that are taken, by code and asset."""
        rows = np.flatnonzero(self.code[: self.n] != NO_CODE)
        return np.asarray(rows[np.lexsort((self.asset[rows], self.code[rows]))])

    def stored(self) -> StoredRows:
        """The rows that are taken."""
        rows = self.taken()
        place = dict(zip(rows.tolist(), range(len(rows)), strict=True))
        columns = {name: getattr(self, name)[rows].tobytes() for name in _FRESH}
        return StoredRows(columns, {place[row]: note for row, note in self.notes.items()})

    def restore(self, stored: StoredRows, codes: Sequence[int], shift: int) -> None:
        """Take rows for what was stored; ``codes`` are today's numbers of the codes it was stored with.

        Those whose code is no more are left out. ``shift`` µs is added to MONO.
        """
        if not stored.columns:
            return
        columns: dict[str, np.ndarray] = {
            name: np.frombuffer(data, _FRESH[name][0])
            for name, data in stored.columns.items()
            if name in _FRESH
        }
        today = np.array([*codes, NO_CODE], np.uint16)
        code, by = (today[np.minimum(columns[name], len(codes))] for name in ("code", "by_code"))
        out = np.full(len(code), -1, np.int64)
        for number in np.unique(code[code != NO_CODE]).tolist():
            mine = np.flatnonzero(code == number)
            rows = out[mine] = self.take(number, columns["asset"][mine])
            for name, column in columns.items():
                getattr(self, name)[rows] = column[mine]
            self.code[rows], self.by_code[rows] = number, by[mine]
            for name in MONO:
                getattr(self, name)[rows] += shift
        self.notes = {int(out[place]): note for place, note in stored.notes.items() if out[place] >= 0}
        self.states = np.bincount(self.shown[self.taken()], minlength=len(STATES))

    def _grow(self) -> None:
        room = len(self.code)
        if self.n <= room:
            return
        more = max(2 * room, self.n) - room
        for name, (dtype, fresh) in _FRESH.items():
            setattr(self, name, np.append(getattr(self, name), np.full(more, fresh, dtype)))

    def _place(self, code: int, assets: np.ndarray, rows: np.ndarray) -> None:
        at = (assets + np.uint32(1)).astype(np.int64)
        places, needed = self._places[code], int(at.max(initial=0)) + 1
        if needed > len(places):
            more = max(2 * len(places), needed) - len(places)
            places = self._places[code] = np.append(places, np.full(more, -1, np.int32))
        places[at] = rows
