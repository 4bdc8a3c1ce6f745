"""``ondijon plugin dev``: a trade in the living city; each save is taken over while all else goes on."""

from __future__ import annotations

import datetime
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import zmq
from rich.console import Console

from adapters.cli.demo import DEMO_START, Demo, default_city, demo_config
from adapters.cli.plugin.check import located
from adapters.cli.plugin.companions import companions
from core import city as cities
from core import config as configs
from core import plugins as plugin_host
from core import trace
from core.config import Config
from core.errors import OndijonError
from core.run import Run
from core.supervisor import last_line
from core.trace import Called, Traced

#: Lines of the trace in a second; further calls are counted. What goes wrong is told once a second all the same.
LINES_MAX = 20

#: A file is taken when it has not changed for so long (s): editors write in several strokes.
SETTLED_S = 0.2

#: The kernel tells its status each second; one that says nothing for so long (s) hangs.
SILENT_S = 5.0

#: So long (s) may a changed plugin take to say whether it fits.
FITS_S = 60.0

_PATH = click.Path(path_type=Path)


@click.command("dev")
@click.argument("plugin")
@click.option(
    "--with", "beside", multiple=True, metavar="NAME", help="Another trade beside it. May come again."
)
@click.option(
    "--config", "config_file", type=_PATH, help="Take the tables [plugins.NAME] of this configuration."
)
@click.option("--city", type=_PATH, help="A city folder; by default the demo's, of Dijon's size.")
@click.option("--seconds", type=click.FloatRange(min=1), help="Stop by itself after so long (real time).")
@click.option(
    "--speed", default=1.0, show_default=True, type=click.FloatRange(0.1, 1000), help="Of city time."
)
@click.option("--at", default=DEMO_START.isoformat(), show_default=True, help="City time to begin at.")
@click.option("--seed", default=0, show_default=True, help="The same seed, the same night.")
@click.option("--port", default=8080, show_default=True, help="Of the page; 0 takes a free one.")
@click.option("--headless", is_flag=True, help="Without the page.")
def dev(
    plugin: str,
    beside: tuple[str, ...],
    config_file: Path | None,
    city: Path | None,
    seconds: float | None,
    speed: float,
    at: str,
    seed: int,
    port: int,
    headless: bool,
) -> None:
    """Run PLUGIN, an installed trade's name or a file, in the living demo city.

    Each call of its hooks is traced: city time, what it was given, how long it took, what it proposed, what was
    refused and why, what raised and in which line. Save the file, and the trade goes on with its state within
    some seconds. One that does not fit is told in a sentence, and the last good one goes on until the next save.
    Installed trades whose words it uses run beside it.

    \b
    Examples:
      ondijon plugin dev footfall.py
      ondijon plugin dev footfall --with snow --speed 10 --headless
    """
    # A file that is saved twice in a second must not be taken for its first bytecode.
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    console = Console(stderr=True)
    name, folder = located(plugin)
    found = plugin_host.hooked(name, plugin_host.find(name, folder))
    plugins = list(dict.fromkeys([*beside, *companions(found.declaration, beside), name]))
    tables = configs.load(config_file).plugins if config_file else {}
    temporary = Path(tempfile.mkdtemp(prefix="ondijon-"))
    try:
        config = demo_config(
            (city or default_city(console)).resolve(),
            temporary / "data",
            speed,
            at,
            seed,
            None if headless else port,
            plugins,
            folder,
            {each: table for each, table in tables.items() if each in plugins},
        )
        Dev(config, temporary / "run", console, name).live(seconds, browse=False)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


class Dev(Demo):
    """The demo with a trade in it whose files are watched."""

    def __init__(self, config: Config, folder: Path, console: Console, name: str) -> None:
        super().__init__(config, folder, console, trace=name)
        self._files = Files(sources(name, config.post.plugin_folder))
        self._trace = Follow(self.supervisor.run, cities.load(config.post.city).description.timezone)
        self._fitting: Fitting | None = None
        self._taken_at, self._generation = 0.0, 0
        self._failed_starts = 0
        self._told: set[str] = set()
        self._silent = False

    def _watch(self, seconds: float | None) -> None:
        began = time.monotonic()
        click.echo(f"Watching {self._files}: save, and it is taken over.")
        try:
            while not self._stopping and (seconds is None or time.monotonic() - began < seconds):
                self.supervisor.turn()
                self.follower.update()
                self._trace.update(0.1)
                self._look()
                self._look_after_kernel()
        finally:
            self._trace.close()
            if self._fitting is not None:
                self._fitting.end()

    def _look(self) -> None:
        """Take a change: first asked in a process of its own whether it fits, so that what does not harms nothing."""
        if self._files.changed():
            if self._fitting is not None:
                self._fitting.end()
            self._fitting = Fitting(self.supervisor.folder)
        if self._fitting is None or (answer := self._fitting.answer()) is None:
            return
        self._fitting = None
        if answer:
            click.echo(f"not taken: {answer} The last good one goes on.")
            return
        self._taken_at, self._generation = time.monotonic(), self._told_generation()
        self.supervisor.restart("kernel")

    def _told_generation(self) -> int:
        return self.follower.status.generation if self.follower.status else 0

    def _look_after_kernel(self) -> None:
        if self._taken_at and self._told_generation() > self._generation:
            click.echo(f"taken over in {time.monotonic() - self._taken_at:.1f} s, with its state.")
            self._taken_at = 0.0
        faults = set(self.follower.status.faults if self.follower.status else ())
        for fault in faults - self._told:
            # Its next version would begin with an older one.
            if "its state cannot be stored" in fault:
                click.secho(fault, fg="red")
        self._told = faults
        (kernel,) = (process for process in self.supervisor.processes if process.name == "kernel")
        if kernel.pid is None and kernel.figures.starts > self._failed_starts:
            self._failed_starts = kernel.figures.starts
            why = last_line(self.supervisor.folder / "kernel.log")
            told = f": {why}" if "kernel stopped" in why else "."
            click.secho(
                f"the kernel ended with status {kernel.exit_status} and is tried again{told}", fg="red"
            )
        silent = time.monotonic() - self.follower.at > SILENT_S and kernel.pid is not None
        if silent and not self._silent and not self._taken_at:
            click.secho(
                f"for {SILENT_S:.0f} s nothing is heard of the kernel: a hook that does not return?", fg="red"
            )
        self._silent = silent


