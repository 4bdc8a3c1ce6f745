"""Faults: each is found after its delay, said once, and a cabinet's stands for all of its lamps'."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ondijon import AssetChange
from ondijon.testing import Post
from plugins.lighting import energy, faults
from plugins.lighting.faults import Evidence, judge
from plugins.lighting.state import Watch

MakePost = Callable[..., Post]
LAMPS = [f"L{i + 1:04}" for i in range(30)]
SENSORS = [f"S{i + 1:04}" for i in range(10)]
FIRST_CABINET = {f"L{i + 1:04}": 0.0 for i in range(10)}


def programme_w(post: Post) -> np.ndarray:
    plugin = post.plugins[0]
    return energy.power_w(plugin.state.schedule.base_pct, plugin.fixed.lamps.power_w, 5)


def report(post: Post, other_w: dict[str, float] | None = None, cabinets: bool = True) -> None:
    """Every lamp and cabinet reports what its programme implies, but for ``other_w``."""
    watts = dict(zip(LAMPS, programme_w(post).tolist(), strict=True)) | (other_w or {})
    post.samples(list(watts), "lamp.power", list(watts.values()))
    if cabinets:
        totals = [sum(watts[lamp] for lamp in LAMPS[i : i + 10]) for i in (0, 10, 20)]
        post.samples(["A0001", "A0002", "A0003"], "cabinet.power", totals)


def pass_time(
    post: Post, seconds: int, other_w: dict[str, float] | None = None, cabinets: bool = True
) -> None:
    """Reports every ten seconds; between them only the post's fault round and its clock."""
    for _ in range(0, seconds, 10):
        report(post, other_w, cabinets)
        post.samples(SENSORS, "presence_sensor.alive", [1.0] * 10)
        post.run(0.2)
        post.jump(9.8)
    post.run(0.1)


def found(post: Post) -> list[tuple[str, str]]:
    ids = post.kernel.city.assets.ids
    return [(ids[e.asset], e.data.code) for e in post.events_of("lighting.fault.found")]


def cleared(post: Post) -> list[tuple[str, str]]:
    ids = post.kernel.city.assets.ids
    return [(ids[e.asset], e.data.code) for e in post.events_of("lighting.fault.cleared")]


def test_a_park_that_does_as_it_should_has_no_fault(post: Post) -> None:
    pass_time(post, 300)
    assert found(post) == []


@pytest.mark.parametrize("watts", [0.0, 5.0, 200.0])
def test_a_lamp_that_deviates_is_found_once_and_cleared(post: Post, watts: float) -> None:
    pass_time(post, 30)
    pass_time(post, 120, {"L0013": watts})
    assert found(post) == [("L0013", "lamp_fault")]
    assert ("L0013", "lamp_fault") in post.alarms
    said = post.events_of("lighting.fault.found")[0].data
    assert (said.cause, said.measured) == ("deviates", watts)
    pass_time(post, 30)
    assert cleared(post) == [("L0013", "lamp_fault")]


def test_a_short_deviation_is_no_fault(post: Post) -> None:
    pass_time(post, 30)
    pass_time(post, 50, {"L0013": 0.0})
    pass_time(post, 120)
    assert found(post) == []


def test_a_raised_lamp_is_no_fault_but_a_dark_one_in_a_busy_street_is(post: Post) -> None:
    pass_time(post, 30)
    full = dict(zip(LAMPS, post.plugins[0].fixed.lamps.power_w.tolist(), strict=True))
    near = {lamp: full[lamp] for lamp in LAMPS[10:15]}
    for _ in range(15):
        post.sample("S0005", "presence_sensor.presence", 1)
        post.run(0.3)
        pass_time(post, 10, near | {"L0014": 0.0})
    assert found(post) == [("L0014", "lamp_fault")]


