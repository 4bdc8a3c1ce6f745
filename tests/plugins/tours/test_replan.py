"""A plan that changed: it stays right, stays near the last one, and is hardly worse than one made anew."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.tours import greedy, problem, solver
from plugins.tours.problem import NO_SKILLS, Plan, Problem
from plugins.tours.replan import cost_s, replan
from tests.plugins.tours.test_solver import HOUR, plane, problems, task, team


def orders(plan: Plan) -> dict[str, list[str]]:
    return {key: [stop.key for stop in tour] for key, tour in plan.tours.items()}


@settings(max_examples=100, deadline=None)
@given(problems(), st.data())
def test_whatever_came_and_went_the_plan_obeys_every_rule(asked: Problem, data: st.DataObject) -> None:
    before = data.draw(st.lists(st.sampled_from(asked.tasks), unique=True)) if asked.tasks else []
    last = solver.solve(Problem(tuple(before), asked.teams, asked.travel_s))
    gone = data.draw(st.sets(st.sampled_from([task.key for task in asked.tasks]))) if asked.tasks else set()
    now = Problem(
        tuple(task for task in asked.tasks if task.key not in gone),
        tuple(msgspec.structs.replace(team, from_s=600) for team in asked.teams[:3]),
        asked.travel_s,
    )
    for solve in (solver.solve, greedy.solve):
        plan = replan(now, orders(last), solve)
        assert problem.wrong(now, plan) == []


def day(tasks: int, teams: int) -> Problem:
    return Problem(
        tuple(task(i) for i in range(tasks)), tuple(team(i) for i in range(teams)), plane(tasks + 1)
    )


def test_what_does_not_change_stays_as_it_was() -> None:
    asked = day(40, 5)
    last = solver.solve(asked)
    assert orders(replan(asked, orders(last), solver.solve)) == orders(last)


def test_one_more_task_moves_few_teams_and_costs_little() -> None:
    asked = day(81, 10)
    last = solver.solve(Problem(asked.tasks[:80], asked.teams, asked.travel_s))
    plan = replan(asked, orders(last), solver.solve)
    assert plan.left == {}
    same = [key for key, order in orders(last).items() if orders(plan).get(key) == order]
    assert len(same) >= len(last.tours) - 4
    assert cost_s(asked, plan)[2] <= 1.05 * cost_s(asked, solver.solve(asked))[2]


def test_a_task_that_comes_does_not_part_the_teams_of_a_site() -> None:
    both = task(1, service_s=300, earliest_s=HOUR, latest_s=HOUR + 900, crews=2)
    teams = (team(0, until_s=HOUR), team(1, until_s=HOUR), team(2), team(3))
    asked = Problem((task(0, service_s=300, latest_s=0, priority=1), both), teams, plane(3))
    last = solver.solve(Problem((both,), teams, asked.travel_s))
    assert {key: len(tour) for key, tour in last.tours.items()} == {"t2": 1, "t3": 1}, (
        "nobody stands in for two"
    )
    now = Problem(
        asked.tasks, tuple(msgspec.structs.replace(each, from_s=600) for each in teams[:3]), plane(3)
    )
    for solve in (solver.solve, greedy.solve):
        assert problem.wrong(now, replan(now, orders(last), solve)) == []
        assert problem.wrong(asked, replan(asked, orders(last), solve)) == []


def test_a_team_that_is_gone_leaves_its_tasks_to_others() -> None:
    asked = day(20, 4)
    last = solver.solve(asked)
    gone = next(iter(last.tours))
    now = msgspec.structs.replace(asked, teams=tuple(each for each in asked.teams if each.key != gone))
    plan = replan(now, orders(last), solver.solve)
    assert plan.left == {}
    assert gone not in plan.tours


def test_what_nobody_can_do_is_said_and_the_rest_is_done() -> None:
    asked = day(4, 1)
    odd = msgspec.structs.replace(asked.tasks[0], key="odd", skills=frozenset({"diver"}))
    plan = replan(Problem((*asked.tasks, odd), asked.teams, asked.travel_s), {}, solver.solve)
    assert plan.left == {"odd": NO_SKILLS}
    assert len(plan.begins()) == 4


def test_a_solver_that_answers_nonsense_changes_nothing() -> None:
    asked = day(10, 2)
    last = greedy.solve(Problem(asked.tasks[:9], asked.teams, asked.travel_s))
    wrong = Plan({"t0": (problem.Stop("s0", 0, 0, 0),)}, {})
    plan = replan(asked, orders(last), lambda part: wrong)
    assert (problem.wrong(asked, plan), plan.left) == ([], {})


def test_being_late_counts_more_than_driving() -> None:
    tasks = (task(0, latest_s=1800), task(1, service_s=HOUR))
    asked = Problem(tasks, (team(0),), plane(3))
    in_time = replan(asked, {"t0": ["s1"]}, greedy.solve)
    assert in_time.begins()["s0"] <= 1800
