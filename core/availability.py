"""How each asset serves, and since when: the intervals that a contract's ledger is computed from.

Only changes are journaled, each with all its assets in one record. Between a start of the post and the record before
it nothing is known of anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec
import numpy as np

from core.errors import PluginError
from core.journal import Record

#: The states, by number. What nobody has spoken of is unknown; what is excluded counts for neither side.
STATES = ("unknown", "up", "degraded", "down", "excluded")

#: The journal's kind of record.
SERVICE = "service"


class ServiceChanged(msgspec.Struct, frozen=True):
    """What the journal keeps: ``assets`` u32[n] (bytes, little endian) are in ``state`` from now on."""

    by: str
    state: str
    reason: str
    assets: bytes


class Interval(msgspec.Struct, frozen=True):
    """An asset was in ``state`` from ``begin`` to ``end`` µs (end 0: still)."""

    begin: int
    end: int
    state: str
    reason: str


class Availability:
    """The state of each asset, u8[assets]."""

    def __init__(self, assets: int) -> None:
        self.states = np.zeros(assets, np.uint8)

    def grow(self, assets: int) -> None:
        """Make room for added assets: they are unknown."""
        self.states = np.concatenate([self.states, np.zeros(assets - len(self.states), np.uint8)])

    def set(self, assets: np.ndarray, state: str) -> np.ndarray:
        """Put assets u32[n] into a state; return those that were in another. Raises PluginError."""
        if state not in STATES:
            raise PluginError(f"no service state {state!r}.", next=f"One of {', '.join(STATES)}.")
        number = STATES.index(state)
        changed = np.unique(assets[self.states[assets] != number])
        self.states[changed] = number
        return changed

    def again(self, changed: ServiceChanged) -> None:
        """A change that was journaled after the snapshot."""
        self.states[np.frombuffer(changed.assets, "<u4")] = STATES.index(changed.state)

    def counts(self, assets: np.ndarray) -> dict[str, int]:
        """How many of ``assets`` u32[n] are in each state."""
        found = np.bincount(self.states[assets], minlength=len(STATES))
        return dict(zip(STATES, found.tolist(), strict=True))


def record(step: int, utc: int, changed: ServiceChanged) -> Record:
    """The journal's record of a change."""
    return Record(SERVICE, step, utc, msgspec.msgpack.encode(changed))


decode = msgspec.msgpack.Decoder(ServiceChanged).decode


def intervals(records: Iterable[Record], asset: int) -> Iterator[Interval]:
    """What the journal says of one asset, in order and without a gap between the first word and the last."""
    said: Sequence[tuple[int, str, str]] = tuple(_said(records, asset))
    ends = [begin for begin, _, _ in said[1:]] + [0]
    for (begin, state, reason), end in zip(said, ends, strict=False):
        if begin != end:
            yield Interval(begin, end, state, reason)


def _said(records: Iterable[Record], asset: int) -> Iterator[tuple[int, str, str]]:
    last, state, reason = 0, "", ""
    for each in records:
        if each.kind == "start" and state:
            yield last, "unknown", "post"
            yield each.utc, state, reason
        elif each.kind == SERVICE:
            changed = decode(each.data)
            if asset in np.frombuffer(changed.assets, "<u4"):
                state, reason = changed.state, changed.reason
                yield each.utc, state, reason
        last = max(last, each.utc)
