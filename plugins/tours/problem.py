"""What a plan of tours is made from, and what it is: plain values, seconds from the plan's own begin."""

from __future__ import annotations

import msgspec
import numpy as np


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A site to be visited once by ``crews`` teams together, each of which has all ``skills``.

    ``place`` is its row of the travel table. The work takes ``service_s`` there, and begins from ``earliest_s`` to
    ``latest_s``; rather late than never, unless it is ``punctual``. ``priority`` 1 is the most urgent of three.
    """

    key: str
    place: int
    service_s: int
    skills: frozenset[str] = frozenset()
    earliest_s: int = 0
    latest_s: int = 86_400
    priority: int = 3
    crews: int = 1
    punctual: bool = False


class Team(msgspec.Struct, frozen=True, kw_only=True):
    """Who drives: it starts at ``place`` from ``from_s`` on and is back at ``home`` by ``until_s``."""

    key: str
    place: int
    home: int
    skills: frozenset[str] = frozenset()
    from_s: int = 0
    until_s: int = 86_400


class Problem(msgspec.Struct, frozen=True):
    """Tasks, teams, and ``travel_s`` f64[places, places] between them (inf: no way)."""

    tasks: tuple[Task, ...]
    teams: tuple[Team, ...]
    travel_s: np.ndarray


class Stop(msgspec.Struct, frozen=True):
    """A team drives ``drive_s`` to the task ``key`` and works there from ``begin_s`` to ``leave_s``."""

    key: str
    drive_s: int
    begin_s: int
    leave_s: int


class Plan(msgspec.Struct):
    """The ``tours`` of the teams that have one, and why each other task was ``left`` out: a code of LEFT."""

    tours: dict[str, tuple[Stop, ...]]
    left: dict[str, str]

    def begins(self) -> dict[str, int]:
        """When the work begins at each task."""
        return {stop.key: stop.begin_s for tour in self.tours.values() for stop in tour}


#: Why a task is in no tour.
LEFT = NO_SKILLS, NO_WAY, NO_TIME, NOT_TOGETHER = ("no_skills", "no_way", "no_time", "not_together")


def hopeless(problem: Problem) -> dict[str, str]:
    """The tasks that no team could do even if it had nothing else to do, and why."""
    found = {}
    for task in problem.tasks:
        able = [team for team in problem.teams if task.skills <= team.skills]
        if len(able) < task.crews:
            found[task.key] = NO_SKILLS
            continue
        there = [
            team
            for team in able
            if np.isfinite(problem.travel_s[team.place, task.place] + problem.travel_s[task.place, team.home])
        ]
        if len(there) < task.crews:
            found[task.key] = NO_WAY
        elif sum(alone_s(problem, team, task) is not None for team in there) < task.crews:
            found[task.key] = NO_TIME
    return found


def alone_s(problem: Problem, team: Team, task: Task) -> float | None:
    """When a team with nothing else to do would begin a task, however late; None: not within its shift."""
    begin = max(team.from_s + problem.travel_s[team.place, task.place], task.earliest_s)
    back = begin + task.service_s + problem.travel_s[task.place, team.home]
    return float(begin) if back <= team.until_s else None


def wrong(problem: Problem, plan: Plan) -> list[str]:
    """What a plan does that it must not, in sentences: for tests, and for the answer of a solver before it is used."""
    tasks = {task.key: task for task in problem.tasks}
    teams = {team.key: team for team in problem.teams}
    found, begins = [], dict[str, list[int]]()
    for key, tour in plan.tours.items():
        team = teams[key]
        place, free = team.place, float(team.from_s)
        for stop in tour:
            task = tasks[stop.key]
            begins.setdefault(stop.key, []).append(stop.begin_s)
            if not task.skills <= team.skills:
                found.append(f"{key} has not the skills of {stop.key}")
            # A second of rounding at each stop.
            if (
                stop.begin_s + 1 < free + problem.travel_s[place, task.place]
                or stop.begin_s < task.earliest_s
            ):
                found.append(f"{key} cannot be at {stop.key} by {stop.begin_s} s")
            if stop.leave_s - stop.begin_s < task.service_s:
                found.append(f"{key} leaves {stop.key} too early")
            place, free = task.place, float(stop.leave_s)
        if free + problem.travel_s[place, team.home] > team.until_s + len(tour) + 1:
            found.append(f"{key} is back too late")
    for key, task in tasks.items():
        visits = begins.get(key, [])
        if len(visits) != (0 if key in plan.left else task.crews):
            found.append(f"{key} is visited {len(visits)} times")
        if visits and max(visits) - min(visits) > together_s(task):
            found.append(f"the teams at {key} begin {max(visits) - min(visits)} s apart")
    return found


#: Teams at one site begin at most so far apart (s).
TOGETHER_S = 300


def together_s(task: Task) -> int:
    """How far apart the teams of a task may begin (s): less than it takes, or one team could stand in for two."""
    return min(TOGETHER_S, task.service_s - 1)
