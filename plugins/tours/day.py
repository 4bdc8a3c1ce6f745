"""From what is known now to a problem for a solver, and from its plan to missions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ondijon import NONE, Now, TableView, whereabouts
from ondijon.closures import priced
from ondijon.streets import Places
from ondijon.travel import Travel
from plugins.tours import greedy, solver
from plugins.tours.crews import Crews
from plugins.tours.explain import explained
from plugins.tours.problem import Plan, Problem, Task, Team, wrong
from plugins.tours.replan import cost_s, replan
from plugins.tours.settings import Settings
from plugins.tours.state import Site, State
from plugins.tours.vocabulary import PlannedStop

SECOND = 1_000_000

#: A site without an end is due by then (s from now): beyond every shift.
_NO_END_S = 7 * 86_400


@dataclass(frozen=True)
class Made:
    """A plan, the problem that it solves, and how it came about."""

    problem: Problem
    plan: Plan
    by: str
    anew: bool


def locate(crews: Crews, state: State, table: TableView) -> None:
    """Take note of where teams are."""
    whereabouts.locate(crews.street_map, state.where, table, "team.lon", "team.lat")


def problem(crews: Crews, state: State, now: Now) -> Problem:
    """What is to be planned now, in seconds from now. Sites that are being visited keep their teams there."""
    open_sites = {key: site for key, site in state.sites.items() if not site.teams and site.edge != NONE}
    teams = [i for i, key in enumerate(crews.ids) if key not in state.off]
    busy = {team: site for site in state.sites.values() for team in site.teams}
    places, rows = _places(crews, state, open_sites, teams, busy)
    cost = priced(crews.seconds, state.closures.values(), now.utc)
    return Problem(
        tasks=tuple(_task(key, site, row, now) for row, (key, site) in enumerate(open_sites.items())),
        teams=tuple(
            _team(crews, i, rows[n], rows[n] + len(teams), busy.get(crews.ids[i]), now)
            for n, i in enumerate(teams)
        ),
        travel_s=Travel(crews.city.streets, cost).table(places, places),
    )


def _places(
    crews: Crews, state: State, sites: Mapping[str, Site], teams: Sequence[int], busy: Mapping[str, Site]
) -> tuple[Places, list[int]]:
    """All places of a plan: those of sites, of teams, and of their homes; and the row of each team's."""
    at = [busy.get(crews.ids[i]) for i in teams]
    edge = [
        *(site.edge for site in sites.values()),
        *(int(state.where.edge[i]) if site is None else site.edge for i, site in zip(teams, at, strict=True)),
        *crews.home.edge[teams].tolist(),
    ]
    offset = [
        *(site.offset_m for site in sites.values()),
        *(
            float(state.where.offset_m[i]) if site is None else site.offset_m
            for i, site in zip(teams, at, strict=True)
        ),
        *crews.home.offset_m[teams].tolist(),
    ]
    rows = [len(sites) + n for n in range(len(teams))]
    return Places(np.array(edge, np.uint32), np.array(offset, float), np.zeros(len(edge))), rows


def _task(key: str, site: Site, place: int, now: Now) -> Task:
    earliest = max((site.earliest_utc - now.utc) // SECOND, 0)
    latest = max((site.latest_utc - now.utc) // SECOND, 0) if site.latest_utc else _NO_END_S
    return Task(
        key=key,
        place=place,
        service_s=site.service_s,
        skills=site.skills,
        earliest_s=earliest,
        latest_s=min(latest, _NO_END_S),
        priority=site.priority,
        crews=site.crews,
    )


def _team(crews: Crews, i: int, place: int, home: int, busy: Site | None, now: Now) -> Team:
    start, stop = crews.shifts.duty(i, now.utc)
    free = max(start, now.utc, busy.until_utc if busy else 0)
    return Team(
        key=crews.ids[i],
        place=place,
        home=home,
        skills=crews.skills[i],
        from_s=(free - now.utc) // SECOND,
        until_s=(stop - now.utc) // SECOND,
    )


def make(crews: Crews, state: State, now: Now, settings: Settings) -> Made:
    """The plan for what is known now: around what changed, or the whole day anew where it is time to."""
    asked = problem(crews, state, now)
    anew = now.mono >= state.anew_mono + int(settings.anew_s * SECOND) or not state.missions
    orders = {key: [stop.site for stop in stops] for key, stops in state.missions.items()}

    def solve(part: Problem) -> Plan:
        return solver.solve(part, settings.effort) if solver.available() else greedy.solve(part)

    by = "vroom" if solver.available() else "greedy"
    plan = replan(asked, orders, solve)
    if anew and len(asked.tasks) <= settings.anew_sites:
        whole = solve(asked)
        if not wrong(asked, whole) and cost_s(asked, whole) < cost_s(asked, plan):
            plan = whole
    return Made(asked, plan, by, anew)


def missions(made: Made, now: Now) -> dict[str, tuple[PlannedStop, ...]]:
    """What each team is told, with what another would have cost."""
    others = explained(made.problem, made.plan)
    return {
        key: tuple(
            PlannedStop(
                stop.key,
                stop.drive_s,
                now.utc + stop.begin_s * SECOND,
                now.utc + stop.leave_s * SECOND,
                *others.get((key, stop.key), ("", 0)),
            )
            for stop in tour
        )
        for key, tour in made.plan.tours.items()
    }


def late(made: Made) -> tuple[str, ...]:
    """The sites that are begun too late, by name."""
    begins = made.plan.begins()
    return tuple(
        task.key for task in made.problem.tasks if task.key in begins and begins[task.key] > task.latest_s
    )
