"""Plans of tours: every solver's answer obeys the rules, says what it left out, and VROOM's is the better one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.tours import greedy, problem, solver
from plugins.tours.problem import NO_SKILLS, NO_TIME, NO_WAY, NOT_TOGETHER, Problem, Task, Team

HOUR = 3600
SOLVERS = [pytest.param(greedy.solve, id="greedy"), pytest.param(solver.solve, id="vroom")]


def plane(places: int, seed: int = 0) -> np.ndarray:
    """Seconds between points of a plane, 10 m/s."""
    xy = np.random.default_rng(seed).uniform(0, 8000, (places, 2))
    return np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1)) / 10


def task(key: int, **given: object) -> Task:
    fields = {"key": f"s{key}", "place": key + 1, "service_s": 1200} | given
    return Task(**fields)


def team(key: int, **given: object) -> Team:
    fields = {"key": f"t{key}", "place": 0, "home": 0, "from_s": 0, "until_s": 8 * HOUR} | given
    return Team(**fields)


SKILLS = st.frozensets(st.sampled_from(["lamp", "road", "green"]), max_size=2)


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    n, m = draw(st.integers(0, 12)), draw(st.integers(0, 4))
    tasks = []
    for i in range(n):
        earliest = draw(st.sampled_from([0, 0, HOUR, 5 * HOUR]))
        tasks.append(
            task(
                i,
                service_s=draw(st.sampled_from([300, 1200, 5400])),
                skills=draw(SKILLS),
                earliest_s=earliest,
                latest_s=earliest + draw(st.sampled_from([0, 900, 6 * HOUR])),
                priority=draw(st.integers(1, 3)),
                crews=draw(st.sampled_from([1, 1, 1, 2])),
            )
        )
    teams = [team(i, skills=draw(SKILLS), until_s=draw(st.sampled_from([HOUR, 8 * HOUR]))) for i in range(m)]
    travel = plane(n + 1, draw(st.integers(0, 5)))
    closed = draw(st.lists(st.integers(1, max(n, 1)), max_size=2))
    for place in closed:
        if place <= n:
            travel[:, place] = np.inf
            travel[place, place] = 0
    return Problem(tuple(tasks), tuple(teams), travel)


@pytest.mark.parametrize("solve", SOLVERS)
@settings(max_examples=80, deadline=None)
@given(asked=problems())
def test_a_plan_obeys_every_rule(solve, asked: Problem) -> None:
    plan = solve(asked)
    assert problem.wrong(asked, plan) == []
    assert set(plan.left.values()) <= set(problem.LEFT)


@settings(max_examples=40, deadline=None)
@given(asked=problems())
def test_the_same_problem_has_the_same_plan(asked: Problem) -> None:
    assert solver.solve(asked) == solver.solve(asked)


def test_what_is_wrong_with_a_plan_is_seen() -> None:
    asked = Problem((task(0, skills=frozenset({"lamp"})), task(1)), (team(0),), plane(3))
    stop = problem.Stop("s0", 1, 0, 10)
    wrong = problem.wrong(asked, problem.Plan({"t0": (stop,)}, {}))
    assert [sentence.partition(" by ")[0] for sentence in wrong] == [
        "t0 has not the skills of s0",
        "t0 cannot be at s0",
        "t0 leaves s0 too early",
        "s1 is visited 0 times",
    ]


@pytest.mark.parametrize("solve", SOLVERS)
def test_each_task_that_nobody_can_do_says_why(solve) -> None:
    travel = plane(6)
    travel[:, 2] = np.inf
    lamp = frozenset({"lamp"})
    tasks = (
        task(0, skills=frozenset({"diver"})),
        task(1),
        task(2, service_s=9 * HOUR),
        task(3, skills=lamp, crews=2),
        task(4),
    )
    plan = solve(Problem(tasks, (team(0, skills=lamp), team(1)), travel))
    assert plan.left == {"s0": NO_SKILLS, "s1": NO_WAY, "s2": NO_TIME, "s3": NO_SKILLS}
    assert list(plan.begins()) == ["s4"]


@pytest.mark.parametrize("solve", SOLVERS)
def test_two_teams_begin_together(solve) -> None:
    tasks = (task(0, crews=2), *(task(i) for i in range(1, 9)))
    asked = Problem(tasks, (team(0), team(1, from_s=2 * HOUR), team(2)), plane(10))
    plan = solve(asked)
    assert (plan.left, problem.wrong(asked, plan)) == ({}, [])


@pytest.mark.parametrize("solve", SOLVERS)
def test_two_teams_that_are_never_there_at_the_same_time_are_not_sent(solve) -> None:
    shifts = (team(0, until_s=3 * HOUR), team(1, from_s=4 * HOUR))
    plan = solve(Problem((task(0, crews=2), task(1)), shifts, plane(3)))
    assert plan.left == {"s0": NOT_TOGETHER}
    assert list(plan.begins()) == ["s1"]


@pytest.mark.parametrize("solve", SOLVERS)
def test_rather_late_than_never(solve) -> None:
    tasks = tuple(task(i, latest_s=1800) for i in range(4))
    plan = solve(Problem(tasks, (team(0),), plane(5)))
    assert plan.left == {}
    assert max(plan.begins().values()) > 1800


def test_vroom_finds_no_longer_way_than_inserting_does() -> None:
    asked = Problem(tuple(task(i) for i in range(40)), tuple(team(i) for i in range(6)), plane(41))

    def driven(plan: problem.Plan) -> int:
        return sum(stop.drive_s for tour in plan.tours.values() for stop in tour)

    assert driven(solver.solve(asked)) < driven(greedy.solve(asked))
