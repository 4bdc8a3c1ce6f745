"""``ondijon replay``: take a recorded stretch of city time again, and see whether it comes to the same."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from adapters.cli import curves, fork
from adapters.cli.fork import Content, Setting
from adapters.cli.screen import show
from core import journal, plugins, replay
from core.clock import SECOND, Now
from core.errors import OndijonError, RecordError
from core.fork import Difference
from core.remote import Remote
from core.replay import Segment

_PATH = click.Path(path_type=Path)


class Moment(click.ParamType):
    """A time with its zone, as µs since 1970."""

    name = "TIME"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """From its text."""
        try:
            at = datetime.datetime.fromisoformat(str(value))
        except ValueError:
            at = datetime.datetime.min
        if at.tzinfo is None:
            self.fail(f"{value!r} is no time with its zone: write 2026-01-15T22:59:00+01:00.", param, ctx)
        return int(at.timestamp() * SECOND)


class Stretch(msgspec.Struct):
    """What came of one segment. Times in µs of city time."""

    segment: str
    run: int
    first: Now | None = None
    last: Now | None = None
    steps: int = 0
    differ: int = 0
    first_different: Now | None = None
    seconds: float = 0.0
    ended: str = ""


class Result(msgspec.Struct):
    """All of a replay. ``speed``: how many times faster than it lived."""

    stretches: list[Stretch]
    gaps: list[str]
    steps: int
    city_s: float
    seconds: float
    speed: float
    same: bool


@click.command(name="replay")
@click.argument("data", type=_PATH)
@click.option(
    "--from", "since", type=Moment(), default=None, help="Begin with the segment that holds this time."
)
@click.option("--to", "until", type=Moment(), default=None, help="End there.")
@click.option("--plugin-folder", type=_PATH, help="Where one-file trades lie, as in the configuration.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    type=Setting(),
    help="Fork: another setting of a plugin. Again for more.",
)
@click.option(
    "--programme",
    "programmes",
    multiple=True,
    type=Content(),
    help="Fork: another programme from the beginning.",
)
@click.option("--config", type=_PATH, help="Fork: the plugins' settings of this configuration.")
@click.option("--other-plugins", type=_PATH, help="Fork: one-file trades of another version lie here.")
@click.option("--picture", type=_PATH, help="Fork: draw both lives' figures over time, as SVG.")
@click.option("--json", "as_json", is_flag=True, help="The result as JSON.")
def replay_command(
    data: Path,
    since: int | None,
    until: int | None,
    plugin_folder: Path | None,
    settings: tuple[dict[str, Any], ...],
    programmes: tuple[tuple[str, str, bytes], ...],
    config: Path | None,
    other_plugins: Path | None,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Take again what the post recorded in DATA, its `data` folder, and compare.

    Each step is given what it was given then, and must come to the same records, events, orders and views, and the
    same state, bit for bit. The post may run meanwhile. Only the build that recorded it, on the same kind of CPU, can
    promise that. Exits 1 where something differs.

    With --set, --programme, --config or --other-plugins it is a fork: the time is lived twice, as it was set and
    with what is otherwise, and the difference in energy, alarms, commands is shown. Persons' requests and what
    sensors saw stay; what devices answer is imagined.

    \b
    Examples:
      ondijon replay /var/lib/ondijon
      ondijon replay data --from 2026-01-15T22:00:00+01:00 --to 2026-01-15T23:00:00+01:00
      ondijon replay data --set lighting.presence.hold_s=40 --picture hold.svg
      ondijon replay data --programme 'lighting.calendar={rules = [
        {start = "01:00", end = "05:30", level_pct = 0, order = "what if"}]}'
    """
    difference = fork.difference(settings, programmes, config)
    if difference != Difference() or other_plugins is not None:
        _fork(data, since, until, plugin_folder, difference, other_plugins, picture, as_json)
        return
    if picture is not None:
        raise click.UsageError("--picture draws a fork: add --set, --programme, --config or --other-plugins.")
    result = take(data, since, until, plugin_folder)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(result), indent=2))
    else:
        _show(result)
    if not result.same:
        raise click.exceptions.Exit(1)


def _fork(
    data: Path,
    since: int | None,
    until: int | None,
    plugin_folder: Path | None,
    difference: Difference,
    other_plugins: Path | None,
    picture: Path | None,
    as_json: bool,
) -> None:
    paths = _chosen(replay.segments(data), since, until)
    if not paths:
        raise RecordError(
            "nothing was recorded in that time.", where=str(data), next="Leave --from and --to out."
        )
    recorded, forked = fork.lives(data, paths, difference, until, plugin_folder, other_plugins)
    if picture is not None:
        picture.write_text(curves.svg(recorded, forked), "utf-8")
    if as_json:
        both = {"recorded": recorded, "fork": forked}
        click.echo(msgspec.json.format(msgspec.json.encode(both), indent=2))
    else:
        fork.show_difference(recorded, forked)
        if picture is not None:
            click.echo(f"Drawn: {picture}")


