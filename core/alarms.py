"""Alarms: conditions that ask a person to act, each (asset, code) in one state of ISA-18.2; docs/alarms.md tells all.

Trades say what holds, persons act, time passes: ``turn`` works it all in, for thousands at a time, on columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from core import alarm_tail
from core.alarm_kinds import Kinds
from core.alarm_load import AlarmLoad, measure
from core.alarm_rows import ANNOUNCED, MOVED, NEVER, NO_CODE, Note, Rows, StoredRows
from core.alarm_state import (
    ACKED,
    ACTIVE,
    CHATTER_S,
    CHATTERS,
    HIDDEN,
    HOLDS,
    NO_PARENT,
    OUT,
    SHELVED,
    STATE,
    STATES,
    SUPPRESSED,
    TOLD,
    Alarm,
    AlarmRows,
    Change,
    Data,
    state_of,
)
from core.alarm_tail import Said, Words
from core.assets import NONE
from core.clock import SECOND
from core.declaration import AlarmKind
from core.errors import AlarmError
from core.flood import LEVELS, Flood, Group, Told
from core.histogram import BUCKETS, Histogram
from core.suppression import Suppression
from core.topology import Topology
from core.vocabulary import POST

#: Alarms kept at most, those of the last day included; a further one is counted and raises a limit of the post.
ALARMS_MAX = 200_000

#: Alarms that one event tells of at most.
TOLD_MAX = 65_536

#: The asset of an alarm about the post itself.
POST_ASSET = NONE

#: A shelf lasts no longer (s); what needs longer is taken out of service.
SHELF_MAX_S = 86_400

#: An alarm that has returned is remembered, and counted on where it comes again, for so long (s).
MEMORY_S = 86_400

_LATER = 1 << 62


class Stored(msgspec.Struct, frozen=True):
    """The register in a snapshot, at ``mono`` µs. ``answers`` u64[buckets] (bytes) counts times to acknowledge."""

    mono: int = 0
    codes: list[str] = []
    rows: StoredRows = StoredRows()
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
        self._kinds = Kinds(kinds)
        self._suppression = Suppression(self._kinds, topology)
        self._begin()

    def _begin(self) -> None:
        self.refused = 0
        self._rows = Rows(len(self._kinds))
        self._flood = Flood()
        #: From an announcement to its acknowledgement, in ms.
        self._answers = Histogram()
        self._said: list[_Said] = []
        self._changes: list[Change] = []
        self._opened: set[int] = set()
        self._mono = 0
        self._look_at_all(self._suppression.topology)

    def _look_at_all(self, topology: Topology) -> None:
        self._suppression.renumber(topology)
        self._wake = 0

    def renumber(self, topology: Topology) -> None:
        """The inventory changed."""
        self._look_at_all(topology)

    # -- what trades say

    def raise_(self, asset: int | np.ndarray, code: str, mono: int, data: Data) -> None:
        """The condition holds, on one asset or on u32[n]. Raises KeyError for a code nobody declared."""
        self._said.append(_Said(self._kinds.number[code], asset, True, mono, data))

    def clear(self, asset: int | np.ndarray, code: str, mono: int) -> None:
        """The condition holds no more, on one asset or on u32[n]. Raises KeyError for a code nobody declared."""
        self._said.append(_Said(self._kinds.number[code], asset, False, mono, {}))

    def holds(self, asset: int, code: str) -> bool:
        """Whether the condition held by the last turn."""
        # Asked of each trouble of the post in each step: without an array.
        row = self._rows.row(self._kinds.number[code], asset)
        return row >= 0 and bool(self._rows.flags[row] & HOLDS)

    def declared(self, code: str) -> bool:
        """Whether any trade, or the post, declares this code."""
        return code in self._kinds.number

    # -- what persons do

    def members(self, group: int) -> dict[str, np.ndarray]:
        """The assets u32[n] of a group's alarms, by their code."""
        rows = np.flatnonzero(self._rows.group[: self._rows.n] == group)
        codes = self._rows.code[rows]
        return {self._kinds.codes[c]: self._rows.asset[rows[codes == c]] for c in np.unique(codes).tolist()}

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
        state = STATE[r.flags[rows]]
        rows = rows[(state == STATES.index("unacked_active")) | (state == STATES.index("returned_unacked"))]
        told = rows[(r.flags[rows] & TOLD) != 0]
        self._answers.add_all((mono - r.told[told]) // 1000)
        r.flags[rows] |= ACKED
        r.acked_at[rows] = utc
        for row in rows.tolist():
            self._rows.note(row).acked_by = person
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
        r.say[row] |= MOVED
        r.note(row).aside_by, r.note(row).aside_why = person, reason
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
        rows = self._rows.find(self._kinds.number[code], np.array([asset], np.uint32))
        return rows[rows >= 0]

    def _made(self, asset: int, code: str, mono: int) -> int:
        found = self._found(asset, code)
        if not len(found):
            found = self._take(self._kinds.number[code], np.array([asset], np.uint32), mono)
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
        r = self._rows
        if not r.notes and not any(each.data for each in said):
            return
        new = (r.flags[rows] & (HOLDS | ACTIVE)) == 0
        for row, which in zip(rows[new].tolist(), of[new].tolist(), strict=True):
            if said[which].data or row in r.notes:
                r.note(row).data = said[which].data

    def _hold(self, rows: np.ndarray, holds: np.ndarray, mono: np.ndarray, code: int) -> None:
        r = self._rows
        turned = ((r.flags[rows] & HOLDS) != 0) != holds
        rows, holds, mono = rows[turned], holds[turned], mono[turned]
        r.flags[rows] ^= np.uint8(HOLDS)
        r.due[rows] = mono + np.where(holds, self._kinds.on[code], self._kinds.off[code])
        chatters = (r.flags[rows] & CHATTERS) != 0
        r.quiet[rows[chatters]] = mono[chatters] + CHATTER_S * SECOND
        r.count[rows[chatters & holds]] += np.uint32(1)

    def _take(self, code: int, assets: np.ndarray, mono: int) -> np.ndarray:
        """Rows for new alarms, as many of them as there is room for; the post's own always find it."""
        room = ALARMS_MAX - self._rows.live
        if len(assets) > room and self._kinds.trades[code] != POST:
            room += self._make_room(len(assets) - room)
            self.refused += max(0, len(assets) - room)
            assets = assets[: max(0, room)]
        rows = self._rows.take(code, assets)
        self._rows.changed[rows] = mono
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
        r.hold[rows] = mono + self._kinds.correlate[r.code[rows]]
        self._suppression.stir(r.code[rows])

    def _return(self, rows: np.ndarray, utc: int) -> None:
        r = self._rows
        r.flags[rows] &= ~np.uint8(ACTIVE | SUPPRESSED)
        r.returned_at[rows] = utc
        r.by_code[rows], r.by_asset[rows] = NO_CODE, NONE
        self._suppression.stir(r.code[rows])

    def _end_chatter(self, mono: int, utc: int) -> None:
        r = self._rows
        quiet = np.flatnonzero(((r.flags[: r.n] & CHATTERS) != 0) & (r.quiet[: r.n] <= mono))
        r.flags[quiet] &= ~np.uint8(CHATTERS)
        self._return(quiet[(r.flags[quiet] & HOLDS) == 0], utc)

    def _end_shelves(self, mono: int) -> None:
        r = self._rows
        over = np.flatnonzero(((r.flags[: r.n] & SHELVED) != 0) & (r.shelf[: r.n] <= mono))
        self._back(over, SHELVED, mono)

    def _back(self, rows: np.ndarray, flag: int, hold: int | np.ndarray) -> None:
        """Alarms come back from where nobody was told of them; those that nobody has acknowledged are announced."""
        r = self._rows
        r.flags[rows] &= ~np.uint8(flag)
        if flag != SUPPRESSED:
            r.until[rows] = 0
            for row in rows.tolist():
                r.note(row).aside_by = r.note(row).aside_why = ""
        r.hold[rows] = hold
        unseen = rows[(r.flags[rows] & (ACTIVE | ACKED)) == ACTIVE]
        r.flags[unseen] &= ~np.uint8(TOLD)
        self._wake = 0

    def _suppress(self, mono: int) -> None:
        released = self._suppression.turn(self._rows)
        # Their conditions take a moment to go, too, when the cause is gone.
        self._back(released, SUPPRESSED, mono + self._kinds.correlate[self._rows.code[released]])

    # -- what a person is told

    def _announce(self, mono: int, utc: int) -> None:
        r = self._rows
        flags = r.flags[: r.n]
        ripe = ((flags & (ACTIVE | TOLD | ACKED | HIDDEN)) == ACTIVE) & (r.hold[: r.n] <= mono)
        rows = np.flatnonzero(ripe)
        before = self._flood.opened
        codes = np.unique(r.code[rows]).tolist()
        for code in sorted(codes, key=lambda code: (self._kinds.kinds[code].priority, code)):
            mine = rows[r.code[rows] == code]
            assets = r.asset[mine]
            r.group[mine] = self._flood.tell(
                self._kinds.codes[code],
                self._kinds.kinds[code].priority == 1,
                self._suppression.topology.parents(assets),
                self._suppression.topology.communes(assets),
                mono,
                utc,
            )
        r.flags[rows] |= np.uint8(TOLD)
        r.announced[rows], r.told[rows] = utc, mono
        r.say[rows] |= np.uint8(ANNOUNCED)
        self._opened = set(range(before + 1, self._flood.opened + 1))

    def _report(self, mono: int, by: str = "", reason: str = "", until: int = 0) -> None:
        """Note what changed, for the next ``turn`` to return: what changed alike together."""
        r = self._rows
        n = r.n
        states = STATE[r.flags[:n]]
        rows = np.flatnonzero((states != r.shown[:n]) | (r.say[:n] != 0))
        if not len(rows):
            return
        key = r.code[rows].astype(np.uint64) << np.uint64(52)
        key |= r.by_code[rows].astype(np.uint64) << np.uint64(40)
        key |= r.flags[rows].astype(np.uint64) << np.uint64(32)
        key |= (r.say[rows] & ANNOUNCED).astype(np.uint64) << np.uint64(30)
        key |= r.group[rows].astype(np.uint64)
        order = np.lexsort((r.asset[rows], key))
        rows, key = rows[order], key[order]
        for alike in np.split(rows, np.flatnonzero(key[1:] != key[:-1]) + 1):
            for first in range(0, len(alike), TOLD_MAX):
                self._changes.append(self._change(alike[first : first + TOLD_MAX], by, reason, until))
        r.show(rows, mono)

    def _change(self, rows: np.ndarray, by: str, reason: str, until: int) -> Change:
        r = self._rows
        one = int(rows[0])
        group, announced = int(r.group[one]), 0
        if r.say[one] & ANNOUNCED:
            # Once a group, even where its members' flags differ.
            announced = int(group in self._opened) if group else len(rows)
            self._opened.discard(group)
        parent = int(r.by_code[one])
        return Change(
            code=self._kinds.codes[r.code[one]],
            flags=int(r.flags[one]),
            assets=r.asset[rows],
            announced=announced,
            group=group,
            parent="" if parent == NO_CODE else self._kinds.codes[parent],
            causes=r.by_asset[rows],
            by=by,
            reason=reason,
            until=until,
            data=r.notes.get(one, Note()).data if len(rows) == 1 else {},
        )

    # -- memory

    def _forget(self, mono: int) -> None:
        r = self._rows
        r.free(np.flatnonzero(r.over() & (r.changed[: r.n] <= mono - MEMORY_S * SECOND)))
        self._flood.forget(r.group[: r.n])

    def _make_room(self, n: int) -> int:
        """Forget up to ``n`` returned alarms, the oldest first; return how many."""
        over = np.flatnonzero(self._rows.over())
        over = over[np.argsort(self._rows.changed[over], kind="stable")][:n]
        self._rows.free(over)
        return len(over)

    def _next(self, mono: int) -> int:
        """The mono µs at which time alone changes something."""
        r = self._rows
        flags = r.flags[: r.n]
        waits = ((flags & (ACTIVE | TOLD | ACKED | HIDDEN)) == ACTIVE, r.hold)
        delays = (_differs(flags) & ((flags & CHATTERS) == 0), r.due)
        chatter, shelf = ((flags & CHATTERS) != 0, r.quiet), ((flags & SHELVED) != 0, r.shelf)
        next_ = min(
            int(column[: r.n][which].min(initial=_LATER)) for which, column in (waits, delays, chatter, shelf)
        )
        oldest = int(r.changed[: r.n][r.over()].min(initial=_LATER))
        return min(next_, max(oldest + MEMORY_S * SECOND, mono + SECOND))

    # -- over a restart

    def stored(self) -> Stored:
        """All of it after a turn, for a snapshot."""
        return Stored(
            mono=self._mono,
            codes=list(self._kinds.codes),
            rows=self._rows.stored(),
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
        self._begin()
        self._mono = mono
        numbers = [self._kinds.number.get(code, NO_CODE) for code in stored.codes]
        self._rows.restore(stored.rows, numbers, shift)
        self._flood.restore(stored.told, stored.mono, shift)
        if stored.answers:
            self._answers = Histogram(np.frombuffer(stored.answers, np.uint64)[:BUCKETS].copy())
        self.refused = stored.refused

    def again(self, told: Said, index: Mapping[str, int], mono: int, utc: int) -> None:
        """What was journaled after the snapshot, each with its utc µs, in order; now it is ``mono`` and ``utc`` µs.

        ``index`` maps an asset's id to its index.
        """
        shift = mono - utc
        for words in alarm_tail.rounds(alarm_tail.words(told, self._kinds.number, index)):
            for code in np.unique(words.code).tolist():
                self._work_in(code, words.where(words.code == code), told, shift)
        for at, changed in told:
            if changed.announced:
                self._flood.count(changed.announced, at + shift)
            if changed.group:
                self._flood.known_again(Group(changed.group, changed.code, LEVELS[-1], 0, at, NEVER))
        self._look_at_all(self._suppression.topology)

    def _work_in(self, code: int, words: Words, told: Said, shift: int) -> None:
        self._take(code, words.asset[self._rows.find(code, words.asset) < 0], NEVER)
        rows = self._rows.find(code, words.asset)
        known = rows >= 0
        alarm_tail.work_in(words.where(known), rows[known], told, self._rows, self._kinds, shift)

    # -- what there is

    def get(self, asset: int, code: str) -> Alarm | None:
        """One alarm, or None where it is normal and nothing is remembered of it."""
        rows = self._found(asset, code)
        return self._alarm(int(rows[0])) if len(rows) else None

    def all(self) -> Iterator[Alarm]:
        """All alarms that are not normal, by code and asset."""
        rows = self._rows.taken()
        return (self._alarm(row) for row in rows[self._rows.shown[rows] != 0].tolist())

    def rows(self, changed: Iterable[tuple[str, np.ndarray]] | None = None) -> AlarmRows:
        """What partners are told: of (code, assets u32[n]) that changed, or of all alarms that are not normal."""
        r = self._rows
        if changed is None:
            taken = r.taken()
            taken = taken[r.shown[taken] != 0]
        else:
            found = [r.find(self._kinds.number[code], assets) for code, assets in changed]
            taken = np.unique(np.concatenate([np.empty(0, np.int64), *found]))
            taken = taken[taken >= 0]
        parent = np.where(r.by_code[taken] == NO_CODE, NO_PARENT, r.by_code[taken])
        return AlarmRows(
            codes=self._kinds.codes,
            code=r.code[taken].tobytes(),
            asset=r.asset[taken].tobytes(),
            state=r.shown[taken].tobytes(),
            parent=parent.astype(np.uint16).tobytes(),
            count=r.count[taken].tobytes(),
            raised_at=r.raised_at[taken].tobytes(),
            returned_at=r.returned_at[taken].tobytes(),
            acked_at=r.acked_at[taken].tobytes(),
        )

    def groups(self) -> dict[int, tuple[Group, int]]:
        """The groups of which members stand, and how many do."""
        r = self._rows
        standing = (r.flags[: r.n] & (ACTIVE | HIDDEN)) == ACTIVE
        numbers, counts = np.unique(r.group[: r.n][standing & (r.group[: r.n] != 0)], return_counts=True)
        return {
            number: (self._flood.groups[number], count)
            for number, count in zip(numbers.tolist(), counts.tolist(), strict=True)
        }

    def load(self, ids: Sequence[str]) -> AlarmLoad:
        """The load on the operator, after the last turn. ``ids`` are the assets'."""
        return measure(
            self._rows, self._kinds.codes, ids, self._flood, self._answers, self.refused, self._mono
        )

    def kinds(self) -> Iterator[tuple[str, AlarmKind, str]]:
        """Each code with its kind and its trade."""
        return zip(self._kinds.codes, self._kinds.kinds, self._kinds.trades, strict=True)

    def kind(self, code: str) -> tuple[AlarmKind, str]:
        """The kind of a code, and its trade."""
        number = self._kinds.number[code]
        return self._kinds.kinds[number], self._kinds.trades[number]

    def _alarm(self, row: int) -> Alarm:
        r, code = self._rows, int(self._rows.code[row])
        commune = int(self._suppression.topology.communes(r.asset[row : row + 1])[0])
        parent, flags = int(r.by_code[row]), int(r.flags[row])
        note = r.notes.get(row, Note())
        return Alarm(
            asset=int(r.asset[row]),
            code=self._kinds.codes[code],
            priority=self._kinds.kinds[code].priority,
            trade=self._kinds.trades[code],
            commune=None if commune < 0 else commune,
            state=state_of(flags),
            raised_at=int(r.raised_at[row]),
            returned_at=int(r.returned_at[row]),
            acked_at=int(r.acked_at[row]),
            acked_by=note.acked_by if flags & ACKED else "",
            shelved_until=int(r.until[row]),
            shelved_by=note.aside_by,
            shelved_reason=note.aside_why,
            parent=None if parent == NO_CODE else (int(r.by_asset[row]), self._kinds.codes[parent]),
            count=int(r.count[row]),
            announced=int(r.announced[row]),
            group=int(r.group[row]),
            chattering=bool(flags & CHATTERS),
            data=note.data,
            revision=int(r.revision[row]),
        )


def _differs(flags: np.ndarray) -> np.ndarray:
    """bool[n]: what holds, and what counts after the delays, are not the same."""
    return np.asarray(((flags & HOLDS) != 0) != ((flags & ACTIVE) != 0))


def _reasoned(reason: str) -> None:
    if not reason.strip():
        raise AlarmError("no reason is given.", next="Say why: the next shift will ask.")