def test_what_was_sampled_before_a_change_says_nothing_of_it(make_post: MakePost) -> None:
    post = make_post(start="2026-01-15T16:00:00+01:00")
    dusk = post.views["lighting.summary"]["city"].dusk_utc
    post.jump((dusk - post.utc) / 1e6 - 30)
    pass_time(post, 20)
    for _ in range(20):
        post.samples(SENSORS, "presence_sensor.alive", [1.0] * 10)
        post.jump(10)
        post.run(0.1)
    assert post.plugins[0].state.schedule.night
    assert found(post) == [], "all said 0 W, but that was by day"


def test_day_burner(make_post: MakePost) -> None:
    post = make_post(start="2026-06-15T13:00:00+02:00")
    pass_time(post, 120, {"L0007": 40.0})
    assert found(post) == [("L0007", "day_burner")]
    pass_time(post, 30)
    assert cleared(post) == [("L0007", "day_burner")]


@pytest.mark.parametrize("cabinets", [True, False])
def test_a_dark_cabinet_is_one_fault(post: Post, cabinets: bool) -> None:
    """Seen by its own meter, or by its lamps alone."""
    pass_time(post, 30, cabinets=cabinets)
    pass_time(post, 300, FIRST_CABINET, cabinets)
    assert found(post) == [("A0001", "cabinet_fault")]
    said = post.events_of("lighting.fault.found")[0].data
    assert (said.affected, said.cause) == (10, "unpowered" if cabinets else "dark")
    pass_time(post, 200, cabinets=cabinets)
    assert found(post) == [("A0001", "cabinet_fault")]
    assert cleared(post) == [("A0001", "cabinet_fault")]


def test_a_silent_cabinet_is_one_fault_and_speech_ends_it(post: Post) -> None:
    pass_time(post, 30)
    for _ in range(45):
        others = programme_w(post)[10:].tolist()
        post.samples(LAMPS[10:], "lamp.power", others)
        post.samples(["A0002", "A0003"], "cabinet.power", [sum(others[:10]), sum(others[10:])])
        post.samples(SENSORS, "presence_sensor.alive", [1.0] * 10)
        post.run(0.2)
        post.jump(9.8)
    assert found(post) == [("A0001", "cabinet_fault")]
    assert post.events_of("lighting.fault.found")[0].data.cause == "silent"
    pass_time(post, 60)
    assert cleared(post) == [("A0001", "cabinet_fault")]


def test_lamps_found_before_their_cabinet_are_taken_back(post: Post) -> None:
    pass_time(post, 30)
    pass_time(post, 120, {"L0001": 0.0, "L0002": 0.0})
    pass_time(post, 60, FIRST_CABINET)
    assert set(found(post)) == {
        ("L0001", "lamp_fault"),
        ("L0002", "lamp_fault"),
        ("A0001", "cabinet_fault"),
    }
    assert set(cleared(post)) == {("L0001", "lamp_fault"), ("L0002", "lamp_fault")}


def test_dawn_repairs_no_cabinet(make_post: MakePost) -> None:
    post = make_post(start="2026-06-15T04:30:00+02:00")
    dawn = post.views["lighting.summary"]["city"].dawn_utc
    pass_time(post, 30)
    pass_time(post, 60, FIRST_CABINET)
    assert found(post) == [("A0001", "cabinet_fault")]
    post.jump((dawn - post.utc) / 1e6 + 20)
    pass_time(post, 300)
    assert not post.plugins[0].state.schedule.night
    assert cleared(post) == []


def test_a_silent_lamp(post: Post) -> None:
    pass_time(post, 30)
    for _ in range(70):
        others = programme_w(post)
        post.samples(LAMPS[1:], "lamp.power", others[1:].tolist())
        post.samples(["A0001", "A0002", "A0003"], "cabinet.power", others.reshape(3, 10).sum(1).tolist())
        post.samples(SENSORS, "presence_sensor.alive", [1.0] * 10)
        post.run(0.2)
        post.jump(29.8)
    assert found(post) == [("L0001", "lamp_silent")]
    assert post.events_of("lighting.fault.found")[0].data.cause == "silent"
    pass_time(post, 20)
    assert cleared(post) == [("L0001", "lamp_silent")]


