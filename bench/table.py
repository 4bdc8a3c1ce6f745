"""The figures of a run as tables on the terminal and as Markdown."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

#: Where a contender's absolute figure stands, ours too; and its unit.
FIGURES = (
    ("cpu_ns_{}", "ns/sample"),
    ("p50_us_{}", "µs, p50"),
    ("wall_us_{}", "µs/record"),
    ("{}_ns_per_lamp", "ns/lamp"),
    ("core_percent_{}", "% of a core"),
)

HEAD = ("benchmark", "against", "ours", "theirs", "unit", "ratio", "wall")

Row = tuple[str, str, str, str, str, str, str]


def rows(run: dict[str, Any]) -> Iterator[Row]:
    """A row for each ratio: above 1 ours is cheaper, below 1 theirs."""
    for benchmark in run["benchmarks"]:
        info = benchmark["extra_info"]
        for key in info:
            if not key.startswith("ratio_to_"):
                continue
            peer = key.removeprefix("ratio_to_")
            ours, theirs, unit = _absolute(info, peer)
            wall = info.get(f"wall_ratio_to_{peer}")
            name = benchmark["name"].removeprefix("test_")
            yield name, peer, ours, theirs, unit, f"{info[key]:.2f}", "" if wall is None else f"{wall:.2f}"


def _absolute(info: dict[str, Any], peer: str) -> tuple[str, str, str]:
    if peer == "free":
        return f"{info['samples_s_held']:,}", f"{info['samples_s_free']:,}", "samples/s"
    for pattern, unit in FIGURES:
        if pattern.format(peer) in info:
            ours = info.get(pattern.format("ondijon"), info.get(pattern.format("ours")))
            return _number(ours), _number(info[pattern.format(peer)]), unit
    return "", "", ""


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def machine(run: dict[str, Any]) -> str:
    """One sentence on the machine and its load."""
    info, ours = run["machine_info"], run["machine_info"].get("ondijon", {})
    cpu = info.get("cpu", {}).get("brand_raw", info.get("machine", ""))
    loads = [load for b in run["benchmarks"] if (load := b["extra_info"].get("load")) is not None]
    ones = [load[0] if isinstance(load, list) else load for load in loads]
    probes = [v for b in run["benchmarks"] for k, v in b["extra_info"].items() if k.startswith("probe_ms_")]
    spread = f", probe {min(probes):.0f}-{max(probes):.0f} ms" if probes else ""
    during = f", load average {min(ones):.1f}-{max(ones):.1f} during the run" if ones else ""
    return (
        f"{cpu}, {ours.get('usable_cpus')} CPUs, Linux {ours.get('kernel')}, Python {info['python_version']}, "
        f"libzmq {ours.get('libzmq')}; {run['datetime'][:16]}{during}{spread}"
        f"{'; QUICK: not to be quoted' if ours.get('quick') else ''}"
    )


def notes(run: dict[str, Any]) -> Iterator[str]:
    """What has no ratio: percentiles of latency, sides of the hand-over, what was skipped."""
    for benchmark in run["benchmarks"]:
        name, info = benchmark["name"].removeprefix("test_"), benchmark["extra_info"]
        for key in info:
            if key.startswith("runs_us_"):
                shown = "; ".join(
                    " / ".join(f"{r[p]:,.0f}" for p in ("p50", "p99", "p999") if p in r) for r in info[key]
                )
                yield f"{name}, {key.removeprefix('runs_us_')}: p50 / p99 / p99.9 µs of each run: {shown}"
        if "cpu_ns_edge" in info:
            yield (
                f"{name}: edge {info['cpu_ns_edge']} + kernel {info['cpu_ns_kernel']} ns a changed slot "
                f"(then swap {info['cpu_ns_swap']}); {info['fixed_us']} µs a hand-over + "
                f"{info['cpu_ns_marginal']} ns a slot"
            )
        if "record_mb_a_day" in info:
            yield (
                f"{name}: {info['record_mb_a_day']:,} MB a day; {info['replay_steps']:,} steps replayed "
                f"{info['replay_speed']} times as fast as they lived, "
                f"{'the same' if info['replay_same'] else 'NOT the same'}"
            )
        if "fork_speed" in info:
            yield (
                f"{name}: {info['fork_city_s']:,} s of city time forked in {info['fork_seconds']} s, "
                f"{info['fork_speed']} times as fast as they lived"
            )
        if "frames_s" in info:
            yield (
                f"{name}: {info['frames_s']} frames/s cost ours {info['core_percent_ondijon']} % of a core, "
                f"{info['cpu_us_a_frame_ondijon']} µs a frame (limit {info['cpu_us_a_frame_limit']})"
            )
        if "records_a_probe" in info:
            yield (
                f"{name}: {info['records_s_ondijon']:,} records/s, {info['records_a_probe']} in the time of a bare "
                f"fdatasync ({info['probe_us']} µs)"
            )
        if "asked_p99_us" in info:
            yield f"{name}: p99 {info['p99_us_ondijon']:,} µs, asked {info['asked_p99_us']:,} µs (2 ms + 10 fdatasync)"
        if "restart_s" in info:
            yield f"{name}: {info['restart_s']} s to serving with {info['records']:,} records after the snapshot"
        if "p99_ms_beside" in info:
            yield (
                f"{name}: event to order p50 / p99 {info['p50_ms_alone']} / {info['p99_ms_alone']} ms alone, "
                f"{info['p50_ms_beside']} / {info['p99_ms_beside']} ms under overload; {info['calls']} calls, "
                f"{info['alarms']} alarms, {info['sent']:,} samples, {info['lost']} lost, "
                f"memory grew by {info['rss_grown_mib']} MiB"
            )
        if "asked_p50_us" in info:
            yield (
                f"{name}: {info['rows']:,} changed slots to a worker and its answer: p50 / p99 "
                f"{info['p50_us']} / {info['p99_us']} µs (asked p50 {info['asked_p50_us']})"
            )
        if "back_s" in info:
            yield f"{name}: another worker is there {info['back_s']} s later, at worst {info['worst_s']}"
        if "asked_ratio_p99" in info:
            yield (
                f"{name}: a step's p99 beside bad workers is {info['ratio_p99']} of that without "
                f"(asked at most {info['asked_ratio_p99']})"
            )
        for what in ("quiet", "busy"):
            if (step := info.get(f"coordination_us_{what}")) is not None:
                times = " / ".join(f"{step[of]:,.0f}" for of in ("p50", "p99", "most"))
                yield (
                    f"{name}, {what}: p50 / p99 / most {times} µs "
                    f"with {info['cases']} cases, {info['jobs']} jobs, {info['teams']} teams (asked at most 2,000)"
                )
        if "mb_a_night" in info:
            yield (
                f"{name}: {info['records_s']} records/s from lighting at {info['detections_s']:,} detections/s "
                f"({info['leases_s']:,} leases/s), {info['mb_a_night']:,} MB a night"
            )
        if "core_percent_post" in info:
            yield f"{name}: {_city(info)}"
        for peer, why in (info.get("skipped") or {}).items():
            yield f"{name}: {peer} skipped, {why}"


def _city(info: dict[str, Any]) -> str:
    parts = [key.removeprefix("rss_mib_") for key in info if key.startswith("rss_mib_")]
    shares = ", ".join(
        f"{part} {info[f'core_percent_{part}']} % and {' to '.join(map(str, info[f'rss_mib_{part}']))} MiB"
        for part in parts
    )
    return (
        f"edges + kernel {info['core_percent_post']} % of a core ({shares}); speed asked {info['speed']}, "
        f"reached {info['speed_reached']:.2f}, steps skipped {info['steps_skipped']}; samples {info['samples']}"
    )


def show(run: dict[str, Any]) -> None:
    """Print it."""
    console = Console(file=sys.stdout, width=max(110, Console().width))
    made = Table(*HEAD, title="Ratios by consumer CPU: above 1 ours is cheaper, below 1 theirs is")
    for row in rows(run):
        made.add_row(*row)
    console.print(machine(run))
    console.print(made)
    for note in notes(run):
        console.print(note, highlight=False)


def markdown(run: dict[str, Any]) -> str:
    """The same for docs/bench/README.md."""
    lines = [f"| {' | '.join(HEAD)} |", "|" + " --- |" * len(HEAD)]
    lines += [f"| {' | '.join(row)} |" for row in rows(run)]
    return "\n".join([machine(run), "", *lines, "", *(f"- {note}" for note in notes(run))])
