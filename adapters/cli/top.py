"""``ondijon top``: what the post does, live, as text."""

from __future__ import annotations

import datetime
import sys
import time
from pathlib import Path

import click
from rich.console import Group
from rich.live import Live
from rich.table import Table

from adapters.cli import screen
from adapters.cli.follow import Follower, last_run
from core import run as runs
from core._fast.ingest import FRAME_REFUSALS, SAMPLE_REFUSALS
from core.errors import OndijonError
from core.status import Status, WorkerFigures

#: A status that does not come for so long (s) means that the kernel is away.
PATIENCE_S = 5.0

#: Counters of the edges that begin so tell of peers that were turned away.
REFUSED = ("handshake_", "refused_", "sessions_ended")


@click.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--once", is_flag=True, help="Print one picture and end: for scripts and reports.")
def top(folder: Path | None, once: bool) -> None:
    """Show live what a running post does.

    Samples, hooks, views, alarms and faults; docs/operations.md tells what each counter means.
    FOLDER is the run's folder, DATA/run of the configuration; without it the post started last by this
    user is shown. Ctrl-C ends.

    \b
    Examples:
      ondijon top
      ondijon top --once /var/lib/ondijon/run | grep alarms
    """
    follower = Follower(runs.load(folder or last_run()).status_ipc)
    try:
        first = follower.update(PATIENCE_S)
        if first is None:
            raise OndijonError(
                "the kernel says nothing.", where=str(folder or last_run()), next="Is the post running?"
            )
        if once:
            screen.show(picture(first, first, 1.0))
            return
        _live(follower, first)
    finally:
        follower.close()


def _live(follower: Follower, before: Status) -> None:
    at = follower.at
    with Live(picture(before, before, 1.0), screen=sys.stdout.isatty(), auto_refresh=False) as live:
        while True:
            now = follower.update(2.0)
            silence = time.monotonic() - follower.at
            if now is not None and follower.at > at:
                live.update(picture(now, before, follower.at - at), refresh=True)
                before, at = now, follower.at
            elif silence > PATIENCE_S:
                live.update(f"The kernel has said nothing for {silence:.0f} s.", refresh=True)


def picture(now: Status, before: Status, seconds: float) -> Group:
    """One screen: what happened in the last ``seconds`` between two statuses."""
    return Group(
        _head(now),
        _samples(now, before, seconds),
        *_refused(now),
        _hooks(now),
        _alarms(now),
        *_programmes(now),
        *_views(now),
        *_faults(now),
    )


def _head(now: Status) -> str:
    city = datetime.datetime.fromtimestamp(now.utc / 1e6, datetime.UTC)
    alarms = ", ".join(f"{code} {n}" for code, n in sorted(now.alarms.active.items())) or "none"
    return (
        f"ondijon  {city:%Y-%m-%d %H:%M:%S} UTC  step {now.step}  skipped {now.skipped}  "
        f"revision {now.revision}  journal {now.journal}  alarms: {alarms}"
    )


def _samples(now: Status, before: Status, seconds: float) -> Table:
    table = Table("samples", "per second", "in all", title="telemetry")
    counts, old = now.edges.get("telemetry", {}), before.edges.get("telemetry", {})
    refused = [name for name in (*SAMPLE_REFUSALS, *FRAME_REFUSALS) if counts.get(name)]
    for name in ("received", "applied", "unchanged", "conflated", "lost", *refused):
        rate = (counts.get(name, 0) - old.get(name, 0)) / seconds
        table.add_row(name, f"{rate:,.0f}", f"{counts.get(name, 0):,}")
    return table


def _refused(now: Status) -> list[Table]:
    """Who was turned away at the doors, and whose session was ended; nothing where nobody was."""
    table = Table("at the doors", *now.edges, title="refused")
    names = sorted(
        {
            name
            for counts in now.edges.values()
            for name, n in counts.items()
            if n and name.startswith(REFUSED)
        }
    )
    for name in names:
        table.add_row(name, *(f"{counts.get(name, 0):,}" for counts in now.edges.values()))
    return [table] if names else []


def _hooks(now: Status) -> Table:
    table = Table("plugin", "calls", "p50 µs", "p99 µs", "errors", "runs in", title="hooks")
    for name, hook in now.hooks.items():
        p50, p99 = f"{hook.p50_us or 0:.0f}", f"{hook.p99_us or 0:.0f}"
        table.add_row(name, f"{hook.calls:,}", p50, p99, str(hook.errors), _place(now.workers.get(name)))
    return table


def _place(worker: WorkerFigures | None) -> str:
    """Where a plugin runs, and how its worker does."""
    if worker is None:
        return "the kernel"
    uses = f", {worker.rss_mib:.0f} MiB, {worker.core_percent:.0f} % of a core" if worker.rss_mib else ""
    return f"a worker: {worker.state}{uses}, {worker.waiting} events wait"


def _alarms(now: Status) -> Table:
    load = now.alarms
    flood = "FLOOD  " if load.flood else ""
    answers = f"p50 {_short(load.ack_p50_s)} s  p95 {_short(load.ack_p95_s)} s"
    table = Table("alarm load", "figures", title="alarms")
    table.add_row(
        "announced",
        f"{flood}10 min {load.announced_10min}  hour {load.announced_hour}  peak {load.peak_10min}  "
        f"in flood {load.flood_pct} %",
    )
    table.add_row("standing", f"{load.standing}  unacked {load.unacked}  stale {load.stale}")
    table.add_row(
        "set aside",
        f"suppressed {load.suppressed}  shelved {load.shelved}  out of service {load.out_of_service}  "
        f"chattering {load.chattering}",
    )
    table.add_row("acknowledged after", answers if load.ack_p50_s is not None else "none yet")
    for each in load.top[:3]:
        table.add_row("frequent", f"{each.code} {each.asset or 'post'}  {each.count}")
    return table


def _programmes(now: Status) -> list[Table]:
    if not now.programmes:
        return []
    table = Table("programme", "zone", "version", "taken", "not by", title="programmes")
    for each in now.programmes:
        refused = [f"{gateway} ({code})" for gateway, code in each.refused.items()]
        table.add_row(
            each.kind,
            each.zone or "all others",
            str(each.version),
            f"{each.up_to_date} of {each.gateways}",
            ", ".join([*refused, *each.waiting]),
        )
    return [table]


def _views(now: Status) -> list[Table]:
    tables = []
    for view, rows in sorted(now.views.items()):
        table = Table("key", "figures", title=view)
        for key, row in list(rows.items())[:10]:
            table.add_row(key, "  ".join(f"{k} {_short(v)}" for k, v in row.items()))
        tables.append(table)
    return tables


def _short(value: object) -> str:
    return f"{value:,.3g}" if isinstance(value, float) else str(value)


def _faults(now: Status) -> list[str]:
    return [f"fault: {fault}" for fault in now.faults[-5:]]
