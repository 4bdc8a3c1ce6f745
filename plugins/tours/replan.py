"""A plan that changed a little: only the tours around the change are planned anew, so nobody else is sent elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from plugins.tours import greedy
from plugins.tours import problem as problems
from plugins.tours.problem import Plan, Problem, Stop, Task, Team, hopeless

#: Tours that are planned anew for each task that came: those it would cost least.
TEAMS_EACH = 4

#: Tasks that a solver is given at once: it answers in some tenths of a second.
TASKS_MAX = 80

Solve = Callable[[Problem], Plan]


def replan(problem: Problem, orders: Mapping[str, Sequence[str]], solve: Solve) -> Plan:
    """A plan near ``orders``, the tasks of each team in the order of the last plan.

    Tasks that are not in ``orders`` came since; those that are gone from the problem are left out of it. ``solve`` is
    asked about the tours around them. The answer is never worse than cheapest insertion into the last plan.
    """
    inserted = greedy.Insertion(problem, orders)
    left = hopeless(problem)
    new = [task for task in problem.tasks if task.key not in left and task.key not in inserted.planned]
    touched: dict[str, None] = dict.fromkeys(inserted.broken)
    for task in greedy.in_order(new):
        touched |= dict.fromkeys(inserted.cheapest(task, TEAMS_EACH))
        reason = inserted.put(task)
        if reason:
            left[task.key] = reason
    plan = Plan(inserted.tours(), left)
    return _better(problem, plan, _around(problem, plan, list(touched), solve))


def cost_s(problem: Problem, plan: Plan) -> tuple[int, int, float]:
    """What a plan costs, to be compared: tasks left out, seconds of lateness weighed by urgency, seconds of teams."""
    tasks = {task.key: task for task in problem.tasks}
    teams = {team.key: team for team in problem.teams}
    late, hours = 0, 0.0
    for key, tour in plan.tours.items():
        for stop in tour:
            late += max(stop.begin_s - tasks[stop.key].latest_s, 0) * (4 - tasks[stop.key].priority)
        hours += _length_s(problem, teams[key], tour, tasks)
    return len(plan.left), late, hours


def _length_s(problem: Problem, team: Team, tour: Sequence[Stop], tasks: Mapping[str, Task]) -> float:
    back = problem.travel_s[tasks[tour[-1].key].place, team.home]
    return float(tour[-1].leave_s + back - (tour[0].begin_s - tour[0].drive_s))


def _around(problem: Problem, plan: Plan, teams: Sequence[str], solve: Solve) -> Plan | None:
    """The same plan with the tours of ``teams`` planned anew, as many of them as one answer takes."""
    chosen: list[str] = []
    keys: set[str] = set()
    shared = {key for key in plan.begins() if _visits(plan, key) > 1}
    for team in teams:
        own = {stop.key for stop in plan.tours.get(team, ())}
        # Where several teams meet, all of them would have to be asked.
        if own & shared or len(keys | own) > TASKS_MAX:
            continue
        chosen.append(team)
        keys |= own
    if not chosen or not keys:
        return None
    part = Problem(
        tuple(task for task in problem.tasks if task.key in keys),
        tuple(team for team in problem.teams if team.key in chosen),
        problem.travel_s,
    )
    answer = solve(part)
    if answer.left or problems.wrong(part, answer):
        return None
    others = {key: tour for key, tour in plan.tours.items() if key not in chosen}
    return Plan({**others, **answer.tours}, plan.left)


def _visits(plan: Plan, key: str) -> int:
    return sum(stop.key == key for tour in plan.tours.values() for stop in tour)


def _better(problem: Problem, plan: Plan, other: Plan | None) -> Plan:
    return other if other is not None and cost_s(problem, other) < cost_s(problem, plan) else plan
