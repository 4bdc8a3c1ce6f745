"""``ondijon plugin check``: everything the kernel and its operators ask of a trade, and a grade."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Group
from rich.table import Table

from adapters.cli import screen
from adapters.cli.plugin.grade import GRADES, STARTS, check, grade
from adapters.cli.plugin.report import Report, difference
from adapters.cli.plugin.trial import BUDGET_US, Spec
from core import config as configs
from core.errors import OndijonError

#: Texts hash by these in the two processes: what goes by the order of a set differs between them.
_HASH_SEEDS = ("0", "1")

_PATH = click.Path(path_type=Path)


@click.command("check")
@click.argument("plugin")
@click.option(
    "--city", type=_PATH, help="A city folder; by default a small city, with what the trade declares."
)
@click.option(
    "--config", "config_file", type=_PATH, help="Settings, city and other trades from a configuration."
)
@click.option(
    "--with", "beside", multiple=True, metavar="NAME", help="Another trade beside it. May come again."
)
@click.option(
    "--hours",
    default=6.0,
    show_default=True,
    type=click.FloatRange(1, 1000),
    help="Of city time, and a long silence.",
)
@click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Of all that is made up."
)
@click.option("--keep-state", type=_PATH, help="Write the trade's last state to this file ...")
@click.option(
    "--old-state", type=_PATH, help="... to try, after a change of the state, that migrate() takes it."
)
@click.option(
    "--patience",
    default=120.0,
    show_default=True,
    type=click.FloatRange(5, 3600),
    help="Seconds it may take.",
)
@click.option(
    "--at-least", default="B", show_default=True, type=click.Choice(list(GRADES)), help="Else exit with 1."
)
@click.option("--json", "as_json", is_flag=True, help="All that was found, as JSON.")
def plugin_check(
    plugin: str,
    city: Path | None,
    config_file: Path | None,
    beside: tuple[str, ...],
    hours: float,
    seed: int,
    keep_state: Path | None,
    old_state: Path | None,
    patience: float,
    at_least: str,
    as_json: bool,
) -> None:
    """Check PLUGIN, an installed trade's name or a file, and give it a grade.

    It is loaded as the kernel would and driven for some city hours: ordinary days, the ends of each range, floods,
    silence, a restart. Installed trades whose words it uses run beside it. Then it is driven again, with its state
    stored and put back, and in a process with another hash seed: all must come out the same.

    \b
    The grade:
      A  nothing was found
      B  one or two small things: texts, docstrings, imports, events that nobody emits
      C  three or more small things
      D  one grave thing: impure, memory, reload, same again, raises, proposals, limit, migrate
      E  two or more grave things
      F  it cannot be loaded, does not start or does not end
    Advice (time, order, what was never reached) never counts.

    \b
    Examples:
      ondijon plugin check footfall.py
      ondijon plugin check lighting --city city --hours 1 --json
    """
    spec = _spec(plugin, city, config_file, beside)
    spec = msgspec.structs.replace(
        spec, hours=hours, seed=seed, keep_state=keep_state, old_state=old_state, patience_s=patience
    )
    report = examine(spec)
    letter = grade(report.checks)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(_plain(report, letter))))
    else:
        _show(report, letter)
    if GRADES.index(letter) > GRADES.index(at_least):
        raise SystemExit(1)


def _spec(plugin: str, city: Path | None, config_file: Path | None, beside: tuple[str, ...]) -> Spec:
    name, folder = located(plugin)
    if config_file is None:
        return Spec(name=name, folder=folder, city=city, beside=list(beside))
    config = configs.load(config_file)
    others = [each for each in (*config.post.plugins, *beside) if each != name]
    return Spec(
        name=name,
        folder=folder or config.post.plugin_folder,
        city=city or config.post.city,
        beside=list(dict.fromkeys(others)),
        tables={key: table for key, table in config.plugins.items() if key in (*others, name)},
    )


def located(plugin: str) -> tuple[str, Path | None]:
    """A plugin's name and the folder of its file, where it is one. Raises OndijonError."""
    path = Path(plugin)
    if path.suffix == ".py":
        if not path.is_file():
            raise OndijonError(
                "there is no such file.", where=plugin, next="To begin one: ondijon plugin new NAME"
            )
        return path.stem, path.resolve().parent
    return plugin, Path.cwd() if Path(f"{plugin}.py").is_file() else None


