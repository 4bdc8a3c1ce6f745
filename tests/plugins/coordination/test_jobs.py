"""From a wish of a trade to a team at work and back: the whole way, in a post with tours."""

from __future__ import annotations

import msgspec
import pytest

from core import job_clocks
from ondijon import Emit, Text, requests
from ondijon.testing import City, Post
from plugins.tours import solver
from tests.plugins.teamwork import Teamwork, asker


def clocks(teamwork: Teamwork) -> list[tuple[str, str]]:
    said = [
        msgspec.msgpack.decode(record.data, type=job_clocks.ClockChanged)
        for record in teamwork.post.journal.records
        if record.kind == job_clocks.JOB
    ]
    return [(each.job.removeprefix("asker/"), each.state) for each in said]


def test_a_job_is_planned_begun_and_done(teamwork: Teamwork) -> None:
    teamwork.wants("a")
    teamwork.run()
    row = teamwork.job("a")
    assert (row.state, row.team in ("E1", "E2"), teamwork.mission(row.team)) == ("planned", True, ["asker/a"])
    teamwork.says_team(row.team, "visit.begun", site="asker/a")
    assert teamwork.job("a").state == "begun"
    assert teamwork.mission(row.team) == []
    teamwork.says_team(row.team, "visit.ended", site="asker/a")
    assert teamwork.job("a").state == "done"
    assert teamwork.heard() == [f"asker/a {state}" for state in ("waiting", "planned", "begun", "done")]
    assert teamwork.answers() == [("a", "taken"), ("a", "done")]
    assert clocks(teamwork) == [("a", "running"), ("a", "ended")]
    assert teamwork.post.faults == []


def test_jobs_of_one_place_are_one_visit(teamwork: Teamwork) -> None:
    teamwork.wants("a", 100)
    teamwork.wants("b", 130, skills=("road",))
    teamwork.wants("c", 400, skills=("road",))
    teamwork.run()
    assert teamwork.job("a").site == teamwork.job("b").site != teamwork.job("c").site
    assert teamwork.job("a").team == teamwork.job("b").team
    (board,) = teamwork.post.views["coordination.board"].values()
    assert (board.sites, board.merged, board.planned) == (2, 2, 3)


def test_who_is_withdrawn_leaves_the_rest_of_the_site(teamwork: Teamwork) -> None:
    teamwork.wants("a", 100)
    teamwork.wants("b", 130)
    teamwork.run()
    teamwork.withdraws("a")
    teamwork.run()
    assert teamwork.job("a").state == "withdrawn"
    assert teamwork.job("b").state == "planned"
    teamwork.withdraws("b")
    teamwork.run()
    assert [teamwork.mission(team) for team in ("E1", "E2", "E3")] == [[], [], []]


def test_a_wish_that_changed_is_planned_anew(teamwork: Teamwork) -> None:
    teamwork.wants("a", 100)
    teamwork.run()
    teamwork.wants("a", 700, skills=("green",))
    teamwork.run()
    assert (teamwork.job("a").team, teamwork.mission("E3")) == ("E3", ["asker/a"])
    assert teamwork.mission("E1") == teamwork.mission("E2") == []


def test_what_was_not_done_is_tried_again_and_then_held(teamwork: Teamwork) -> None:
    teamwork.wants("a")
    teamwork.run()
    for _ in range(3):
        team = teamwork.job("a").team
        teamwork.says_team(team, "visit.begun", site="asker/a")
        undone = [{"job": "asker/a", "reason": "un véhicule gêne"}]
        teamwork.says_team(team, "visit.ended", site="asker/a", undone=undone)
    row = teamwork.job("a")
    assert (row.state, row.reason) == ("held", "tried_too_often: un véhicule gêne")
    assert ("", "jobs_held") in teamwork.post.alarms
    assert clocks(teamwork)[-1] == ("a", "stopped")


@pytest.mark.parametrize(
    ("given", "reason"),
    [({"x": None}, "no_place"), ({"skills": ("diver",)}, "no_skills"), ({"crews": 3}, "no_skills")],
    ids=["no place", "skills that nobody has", "more teams than there are"],
)
def test_what_nobody_can_do_stays_visible(teamwork: Teamwork, given: dict, reason: str) -> None:
    teamwork.wants("a", **given)
    teamwork.run()
    row = teamwork.job("a")
    assert (row.state, row.reason) == ("held", reason)
    assert teamwork.answers() == [("a", "taken")]
    assert ("", "jobs_held") in teamwork.post.alarms


def test_two_teams_begin_together_and_one_says_when_it_is_done(teamwork: Teamwork) -> None:
    teamwork.wants("a", crews=2)
    teamwork.run()
    assert teamwork.mission("E1") == teamwork.mission("E2") == ["asker/a"]
    teamwork.says_team("E1", "visit.begun", site="asker/a")
    teamwork.says_team("E2", "visit.begun", site="asker/a")
    teamwork.says_team("E2", "visit.ended", site="asker/a")
    assert teamwork.job("a").state == "done"


