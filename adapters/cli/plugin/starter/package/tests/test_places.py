"""The logic alone, without a post."""

import numpy as np
from ondijon_crowds.places import Places, by_commune, look
from ondijon_crowds.settings import Settings
from ondijon_crowds.state import fitted, fresh

PLACES = Places(Settings(limit=10), np.array([3, 5, 9]), np.array([0, 1, 1]), ("Here", "There"))


def test_sums_go_by_commune():
    assert by_commune(PLACES, np.array([1.0, 2.0, 3.0])).tolist() == [1, 5]


def test_a_quiet_place_is_not_told():
    state = fresh(3)
    state.people[:] = 9
    assert list(look(PLACES, state)) == []
    assert 8 < state.people[0] < 9


def test_a_sensor_that_was_added_begins_with_nobody():
    state = fresh(2)
    state.people[:] = 7
    assert fitted(state, 3).people.tolist() == [7, 7, 0]
