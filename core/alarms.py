"""Alarms: conditions that ask a person to act, each (asset, code) in one state of ISA-18.2; docs/alarms.md tells all.

Trades say what holds, persons act, time passes: ``turn`` works it all in, for thousands at a time, on columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

import msgspec
import numpy as np

from core import alarm_tail
from core.alarm_load import AlarmLoad, Frequent
from core.alarm_rows import NEVER, NO_CODE, Rows
from core.alarm_tail import Words
from core.assets import NONE
from core.clock import SECOND
from core.declaration import AlarmKind
from core.errors import AlarmError, PluginError
from core.flood import FLOOD_ABOVE, LEVELS, Flood, Group, Told
from core.histogram import BUCKETS, Histogram
from core.topology import Topology
from core.vocabulary import POST, AlarmChanged

#: Alarms kept at most, those of the last day included; a further one is counted and raises a limit of the post.
ALARMS_MAX = 200_000

#: Alarms that one event tells of at most.
TOLD_MAX = 65_536

#: The asset of an alarm about the post itself.
POST_ASSET = NONE

#: An alarm that comes for the third time within CHATTER_S (s) chatters, until it was quiet for as long.
CHATTER_S = 60

#: A shelf lasts no longer (s); what needs longer is taken out of service.
SHELF_MAX_S = 86_400

#: An alarm that has returned is remembered, and counted on where it comes again, for so long (s).
MEMORY_S = 86_400

#: An alarm that stands longer (s) is stale.
STALE_S = 86_400

#: The states, by number: the first three overlays win over what the condition and persons make of it.
STATES = (
    "normal",
    "unacked_active",
    "acked_active",
    "returned_unacked",
    "suppressed",
    "shelved",
    "out_of_service",
)

# The state in bits. HOLDS: the trade says so; ACTIVE: after its delays. TOLD: a person was told of this occurrence.
HOLDS, ACTIVE, ACKED, TOLD, SUPPRESSED, SHELVED, OUT, CHATTERS = (1 << bit for bit in range(8))
_HIDDEN = SUPPRESSED | SHELVED | OUT

# What is to be said of a row beside a change of state: its parent is another, a person was told.
_MOVED, _ANNOUNCED = 1, 2

_LATER = 1 << 62

Data = dict[str, float | int | str]

T = TypeVar("T")


def state_of(flags: int) -> str:
    """The state that the bits make."""
    if flags & OUT:
        return "out_of_service"
    if flags & SHELVED:
        return "shelved"
    if flags & ACTIVE:
        if flags & SUPPRESSED:
            return "suppressed"
        return "acked_active" if flags & ACKED else "unacked_active"
    # What nobody was told of, nobody needs to acknowledge.
    return "returned_unacked" if flags & TOLD and not flags & ACKED else "normal"


_STATE = np.array([STATES.index(state_of(flags)) for flags in range(256)], np.uint8)


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """One alarm, as it is. Times in µs of city time, 0: not.

    ``announced`` says when a person was told of this occurrence, in the ``group`` of that number (0: alone).
    ``parent`` is the (asset, code) that suppresses it. ``shelved_by`` and ``shelved_reason`` also tell who took
    it out of service, and why. ``count``: how often it came since it was last gone for a day.
    """

    asset: int
    code: str
    priority: int
    trade: str
    commune: int | None
    state: str
    raised_at: int
    returned_at: int
    acked_at: int
    acked_by: str
    shelved_until: int
    shelved_by: str
    shelved_reason: str
    parent: tuple[int, str] | None
    count: int
    announced: int
    group: int
    chattering: bool
    data: Data
    revision: int


class Change(NamedTuple):
    """Alarms of one ``code`` that changed alike. ``assets`` u32[n] ascending; ``flags`` their state in bits.

    ``announced``: how often a person was told by it. ``parent`` is the code that suppresses them, ``causes``
    u32[n] the asset on which that stands for each. ``by``, ``reason`` and ``until`` (µs): the person's act. ``data``
    is what the trade said of it, where it is only one.
    """

    code: str
    flags: int
    assets: np.ndarray
    announced: int
    group: int
    parent: str
    causes: np.ndarray
    by: str
    reason: str
    until: int
    data: Data

    @property
    def state(self) -> str:
        """The state they are in now."""
        return state_of(self.flags)


class Stored(msgspec.Struct, frozen=True):
    """The register in a snapshot, at ``mono`` µs. ``notes`` and ``data`` go by the row's place in ``columns``."""

    mono: int = 0
    codes: list[str] = []
    columns: dict[str, bytes] = {}
    data: dict[int, Data] = {}
    acked_by: dict[int, str] = {}
    shelved: dict[int, tuple[str, str]] = {}
    told: Told = Told()
    answers: bytes = b""
    refused: int = 0


