"""One team instead of three: the same days of work, done by single-trade teams, by teams that can do everything, and
by such teams with the jobs of one place merged into one visit.

    python -m bench.one_team [--jobs 90 --jobs 300] [--seeds 10] [--shared 0.25] [--json FILE] [--picture FILE.svg]

All three are planned by the same solver with the same effort, on the streets of the demo city, with road times. The
city and the days are invented and drawn from seeds: what is compared is the way of working, not a real city.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from adapters.cityimport.command import generate_city
from bench.workday import SETUP_S, Workday
from core import city as cities
from core.city import City
from ondijon.travel import Travel, drive_seconds
from plugins.coordination.sites import Job, Site, merged
from plugins.tours import solver
from plugins.tours.problem import Plan, Problem, Task
from plugins.tours.replan import cost_s, replan

#: The ways of working, and the effort of the solver for each.
SINGLE, SKILLED, ONE_TEAM = WAYS = ("single-trade", "multi-skilled", "multi-skilled, merged")
LEVEL = 0

#: Jobs of the days into which one more comes.
CHANGED = 300

#: What is told of a day, and how.
FIGURES = {
    "visits": "{:.0f}",
    "km": "{:.0f}",
    "teams": "{:.1f}",
    "team_hours": "{:.1f}",
    "late": "{:.1f}",
    "left_out": "{:.1f}",
    "response_p50_min": "{:.0f}",
    "response_p90_min": "{:.0f}",
    "solve_s": "{:.2f}",
}


def day(city: City, count: int, seed: int, shared: float) -> dict[str, dict[str, float]]:
    """One day, in each of the ways."""
    work = Workday(city, count, seed, shared)
    streets = city.streets
    seconds = Travel(streets, drive_seconds(streets)).table(work.places, work.places)
    metres = Travel(streets, streets.edge_length_m.astype(np.float64)).table(work.places, work.places)
    alone = [Site(key=job.key, jobs=(job,), setup_s=SETUP_S) for job in work.jobs]
    skills = [team.skills for team in work.teams(True)]
    together = merged(work.jobs, SETUP_S, skills)
    return {
        way: _lived(work, sites, skilled, seconds, metres)
        for way, sites, skilled in (
            (SINGLE, alone, False),
            (SKILLED, alone, True),
            (ONE_TEAM, together, True),
        )
    }


def changed(city: City, count: int, seed: int, shared: float) -> dict[str, float]:
    """An urgent job comes into a planned day: how long planning again takes, and what a plan made anew would save.

    The gap is that of the teams' time, in percent: above 0 the plan made anew is better.
    """
    work = Workday(city, count, seed, shared)
    seconds = Travel(city.streets, drive_seconds(city.streets)).table(work.places, work.places)
    place = {job.key: i for i, job in enumerate(work.jobs)}
    sites = merged(work.jobs, SETUP_S, [team.skills for team in work.teams(True)])
    tasks = tuple(_task(site, place) for site in sites)
    late = next(i for i, task in enumerate(tasks) if task.priority == 1)
    before = Problem((*tasks[:late], *tasks[late + 1 :]), work.teams(True), seconds)
    after = Problem(tasks, before.teams, seconds)
    plan = solver.solve(before, LEVEL)
    orders = {key: [stop.key for stop in tour] for key, tour in plan.tours.items()}
    began = time.perf_counter()
    again = replan(after, orders, solver.solve)
    mended = time.perf_counter()
    anew = solver.solve(after, LEVEL)
    solved = time.perf_counter()
    costs, best = cost_s(after, again), cost_s(after, anew)
    moved = [
        key
        for key in orders.keys() | again.tours.keys()
        if [stop.key for stop in again.tours.get(key, ())] != orders.get(key, [])
    ]
    return {
        "replan_s": mended - began,
        "full_s": solved - mended,
        "gap_percent": 100 * (costs[2] / best[2] - 1),
        "more_late_min": (costs[1] - best[1]) / 60,
        "more_left": costs[0] - best[0],
        "teams_moved": len(moved),
    }


def _lived(
    work: Workday, sites: Sequence[Site], skilled: bool, seconds: np.ndarray, metres: np.ndarray
) -> dict[str, float]:
    place = {job.key: i for i, job in enumerate(work.jobs)}
    tasks = tuple(_task(site, place) for site in sites)
    teams = work.teams(skilled)
    began = time.perf_counter()
    plan = solver.solve(Problem(tasks, teams, seconds), LEVEL)
    return {
        "solve_s": time.perf_counter() - began,
        **_told(plan, sites, place, len(work.jobs), seconds, metres),
    }


def _task(site: Site, place: dict[str, int]) -> Task:
    return Task(
        key=site.key,
        place=place[site.jobs[0].key],
        service_s=site.service_s,
        skills=site.skills,
        latest_s=max(site.latest // 1_000_000, 0),
        priority=site.priority,
    )


def _told(
    plan: Plan,
    sites: Sequence[Site],
    place: dict[str, int],
    depot: int,
    seconds: np.ndarray,
    metres: np.ndarray,
) -> dict[str, float]:
    of = {site.key: site for site in sites}
    metres_driven = hours = 0.0
    responses: list[float] = []
    late = 0
    for tour in plan.tours.values():
        stops = [depot, *(place[of[stop.key].jobs[0].key] for stop in tour), depot]
        metres_driven += float(metres[stops[:-1], stops[1:]].sum())
        hours += (tour[-1].leave_s + seconds[stops[-2], depot] - (tour[0].begin_s - tour[0].drive_s)) / 3600
        for stop in tour:
            for job, begin_s in _begins(of[stop.key], stop.begin_s):
                responses.append(begin_s / 60)
                late += (begin_s + job.duration_s) * 1_000_000 > job.latest
    return {
        "visits": sum(map(len, plan.tours.values())),
        "km": metres_driven / 1000,
        "teams": len(plan.tours),
        "team_hours": hours,
        "late": late,
        "left_out": sum(len(of[key].jobs) for key in plan.left),
        "response_p50_min": float(np.percentile(responses, 50)),
        "response_p90_min": float(np.percentile(responses, 90)),
    }


def _begins(site: Site, begin_s: float) -> list[tuple[Job, float]]:
    """When the work at each job of a visit begins."""
    found, at = [], begin_s + site.setup_s
    for job in site.jobs:
        found.append((job, at))
        at += job.duration_s
    return found


def contest(city: City, counts: Sequence[int], seeds: int, shared: float) -> dict[str, Any]:
    """All days. Of each figure the mean over the seeds, and how the other ways differ from single-trade, in percent.

    ``spread`` is the least and the most over the seeds.
    """
    result: dict[str, Any] = {}
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("days", total=len(counts) * seeds)
        for count in counts:
            days = []
            for seed in range(seeds):
                days.append(day(city, count, seed, shared))
                progress.advance(bar)
            result[str(count)] = {way: _summed(days, way) for way in WAYS}
    return result


def changes(city: City, count: int, seeds: int, shared: float) -> dict[str, dict[str, float]]:
    """All days with a change, as the median and the worst of each figure."""
    days = [changed(city, count, seed, shared) for seed in range(seeds)]
    return {
        name: {
            "median": statistics.median(each[name] for each in days),
            "worst": max(each[name] for each in days),
        }
        for name in days[0]
    }


def _summed(days: Sequence[dict[str, dict[str, float]]], way: str) -> dict[str, Any]:
    summed: dict[str, Any] = {}
    for name in FIGURES:
        values = [each[way][name] for each in days]
        base = [each[SINGLE][name] for each in days]
        changes = [100 * (v / b - 1) for v, b in zip(values, base, strict=True) if b]
        summed[name] = {
            "mean": statistics.fmean(values),
            "percent": 100 * (sum(values) / sum(base) - 1) if sum(base) else None,
            "spread": [min(changes), max(changes)] if changes else None,
        }
    return summed


def show(result: dict[str, Any], markdown: bool = False) -> None:
    """Print the table."""
    heads = ["jobs", "way", *(name.replace("_", " ") for name in FIGURES)]
    rows = [
        [count, way, *(_cell(name, figures[name]) for name in FIGURES)]
        for count, ways in result.items()
        for way, figures in ways.items()
    ]
    if markdown:
        lines = [heads, ["---"] * len(heads), *rows]
        sys.stdout.write("".join(f"| {' | '.join(line)} |\n" for line in lines))
        return
    table = Table(*heads)
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def _cell(name: str, figure: dict[str, Any]) -> str:
    shown = FIGURES[name].format(figure["mean"])
    # The time of a solver, and counts near nothing, have no percent worth reading.
    if name in ("solve_s", "late", "left_out") or not figure["percent"]:
        return shown
    return f"{shown} ({figure['percent']:+.0f} %)"


def draw(result: dict[str, Any], path: Path) -> None:
    """Bars of what changes, in percent of single-trade teams."""
    from matplotlib import pyplot

    names = ("visits", "km", "teams", "team_hours")
    figure, axes = pyplot.subplots(
        1, len(result), figsize=(4.2 * len(result), 3.4), sharey=True, squeeze=False
    )
    for axis, (count, ways) in zip(axes[0], result.items(), strict=True):
        for shift, way, colour in ((-0.2, SKILLED, "#9aa7b4"), (0.2, ONE_TEAM, "#1f5fa8")):
            values = [ways[way][name]["percent"] for name in names]
            bars = axis.bar(np.arange(len(names)) + shift, values, 0.38, color=colour, label=way)
            axis.bar_label(bars, fmt="%+.0f", fontsize=8, padding=2)
        axis.axhline(0, color="black", linewidth=0.8)
        axis.set_xticks(range(len(names)), [name.replace("_", " ") for name in names])
        axis.set_title(f"{count} jobs a day")
        axis.spines[["top", "right"]].set_visible(False)
    axes[0][0].set_ylabel("% of single-trade teams")
    axes[0][0].legend(frameon=False, fontsize=8, loc="lower right")
    figure.tight_layout()
    figure.savefig(path)


def main() -> int:
    """Live the days, print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.one_team",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--jobs", type=int, action="append", help="jobs a day, may be given again (90, 300, 1000)"
    )
    parser.add_argument("--seeds", type=int, default=10, help="days of each kind (10)")
    parser.add_argument(
        "--shared", type=float, default=0.25, help="share of places that need 2 or 3 trades (0.25)"
    )
    parser.add_argument("--json", type=Path, help="write all figures there")
    parser.add_argument("--picture", type=Path, help="draw what changes there (SVG)")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        generate_city(out=Path(folder) / "city", seed=0, lamps=34_000)
        city = cities.load(Path(folder) / "city")
    result = contest(city, arguments.jobs or [90, 300, 1000], arguments.seeds, arguments.shared)
    show(result, arguments.markdown)
    again = changes(city, CHANGED, arguments.seeds, arguments.shared)
    sys.stdout.write(
        f"An urgent job comes into a planned day of {CHANGED} jobs; median and worst of {arguments.seeds} days:\n"
    )
    for name, figure in again.items():
        sys.stdout.write(f"  {name:<14} {figure['median']:8.2f} {figure['worst']:8.2f}\n")
    if arguments.json:
        arguments.json.write_text(json.dumps({"days": result, "replan": again}, indent=1))
    if arguments.picture:
        draw(result, arguments.picture)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
