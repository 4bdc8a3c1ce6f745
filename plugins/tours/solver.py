"""Tours by VROOM (Coupey, Nicod, Varnier: https://github.com/VROOM-Project/vroom): what it lacks is added around it.

It knows skills, windows and priorities. It does not know lateness (a window holds or the task is dropped), nor
teams that work together; both are had by solving again with what the first answer taught.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from plugins.tours import problem as problems
from plugins.tours.problem import NO_TIME, NOT_TOGETHER, Plan, Problem, Stop, Task, Team, together_s

try:
    import vroom  # type: ignore[import-untyped]
except ImportError:  # pragma: no cover - the extra `tours` is not installed
    vroom = None

#: A way that does not exist, in s: longer than any shift.
_NEVER = 10_000_000

#: What a team costs before it drives, in s: so an hour is rather given to one that is out already.
TEAM_S = 1800

#: VROOM's priorities, 0 to 100, for ours.
_PRIORITY = {1: 100, 2: 40, 3: 10}

#: How often teams that shall work together are brought nearer in time.
_ROUNDS = 3


def available() -> bool:
    """Whether VROOM is installed (the extra ``tours``)."""
    return vroom is not None


def solve(problem: Problem, level: int = 0) -> Plan:
    """The tours that take the least time; what no team can do in its shift is left out.

    ``level`` 0 to 5 is VROOM's exploration: each costs about twice the time of the one before. The same problem
    gives the same plan. Raises RuntimeError where VROOM fails.
    """
    left = problems.hopeless(problem)
    tasks = [task for task in problem.tasks if task.key not in left]
    tours, missed = _punctual(problem, tasks, level)
    if missed:
        # Late, then, but done; those that are in time stay so.
        tasks = [_late(task) if task.key in missed else task for task in tasks]
        tours, missed = _punctual(problem, tasks, level)
    tours, tasks, apart = _together(problem, tasks, tours, level)
    left |= {key: NO_TIME for key in missed if key not in apart} | dict.fromkeys(apart, NOT_TOGETHER)
    visited = {stop.key for tour in tours.values() for stop in tour}
    left |= {task.key: NO_TIME for task in tasks if task.key not in visited and task.key not in left}
    return Plan(tours, left)


def _late(task: Task) -> Task:
    return task if task.punctual else msgspec.structs.replace(task, latest_s=_NEVER)


def _together(
    problem: Problem, tasks: list[Task], tours: dict[str, tuple[Stop, ...]], level: int
) -> tuple[dict[str, tuple[Stop, ...]], list[Task], set[str]]:
    """Have the teams of each site with several begin at the same time, when the last of them can; what fails is out."""
    several = {task.key: task for task in tasks if task.crews > 1}
    for round_ in range(_ROUNDS + 1):
        begins: dict[str, list[int]] = {key: [] for key in several}
        for tour in tours.values():
            for stop in tour:
                if stop.key in begins:
                    begins[stop.key].append(stop.begin_s)
        apart = {
            key
            for key, at in begins.items()
            if len(at) < several[key].crews or max(at) - min(at) > together_s(several[key])
        }
        if not apart:
            return tours, tasks, set()
        if round_ == _ROUNDS:
            break
        tasks = [
            msgspec.structs.replace(
                task,
                earliest_s=max(begins[task.key]),
                latest_s=max(begins[task.key]) + together_s(task),
                punctual=True,
            )
            if task.key in apart and begins[task.key]
            else task
            for task in tasks
        ]
        tours, _ = _punctual(problem, tasks, level)
    tasks = [task for task in tasks if task.key not in apart]
    tours, _ = _punctual(problem, tasks, level)
    return tours, tasks, apart


def _punctual(
    problem: Problem, tasks: Sequence[Task], level: int
) -> tuple[dict[str, tuple[Stop, ...]], set[str]]:
    """The tours where every window holds, and the tasks that VROOM left out, with all or some of their crews."""
    if not tasks or not problem.teams:
        return {}, {task.key for task in tasks}
    asked, parts = _asked(problem, tasks)
    answer = asked.solve(exploration_level=level, nb_threads=1).to_dict()
    if answer["code"] != 0:
        raise RuntimeError(f"VROOM gives up with code {answer['code']}")
    tours = {problem.teams[route["vehicle"]].key: _stops(route["steps"], parts) for route in answer["routes"]}
    return tours, {parts[each["id"]].key for each in answer["unassigned"]}


def _asked(problem: Problem, tasks: Sequence[Task]) -> tuple[Any, list[Task]]:
    """VROOM's input, and the task behind each of its jobs: one for each crew."""
    skills = sorted({skill for each in (*tasks, *problem.teams) for skill in each.skills})
    number = {skill: i for i, skill in enumerate(skills)}
    seconds = np.where(np.isfinite(problem.travel_s), np.rint(problem.travel_s), _NEVER).astype(np.uint32)
    asked = vroom.Input()
    asked.set_durations_matrix(profile="car", matrix_input=seconds)
    for i, team in enumerate(problem.teams):
        asked.add_vehicle(_vehicle(i, team, number))
    parts: list[Task] = []
    for task in tasks:
        for _ in range(task.crews):
            asked.add_job(
                vroom.Job(
                    len(parts),
                    location=task.place,
                    default_service=task.service_s,
                    skills={number[skill] for skill in task.skills},
                    priority=_PRIORITY[task.priority],
                    time_windows=[vroom.TimeWindow(task.earliest_s, max(task.latest_s, task.earliest_s))],
                )
            )
            parts.append(task)
    return asked, parts


def _vehicle(i: int, team: Team, number: dict[str, int]) -> Any:
    return vroom.Vehicle(
        i,
        start=team.place,
        end=team.home,
        skills={number[skill] for skill in team.skills},
        time_window=vroom.TimeWindow(team.from_s, max(team.until_s, team.from_s)),
        costs=vroom.VehicleCosts(fixed=TEAM_S),
    )


def _stops(steps: list[dict[str, Any]], parts: list[Task]) -> tuple[Stop, ...]:
    stops, driven = [], 0
    for step in steps:
        if step["type"] == "job":
            begin = step["arrival"] + step["waiting_time"]
            task = parts[step["id"]]
            stops.append(Stop(task.key, step["duration"] - driven, begin, begin + step["service"]))
        driven = step["duration"]
    return tuple(stops)
