"""Service intervals: only changes are journaled, and a restart leaves no gap that is not said."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from core import availability
from core.availability import Availability, Interval
from core.errors import PluginError
from ondijon import AssetChange, Serves
from ondijon.testing import City


def test_only_what_changes_is_told() -> None:
    known = Availability(5)
    assert known.set(np.array([3, 1, 3], np.uint32), "up").tolist() == [1, 3]
    assert known.set(np.array([1, 2], np.uint32), "up").tolist() == [2]
    known.grow(7)
    assert known.counts(np.arange(7)) == {"unknown": 4, "up": 3, "degraded": 0, "down": 0, "excluded": 0}
    with pytest.raises(PluginError, match="no service state 'broken'"):
        known.set(np.array([1], np.uint32), "broken")


def lamps(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.uint32) + 3


def test_intervals_are_read_back_from_the_journal(scripted) -> None:
    script = [
        Serves(assets=lamps(0, 1), state="up"),
        Serves(assets=lamps(0, 1, 2), state="up"),
        Serves(assets=lamps(1), state="down", reason="dark"),
    ]
    post = scripted(script)
    begin = post.utc
    post.run(3)
    kinds = [record.kind for record in post.journal.records]
    assert kinds.count("service") == 3
    post.save()
    crashed = post.utc
    post.jump(60)
    post.crash()
    script.append(Serves(assets=lamps(1), state="down", reason="dark"))
    script.append(Serves(assets=lamps(1), state="up"))
    post.run(2)
    back = crashed + 60_000_000
    found = list(availability.intervals(post.journal.records, 4))
    assert [(i.state, i.reason) for i in found] == [
        ("up", ""),
        ("down", "dark"),
        ("unknown", "post"),
        ("down", "dark"),
        ("up", ""),
    ]
    assert found[0] == Interval(begin, begin + 2_000_000, "up", "")
    assert (found[2].end, found[3].begin, found[4].end) == (back, back, 0)
    assert all(before.end == after.begin for before, after in pairwise(found))
    assert list(availability.intervals(post.journal.records, 20)) == []


@pytest.mark.parametrize("saved", [False, True])
def test_what_is_known_survives_a_crash(scripted, saved: bool) -> None:
    script = [Serves(assets=lamps(0, 1), state="up"), Serves(assets=lamps(1), state="down")]
    post = scripted(script)
    post.run(1)
    if saved:
        post.save()
    post.run(1)
    before = post.kernel.availability.states.copy()
    assert before.any()
    post.crash()
    np.testing.assert_array_equal(post.kernel.availability.states, before)


def test_of_foreign_assets_nobody_speaks(scripted) -> None:
    junction = City.small().assets.of_kind("junction")
    post = scripted([Serves(assets=junction, state="down"), Serves(assets=lamps(999), state="up")])
    post.run(2)
    assert "junction belong to another trade" in post.faults[0]
    assert "is not in the register" in post.faults[1]
    assert not post.kernel.availability.states.any()


def test_added_assets_are_unknown(scripted) -> None:
    post = scripted([])
    post.change(
        AssetChange(
            change="added",
            id="S99",
            at_utc=post.utc,
            kind="presence_sensor",
            lon=5.04,
            lat=47.32,
            attributes={"range_m": 5.0},
        )
    )
    assert len(post.kernel.availability.states) == len(post.kernel.city.assets)
