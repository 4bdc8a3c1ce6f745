"""A plugin's stored state: StateError, or a state that is stored again as the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from core import state
from core.errors import StateError
from tests.fuzz.target import Target


class Inner(msgspec.Struct):
    """A Struct within a state."""

    name: str
    at: int = 0


class Example(msgspec.Struct):
    """A state with all that one may hold."""

    levels: np.ndarray
    inner: Inner
    by_id: dict[str, float] = {}
    items: list[Inner] = []
    seen: set[int] = set()


VERSION = 2


def _migrate(raw: Mapping[str, Any], version: int) -> Mapping[str, Any]:
    return raw


def check(data: bytes) -> None:
    """Restore ``data``."""
    try:
        restored = state.decode(data, Example, VERSION, _migrate)
    except StateError:
        return
    stored = state.encode(restored, VERSION)
    again = state.decode(stored, Example, VERSION)
    assert state.encode(again, VERSION) == stored
    assert state.digest(state.copy(restored)) == state.digest(again)


def seeds() -> list[bytes]:
    """States with arrays of several types and shapes, of this version, the one before and the next."""
    arrays = [
        np.linspace(0, 1, 5),
        np.zeros((2, 3), np.uint8),
        np.zeros((0, 4), np.int16),
        np.array([True, False]),
    ]
    arrays += [np.array(["a", "bc"]), np.array(["2026-01-01"], "M8[us]"), np.array(7.5), np.ones(2, ">u4")]
    states = [Example(array, Inner("x", 5), {"a": 1.5}, [Inner("y")], {3, 1}) for array in arrays]
    return [state.encode(each, VERSION) for each in states] + [state.encode(states[0], v) for v in (1, 3)]


TARGET = Target("states", check, seeds, longest=1024)
