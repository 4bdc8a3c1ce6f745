"""What the journal told of alarms since a snapshot, as columns: a million words are worked in round by round."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from core.alarm_rows import NO_CODE
from core.assets import NONE
from core.vocabulary import AlarmChanged


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


def words(
    told: Sequence[tuple[int, AlarmChanged]], numbers: Mapping[str, int], index: Mapping[str, int]
) -> Words:
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