class Fitting:
    """A process that says whether the changed plugin fits."""

    def __init__(self, run: Path) -> None:
        self._until = time.monotonic() + FITS_S
        self._log = run / "fits.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "adapters.cli.plugin.fits", run],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )

    def answer(self) -> str | None:
        """Empty where it fits, else why not in a sentence; None as long as nobody knows."""
        if self._process.poll() is None:
            if time.monotonic() < self._until:
                return None
            self.end()
            return f"it does not start within {FITS_S:.0f} s."
        if self._process.returncode == 0:
            return ""
        return last_line(self._log) or f"it ended its process with status {self._process.returncode}."

    def end(self) -> None:
        """Nobody waits for the answer any more."""
        self._process.kill()
        self._process.wait()


class Files:
    """The files of a plugin, and whether they changed."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._taken = self._seen = self._marks()
        self._since = time.monotonic()

    def __str__(self) -> str:
        return str(self._home)

    def changed(self) -> bool:
        """They are others than when this was last true, and nobody writes them now."""
        marks = self._marks()
        if marks != self._seen:
            self._seen, self._since = marks, time.monotonic()
        settled = time.monotonic() - self._since >= SETTLED_S
        if self._seen == self._taken or not settled:
            return False
        self._taken = self._seen
        return True

    def _marks(self) -> Mapping[Path, tuple[int, int, int]]:
        files: Iterable[Path] = [self._home] if self._home.suffix == ".py" else self._home.rglob("*.py")
        marks = {}
        for file in files:
            try:
                stat = file.stat()
            except OSError:
                # An editor puts another in its place just now.
                continue
            marks[file] = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        return marks


def sources(name: str, folder: Path | None) -> Path:
    """The file of a plugin, or the folder of its package."""
    if folder is not None and (folder / f"{name}.py").is_file():
        return folder / f"{name}.py"
    (entry,) = [each for each in entry_points(group=plugin_host.GROUP) if each.name == name]
    spec = find_spec(entry.module)
    if spec is None or spec.origin is None:
        raise OndijonError(f"plugin {name} has no file to watch.", next="Install it with `pip install -e`.")
    return Path(spec.origin).parent if "." in entry.module else Path(spec.origin)


class Follow:
    """Prints what the kernel tells of the trade."""

    def __init__(self, run: Run, zone: str) -> None:
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
        self._socket.set(zmq.LINGER, 0)
        self._socket.set(zmq.RCVHWM, 1000)
        self._socket.subscribe(trace.TOPIC)
        self._socket.connect(run.status_ipc)
        self._zone = ZoneInfo(zone)
        self._second, self._lines = 0.0, 0
        self._untold: Counter[str] = Counter()
        self._told: set[str] = set()

    def update(self, timeout_s: float) -> None:
        """Print what came, waiting at most ``timeout_s`` for something."""
        wait = int(timeout_s * 1000)
        while self._socket.poll(wait):
            _, data = self._socket.recv_multipart(zmq.DONTWAIT)
            self._show(trace.decode(data))
            wait = 0

    def _show(self, step: Traced) -> None:
        if time.monotonic() - self._second >= 1.0:
            self._begin_second()
        at = datetime.datetime.fromtimestamp(step.utc / 1e6, self._zone).strftime("%H:%M:%S.%f")[:-3]
        for call in step.calls:
            self._say(f"{at}  {line(call)}", call.hook)
            if call.error:
                self._complain(f"{at}  raised: {call.error}; its state was put back", call.error)
        for what in step.refused:
            self._complain(f"{at}  refused: {what}", what)

    def _begin_second(self) -> None:
        if self._untold:
            untold = ", ".join(f"{hook} {n}" for hook, n in self._untold.items())
            click.echo(f"              ... and {self._untold.total()} more calls in that second: {untold}")
        self._second, self._lines = time.monotonic(), 0
        self._untold.clear()
        self._told.clear()

    def _say(self, text: str, hook: str) -> None:
        if self._lines < LINES_MAX:
            self._lines += 1
            click.echo(text)
        else:
            self._untold[hook] += 1

    def _complain(self, text: str, what: str) -> None:
        # The same one at each step of a second says nothing more; many different ones are too many.
        if what not in self._told and len(self._told) < LINES_MAX:
            self._told.add(what)
            click.secho(text, fg="red")

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def line(call: Called) -> str:
    """One call as a line."""
    proposed = ", ".join(what if n == 1 else f"{what} ×{n}" for what, n in call.proposed.items())
    return f"{call.hook:9}  {call.given:<44}  {call.us / 1000:7.2f} ms  {proposed}".rstrip()
