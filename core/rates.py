"""How many targets each asker has asked in the last minute: the bound on what one fault, or one person, can do."""

from __future__ import annotations

from collections import deque

from core.clock import SECOND

#: The window that slides (µs), and how finely it does.
WINDOW = 60 * SECOND
GRAIN = 1 * SECOND

Stored = dict[str, list[tuple[int, int]]]


class Rates:
    """Counts by asker, in buckets of GRAIN of mono µs."""

    def __init__(self) -> None:
        self._buckets: dict[str, deque[tuple[int, int]]] = {}
        self._sums: dict[str, int] = {}

    def of(self, asker: str, mono: int) -> int:
        """Targets that ``asker`` has asked in the window that ends at ``mono``."""
        buckets = self._buckets.get(asker)
        if buckets is None:
            return 0
        while buckets and buckets[0][0] <= mono - WINDOW:
            self._sums[asker] -= buckets.popleft()[1]
        if not buckets:
            del self._buckets[asker], self._sums[asker]
            return 0
        return self._sums[asker]

    def count(self, asker: str, targets: int, mono: int) -> None:
        """``asker`` asks so many more."""
        buckets = self._buckets.setdefault(asker, deque())
        # Counted at the end of its grain: rather a moment too long than too short.
        at = (mono // GRAIN + 1) * GRAIN
        if buckets and buckets[-1][0] >= at:
            at, before = buckets.pop()
            buckets.append((at, before + targets))
        else:
            buckets.append((at, targets))
        self._sums[asker] = self._sums.get(asker, 0) + targets

    def stored(self) -> Stored:
        """All of it, for a snapshot."""
        return {asker: list(buckets) for asker, buckets in self._buckets.items()}

    def restore(self, stored: Stored, shift: int = 0) -> None:
        """Put back what was stored; ``shift`` µs is how much further mono is now than where it was stored."""
        self._buckets = {
            asker: deque((at + shift, n) for at, n in buckets) for asker, buckets in stored.items()
        }
        self._sums = {asker: sum(n for _, n in buckets) for asker, buckets in stored.items()}