def test_a_team_that_goes_off_duty_leaves_its_jobs_to_the_other(teamwork: Teamwork) -> None:
    teamwork.wants("a")
    teamwork.run()
    team = teamwork.job("a").team
    teamwork.says_team(team, "team.changed", duty=False)
    other = teamwork.job("a").team
    assert {team, other} == {"E1", "E2"}
    assert not teamwork.post.views["coordination.mission"][team].duty
    teamwork.says_team(other, "team.changed", duty=False)
    assert teamwork.job("a").state == "left_out"
    assert teamwork.job("a").reason == "no_skills"
    teamwork.run(61)
    assert ("", "jobs_left_out") in teamwork.post.alarms
    teamwork.says_team(team, "team.changed", duty=True)
    assert teamwork.job("a").state == "planned"


def test_a_tablet_from_a_dead_zone_is_believed(teamwork: Teamwork) -> None:
    teamwork.wants("a")
    teamwork.run()
    teamwork.says_team("E1", "visit.ended", site="asker/a")
    assert teamwork.job("a").state == "done"
    teamwork.says_team("E1", "visit.ended", site="asker/a")
    teamwork.says_team("E1", "visit.begun", site="nowhere/x")
    assert teamwork.post.faults == []


def test_a_visit_that_never_ends_is_an_alarm_of_its_team(teamwork: Teamwork) -> None:
    teamwork.wants("a", duration_s=60)
    teamwork.run()
    team = teamwork.job("a").team
    teamwork.says_team(team, "visit.begun", site="asker/a")
    teamwork.post.jump(3600)
    teamwork.run()
    assert (team, "visit_overdue") in teamwork.post.alarms
    teamwork.says_team(team, "visit.ended", site="asker/a")
    assert teamwork.post.alarms[team, "visit_overdue"].state == "returned_unacked"


def test_without_tours_the_board_says_that_no_plan_comes() -> None:
    alone = Teamwork(plugins=("coordination",))
    alone.wants("a")
    alone.run(62)
    assert alone.job("a").state == "waiting"
    assert ("", "plan_late") in alone.post.alarms


def test_a_crash_forgets_no_job_and_no_mission() -> None:
    teamwork = Teamwork(reload=False)
    teamwork.wants("a")
    teamwork.run()
    teamwork.post.save()
    teamwork.wants("b", 500)
    teamwork.run(0.2)
    teamwork.post.crash()
    teamwork.post.run(62)
    assert {teamwork.job(name).state for name in "ab"} == {"planned"}


def test_the_dead_solvers_last_plan_stays_in_force() -> None:
    teamwork = Teamwork(reload=False, in_workers=["tours"])
    teamwork.wants("a")
    teamwork.run()
    team = teamwork.job("a").team
    worker = teamwork.post.workers["tours"]
    worker.die()
    worker.busy = True
    teamwork.wants("b", 600)
    teamwork.run(65)
    assert teamwork.job("a").state == "planned"
    assert teamwork.mission(team) == ["asker/a"]
    assert teamwork.job("b").state == "waiting"
    assert ("", "plan_late") in teamwork.post.alarms
    worker.busy = False
    teamwork.run(35)
    assert teamwork.job("b").state == "planned"


def test_a_closed_street_is_not_driven(teamwork: Teamwork) -> None:
    title = Text("Rue barrée", "Street closed")
    closed = requests.ClosureDeclared(closure="c", state="closed", title=title, edges=(0, 1, 2))
    teamwork.says.append(Emit(kind="post.closure.declared", data=closed))
    teamwork.run()
    teamwork.wants("a", 850)
    teamwork.run()
    assert (teamwork.job("a").state, teamwork.job("a").reason) == ("left_out", "no_way")
    lifted = msgspec.structs.replace(closed, state="lifted")
    teamwork.says.append(Emit(kind="post.closure.declared", data=lifted))
    teamwork.run()
    assert teamwork.job("a").state == "planned"


def test_by_inserting_alone_everything_is_planned_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solver, "vroom", None)
    teamwork = Teamwork()
    for n, name in enumerate("abcdef"):
        teamwork.wants(name, 100 * n)
    teamwork.run()
    assert {teamwork.job(name).state for name in "abcdef"} == {"planned"}
    assert teamwork.post.events_of("tours.plan.made")[0].data.by == "greedy"


def test_a_city_without_teams_holds_everything() -> None:
    says: list = []
    post = Post(City.small(), [asker(says), "coordination", "tours"], reload=True)
    post.run(3)
    assert post.faults == []
