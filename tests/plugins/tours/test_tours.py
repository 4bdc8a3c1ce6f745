"""The trade in a post: where teams are, what they are told, and why."""

from __future__ import annotations

import datetime

import pytest

from tests.plugins.teamwork import Teamwork


def at(teamwork: Teamwork, team: str, x: float, north_m: float = 0.0) -> None:
    """A team's position, metres along the small city's street."""
    streets = teamwork.post.kernel.city.streets
    lon = streets.node_lon[0] + (streets.node_lon[3] - streets.node_lon[0]) * x / 900
    teamwork.post.sample(team, "team.lon", float(lon))
    teamwork.post.sample(team, "team.lat", float(streets.node_lat[0]) + north_m / 111_195)
    teamwork.run(1.1)


def state(teamwork: Teamwork):
    return next(plugin.state for plugin in teamwork.post.plugins if plugin.name == "tours")


def where(teamwork: Teamwork, team: str) -> float:
    i = (
        teamwork.post.kernel.city.assets.of_kind("team")
        .tolist()
        .index(teamwork.post.kernel.city.assets.index[team])
    )
    return float(300 * state(teamwork).where.edge[i] + state(teamwork).where.offset_m[i])


def test_the_nearer_team_goes_and_says_what_the_other_would_have_cost(teamwork: Teamwork) -> None:
    at(teamwork, "E1", 0)
    at(teamwork, "E2", 880)
    teamwork.wants("a", 850)
    teamwork.run()
    assert teamwork.job("a").team == "E2"
    (stop,) = teamwork.post.views["coordination.mission"]["E2"].stops
    assert (stop.other, stop.more_s > 60) == ("E1", True)
    teamwork.wants("b", 10, skills=("green",))
    teamwork.run()
    (alone,) = teamwork.post.views["coordination.mission"]["E3"].stops
    assert (alone.other, alone.more_s) == ("", 0), "nobody else does greenery"


@pytest.mark.parametrize(
    ("x", "north_m"), [(450, 5000), (-4000, 0)], ids=["off every street", "beyond the last street"]
)
def test_a_position_off_the_map_is_counted_and_not_believed(
    teamwork: Teamwork, x: float, north_m: float
) -> None:
    at(teamwork, "E1", 450)
    at(teamwork, "E1", x, north_m)
    assert where(teamwork, "E1") == pytest.approx(450, abs=1)
    assert state(teamwork).where.refused == 1


def test_a_position_that_jumps_is_believed_only_when_it_stays(teamwork: Teamwork) -> None:
    at(teamwork, "E1", 0)
    at(teamwork, "E1", 890)
    assert where(teamwork, "E1") == pytest.approx(0, abs=1)
    teamwork.post.jump(301)
    at(teamwork, "E1", 890)
    assert where(teamwork, "E1") == pytest.approx(890, abs=1)


def test_nothing_new_is_not_told_again(teamwork: Teamwork) -> None:
    teamwork.wants("a")
    teamwork.run()
    plans, missions = (
        len(teamwork.post.events_of(kind)) for kind in ("tours.plan.made", "tours.mission.planned")
    )
    at(teamwork, "E1", 100)
    teamwork.post.jump(1000)
    teamwork.run()
    assert len(teamwork.post.events_of("tours.plan.made")) == plans
    assert len(teamwork.post.events_of("tours.mission.planned")) == missions


def test_a_plan_says_what_is_late(teamwork: Teamwork) -> None:
    teamwork.wants("a", latest_utc=teamwork.post.utc + 60_000_000)
    teamwork.run()
    assert teamwork.post.events_of("tours.plan.made")[-1].data.late == ("asker/a",)


def test_a_team_before_its_shift_is_planned_for_it() -> None:
    teamwork = Teamwork(start="2026-01-15T11:00:00+01:00", shift="13:00-21:00")
    teamwork.wants("a")
    teamwork.run()
    begin = datetime.datetime.fromtimestamp(teamwork.job("a").begin_utc / 1e6, datetime.UTC)
    assert begin.hour == 12, "13:00 local"
