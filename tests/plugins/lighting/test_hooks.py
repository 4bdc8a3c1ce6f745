"""The trade in the post: replay, restart, growth of the register."""

from __future__ import annotations

import numpy as np
import pytest

from ondijon import AssetChange
from ondijon.testing import City, Post
from plugins.lighting import hooks, state

SENSORS = [f"S{i + 1:04}" for i in range(10)]


def a_busy_minute(post: Post) -> str:
    rng = np.random.default_rng(7)
    for _ in range(60):
        for sensor in rng.choice(SENSORS, 2, replace=False):
            post.sample(str(sensor), "presence_sensor.presence", 1)
        post.samples(SENSORS, "presence_sensor.alive", [1.0] * 10)
        post.samples(["A0001", "A0002"], "cabinet.energy", [100 + post.mono / 1e9] * 2)
        post.run(0.25)
        post.jump(0.75)
    return post.digest()


def test_two_runs_are_the_same_bit_for_bit() -> None:
    assert a_busy_minute(Post(City.small(), [hooks])) == a_busy_minute(Post(City.small(), [hooks]))


def test_the_state_survives_a_restart_between_any_two_steps() -> None:
    reloaded = Post(City.small(), [hooks], reload=True)
    assert a_busy_minute(reloaded) == a_busy_minute(Post(City.small(), [hooks]))


def test_nothing_fails_and_nothing_is_dropped(post: Post) -> None:
    a_busy_minute(post)
    assert [(plugin.errors, plugin.dropped) for plugin in post.plugins] == [(0, 0)]
    assert post.faults == []


def test_new_assets_grow_the_state_and_keep_what_was(post: Post) -> None:
    a_busy_minute(post)
    before = post.plugins[0].state
    level, account = before.people.level.copy(), before.ledger.account_kwh.copy()
    attributes = {
        "power_w": 40.0,
        "old_power_w": 0.0,
        "old_hours": 0.0,
        "lighting_class": "P3",
        "conflict": False,
    }
    at = {"lon": 5.04, "lat": 47.32, "edge": 0, "offset_m": 20.0}
    plugin = post.plugins[0]
    now = {"at_utc": post.utc}
    post.change(
        AssetChange(
            change="added", id="A9", kind="cabinet", attributes={"meter_class_pct": 2.0}, **at, **now
        ),
        AssetChange(change="added", id="L9", kind="lamp", attributes=attributes, **at, **now),
        AssetChange(change="retired", id="L0001", **now),
    )
    after = plugin.state
    assert np.array_equal(after.people.level[:30], level)
    assert len(after.people.level) == 31
    assert np.array_equal(after.ledger.account_kwh[:, [0, 1, 2, 4]], account)
    assert not plugin.fixed.lamps.in_service[0]
    assert plugin.fixed.sensors.row[0] == 0xFFFFFFFF, "it hung on the retired lamp"


def test_the_state_of_a_larger_city_is_refused(post: Post) -> None:
    plugin = post.plugins[0]
    grown = state.fresh(plugin.fixed)
    grown.schedule.base_pct = np.zeros(31, np.uint8)
    with pytest.raises(ValueError, match="another city"):
        state.fitted(grown, plugin.fixed)


def test_a_calendar_for_a_commune_that_is_not_there_is_refused() -> None:
    calendars = [{}, {"communes": ["Nulle-Part"]}]
    with pytest.raises(Exception, match="Nulle-Part"):
        Post(City.small(), [hooks], config={"lighting": {"calendars": calendars}})
