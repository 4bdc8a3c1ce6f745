"""Randomness without a state: a draw is a function of (seed, what it is for, who, when).

A generator that is drawn from in turn would give other numbers to whoever asks in another order. Here a
walker's choice at a corner is the same in every process, whatever was computed before (splitmix64's mixing
function over the counters; Philox per tick would tie a draw to its place in that tick's list).
"""

from __future__ import annotations

import enum

import numpy as np

_WORD = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


class Stream(enum.IntEnum):
    """What a draw is for."""

    OUT = 1
    WHERE = 2
    WAY = 3
    PACE = 4
    CORNER = 5
    LAMP_SPREAD = 6
    POWER_NOISE = 7
    METER_ERROR = 8
    METER_START = 9
    CLOCK_OFFSET = 10
    STAGGER = 11
    FAULT = 100


def uniform(seed: int, stream: int, who: np.ndarray, when: np.ndarray | int = 0) -> np.ndarray:
    """f64[n] in [0, 1): one draw for each ``who`` (integers [n]) at ``when`` (an integer, or integers [n])."""
    key = (seed * 0xD1342543DE82EF95 + stream * _GOLDEN) & _WORD
    word = np.asarray(who).astype(np.uint64)
    word *= np.uint64(_GOLDEN)
    word += np.uint64(key)
    _mix(word)
    if isinstance(when, int):
        word ^= np.uint64((when * 0xA0761D6478BD642F) & _WORD)
    else:
        word ^= when.astype(np.uint64) * np.uint64(0xA0761D6478BD642F)
    _mix(word)
    return (word >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(word: np.ndarray) -> None:
    word ^= word >> np.uint64(30)
    word *= np.uint64(0xBF58476D1CE4E5B9)
    word ^= word >> np.uint64(27)
    word *= np.uint64(0x94D049BB133111EB)
    word ^= word >> np.uint64(31)