class _Said(NamedTuple):
    code: int
    assets: int | np.ndarray
    holds: bool
    mono: int
    data: Data


class Alarms:
    """The register of alarms. A condition counts after the kind's ``delay_on_s``, and is over after ``delay_off_s``.

    ``kinds`` maps each code to its kind and its trade. Times are µs: ``mono`` for all that lasts, ``utc`` as stamps.
    """

    def __init__(self, kinds: Mapping[str, tuple[AlarmKind, str]], topology: Topology) -> None:
        self.codes = tuple(kinds)
        self._number = {code: number for number, code in enumerate(kinds)}
        if len(kinds) >= NO_CODE:
            raise PluginError(f"{len(kinds)} alarm kinds are declared.", next=f"At most {NO_CODE - 1} fit.")
        self._kinds = [kind for kind, _ in kinds.values()]
        self._trades = [trade for _, trade in kinds.values()]
        self._on, self._off, self._correlate = (
            np.array([int(seconds * SECOND) for seconds in column], np.int64)
            for column in (
                [kind.delay_on_s for kind in self._kinds],
                [kind.delay_off_s for kind in self._kinds],
                [kind.correlate_s if kind.suppressed_by else 0 for kind in self._kinds],
            )
        )
        self._explains: dict[int, list[int]] = {}
        for number, kind in enumerate(self._kinds):
            for code in kind.suppressed_by:
                if code in self._number:
                    self._explains.setdefault(self._number[code], []).append(number)
        self.refused = 0
        self._topology = topology
        self._clear_all()

    def _clear_all(self) -> None:
        self._rows = Rows(len(self.codes))
        self._flood = Flood()
        #: From an announcement to its acknowledgement, in ms.
        self._answers = Histogram()
        self._data: dict[int, Data] = {}
        self._acked_by: dict[int, str] = {}
        self._shelved: dict[int, tuple[str, str]] = {}
        self._states = np.zeros(len(STATES), np.int64)
        self._said: list[_Said] = []
        self._changes: list[Change] = []
        self._covers: dict[int, np.ndarray] = {}
        self._stirred = set(self._explains)
        self._opened: set[int] = set()
        self._mono = 0
        self._wake = 0

    # -- what trades say

    def raise_(self, asset: int | np.ndarray, code: str, mono: int, data: Data) -> None:
        """The condition holds, on one asset or on u32[n]. Raises KeyError for a code nobody declared."""
        self._said.append(_Said(self._number[code], asset, True, mono, data))

    def clear(self, asset: int | np.ndarray, code: str, mono: int) -> None:
        """The condition holds no more, on one asset or on u32[n]. Raises KeyError for a code nobody declared."""
        self._said.append(_Said(self._number[code], asset, False, mono, {}))

    def holds(self, asset: int, code: str) -> bool:
        """Whether the condition held by the last turn."""
        rows = self._found(asset, code)
        return bool(len(rows) and self._rows.flags[rows[0]] & HOLDS)

    # -- what persons do

    def acknowledge(self, asset: int, code: str, person: str, mono: int, utc: int) -> Alarm | None:
        """A person has seen it; that is not the same as handled. None where there is nothing to acknowledge."""
        rows = self._found(asset, code)
        if not self._acknowledge(rows, person, mono, utc):
            return None
        return self._alarm(int(rows[0]))

    def acknowledge_group(self, number: int, person: str, mono: int, utc: int) -> int:
        """A person has seen the members of a group; return how many there were to acknowledge."""
        group = self._rows.group[: self._rows.n]
        return self._acknowledge(
            np.flatnonzero(group == number) if number else np.empty(0, int), person, mono, utc
        )

    def _acknowledge(self, rows: np.ndarray, person: str, mono: int, utc: int) -> int:
        r = self._rows
        state = _STATE[r.flags[rows]]
        rows = rows[(state == STATES.index("unacked_active")) | (state == STATES.index("returned_unacked"))]
        told = rows[(r.flags[rows] & TOLD) != 0]
        self._answers.add_all((mono - r.told[told]) // 1000)
        r.flags[rows] |= ACKED
        r.acked_at[rows] = utc
        self._acked_by.update(dict.fromkeys(rows.tolist(), person))
        self._report(mono, by=person)
        return len(rows)

    def shelve(
        self, asset: int, code: str, seconds: float, reason: str, person: str, mono: int, utc: int
    ) -> Alarm:
        """Put an alarm aside for ``seconds``, whether it stands or not; then it is back as what it then is.

        Raises AlarmError without a reason, for longer than SHELF_MAX_S, or where it is out of service.
        """
        _reasoned(reason)
        if not 0 < seconds <= SHELF_MAX_S:
            raise AlarmError(
                f"a shelf of {seconds:g} s.", where=code, next=f"Above 0 and at most {SHELF_MAX_S} s."
            )
        row = self._made(asset, code, mono)
        if self._rows.flags[row] & OUT:
            raise AlarmError("it is out of service.", where=code, next="Put it back into service first.")
        self._rows.shelf[row] = mono + int(seconds * SECOND)
        self._rows.until[row] = utc + int(seconds * SECOND)
        return self._put_aside(row, SHELVED, reason, person, mono)

    def unshelve(self, asset: int, code: str, person: str, mono: int, utc: int) -> Alarm | None:
        """Take it from the shelf before its time. None where it was not there."""
        return self._take_back(asset, code, SHELVED, person, mono)

    def take_out_of_service(
        self, asset: int, code: str, reason: str, person: str, mono: int, utc: int
    ) -> Alarm:
        """Nobody is told of this alarm until a person puts it back. Raises AlarmError without a reason."""
        _reasoned(reason)
        row = self._made(asset, code, mono)
        self._rows.flags[row] &= ~np.uint8(SHELVED)
        self._rows.until[row] = 0
        return self._put_aside(row, OUT, reason, person, mono)

    def put_into_service(self, asset: int, code: str, person: str, mono: int, utc: int) -> Alarm | None:
        """It is an alarm as any other again. None where it was one."""
        return self._take_back(asset, code, OUT, person, mono)

    def _put_aside(self, row: int, flag: int, reason: str, person: str, mono: int) -> Alarm:
        r = self._rows
        r.flags[row] |= np.uint8(flag)
        # Shelving again is said again: it is another promise.
        r.say[row] |= _MOVED
        self._shelved[row] = person, reason
        self._report(mono, person, reason, int(r.until[row]))
        self._wake = 0
        return self._alarm(row)

    def _take_back(self, asset: int, code: str, flag: int, person: str, mono: int) -> Alarm | None:
        rows = self._found(asset, code)
        rows = rows[(self._rows.flags[rows] & flag) != 0]
        if not len(rows):
            return None
        self._back(rows, flag, mono)
        self._report(mono, by=person)
        return self._alarm(int(rows[0]))

    def _found(self, asset: int, code: str) -> np.ndarray:
        rows = self._rows.find(self._number[code], np.array([asset], np.uint32))
        return rows[rows >= 0]

    def _made(self, asset: int, code: str, mono: int) -> int:
        found = self._found(asset, code)
        if not len(found):
            found = self._take(self._number[code], np.array([asset], np.uint32), mono)
        if not len(found):
            raise AlarmError(
                f"{ALARMS_MAX} alarms are known.", where=code, next="Mend what raises so many of them."
            )
        return int(found[0])

    # -- a step

    def turn(self, mono: int, utc: int) -> list[Change]:
        """Take in what was said and what time brought; return all that changed since the last turn."""
        self._mono = mono
        if self._said or mono >= self._wake:
            self._hear()
            self._let_delays_run_out(mono, utc)
            self._end_chatter(mono, utc)
            self._end_shelves(mono)
            self._suppress(mono)
            self._announce(mono, utc)
            self._report(mono)
            self._forget(mono)
            self._wake = self._next(mono)
        changes, self._changes = self._changes, []
        return changes

    def _hear(self) -> None:
        said, self._said = self._said, []
        by_code: dict[int, list[_Said]] = {}
        for each in said:
            by_code.setdefault(each.code, []).append(each)
        for code, of_code in by_code.items():
            self._hear_code(code, of_code)

    def _hear_code(self, code: int, said: Sequence[_Said]) -> None:
        each = [np.atleast_1d(np.asarray(one.assets, np.uint32)) for one in said]
        sizes = [len(one) for one in each]
        assets = np.concatenate(each)
        holds = np.repeat([one.holds for one in said], sizes)
        of = np.repeat(np.arange(len(said)), sizes)
        # Of what was said twice in a step, the last word counts.
        assets, last = np.unique(assets[::-1], return_index=True)
        holds, of = holds[::-1][last], of[::-1][last]
        rows = self._rows.find(code, assets)
        new = np.flatnonzero((rows < 0) & holds)
        taken = self._take(code, assets[new], said[-1].mono)
        rows[new[: len(taken)]] = taken
        there = rows >= 0
        rows, holds, of = rows[there], holds[there], of[there]
        self._note(rows[holds], of[holds], said)
        self._hold(rows, holds, np.array([one.mono for one in said], np.int64)[of], code)

    def _note(self, rows: np.ndarray, of: np.ndarray, said: Sequence[_Said]) -> None:
        """Keep the data of conditions that are new."""
        if not self._data and not any(each.data for each in said):
            return
        new = (self._rows.flags[rows] & (HOLDS | ACTIVE)) == 0
        for row, which in zip(rows[new].tolist(), of[new].tolist(), strict=True):
            data = said[which].data
            if data or row in self._data:
                self._data[row] = data

    def _hold(self, rows: np.ndarray, holds: np.ndarray, mono: np.ndarray, code: int) -> None:
        r = self._rows
        turned = ((r.flags[rows] & HOLDS) != 0) != holds
        rows, holds, mono = rows[turned], holds[turned], mono[turned]
        r.flags[rows] ^= np.uint8(HOLDS)
        r.due[rows] = mono + np.where(holds, self._on[code], self._off[code])
        chatters = (r.flags[rows] & CHATTERS) != 0
        r.quiet[rows[chatters]] = mono[chatters] + CHATTER_S * SECOND
        r.count[rows[chatters & holds]] += np.uint32(1)

    def _take(self, code: int, assets: np.ndarray, mono: int) -> np.ndarray:
        """Rows for new alarms, as many of them as there is room for; the post's own always find it."""
        room = ALARMS_MAX - self._rows.live
        if len(assets) > room and self._trades[code] != POST:
            room += self._make_room(len(assets) - room)
            self.refused += max(0, len(assets) - room)
            assets = assets[: max(0, room)]
        rows = self._rows.take(code, assets)
        self._rows.changed[rows] = mono
        self._states[0] += len(rows)
        return rows

    def _let_delays_run_out(self, mono: int, utc: int) -> None:
        r = self._rows
        flags = r.flags[: r.n]
        due = _differs(flags) & ((flags & CHATTERS) == 0) & (r.due[: r.n] <= mono)
        self._activate(np.flatnonzero(due & ((flags & HOLDS) != 0)), mono, utc)
        self._return(np.flatnonzero(due & ((flags & HOLDS) == 0)), utc)

    def _activate(self, rows: np.ndarray, mono: int, utc: int) -> None:
        r = self._rows
        chatters = mono - r.before[rows] <= CHATTER_S * SECOND
        r.before[rows], r.raised[rows] = r.raised[rows], mono
        r.count[rows] += np.uint32(1)
        r.raised_at[rows] = utc
        again, anew = rows[chatters], rows[~chatters]
        # What chatters goes on as what it was: who was told of it is not told again.
        r.flags[again] |= np.uint8(CHATTERS)
        r.quiet[again] = mono + CHATTER_S * SECOND
        r.flags[anew] &= ~np.uint8(ACKED | TOLD)
        for column in (r.group, r.announced, r.acked_at, r.returned_at):
            column[anew] = 0
        r.flags[rows] |= np.uint8(ACTIVE)
        r.hold[rows] = mono + self._correlate[r.code[rows]]
        self._stir(rows)

    def _return(self, rows: np.ndarray, utc: int) -> None:
        r = self._rows
        r.flags[rows] &= ~np.uint8(ACTIVE | SUPPRESSED)
        r.returned_at[rows] = utc
        r.by_code[rows], r.by_asset[rows] = NO_CODE, NONE
        self._stir(rows)

    def _end_chatter(self, mono: int, utc: int) -> None:
        r = self._rows
        quiet = np.flatnonzero(((r.flags[: r.n] & CHATTERS) != 0) & (r.quiet[: r.n] <= mono))
        r.flags[quiet] &= ~np.uint8(CHATTERS)
        self._return(quiet[(r.flags[quiet] & HOLDS) == 0], utc)

    def _end_shelves(self, mono: int) -> None:
        r = self._rows
        over = np.flatnonzero(((r.flags[: r.n] & SHELVED) != 0) & (r.shelf[: r.n] <= mono))
        self._back(over, SHELVED, mono)

    def _back(self, rows: np.ndarray, flag: int, hold: int) -> None:
        """Alarms come back from where nobody was told of them; those that nobody has acknowledged are announced."""
        r = self._rows
        r.flags[rows] &= ~np.uint8(flag)
        if flag != SUPPRESSED:
            r.until[rows] = 0
            for row in rows.tolist():
                self._shelved.pop(row, None)
        unseen = rows[(r.flags[rows] & (ACTIVE | ACKED)) == ACTIVE]
        r.flags[unseen] &= ~np.uint8(TOLD)
        r.hold[unseen] = hold
        self._wake = 0

    # -- what explains what

    def renumber(self, topology: Topology) -> None:
        """The inventory changed."""
        self._topology = topology
        self._stirred = set(self._explains)
        self._wake = 0

    def _stir(self, rows: np.ndarray) -> None:
        """Alarms came or went: what they explain, and what explains them, is to be looked at."""
        self._stirred.update(np.unique(self._rows.code[rows]).tolist())

    def _suppress(self, mono: int) -> None:
        stirred, self._stirred = self._stirred, set()
        explaining = stirred & set(self._explains)
        for code in explaining:
            self._covers[code] = self._topology.covers(self._standing(code))
        explained = {child for code in explaining for child in self._explains[code]}
        for code in sorted(explained | {c for c in stirred if self._kinds[c].suppressed_by}):
            self._suppress_code(code, mono)

    def _standing(self, code: int) -> np.ndarray:
        places = self._topology.places(self._rows.asset[self._rows.of_code(code, ACTIVE)])
        on = np.zeros(self._topology.nobody + 1, bool)
        on[places] = True
        on[-1] = False
        return on

    def _suppress_code(self, code: int, mono: int) -> None:
        r = self._rows
        rows = r.of_code(code, ACTIVE)
        places = self._topology.places(r.asset[rows])
        by_code = np.full(len(rows), NO_CODE, np.uint16)
        by_asset = np.full(len(rows), NONE, np.uint32)
        for parent in reversed(self._kinds[code].suppressed_by):
            cover = self._covers.get(self._number.get(parent, NO_CODE))
            if cover is None:
                continue
            found = cover[places]
            known = found != self._topology.nobody
            by_code[known], by_asset[known] = self._number[parent], found[known]
        moved = (by_code != r.by_code[rows]) | (by_asset != r.by_asset[rows])
        moved |= ((r.flags[rows] & SUPPRESSED) != 0) != (by_code != NO_CODE)
        rows, by_code, by_asset = rows[moved], by_code[moved], by_asset[moved]
        r.by_code[rows], r.by_asset[rows] = by_code, by_asset
        r.say[rows] |= np.uint8(_MOVED)
        r.flags[rows[by_code != NO_CODE]] |= np.uint8(SUPPRESSED)
        # Their conditions take a moment to go, too, when the cause is gone.
        self._back(rows[by_code == NO_CODE], SUPPRESSED, mono + int(self._correlate[code]))

    # -- what a person is told

    def _announce(self, mono: int, utc: int) -> None:
        r = self._rows
        flags = r.flags[: r.n]
        ripe = ((flags & (ACTIVE | TOLD | ACKED | _HIDDEN)) == ACTIVE) & (r.hold[: r.n] <= mono)
        rows = np.flatnonzero(ripe)
        before = self._flood.opened
        codes = np.unique(r.code[rows]).tolist()
        for code in sorted(codes, key=lambda code: (self._kinds[code].priority, code)):
            mine = rows[r.code[rows] == code]
            assets = r.asset[mine]
            r.group[mine] = self._flood.tell(
                self.codes[code],
                self._kinds[code].priority == 1,
                self._topology.parents(assets),
                self._topology.communes(assets),
                mono,
                utc,
            )
        r.flags[rows] |= np.uint8(TOLD)
        r.announced[rows], r.told[rows] = utc, mono
        r.say[rows] |= np.uint8(_ANNOUNCED)
        self._opened = set(range(before + 1, self._flood.opened + 1))

    def _report(self, mono: int, by: str = "", reason: str = "", until: int = 0) -> None:
        """Note what changed, for the next ``turn`` to return: what changed alike together."""
        r = self._rows
        n = r.n
        states = _STATE[r.flags[:n]]
        rows = np.flatnonzero((states != r.shown[:n]) | (r.say[:n] != 0))
        if not len(rows):
            return
        key = r.code[rows].astype(np.uint64) << np.uint64(52)
        key |= r.by_code[rows].astype(np.uint64) << np.uint64(40)
        key |= r.flags[rows].astype(np.uint64) << np.uint64(32)
        key |= (r.say[rows] & _ANNOUNCED).astype(np.uint64) << np.uint64(30)
        key |= r.group[rows].astype(np.uint64)
        order = np.lexsort((r.asset[rows], key))
        rows, key = rows[order], key[order]
        for alike in np.split(rows, np.flatnonzero(key[1:] != key[:-1]) + 1):
            for first in range(0, len(alike), TOLD_MAX):
                self._changes.append(self._change(alike[first : first + TOLD_MAX], by, reason, until))
        self._states -= np.bincount(r.shown[rows], minlength=len(STATES))
        self._states += np.bincount(states[rows], minlength=len(STATES))
        r.shown[rows] = states[rows]
        r.revision[rows] += np.uint32(1)
        r.changed[rows] = mono
        r.say[rows] = 0

    def _change(self, rows: np.ndarray, by: str, reason: str, until: int) -> Change:
        r = self._rows
        one = int(rows[0])
        group, announced = int(r.group[one]), 0
        if r.say[one] & _ANNOUNCED:
            # Once a group, even where its members' flags differ.
            announced = int(group in self._opened) if group else len(rows)
            self._opened.discard(group)
        parent = int(r.by_code[one])
        return Change(
            code=self.codes[r.code[one]],
            flags=int(r.flags[one]),
            assets=r.asset[rows],
            announced=announced,
            group=group,
            parent="" if parent == NO_CODE else self.codes[parent],
            causes=r.by_asset[rows],
            by=by,
            reason=reason,
            until=until,
            data=self._data.get(one, {}) if len(rows) == 1 else {},
        )

    # -- memory

    def _forgettable(self) -> np.ndarray:
        """bool[rows]: returned, and nothing more to come of it."""
        r = self._rows
        keep = HOLDS | ACTIVE | SHELVED | OUT | CHATTERS
        over = ((r.flags[: r.n] & keep) == 0) & (r.shown[: r.n] == 0)
        return np.asarray(over & (r.code[: r.n] != NO_CODE))

    def _forget(self, mono: int) -> None:
        old = self._forgettable() & (self._rows.changed[: self._rows.n] <= mono - MEMORY_S * SECOND)
        self._free(np.flatnonzero(old))
        self._flood.forget(self._rows.group[: self._rows.n])

    def _make_room(self, rows: int) -> int:
        """Forget up to ``rows`` returned alarms, the oldest first; return how many."""
        free = np.flatnonzero(self._forgettable())
        free = free[np.argsort(self._rows.changed[free], kind="stable")][:rows]
        self._free(free)
        return len(free)

    def _free(self, rows: np.ndarray) -> None:
        self._states[0] -= len(rows)
        self._rows.free(rows)
        for row in rows.tolist():
            self._data.pop(row, None)
            self._acked_by.pop(row, None)

    def _next(self, mono: int) -> int:
        """The mono µs at which time alone changes something."""
        r = self._rows
        flags = r.flags[: r.n]
        waits = ((flags & (ACTIVE | TOLD | ACKED | _HIDDEN)) == ACTIVE, r.hold)
        delays = (_differs(flags) & ((flags & CHATTERS) == 0), r.due)
        chatter, shelf = ((flags & CHATTERS) != 0, r.quiet), ((flags & SHELVED) != 0, r.shelf)
        next_ = min(
            int(column[: r.n][which].min(initial=_LATER)) for which, column in (waits, delays, chatter, shelf)
        )
        oldest = int(r.changed[: r.n][self._forgettable()].min(initial=_LATER))
        return min(next_, max(oldest + MEMORY_S * SECOND, mono + SECOND))

    # -- over a restart

    def stored(self) -> Stored:
        """All of it after a turn, for a snapshot."""
        rows = self._rows.taken()
        place = dict(zip(rows.tolist(), range(len(rows)), strict=True))
        return Stored(
            mono=self._mono,
            codes=list(self.codes),
            columns=self._rows.stored(),
            data={place[row]: data for row, data in self._data.items()},
            acked_by={place[row]: person for row, person in self._acked_by.items()},
            shelved={place[row]: why for row, why in self._shelved.items()},
            told=self._flood.stored(self._mono),
            answers=self._answers.counts.tobytes(),
            refused=self.refused,
        )

    def restore(self, stored: Stored, mono: int) -> None:
        """Put back what was stored; alarms that nobody declares any more are left out.

        Time that passed since counts. Where the clock began anew, and is at ``mono`` less than it was, what was left
        of each delay, pause and shelf is left again.
        """
        shift = min(0, mono - stored.mono)
        self._clear_all()
        self._mono = mono
        numbers = [self._number.get(code, NO_CODE) for code in stored.codes]
        if stored.columns:
            rows = self._rows.restore(stored.columns, numbers, shift)
            self._data = _placed(stored.data, rows)
            self._acked_by = _placed(stored.acked_by, rows)
            self._shelved = _placed(stored.shelved, rows)
            self._states = np.bincount(self._rows.shown[self._rows.taken()], minlength=len(STATES))
        self._flood.restore(stored.told, stored.mono, shift)
        if stored.answers:
            self._answers = Histogram(np.frombuffer(stored.answers, np.uint64)[:BUCKETS].copy())
        self.refused = stored.refused

    def again(
        self, told: Sequence[tuple[int, AlarmChanged]], index: Mapping[str, int], mono: int, utc: int
    ) -> None:
        """What was journaled after the snapshot, each with its utc µs, in order; now it is ``mono`` and ``utc`` µs.

        ``index`` maps an asset's id to its index.
        """
        for words in alarm_tail.rounds(alarm_tail.words(told, self._number, index)):
            for code in np.unique(words.code).tolist():
                self._change_again(code, words.where(words.code == code), told, mono - utc)
        for at, changed in told:
            if changed.announced:
                self._announce_again(at, changed, mono - utc)
        r = self._rows
        self._states = np.bincount(r.shown[r.taken()], minlength=len(STATES))
        self._stirred = set(self._explains)
        self._wake = 0

    def _change_again(
        self, code: int, words: Words, told: Sequence[tuple[int, AlarmChanged]], shift: int
    ) -> None:
        r = self._rows
        self._take(code, words.asset[r.find(code, words.asset) < 0], 0)
        rows = r.find(code, words.asset)
        words, rows = words.where(rows >= 0), rows[rows >= 0]
        before, mono = r.flags[rows], words.at + shift
        rose, fell = words.flags & ~before, before & ~words.flags
        came, went = (rose & ACTIVE) != 0, (fell & ACTIVE) != 0
        r.before[rows[came]], r.raised[rows[came]] = r.raised[rows[came]], mono[came]
        r.raised_at[rows[came]], r.returned_at[rows[went]] = words.at[came], words.at[went]
        for column in (r.returned_at, r.acked_at, r.announced):
            column[rows[came]] = 0
        r.count[rows[came]] += np.uint32(1)
        r.hold[rows] = mono + self._correlate[code]
        seen, heard = (rose & ACKED) != 0, (rose & TOLD) != 0
        r.acked_at[rows[seen]] = words.at[seen]
        r.announced[rows[heard]], r.told[rows[heard]] = words.at[heard], mono[heard]
        self._acked_by |= {row: told[n][1].by for row, n in _pairs(rows[seen], words.which[seen])}
        for row, which in _pairs(rows[words.noted], words.which[words.noted]):
            self._note_again(row, told[which][1], shift)
        r.flags[rows], r.group[rows] = words.flags, words.group
        r.by_code[rows], r.by_asset[rows] = words.parent, words.cause
        r.quiet[rows], r.due[rows], r.changed[rows] = mono + CHATTER_S * SECOND, mono, mono
        r.shown[rows] = _STATE[words.flags]
        r.revision[rows] += np.uint32(1)

    def _note_again(self, row: int, changed: AlarmChanged, shift: int) -> None:
        if changed.data:
            self._data[row] = changed.data
        if changed.reason:
            self._shelved[row] = changed.by, changed.reason
            self._rows.until[row] = changed.until_utc
            self._rows.shelf[row] = changed.until_utc + shift

    def _announce_again(self, at: int, changed: AlarmChanged, shift: int) -> None:
        self._flood.count(changed.announced, at + shift)
        if changed.group:
            self._flood.known_again(Group(changed.group, changed.code, LEVELS[-1], 0, at, NEVER))

    # -- what there is

    def get(self, asset: int, code: str) -> Alarm | None:
        """One alarm, or None where it is normal and nothing is remembered of it."""
        rows = self._found(asset, code)
        return self._alarm(int(rows[0])) if len(rows) else None

    def all(self) -> Iterator[Alarm]:
        """All alarms that are not normal, by code and asset."""
        rows = self._rows.taken()
        return (self._alarm(row) for row in rows[self._rows.shown[rows] != 0].tolist())

    def groups(self) -> dict[int, tuple[Group, int]]:
        """The groups of which members stand, and how many do."""
        r = self._rows
        standing = (r.flags[: r.n] & (ACTIVE | _HIDDEN)) == ACTIVE
        numbers, counts = np.unique(r.group[: r.n][standing & (r.group[: r.n] != 0)], return_counts=True)
        return {
            number: (self._flood.groups[number], count)
            for number, count in zip(numbers.tolist(), counts.tolist(), strict=True)
        }

    def active(self) -> dict[str, int]:
        """How many alarms of each code stand and are neither suppressed nor put aside."""
        r = self._rows
        standing = (r.flags[: r.n] & (ACTIVE | _HIDDEN)) == ACTIVE
        counts = np.bincount(r.code[: r.n][standing], minlength=len(self.codes)).tolist()
        return {code: n for code, n in zip(self.codes, counts, strict=True) if n}

    def load(self, ids: Sequence[str]) -> AlarmLoad:
        """The load on the operator, after the last turn. ``ids`` are the assets'."""
        r = self._rows
        states = dict(zip(STATES, self._states.tolist(), strict=True))
        standing = (r.flags[: r.n] & (ACTIVE | _HIDDEN)) == ACTIVE
        stale = standing & (r.raised[: r.n] < self._mono - STALE_S * SECOND)
        windows = self._flood.windows(self._mono)
        recent = self._flood.recent(self._mono)
        top = np.argsort(-r.count[: r.n].astype(np.int64), kind="stable")[:10]
        top = top[r.count[top] > 0]
        came = int(r.count[: r.n].sum())
        return AlarmLoad(
            active=self.active(),
            announced_10min=recent,
            announced_hour=self._flood.within(3600, self._mono),
            peak_10min=int(windows.max()),
            flood=bool(recent > FLOOD_ABOVE),
            flood_pct=round(100 * float((windows > FLOOD_ABOVE).mean()), 2),
            standing=states["unacked_active"] + states["acked_active"],
            unacked=states["unacked_active"] + states["returned_unacked"],
            stale=int(np.count_nonzero(stale)),
            chattering=int(np.count_nonzero(r.flags[: r.n] & CHATTERS)),
            shelved=states["shelved"],
            suppressed=states["suppressed"],
            out_of_service=states["out_of_service"],
            refused=self.refused,
            top=[
                Frequent(
                    "" if r.asset[row] == POST_ASSET else ids[r.asset[row]],
                    self.codes[r.code[row]],
                    int(r.count[row]),
                )
                for row in top
            ],
            top_pct=round(100 * int(r.count[top].sum()) / came, 1) if came else 0.0,
            ack_p50_s=_rounded(self._answers.percentile(50)),
            ack_p95_s=_rounded(self._answers.percentile(95)),
        )

    def kind(self, code: str) -> tuple[AlarmKind, str]:
        """The kind of a code, and its trade."""
        return self._kinds[self._number[code]], self._trades[self._number[code]]

    def _alarm(self, row: int) -> Alarm:
        r, code = self._rows, int(self._rows.code[row])
        commune = int(self._topology.communes(r.asset[row : row + 1])[0])
        parent, flags = int(r.by_code[row]), int(r.flags[row])
        by, reason = self._shelved.get(row, ("", ""))
        return Alarm(
            asset=int(r.asset[row]),
            code=self.codes[code],
            priority=self._kinds[code].priority,
            trade=self._trades[code],
            commune=None if commune < 0 else commune,
            state=state_of(flags),
            raised_at=int(r.raised_at[row]),
            returned_at=int(r.returned_at[row]),
            acked_at=int(r.acked_at[row]),
            acked_by=self._acked_by.get(row, "") if flags & ACKED else "",
            shelved_until=int(r.until[row]),
            shelved_by=by,
            shelved_reason=reason,
            parent=None if parent == NO_CODE else (int(r.by_asset[row]), self.codes[parent]),
            count=int(r.count[row]),
            announced=int(r.announced[row]),
            group=int(r.group[row]),
            chattering=bool(flags & CHATTERS),
            data=self._data.get(row, {}),
            revision=int(r.revision[row]),
        )


def _differs(flags: np.ndarray) -> np.ndarray:
    """bool[n]: what holds, and what counts after the delays, are not the same."""
    return np.asarray(((flags & HOLDS) != 0) != ((flags & ACTIVE) != 0))


def _pairs(rows: np.ndarray, which: np.ndarray) -> Iterator[tuple[int, int]]:
    return zip(rows.tolist(), which.tolist(), strict=True)


def _reasoned(reason: str) -> None:
    if not reason.strip():
        raise AlarmError("no reason is given.", next="Say why: the next shift will ask.")


def _rounded(ms: float | None) -> float | None:
    """Seconds, for a person."""
    return None if ms is None else round(ms / 1000, 1)


def _placed(notes: Mapping[int, T], rows: np.ndarray) -> dict[int, T]:
    """Notes by row, from notes by place; without those whose alarm is no more."""
    return {int(rows[place]): note for place, note in notes.items() if rows[place] >= 0}
