"""Why this team: what the best other one would have cost more."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from plugins.tours.greedy import timed
from plugins.tours.problem import Plan, Problem, Task

#: So many other teams, the cheapest by driving, are tried in earnest.
_TRIED = 3


def explained(problem: Problem, plan: Plan) -> dict[tuple[str, str], tuple[str, int]]:
    """For each (team, task) of a plan the team that would have cost least instead, and how many seconds more.

    Where nobody else can do it, or several teams go together, there is none.
    """
    tasks = {task.key: task for task in problem.tasks}
    order = {team.key: [tasks[stop.key] for stop in plan.tours.get(team.key, ())] for team in problem.teams}
    arcs = _Arcs(problem, order)
    found = {}
    for key, own in order.items():
        for at, task in enumerate(own):
            if task.crews > 1:
                continue
            best = _other(problem, order, arcs, key, task)
            if best is not None:
                rest = [*own[:at], *own[at + 1 :]]
                team = next(each for each in problem.teams if each.key == key)
                with_it, without = timed(problem, team, own), timed(problem, team, rest)
                if with_it and without:
                    saved = with_it[1] - without[1]
                    found[key, task.key] = (best[0], max(round(best[1] - saved), 0))
    return found


class _Arcs:
    """Every place in every tour where one more task could go: ``team`` index, ``before`` and ``after`` places."""

    def __init__(self, problem: Problem, order: dict[str, list[Task]]) -> None:
        team, before, after, at = [], [], [], []
        for i, each in enumerate(problem.teams):
            places = [each.place, *(task.place for task in order[each.key]), each.home]
            team += [i] * (len(places) - 1)
            before += places[:-1]
            after += places[1:]
            at += range(len(places) - 1)
        self.team, self.at = np.array(team, int), np.array(at, int)
        self.before, self.after = np.array(before, int), np.array(after, int)
        self.now = problem.travel_s[self.before, self.after] if len(team) else np.empty(0)


def _other(
    problem: Problem, order: dict[str, list[Task]], arcs: _Arcs, own: str, task: Task
) -> tuple[str, float] | None:
    """The cheapest other team for a task, and what it would cost it."""
    able = np.array([team.key != own and task.skills <= team.skills for team in problem.teams], bool)
    more = problem.travel_s[arcs.before, task.place] + problem.travel_s[task.place, arcs.after] - arcs.now
    more = np.where(able[arcs.team] & np.isfinite(more), more, np.inf)
    best: tuple[str, float] | None = None
    for row in _first_of_each(np.argsort(more, kind="stable"), arcs.team, more):
        team = problem.teams[arcs.team[row]]
        tasks = order[team.key]
        at = int(arcs.at[row])
        with_it = timed(problem, team, [*tasks[:at], task, *tasks[at:]])
        without = timed(problem, team, tasks)
        if with_it and without and (best is None or with_it[1] - without[1] < best[1]):
            best = team.key, with_it[1] - without[1]
    return best


def _first_of_each(rows: np.ndarray, team: np.ndarray, more: np.ndarray) -> Sequence[int]:
    """The best row of each of the first few teams."""
    chosen: dict[int, int] = {}
    for row in rows.tolist():
        if not np.isfinite(more[row]) or len(chosen) == _TRIED:
            break
        chosen.setdefault(int(team[row]), row)
    return list(chosen.values())