def examine(spec: Spec) -> Report:
    """Try the plugin in two processes; the report of both, with the check that they agree."""
    with tempfile.TemporaryDirectory(prefix="ondijon-") as name:
        folder = Path(name)
        here, elsewhere = (
            _Child(folder / f"trial-{hash_seed}", spec, hash_seed, whole=not i)
            for i, hash_seed in enumerate(_HASH_SEEDS)
        )
        try:
            report, other = here.report(), elsewhere.report()
        finally:
            here.end()
            elsewhere.end()
    if report.error:
        report.checks = [check(STARTS, [report.error])]
        return report
    away = other.error or difference(report.steps, other.steps)
    found = [f"where texts hash otherwise, {away}"] if away else []
    report.checks = [
        check(each.name, found) if each.name == "same elsewhere" else each for each in report.checks
    ]
    return report


class _Child:
    """A trial in a process of its own."""

    def __init__(self, base: Path, spec: Spec, hash_seed: str, whole: bool) -> None:
        self._spec = msgspec.structs.replace(spec, whole=whole, keep_state=spec.keep_state if whole else None)
        self._report, self._said = base.with_suffix(".report"), base.with_suffix(".log")
        base.write_bytes(msgspec.json.encode(self._spec, enc_hook=str))
        environment = os.environ | {
            "PYTHONHASHSEED": hash_seed,
            "PYTHONDONTWRITEBYTECODE": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        with self._said.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "adapters.cli.plugin.trial", base, self._report],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
            )

    def report(self) -> Report:
        """What it found; where it did not end well, why."""
        try:
            self._process.wait(self._spec.patience_s + 10)
        except subprocess.TimeoutExpired:
            self.end()
        try:
            return msgspec.json.decode(self._report.read_bytes(), type=Report)
        except (OSError, msgspec.DecodeError):
            return Report(name=self._spec.name, error=self._why())

    def _why(self) -> str:
        said = self._said.read_text("utf-8", errors="replace")
        frames = re.findall(r'File "(.+?)", line (\d+)', said)
        if "Timeout (" in said and frames:
            own = [frame for frame in frames if Path(frame[0]).parent == self._spec.folder] or frames
            where = f" It stands at {Path(own[0][0]).name}:{own[0][1]}."
            return f"plugin {self._spec.name}: it does not end within {self._spec.patience_s:.0f} s.{where}"
        return f"plugin {self._spec.name}: it ended its process with status {self._process.returncode}."

    def end(self) -> None:
        """Make sure that it has ended."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()


def _plain(report: Report, letter: str) -> Mapping[str, Any]:
    return {
        "plugin": report.name,
        "grade": letter,
        "beside": report.companions,
        "steps": len(report.steps),
        "city_hours": round(report.city_s / 3600, 2),
        "checks": msgspec.to_builtins(report.checks),
        "hooks_us": msgspec.to_builtins(report.times),
        "budget_us": BUDGET_US,
    }


def _show(report: Report, letter: str) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("check", "", "what was found"):
        table.add_column(column, overflow="fold")
    for each in report.checks:
        marks = {"grave": "[red]wrong[/]", "small": "[yellow]small[/]", "advice": "[cyan]advice[/]"}
        mark = marks[each.weight] if each.found else "[green]ok[/]"
        lines = [*each.found, f"→ {each.next}"] if each.next else each.found
        table.add_row(each.name, mark, _escaped("\n".join(lines)))
    times = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("hook", "calls", "p50", "p99", "longest", f"p99 of {BUDGET_US / 1000:.0f} ms"):
        times.add_column(column, justify="left" if column == "hook" else "right")
    for hook, taken in report.times.items():
        figures = [f"{us / 1000:.2f} ms" for us in (taken.p50_us, taken.p99_us, taken.max_us)]
        times.add_row(hook, f"{taken.calls:,}", *figures, f"{100 * taken.p99_us / BUDGET_US:.0f} %")
    screen.show(Group(table, "", times) if report.times else table)
    hours = f" in {report.city_s / 3600:.0f} city hours" if report.city_s else ""
    beside = f", beside {', '.join(report.companions)}" if report.companions else ""
    click.echo(f"\n{report.name}: grade {letter}{hours}{beside}")


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")
