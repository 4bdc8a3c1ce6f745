"""How much a person is told: what is announced alone, and what a flood announces as one group (EEMUA 191)."""

from __future__ import annotations

import msgspec
import numpy as np

from core.clock import SECOND

#: More announcements than this in WINDOW_S are a flood.
FLOOD_ABOVE = 10
WINDOW_S = 600

#: Room that is left for codes which have not spoken yet.
RESERVE = 2

#: A group takes members for so long (s) after it was announced: the same minute.
GROUP_S = 60

#: Groups kept at most while none of their members is remembered.
GROUPS_MAX = 1000

#: Announcements are counted in slots of so many seconds, for a day.
SLOT_S = 10
_SLOTS, _WINDOW = 86_400 // SLOT_S, WINDOW_S // SLOT_S

#: What the members of a group have in common beside their code, from near to far.
LEVELS = ("parent", "commune", "city")


class Group(msgspec.Struct):
    """Alarms of one code and one cause that were announced as one, at ``at`` µs utc and ``mono``.

    ``level`` says what ``cause`` is: an asset's index (``parent``), a commune's, or nothing (``city``).
    """

    number: int
    code: str
    level: str
    cause: int
    at: int
    mono: int


class Told(msgspec.Struct, frozen=True):
    """Announcements of the last day as i32 (bytes), a slot each, the newest last."""

    counts: bytes = b""
    groups: list[Group] = []
    opened: int = 0


class Flood:
    """Counts announcements, and decides how finely the next ones are told."""

    def __init__(self) -> None:
        self.groups: dict[int, Group] = {}
        #: The number of the newest group.
        self.opened = 0
        self._many = GROUPS_MAX
        self._counts = np.zeros(_SLOTS, np.int32)
        self._slot = 0
        self._elapsed = 0

    def tell(
        self, code: str, urgent: bool, parents: np.ndarray, communes: np.ndarray, mono: int, utc: int
    ) -> np.ndarray:
        """Announce n alarms of one code; return the number of each one's group, u32[n], 0 where it is told alone.

        ``parents`` and ``communes`` i64[n] are their causes. What is ``urgent`` is always told alone. The rest is
        told as finely as leaves half of the room: singly, by parent, by commune, or in one.
        """
        n = len(parents)
        if urgent:
            self.count(n, mono)
            return np.zeros(n, np.uint32)
        causes = dict(zip(LEVELS, (parents, communes, np.zeros(n, np.int64)), strict=True))
        groups = self._join(code, causes, mono)
        left = np.flatnonzero(groups == 0)
        room = FLOOD_ABOVE - self.recent(mono) - RESERVE
        if 2 * len(left) <= room:
            self.count(len(left), mono)
            return groups
        for level in LEVELS:
            distinct, of = np.unique(causes[level][left], return_inverse=True)
            if 2 * len(distinct) <= room or level == LEVELS[-1]:
                break
        groups[left] = self.opened + 1 + of
        for cause in distinct.tolist():
            self.opened += 1
            self.groups[self.opened] = Group(self.opened, code, level, cause, utc, mono)
        self.count(len(distinct), mono)
        return groups

    def _join(self, code: str, causes: dict[str, np.ndarray], mono: int) -> np.ndarray:
        groups = np.zeros(len(causes["city"]), np.uint32)
        for group in reversed(self.groups.values()):
            if mono - group.mono > GROUP_S * SECOND:
                # They are in the order in which they were opened.
                break
            if group.code == code:
                fits = (groups == 0) & (causes[group.level] == group.cause)
                groups[fits] = group.number
        return groups

    def known_again(self, group: Group) -> None:
        """A group of which the journal told; it takes no further members."""
        self.groups.setdefault(group.number, group)
        self.opened = max(self.opened, group.number)

    def forget(self, remembered: np.ndarray) -> None:
        """Where there are many groups, forget those of which no member is ``remembered`` (u32, their numbers)."""
        if len(self.groups) > self._many:
            self.groups = {n: self.groups[n] for n in np.unique(remembered).tolist() if n in self.groups}
            self._many = max(GROUPS_MAX, 2 * len(self.groups))

    # -- counting

    def count(self, n: int, mono: int) -> None:
        """Count ``n`` announcements at ``mono``."""
        self._advance(mono)
        self._counts[self._slot % _SLOTS] += n

    def recent(self, mono: int) -> int:
        """Announcements in the last ten minutes, to the slot."""
        return self.within(WINDOW_S, mono)

    def within(self, seconds: int, mono: int) -> int:
        """Announcements in the last ``seconds`` (at most a day), to the slot."""
        self._advance(mono)
        return int(self._ordered()[-(seconds // SLOT_S) :].sum())

    def windows(self, mono: int) -> np.ndarray:
        """i64[slots]: for each slot of the last day that was, the announcements in the ten minutes up to its end."""
        self._advance(mono)
        sums = np.cumsum(np.append(np.zeros(_WINDOW, np.int64), self._ordered()))
        return np.asarray((sums[_WINDOW:] - sums[:-_WINDOW])[_SLOTS - self._elapsed :])

    def stored(self, mono: int) -> Told:
        """All of it, as it is at ``mono``."""
        self._advance(mono)
        return Told(
            self._ordered()[_SLOTS - self._elapsed :].tobytes(), list(self.groups.values()), self.opened
        )

    def restore(self, told: Told, then: int, shift: int) -> None:
        """Put back what was stored at ``then`` mono µs; ``shift`` µs is added to all times."""
        counts = np.frombuffer(told.counts, np.int32)
        self.groups = {g.number: msgspec.structs.replace(g, mono=g.mono + shift) for g in told.groups}
        self.opened = told.opened
        self._slot, self._elapsed = (then + shift) // (SLOT_S * SECOND), len(counts)
        self._counts[:] = 0
        self._counts[(self._slot - np.arange(len(counts))) % _SLOTS] = counts[::-1]

    def _advance(self, mono: int) -> None:
        slot = mono // (SLOT_S * SECOND)
        if not self._elapsed:
            self._slot, self._elapsed = slot, 1
        passed = slot - self._slot
        if passed <= 0:
            return
        self._counts[(slot - np.arange(min(passed, _SLOTS))) % _SLOTS] = 0
        self._slot, self._elapsed = slot, min(self._elapsed + passed, _SLOTS)

    def _ordered(self) -> np.ndarray:
        return np.roll(self._counts, -(self._slot % _SLOTS) - 1)
