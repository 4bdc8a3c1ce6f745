"""Which command each target obeys: columns over all assets, one set a verb, so that no step loops over targets."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import msgspec
import numpy as np

#: How far the newest command of a target is: its outcome is known, it waits for an answer, its read-back is awaited.
SETTLED, ORDERED, WATCHED = range(3)

#: The holder of a lease that an earlier life of the post gave.
EARLIER = -1


class Held(msgspec.Struct, frozen=True):
    """Leases in a snapshot: ``assets`` u32[n], ``until`` i64[n] mono µs, ``persons`` bool[n], as bytes."""

    assets: bytes
    until: bytes
    persons: bytes


class Holds:
    """Columns [assets], times in mono µs (0: none).

    ``holder`` i64 the number of the newest command whose lease or answer is out (0: none); ``wanted`` f64;
    ``phase`` u8; ``asked`` i64 utc µs: since when it is asked for that; ``answer_by``, ``due``, ``until`` i64: when
    its answer and its read-back are given up, when its lease ends; ``person`` bool: a person gave that lease.
    """

    def __init__(self, assets: int) -> None:
        self.holder = np.zeros(assets, np.int64)
        self.wanted = np.zeros(assets)
        self.phase = np.zeros(assets, np.uint8)
        self.asked = np.zeros(assets, np.int64)
        self.answer_by = np.zeros(assets, np.int64)
        self.due = np.zeros(assets, np.int64)
        self.until = np.zeros(assets, np.int64)
        self.person = np.zeros(assets, bool)

    def grow(self, assets: int) -> None:
        """Make room for added assets."""
        for name, column in vars(self).items():
            setattr(self, name, np.concatenate([column, np.zeros(assets - len(column), column.dtype)]))

    def take(
        self,
        assets: np.ndarray,
        number: int,
        values: np.ndarray,
        utc: int,
        answer_by: int,
        until: int,
        person: bool = False,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Command ``number``, a ``person``'s or a rule's, is the newest of ``assets``; ``until`` 0: it releases them.

        Return the commands it supersedes, an entry for each target: those whose outcome was open, and all.
        """
        before, phase = self.holder[assets], self.phase[assets]
        # Asked for the same again: the device is judged by when it was asked first.
        same = (phase == WATCHED) & (self.wanted[assets] == values) & (until > 0)
        self.due[assets] = np.where(same, self.due[assets], 0)
        self.asked[assets] = np.where(same, self.asked[assets], utc)
        self.holder[assets], self.wanted[assets] = number, values
        self.phase[assets], self.answer_by[assets] = ORDERED, answer_by
        self.person[assets] = person and until > 0
        if until:
            # A release that does not arrive ends no lease.
            self.until[assets] = until
        return before[phase != SETTLED], before[before > 0]

    def by_person(self, assets: np.ndarray, mono: int) -> np.ndarray:
        """bool[n]: the asset obeys a person at ``mono`` µs."""
        return np.asarray(self.person[assets] & (self.until[assets] > mono))

    def waits(self, assets: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """bool[n]: the asset waits for the answer to just this command."""
        return np.asarray((self.holder[assets] == numbers) & (self.phase[assets] == ORDERED))

    def executed(self, assets: np.ndarray, due: int, until: np.ndarray) -> None:
        """The devices did it: their leases run ``until`` i64[n], read-back is awaited until ``due``."""
        self.phase[assets] = WATCHED
        self.until[assets] = until
        first = self.due[assets]
        self.due[assets] = np.minimum(np.where(first > 0, first, due), until)

    def settle(self, assets: np.ndarray) -> np.ndarray:
        """The outcome of these is known; return their commands, an entry for each target."""
        self.phase[assets], self.due[assets] = SETTLED, 0
        numbers: np.ndarray = self.holder[assets]
        return numbers

    def end(self, assets: np.ndarray) -> np.ndarray:
        """The leases of these are over; return their commands, an entry for each target."""
        holders: np.ndarray = self.holder[assets]
        self.holder[assets], self.until[assets], self.person[assets] = 0, 0, False
        return holders

    def watched(self) -> np.ndarray:
        """u32[n]: targets whose read-back is awaited."""
        return np.flatnonzero(self.phase == WATCHED).astype(np.uint32)

    def unanswered(self, mono: int) -> np.ndarray:
        """u32[n]: targets whose answer is given up."""
        ordered = np.flatnonzero(self.phase == ORDERED)
        given_up = self.answer_by[ordered] <= mono
        return np.asarray(ordered[given_up], np.uint32)

    def over(self, mono: int) -> np.ndarray:
        """u32[n]: targets whose lease is over."""
        over = np.flatnonzero((self.until > 0) & (self.until <= mono))
        return np.asarray(over[self.phase[over] != ORDERED], np.uint32)

    def stored(self) -> Held:
        """The leases, for a snapshot."""
        assets = np.flatnonzero(self.until > 0).astype("<u4")
        return Held(
            assets.tobytes(), self.until[assets].astype("<i8").tobytes(), self.person[assets].tobytes()
        )

    def restore(self, held: Held, shift: int) -> None:
        """Put back what leases there were; their commands belong to an earlier life of the post."""
        assets = np.frombuffer(held.assets, "<u4")
        known = assets < len(self.holder)
        self.until[assets[known]] = np.frombuffer(held.until, "<i8")[known] + shift
        self.person[assets[known]] = np.frombuffer(held.persons, bool)[known]
        self.holder[assets[known]] = EARLIER

    def again(self, assets: np.ndarray, until: int) -> None:
        """A person of an earlier life of the post gave ``assets`` a lease until ``until``; 0: ended them."""
        self.holder[assets] = EARLIER if until else 0
        self.until[assets], self.person[assets] = until, until > 0


def counted(numbers: np.ndarray) -> Iterator[tuple[int, int]]:
    """Each command among ``numbers`` with how often it is there; those of an earlier life are left out."""
    if not len(numbers):
        return iter(())
    # np.unique with counts does the same in three times the time.
    ordered = np.sort(numbers[numbers > 0])
    ends = [*(np.flatnonzero(ordered[1:] != ordered[:-1]) + 1).tolist(), len(ordered)]
    return ((int(ordered[start]), end - start) for start, end in pairwise([0, *ends]) if end > start)