def take(data: Path, since: int | None, until: int | None, plugin_folder: Path | None) -> Result:
    """Replay it. Raises RecordError where there is nothing to replay."""
    read = partial(journal.read, data / "journal.sqlite")
    stretches: list[Stretch] = []
    refused: list[str] = []
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task("Reading ...")
        for path in _chosen(replay.segments(data), since, until):
            try:
                opened = Segment(path)
            except RecordError as error:
                refused.append(str(error))
                continue
            stretch = Stretch(path.name, opened.head.run)
            stretches.append(stretch)
            for now in _steps(opened, read, plugin_folder, until, stretch):
                if stretch.steps % 200 == 0:
                    bar.update(task, description=f"{_at(now)}  {stretch.steps:,} steps")
    if not any(stretch.steps for stretch in stretches):
        raise RecordError(
            "no step was recorded in that time.",
            where=str(data),
            next=" ".join(refused) or "Leave --from and --to out to see what there is.",
        )
    return _result(stretches, refused)


def _chosen(paths: list[Path], since: int | None, until: int | None) -> list[Path]:
    """The segments that may hold steps between the two times; their names say when they begin."""
    begins = [_begin(path) for path in paths]
    ends = [*begins[1:], None]
    return [
        path
        for path, begin, end in zip(paths, begins, ends, strict=True)
        if (until is None or begin <= until) and (since is None or end is None or end > since)
    ]


def _begin(path: Path) -> int:
    at = datetime.datetime.strptime(path.name[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
    return int(at.timestamp() * SECOND)


def _steps(
    opened: Segment, read: replay.Read, plugin_folder: Path | None, until: int | None, stretch: Stretch
) -> Iterator[Now]:
    began = time.perf_counter()
    try:
        kinds = dict.fromkeys(opened.head.in_workers, Remote)
        for step in replay.replay(
            opened, read, plugins.load(opened.head.plugins, plugin_folder, kinds=kinds)
        ):
            if until is not None and step.now.utc > until:
                return
            stretch.first, stretch.last = stretch.first or step.now, step.now
            stretch.steps += 1
            if not step.same:
                stretch.differ += 1
                stretch.first_different = stretch.first_different or step.now
            yield step.now
    except RecordError as error:
        stretch.ended = str(error)
    finally:
        stretch.seconds = time.perf_counter() - began


def _result(stretches: list[Stretch], refused: list[str]) -> Result:
    gaps = [*refused, *(stretch.ended for stretch in stretches if stretch.ended)]
    known = [stretch for stretch in stretches if stretch.first and stretch.last]
    for before, after in pairwise(known):
        assert before.last is not None
        assert after.first is not None
        missing = after.first.utc - before.last.utc
        if after.run != before.run:
            gaps.append(
                f"nothing is known of {missing / SECOND:.2f} s from {_at(before.last)}: the post was started again, "
                "and what it had not written is not recorded. Acknowledged events and commands are in the journal."
            )
        elif after.first.step > before.last.step + 1 and missing > SECOND:
            gaps.append(f"{missing / SECOND:.2f} s from {_at(before.last)} were not recorded.")
    steps = sum(stretch.steps for stretch in known)
    seconds = sum(stretch.seconds for stretch in known)
    city_s = sum(
        (stretch.last.mono - stretch.first.mono) / SECOND
        for stretch in known
        if stretch.first and stretch.last
    )
    same = not any(stretch.differ or stretch.ended for stretch in known)
    return Result(stretches, gaps, steps, city_s, seconds, city_s / max(seconds, 1e-9), same)


def _show(result: Result) -> None:
    table = Table()
    for column in ("segment", "from", "steps", "city time", "took", "speed", "came to"):
        table.add_column(column, justify="right" if column in ("steps", "took", "speed") else "left")
    for each in result.stretches:
        if each.first is None or each.last is None:
            continue
        city_s = (each.last.mono - each.first.mono) / SECOND
        table.add_row(
            each.segment,
            _at(each.first),
            f"{each.steps:,}",
            str(datetime.timedelta(seconds=round(city_s))),
            f"{each.seconds:.1f} s",
            f"{city_s / max(each.seconds, 1e-9):.0f}x",
            "the same" if not each.differ else f"something else from {_at(each.first_different)} on",
        )
    show(table)
    for gap in result.gaps:
        click.echo(f"Gap: {gap}")
    click.echo(
        f"{result.steps:,} steps, {result.city_s:,.0f} s of city time in {result.seconds:.1f} s: "
        f"{result.speed:.0f} times as fast as it lived, "
        + ("bit for bit the same." if result.same else "and NOT the same.")
    )


def _at(now: Now | None) -> str:
    if now is None:
        raise OndijonError("a step without a time.")
    return (
        f"{datetime.datetime.fromtimestamp(now.utc / SECOND, datetime.UTC):%Y-%m-%d %H:%M:%S.%f}"[:-4] + "Z"
    )
