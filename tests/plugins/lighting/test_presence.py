"""People are followed with light, through the real step and gate."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ondijon.testing import Post
from plugins.lighting.state import State

OFF = [{"rules": [{"start": "22:00", "end": "05:00", "level_pct": 0, "order": "test"}]}]
MakePost = Callable[..., Post]


def state(post: Post) -> State:
    return post.plugins[0].state


def levels(post: Post) -> list[int]:
    return (state(post).people.level // 256).tolist()


def test_the_street_lights_up_ahead_and_falls_back_slowly(post: Post) -> None:
    assert levels(post) == [70] * 30
    post.sample("S0005", "presence_sensor.presence", 2)
    post.run(1.5)
    assert levels(post)[8:18] == [70, 70, 80, 90, 100, 90, 80, 70, 70, 70]
    assert post.commanded("L0013") == [100.0]
    assert post.commanded("L0014") == [90.0]
    assert post.commanded("L0001") == []
    assert state(post).people.sightings == 2
    post.run(35)
    after = levels(post)[12]
    assert 90 < after <= 100, "the fade has just begun"
    post.run(30)
    assert levels(post) == [70] * 30
    assert post.commanded("L0013") == [100.0], "one command was enough"


def test_one_command_a_length_of_lease_answers_the_sample_that_asked(post: Post) -> None:
    seen_at = post.utc
    post.samples(["S0002", "S0009"], "presence_sensor.presence", [1, 1])
    post.run(0.4)
    assert len(post.orders) == 2, "one a gateway"
    assert {order.command for _, order in post.orders} == {"1-1"}
    assert all(order.lease_ms == 35_000 and order.since == seen_at for _, order in post.orders)
    assert state(post).people.commands == 1


def test_presence_that_goes_on_renews_rarely(post: Post) -> None:
    for _ in range(100):
        post.sample("S0005", "presence_sensor.presence", 1)
        post.run(1)
    assert len(post.commanded("L0013")) == 4
    assert levels(post)[12] == 100


def test_by_day_nobody_is_followed(make_post: MakePost) -> None:
    post = make_post(start="2026-06-15T13:00:00+02:00")
    post.sample("S0005", "presence_sensor.presence", 1)
    post.run(2)
    assert post.orders == []
    assert levels(post) == [0] * 30


def test_at_dawn_all_goes_out_even_where_somebody_stands(make_post: MakePost) -> None:
    post = make_post(start="2026-06-15T05:10:00+02:00")
    dawn = post.views["lighting.summary"]["city"].dawn_utc
    while post.utc < dawn - 5_000_000:
        post.jump(30)
        post.step()
    post.run(20)
    post.sample("S0005", "presence_sensor.presence", 1)
    post.run(60)
    assert not state(post).schedule.night
    post.run(70)
    assert levels(post) == [0] * 30


def test_a_restart_with_another_clock_ends_every_lease(post: Post) -> None:
    post.sample("S0005", "presence_sensor.presence", 1)
    post.run(1)
    before = len(post.commanded("L0013"))
    post.origin, post.mono = post.origin + post.mono, 0
    post.plugins[0].due.clear()
    post.step()
    post.sample("S0005", "presence_sensor.presence", 1)
    post.run(1)
    assert len(post.commanded("L0013")) == before + 1


def test_put_out_by_order_but_for_conflict_areas(make_post: MakePost) -> None:
    post = make_post(calendars=OFF)
    conflict = post.plugins[0].fixed.lamps.conflict
    assert conflict.any()
    level = np.array(levels(post))
    assert np.all(level[~conflict] == 0)
    assert np.all(level[conflict] >= 60), "M4 may be dimmed to M5 there: 67 %"
    assert post.orders == []


@given(st.sets(st.integers(0, 9)))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_where_all_sensors_are_silent_it_is_never_dark(make_post: MakePost, alive: set[int]) -> None:
    post = make_post(calendars=OFF, alive=False, presence={"link_m": 40})
    names = [f"S{i + 1:04}" for i in sorted(alive)]
    post.samples(names, "presence_sensor.alive", [1.0] * len(names))
    post.run(12)
    park, level = post.plugins[0].fixed, np.array(levels(post))
    for lamp in range(30):
        near = {i for i in range(10) if abs(i * 3 - lamp) <= 3}
        if not near & alive:
            assert level[lamp] >= park.lamps.floor_pct[lamp] > 0
            assert post.commanded(f"L{lamp + 1:04}") or park.lamps.conflict[lamp]
    post.run(20)
    assert np.all(np.array(levels(post)) >= state(post).schedule.base_pct)


def test_silence_costs_one_command_in_five_minutes_and_ends_with_the_first_heartbeat(
    make_post: MakePost,
) -> None:
    post = make_post(calendars=OFF, alive=False)
    post.run(30)
    assert len(post.commanded("L0015")) == 1
    assert {order.lease_ms for _, order in post.orders} == {300_000}
    post.samples([f"S{i + 1:04}" for i in range(10)], "presence_sensor.alive", [1.0] * 10)
    post.run(12)
    assert not state(post).schedule.keep_pct.any()
