"""Tours by cheapest insertion: always there, at once, and never better than a solver's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from plugins.tours.problem import (
    NO_TIME,
    NOT_TOGETHER,
    Plan,
    Problem,
    Stop,
    Task,
    Team,
    hopeless,
    together_s,
)


def solve(problem: Problem) -> Plan:
    """Put one task after the other, the urgent first, where it costs the least time; what fits nowhere is left out."""
    left = hopeless(problem)
    insertion = Insertion(problem, {})
    for task in in_order(task for task in problem.tasks if task.key not in left):
        reason = insertion.put(task)
        if reason:
            left[task.key] = reason
    return Plan(insertion.tours(), left)


def in_order(tasks: Iterable[Task]) -> list[Task]:
    """Those that need several teams first: later nobody has the same time free; then the urgent, then by their end."""
    return sorted(tasks, key=lambda each: (-each.crews, each.priority, each.latest_s, each.key))


def timed(problem: Problem, team: Team, tasks: Sequence[Task]) -> tuple[list[Stop], float] | None:
    """The stops of a team that does ``tasks`` in this order, and what it costs (driving and waiting, s).

    None where it would be back too late, or too late at a punctual one.
    """
    place, free, cost, stops = team.place, float(team.from_s), 0.0, []
    for task in tasks:
        drive = float(problem.travel_s[place, task.place])
        begin = max(free + drive, float(task.earliest_s))
        if begin + task.service_s > team.until_s or (task.punctual and begin > task.latest_s):
            return None
        cost += begin - free
        free, place = begin + task.service_s, task.place
        stops.append(Stop(task.key, round(drive), round(begin), round(free)))
    back = float(problem.travel_s[place, team.home])
    return None if free + back > team.until_s else (stops, cost + back)


@dataclass
class _Tour:
    team: Team
    tasks: list[Task] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)
    cost_s: float = 0.0

    def late_s(self) -> int:
        return _late_s(self.stops, self.tasks)


#: Where a task could go: how much later others come, what it costs, and the tour as it would be.
_Fit = tuple[int, float, list[Task], list[Stop], float]


class Insertion:
    """Tours that grow task by task, from ``orders`` on; teams that can no longer do all of theirs are ``broken``."""

    def __init__(self, problem: Problem, orders: Mapping[str, Sequence[str]]) -> None:
        self._problem = problem
        self._tours = {team.key: _Tour(team) for team in problem.teams}
        #: Tasks that are in a tour, and teams that cannot do all that they had.
        self.planned: set[str] = set()
        self.broken: list[str] = []
        tasks = {task.key: task for task in problem.tasks}
        for key, order in orders.items():
            if key in self._tours:
                self._follow(self._tours[key], [tasks[each] for each in order if each in tasks])
        self._keep_together(tasks)

    def _follow(self, tour: _Tour, tasks: list[Task]) -> None:
        able = [task for task in tasks if task.skills <= tour.team.skills]
        fits = timed(self._problem, tour.team, able)
        while fits is None:
            able = able[:-1]
            fits = timed(self._problem, tour.team, able)
        self._take(tour, able, *fits)
        if len(able) < len(tasks):
            self.broken.append(tour.team.key)

    def _keep_together(self, tasks: Mapping[str, Task]) -> None:
        """Hold the teams of a site to the time at which they meet; where they no longer do, it is planned anew."""
        for key in sorted(key for key in self.planned if tasks[key].crews > 1):
            at = [s.begin_s for tour in self._tours.values() for s in tour.stops if s.key == key]
            if len(at) == tasks[key].crews and max(at) - min(at) <= together_s(tasks[key]):
                self._hold(key, min(at))
            else:
                self._part(key)
        self.planned = {task.key for tour in self._tours.values() for task in tour.tasks}

    def _hold(self, key: str, begin_s: int) -> None:
        for tour in self._tours.values():
            tour.tasks = [_at(task, begin_s) if task.key == key else task for task in tour.tasks]

    def _part(self, key: str) -> None:
        for tour in self._tours.values():
            if any(task.key == key for task in tour.tasks):
                rest = [task for task in tour.tasks if task.key != key]
                fits = timed(self._problem, tour.team, rest)
                self._take(tour, *((rest, *fits) if fits else ([], [], 0.0)))
                self.broken.append(tour.team.key)

    def tours(self) -> dict[str, tuple[Stop, ...]]:
        """The tours so far, of those who have one."""
        return {key: tuple(tour.stops) for key, tour in self._tours.items() if tour.stops}

    def cheapest(self, task: Task, teams: int) -> list[str]:
        """The teams that a task would cost least, at most so many."""
        fits = [(fit[:2], key) for key, tour in self._tours.items() if (fit := self._fit(tour, task))]
        return [key for _, key in sorted(fits)[:teams]]

    def put(self, task: Task) -> str:
        """Put a task where it costs least; or why it fits nowhere."""
        if task.crews > 1:
            return "" if self._together(task) else NOT_TOGETHER
        fits = [(fit, tour) for tour in self._tours.values() if (fit := self._fit(tour, task))]
        if not fits:
            return NO_TIME
        (_, _, *best), tour = min(fits, key=lambda each: each[0][:2])
        self._take(tour, *best)
        return ""

    def _fit(self, tour: _Tour, task: Task) -> _Fit | None:
        """The cheapest place of a task in a tour; in time if at all possible, else with the least delay."""
        if not task.skills <= tour.team.skills:
            return None
        found: _Fit | None = None
        before = tour.late_s()
        for at in range(len(tour.tasks) + 1):
            tasks = [*tour.tasks[:at], task, *tour.tasks[at:]]
            fits = timed(self._problem, tour.team, tasks)
            if fits is None:
                continue
            fit = (_late_s(fits[0], tasks) - before, fits[1] - tour.cost_s, tasks, *fits)
            if found is None or fit[:2] < found[:2]:
                found = fit
        return found

    def _take(self, tour: _Tour, tasks: list[Task], stops: list[Stop], cost: float) -> None:
        tour.tasks, tour.stops, tour.cost_s = tasks, stops, cost
        self.planned |= {task.key for task in tasks}

    def _together(self, task: Task) -> bool:
        """Have several teams begin a task at the same time, last in their tours; whether that can be."""
        ends = []
        for key, tour in self._tours.items():
            fits = timed(self._problem, tour.team, [*tour.tasks, task])
            if task.skills <= tour.team.skills and fits is not None:
                ends.append((fits[0][-1].begin_s, key))
        if len(ends) < task.crews:
            return False
        chosen = sorted(ends)[: task.crews]
        begin = chosen[-1][0]
        at_once = _at(task, begin)
        tours = [self._tours[key] for _, key in chosen]
        fits_all = [timed(self._problem, tour.team, [*tour.tasks, at_once]) for tour in tours]
        if any(fits is None for fits in fits_all):
            return False
        for tour, fits in zip(tours, fits_all, strict=True):
            if fits is not None:
                self._take(tour, [*tour.tasks, at_once], *fits)
        return True


def _late_s(stops: Sequence[Stop], tasks: Sequence[Task]) -> int:
    return sum(max(stop.begin_s - task.latest_s, 0) for stop, task in zip(stops, tasks, strict=True))


def _at(task: Task, begin_s: int) -> Task:
    """A task of several teams, to be begun by all of them at this time, or not at all."""
    return msgspec.structs.replace(
        task, earliest_s=begin_s, latest_s=begin_s + together_s(task), punctual=True
    )