def test_a_silent_sensor(make_post: MakePost) -> None:
    post = make_post(alive=False)
    for _ in range(20):
        post.samples(SENSORS[1:], "presence_sensor.alive", [1.0] * 9)
        post.run(0.2)
        post.jump(9.8)
    assert found(post) == [("S0001", "sensor_silent")]
    pass_time(post, 20)
    assert cleared(post) == [("S0001", "sensor_silent")]


def test_a_storm_is_said_in_rounds() -> None:
    n = 1000
    watch = Watch(np.zeros(n), np.zeros(n, bool))
    bad = np.arange(n) < 900
    nothing = np.zeros(n)
    evidence = Evidence(bad, ~bad, nothing, nothing, nothing, nothing)
    rounds = [len(judge(watch, evidence, 60.0, 60.0, 200)[0]) for _ in range(6)]
    assert rounds == [200, 200, 200, 200, 100, 0]
    over = Evidence(~bad & False, np.ones(n, bool), nothing, nothing, nothing, nothing)
    assert [len(judge(watch, over, 1.0, 60.0, 200)[1]) for _ in range(6)] == [200, 200, 200, 200, 100, 0]
    assert not watch.found.any()
    assert faults.ELAPSED_MAX_S > 10


def service(post: Post, kind: str) -> dict[str, int]:
    counts = post.kernel.availability.counts(post.kernel.city.assets.of_kind(kind))
    return {state: n for state, n in counts.items() if n}


def test_the_ledger_is_told_how_lamps_serve(make_post: MakePost) -> None:
    post = make_post(alive=False)
    assert service(post, "lamp") == {"unknown": 30}, "nothing was heard yet"
    pass_time(post, 60)
    assert service(post, "lamp") == {"up": 30}
    assert service(post, "cabinet") == {"up": 3}
    assert service(post, "presence_sensor") == {"up": 10}
    pass_time(post, 300, {"L0001": 0.0})
    assert service(post, "lamp") == {"up": 29, "degraded": 1}
    pass_time(post, 300, {f"L{i + 11:04}": 0.0 for i in range(10)})
    assert service(post, "lamp") == {"up": 20, "down": 10}
    assert service(post, "cabinet") == {"up": 2, "down": 1}
    pass_time(post, 300)
    assert service(post, "lamp") == {"up": 30}
    post.change(AssetChange(change="retired", id="L0002", at_utc=post.utc))
    pass_time(post, 20)
    assert service(post, "lamp") == {"up": 29, "excluded": 1}
    records = [record.kind for record in post.journal.records].count("service")
    assert records < 20, "changes are told, not states"


def jobs(post: Post, kind: str) -> list[tuple[str, int]]:
    return [
        (event.data.job, getattr(event.data, "priority", 0)) for event in post.events_of(f"post.job.{kind}")
    ]


def test_faults_become_jobs_where_the_city_wants_that(make_post: MakePost) -> None:
    post = make_post(repairs={"wanted": True})
    pass_time(post, 90, {"L0015": 0.5})
    assert jobs(post, "wanted") == [("lamp_fault-L0015", 3)]
    assert post.events_of("post.job.wanted")[0].data.skills == ("lamp",)
    pass_time(post, 40)
    assert jobs(post, "withdrawn") == [("lamp_fault-L0015", 0)]


def test_a_dark_cabinet_is_one_urgent_job(make_post: MakePost) -> None:
    post = make_post(repairs={"wanted": True})
    pass_time(post, 90, FIRST_CABINET)
    assert jobs(post, "wanted") == [("cabinet_fault-A0001", 1)]


def test_without_a_wish_for_them_nobody_is_asked(post: Post) -> None:
    pass_time(post, 90, {"L0015": 0.5})
    assert jobs(post, "wanted") == []
