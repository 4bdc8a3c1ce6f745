"""``ondijon demo``: the living city, with its page or without, and the report of what the run really did."""

from __future__ import annotations

import datetime
import os
import shutil
import signal
import tempfile
import time
import webbrowser
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from adapters.cityimport.command import generate_city
from adapters.cli import report as reports
from adapters.cli.follow import Follower, remember
from core import city as cities
from core import config as configs
from core.config import Config
from core.errors import OndijonError
from core.status import Status
from core.supervisor import Supervisor, last_line

#: A winter night, one minute before the calendar goes from 70 % to 50 %.
DEMO_START = datetime.datetime(2026, 1, 15, 22, 59, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))

#: How long (s) the processes may take until all gateways are in.
START_S = 60.0

_PATH = click.Path(path_type=Path)


@click.command()
@click.option("--headless", is_flag=True, help="Without the page: for servers and measurements.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=1),
    help="Stop by itself after so long (real time), from the moment all gateways are in.",
)
@click.option(
    "--speed",
    default=1.0,
    show_default=True,
    type=click.FloatRange(min=0.1, max=1000),
    help="City time against real time.",
)
@click.option(
    "--city",
    "city_folder",
    type=_PATH,
    help="A city folder; by default one of Dijon's size is generated, once, and kept in ~/.cache/ondijon.",
)
@click.option("--data", type=_PATH, help="Where journal and state lie; by default a temporary folder.")
@click.option("--port", default=8080, show_default=True, help="Of the page; 0 takes a free one.")
@click.option(
    "--at", default=DEMO_START.isoformat(), show_default=True, help="City time to begin at, with its zone."
)
@click.option(
    "--seed", default=0, show_default=True, help="Of walkers, cars, faults: the same seed, the same night."
)
@click.option("--report", type=_PATH, help="Write what the run really did, as JSON.")
@click.option("--open/--no-open", "browse", default=False, help="Open the page in a browser.")
def demo(
    headless: bool,
    seconds: float | None,
    speed: float,
    city_folder: Path | None,
    data: Path | None,
    port: int,
    at: str,
    seed: int,
    report: Path | None,
    browse: bool,
) -> None:
    """Run a living city on this machine.

    All devices, walkers and vehicles are simulated; the sockets and the post behind them are real.

    \b
    Examples:
      ondijon demo                                       until Ctrl-C, with its page
      ondijon demo --headless --seconds 20 --report r.json
      ondijon demo --speed 20 --at 2026-06-21T20:00:00+02:00
    """
    console = Console(stderr=True)
    city = city_folder or default_city(console)
    temporary = Path(tempfile.mkdtemp(prefix="ondijon-"))
    try:
        config = demo_config(
            city.resolve(), data or temporary / "data", speed, at, seed, None if headless else port
        )
        Demo(config, temporary / "run", console).run(seconds, report, speed, browse)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def default_city(console: Console) -> Path:
    """The generated city of Dijon's size, made once and kept in the cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    folder = cache / "ondijon" / f"city-{configs.VERSION}-34000"
    if not (folder / "city.toml").exists():
        with console.status("Generating a synthetic city of Dijon's size (once) ...") as status:
            unfinished = Path(tempfile.mkdtemp(dir=_made(folder.parent)))
            generate_city(out=unfinished, seed=0, lamps=34_000, progress=status.update)
            unfinished.replace(folder)
    return folder


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def demo_config(
    city: Path,
    data: Path,
    speed: float,
    at: str,
    seed: int,
    port: int | None,
    plugins: Sequence[str] = ("lighting",),
    plugin_folder: Path | None = None,
    tables: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> Config:
    """The demo's configuration. Raises ConfigError."""
    try:
        start = datetime.datetime.fromisoformat(at)
    except ValueError as error:
        raise OndijonError(
            f"{at!r} is not a time.", where="--at", next="Write 2026-01-15T22:59:00+01:00."
        ) from error
    table: dict[str, Any] = {
        "version": configs.VERSION,
        "post": {"city": str(city), "data": str(data.resolve()), "plugins": [*plugins], "seed": seed},
        "time": {"speed": speed, "start": start.astimezone()},
        "adapters": {"simulator": {}},
        "plugins": dict(tables),
        # Whoever develops a trade watches its calls, and only those in the kernel are told.
        "workers": {"trusted": [*plugins]},
    }
    if plugin_folder is not None:
        table["post"]["plugin_folder"] = str(plugin_folder)
    if port is not None:
        table["adapters"]["console"] = {"port": port}
        if find_spec("duckdb"):
            table["adapters"]["history"] = {}
    return configs.from_table(table, "the demo", Path.cwd())


