"""A fork from the command line: what it has otherwise, living it beside what was set, and showing the difference."""

from __future__ import annotations

import datetime
import multiprocessing
import tomllib
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from adapters.cli.screen import show
from core import config as configs
from core import fork as forks
from core import journal, plugins
from core.clock import SECOND
from core.fork import Difference, Figures, merged


class Setting(click.ParamType):
    """``PLUGIN.KEY=VALUE``, the value as TOML writes it."""

    name = "PLUGIN.KEY=VALUE"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, Any]:
        """As a table of the plugins' tables."""
        path, equals, written = str(value).partition("=")
        keys = path.strip().split(".")
        table = _toml(written) if equals and len(keys) > 1 else None
        if table is None or not all(keys):
            self.fail(f"{value!r} is no setting: write lighting.presence.hold_s=40.", param, ctx)
        for key in reversed(keys):
            table = {key: table}
        return table


class Content(click.ParamType):
    """``KIND[@ZONE]={...}``, the content as a table of TOML."""

    name = "KIND[@COMMUNE]={...}"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str, bytes]:
        """Kind, zone, content as msgpack."""
        head, equals, written = str(value).partition("=")
        kind, _, zone = head.strip().partition("@")
        content = _toml(written) if equals else None
        if not kind or not isinstance(content, dict):
            self.fail(f"{value!r} is no programme: write lighting.calendar={{level_pct = 50}}.", param, ctx)
        return kind, zone, msgspec.msgpack.encode(content)


def _toml(written: str) -> Any:
    try:
        return tomllib.loads(f"value = {written}")["value"]
    except tomllib.TOMLDecodeError:
        return None


def difference(
    settings: Iterable[dict[str, Any]], programmes: Iterable[tuple[str, str, bytes]], config: Path | None
) -> Difference:
    """All of it together; what is set alone goes before the file. Raises ConfigError."""
    tables: dict[str, Any] = configs.load(config).plugins if config is not None else {}
    for each in settings:
        tables = merged(tables, each)
    return Difference(tables, tuple(programmes))


def lives(
    data: Path,
    paths: Sequence[Path],
    difference: Difference,
    until: int | None,
    plugin_folder: Path | None,
    other_folder: Path | None,
) -> tuple[Figures, Figures]:
    """The time as it was set, and with the difference; side by side, a process each. Raises OndijonError."""
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        told = [
            pool.submit(_life, data, paths, each, until, folder)
            for each, folder in ((Difference(), plugin_folder), (difference, other_folder or plugin_folder))
        ]
        with Progress(
            SpinnerColumn(),
            TextColumn("Living it twice ..."),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        ) as bar:
            bar.add_task("")
            recorded, fork = (each.result() for each in told)
    return recorded, fork


def _life(
    data: Path, paths: Sequence[Path], difference: Difference, until: int | None, plugin_folder: Path | None
) -> Figures:
    return forks.live(
        paths,
        partial(journal.read, data / "journal.sqlite"),
        lambda names: plugins.load(names, plugin_folder),
        difference,
        until,
    )


def show_difference(recorded: Figures, fork: Figures) -> None:
    """The two side by side, and what to know about them."""
    table = Table()
    for column in ("figure", "unit", "as it was set", "in the fork", "difference", "%"):
        table.add_column(column, justify="left" if column in ("figure", "unit") else "right")
    for kpi in fork.judged:
        _row(table, kpi.text.en, kpi.unit, recorded.kpis.get(kpi.name, 0.0), fork.kpis.get(kpi.name, 0.0))
    for name in sorted({*recorded.counts, *fork.counts}):
        _row(table, name, "", recorded.counts.get(name, 0), fork.counts.get(name, 0))
    show(table)
    city_s = (fork.last - fork.first) / SECOND
    took = max(recorded.seconds, fork.seconds)
    click.echo(
        f"{city_s / 3600:.2f} h of city time from {_at(fork.first)}, lived twice in {took:.1f} s: {city_s / took:.0f} "
        "times as fast as it lived. What came from outside is as it was recorded; what devices answer is imagined, so "
        f"what was broken then is not in it. Both lives take steps of {forks.GRID // SECOND} s."
    )
    if fork.in_workers:
        click.echo(
            f"A worker ran {', '.join(fork.in_workers)}; in both lives it is called in the steps themselves, anew: "
            "what it would come to within a time limit is not reproducible."
        )
    for gap in fork.gaps:
        click.echo(f"Gap: {gap}")
    for fault in fork.faults:
        if fault not in recorded.faults:
            click.echo(f"In the fork only: {fault}")


def _row(table: Table, name: str, unit: str, was: float, now: float) -> None:
    part = f"{100 * (now - was) / was:+.1f}" if was and now != was else ""
    table.add_row(name, unit, _number(was), _number(now), _number(now - was, "+") if now != was else "", part)


def _number(value: float, sign: str = "") -> str:
    return f"{value:{sign},.{0 if value == int(value) else 2}f}"


def _at(utc: int) -> str:
    return f"{datetime.datetime.fromtimestamp(utc / SECOND, datetime.UTC):%Y-%m-%d %H:%M:%S}Z"
