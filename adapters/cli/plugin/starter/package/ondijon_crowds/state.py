"""All that evolves."""

from __future__ import annotations

import msgspec
import numpy as np


class State(msgspec.Struct):
    """``people`` f64[sensors] lately, ``full`` bool[sensors]; in the order of the register."""

    people: np.ndarray
    full: np.ndarray


def fresh(sensors: int) -> State:
    """Nobody is anywhere."""
    return State(np.zeros(sensors), np.zeros(sensors, bool))


def fitted(state: State, sensors: int) -> State:
    """What there was; sensors that were added stand behind the old ones."""
    begun = fresh(sensors)
    begun.people[: len(state.people)] = state.people
    begun.full[: len(state.full)] = state.full
    return begun