class Demo:
    """One demo run: starts everything, shows what happens, stops in order, reports."""

    def __init__(self, config: Config, folder: Path, console: Console, trace: str = "") -> None:
        self.config = config
        self.console = console
        self.supervisor = Supervisor(config, folder, trace)
        self.follower = Follower(self.supervisor.run.status_ipc)
        self._stopping = False

    def run(self, seconds: float | None, report: Path | None, speed: float, browse: bool) -> None:
        """Run for ``seconds``, or until a signal; write the report."""
        self.live(seconds, browse)
        result = reports.gather(self.supervisor, speed)
        reports.show(result, self.console)
        if report is not None:
            report.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2))
            self.console.print(f"Report: {report}")

    def live(self, seconds: float | None, browse: bool) -> None:
        """Start all, show it for ``seconds`` or until a signal, and stop all in order."""
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, self._ask_to_stop)
        remember(self.supervisor.folder)
        self.supervisor.start()
        try:
            self._wait_ready()
            self._greet(browse)
            self._watch(seconds)
        finally:
            self.console.print("Stopping: gateways first, then edges, then the kernel ...")
            self.supervisor.stop()
            self.follower.close()

    def _ask_to_stop(self, *_: object) -> None:
        # A plain flag: a handler that takes a lock waits for ever where it interrupted its holder.
        self._stopping = True

    def _wait_ready(self) -> None:
        gateways = len(cities.load(self.config.post.city).assets.gateways)
        with Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
        ) as bar:
            task = bar.add_task("Starting the post ...")
            until = time.monotonic() + START_S
            while not self._stopping:
                self.supervisor.turn()
                status = self.follower.update(0.3)
                known = _known(status)
                bar.update(task, description=f"Starting the post ... {known} of {gateways} gateways are in")
                if known >= gateways and self._page_is_up():
                    return
                if time.monotonic() > until:
                    late = "kernel" if known < gateways else "console-0"
                    raise OndijonError(
                        f"after {START_S:.0f} s {known} of {gateways} gateways are in, the {late} is not ready.",
                        next=last_line(self.supervisor.folder / f"{late}.log"),
                    )

    @property
    def _page(self) -> Path:
        return self.supervisor.folder / "console.address"

    def _page_is_up(self) -> bool:
        return "console" not in self.config.adapters or self._page.exists()

    def _greet(self, browse: bool) -> None:
        if "console" in self.config.adapters:
            address = self._page.read_text("utf-8")
            self.console.print(
                f"The city runs: [bold]{address}[/bold]   (Ctrl-C stops it; `ondijon top` shows it as text)"
            )
            if browse:
                webbrowser.open(address)

    def _watch(self, seconds: float | None) -> None:
        began = time.monotonic()
        told = 0.0
        while not self._stopping and (seconds is None or time.monotonic() - began < seconds):
            self.supervisor.turn()
            status = self.follower.update(0.2)
            if status is not None and time.monotonic() - told > 5.0:
                told = time.monotonic()
                self.console.print(line(status))


def _known(status: Status | None) -> int:
    if status is None:
        return 0
    return min(status.edges.get(edge, {}).get("gateways", 0) for edge in ("telemetry", "events"))


def line(status: Status) -> str:
    """One line of progress."""
    city = datetime.datetime.fromtimestamp(status.utc / 1e6, datetime.UTC)
    counts = status.edges.get("telemetry", {})
    return (
        f"{city:%H:%M:%S} UTC  samples {counts.get('received', 0):,}  lost {counts.get('lost', 0)}  "
        f"commands {status.counts.get('commands', 0):,}  alarms {status.alarms.standing}  "
        f"skipped steps {status.skipped}"
    )
