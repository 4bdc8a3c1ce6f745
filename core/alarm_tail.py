"""What the journal told of alarms since a snapshot, as columns: a million words are worked in round by round."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from core.alarm_kinds import Kinds
from core.alarm_rows import NO_CODE, Rows
from core.alarm_state import ACKED, ACTIVE, CHATTER_S, OUT, SHELVED, TOLD
from core.assets import NONE
from core.clock import SECOND
from core.vocabulary import AlarmChanged

Said = Sequence[tuple[int, AlarmChanged]]


class Words(NamedTuple):
    """Columns of one length n, a word each: u16, u32, u8, i64 µs, u32, u16, u32, bool, i64.

    ``noted``: the change that said it, number ``which``, also tells what the trade said, or a person's reason.
    """

    code: np.ndarray
    asset: np.ndarray
    flags: np.ndarray
    at: np.ndarray
    group: np.ndarray
    parent: np.ndarray
    cause: np.ndarray
    noted: np.ndarray
    which: np.ndarray

    def where(self, rows: np.ndarray) -> Words:
        """Some of the words."""
        return Words(*(column[rows] for column in self))


def words(told: Said, numbers: Mapping[str, int], index: Mapping[str, int]) -> Words:
    """One word for each asset of each change, in order; codes that nobody declares any more are left out.

    ``numbers`` are those of the codes, ``index`` maps an asset's id to its index.
    """
    known = [(n, at, changed) for n, (at, changed) in enumerate(told) if changed.code in numbers]
    counts = [changed.count for _, _, changed in known]

    def column(values: Sequence[int], dtype: type) -> np.ndarray:
        return np.repeat(np.array(values, dtype), counts)

    asset = column([index.get(changed.asset, NONE) for _, _, changed in known], np.uint32)
    cause = column([index.get(changed.cause, NONE) for _, _, changed in known], np.uint32)
    starts = np.cumsum([0, *counts])
    for first, (_, _, changed) in zip(starts.tolist(), known, strict=False):
        if changed.assets:
            asset[first : first + changed.count] = np.frombuffer(changed.assets, "<u4")
        if changed.causes:
            cause[first : first + changed.count] = np.frombuffer(changed.causes, "<u4")
    return Words(
        code=column([numbers[changed.code] for _, _, changed in known], np.uint16),
        asset=asset,
        flags=column([changed.flags for _, _, changed in known], np.uint8),
        at=column([at for _, at, _ in known], np.int64),
        group=column([changed.group for _, _, changed in known], np.uint32),
        parent=column([numbers.get(changed.parent, NO_CODE) for _, _, changed in known], np.uint16),
        cause=cause,
        noted=column([bool(changed.data or changed.reason) for _, _, changed in known], bool),
        which=column([n for n, _, _ in known], np.int64),
    )


def rounds(said: Words) -> Iterator[Words]:
    """The first word on each alarm, then the second on each that has one, and so on."""
    alarm = said.code.astype(np.uint64) << np.uint64(32) | said.asset
    order = np.argsort(alarm, kind="stable")
    starts = np.flatnonzero(np.diff(alarm[order], prepend=alarm[order][:1] + np.uint64(1)))
    rank = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
    by_rank = order[np.argsort(rank, kind="stable")]
    for of_round in np.split(by_rank, np.cumsum(np.bincount(rank))[:-1]):
        if len(of_round):
            yield said.where(of_round)


def work_in(words: Words, rows: np.ndarray, told: Said, r: Rows, kinds: Kinds, shift: int) -> None:
    """Put words of one round, said by ``told``, into their rows i64[n]; ``shift`` µs lead from utc to mono."""
    before, mono = r.flags[rows], words.at + shift
    rose, fell = words.flags & ~before, before & ~words.flags
    came, went = (rose & ACTIVE) != 0, (fell & ACTIVE) != 0
    seen, heard = (rose & ACKED) != 0, (rose & TOLD) != 0
    r.before[rows[came]], r.raised[rows[came]] = r.raised[rows[came]], mono[came]
    r.raised_at[rows[came]], r.returned_at[rows[went]] = words.at[came], words.at[went]
    for column in (r.returned_at, r.acked_at, r.announced):
        column[rows[came]] = 0
    r.count[rows[came]] += np.uint32(1)
    r.acked_at[rows[seen]] = words.at[seen]
    r.announced[rows[heard]], r.told[rows[heard]] = words.at[heard], mono[heard]
    for row in rows[(fell & (SHELVED | OUT)) != 0].tolist():
        r.until[row] = 0
        r.note(row).aside_by = r.note(row).aside_why = ""
    for row, which in zip(rows[seen].tolist(), words.which[seen].tolist(), strict=True):
        r.note(row).acked_by = told[which][1].by
    for row, which in zip(rows[words.noted].tolist(), words.which[words.noted].tolist(), strict=True):
        _note(r, row, told[which][1], shift)
    r.flags[rows], r.group[rows] = words.flags, words.group
    r.by_code[rows], r.by_asset[rows] = words.parent, words.cause
    r.quiet[rows], r.due[rows] = mono + CHATTER_S * SECOND, mono
    r.hold[rows] = mono + kinds.correlate[words.code]
    r.show(rows, mono)


def _note(r: Rows, row: int, changed: AlarmChanged, shift: int) -> None:
    if changed.data:
        r.note(row).data = changed.data
    if changed.reason:
        r.note(row).aside_by, r.note(row).aside_why = changed.by, changed.reason
        r.until[row], r.shelf[row] = changed.until_utc, changed.until_utc + shift
