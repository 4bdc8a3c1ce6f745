"""Streets that nobody drives for a while: what ``post.closure.declared`` says, and what a way costs meanwhile."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np

from core.event import Event


class ClosureDeclared(msgspec.Struct, frozen=True):
    """What whoever drives reads of ``post.closure.declared``."""

    closure: str
    state: str
    edges: tuple[int, ...] = ()
    from_utc: int = 0
    until_utc: int = 0


class Closure(msgspec.Struct, frozen=True):
    """Streets that nobody drives, from when until when (µs; 0: until it is lifted)."""

    edges: tuple[int, ...]
    from_utc: int
    until_utc: int


def hear(closures: dict[str, Closure], event: Event) -> None:
    """Take note of a closure that is declared, changed or lifted; they are known by trade and name."""
    said: ClosureDeclared = event.data
    key = f"{event.trade}/{said.closure}"
    if said.state == "lifted":
        closures.pop(key, None)
    else:
        closures[key] = Closure(said.edges, said.from_utc, said.until_utc)


def priced(seconds: np.ndarray, closures: Iterable[Closure], utc: int) -> np.ndarray:
    """What each street costs at ``utc`` µs, f64[edges]: ``seconds``, and inf where it is closed."""
    cost = seconds.copy()
    for each in closures:
        if each.from_utc <= utc and (not each.until_utc or utc < each.until_utc):
            cost[[edge for edge in each.edges if 0 <= edge < len(cost)]] = np.inf
    return cost
