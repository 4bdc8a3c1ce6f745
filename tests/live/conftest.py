"""A real post on a small city: supervisor, kernel and edges as processes, and real gateways in the test."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq
from click.testing import CliRunner, Result

from adapters.cli.follow import Follower
from adapters.cli.main import main
from core import city as cities
from core import keyring, keys, supervisor
from core import run as runs
from core._fast.ingest import SAMPLE_REFUSALS
from core.config import Config, from_table
from core.run import Run
from core.status import Status
from core.supervisor import Process, Supervisor
from ondijon.gateway import Gateway, Order, new_context
from ondijon.testing import City

PLUGINS = Path(__file__).with_name("plugins")
ONDIJON = Path(sys.executable).with_name("ondijon")

#: Every wait ends after so long (s); a loaded machine needs some of it.
PATIENCE_S = 45.0


def until(condition: Callable[[], object], what: str, turn: Callable[[], object] = lambda: None) -> None:
    """Turn until ``condition`` holds."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, f"after {PATIENCE_S:.0f} s: not yet {what}"
        turn()
        time.sleep(0.01)


def lives(pid: int) -> bool:
    """Whether the process still runs; one that waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Post:
    """A running post, its gateways, and what its kernel publishes."""

    def __init__(self, config: Config, folder: Path) -> None:
        self.supervisor = Supervisor(config, folder)
        self._follow(self.supervisor.run)

    def _follow(self, run: Run) -> None:
        self.run = run
        self.city = cities.load(run.city)
        self.context = new_context()
        self.follower = Follower(self.run.status_ipc)
        self.gateways: list[Gateway] = []
        self.orders: list[Order] = []
        self._stopped = False

    def start(self, gateways: int = 3) -> None:
        """Start the processes and so many gateways; wait until all know one another."""
        self.supervisor.start()
        self.greet(gateways)

    def greet(self, gateways: int = 3) -> None:
        """Open so many gateways when the post is ready; wait until all know one another."""
        self.until(lambda: self.follower.status and self.status.ready, "kernel and edges are ready")
        self.connect(gateways)
        self.until(self.welcomed, "all gateways are in")

    def connect(self, n: int) -> None:
        """Open gateways."""
        for name in self.city.assets.gateways[:n]:
            self.gateways.append(self.gateway(name))

    def gateway(self, name: str, **options: Any) -> Gateway:
        """A gateway that the post lets in."""
        return Gateway(
            name,
            options.pop("endpoints", self.run.endpoints),
            self.run.clock(),
            self.context,
            keys=self.keys(name),
            **options,
        )

    def keys(self, name: str, *speaks_for: str) -> Path:
        """The key file of a gateway, made at the first call."""
        file = self.run.folder / f"{name}.key"
        if not file.exists():
            keyring.new(self.run.data, file, name, speaks_for=speaks_for)
        return file

    def welcomed(self) -> bool:
        """Every gateway has shaken both hands."""
        return all(gateway.ready and gateway.session for gateway in self.gateways)

    def together(self) -> bool:
        """So it is, and the figures of each second tell the same: after a kill, gateways are the last to know."""
        counts = [self.edge(edge).get("gateways") for edge in ("telemetry", "events")]
        return self.welcomed() and counts == [len(self.gateways)] * 2

    def turn(self) -> None:
        """What supervisor and gateways do when nobody waits for them."""
        self.supervise()
        self.follower.update()
        for gateway in self.gateways:
            for order in gateway.turn():
                self.orders.append(order)
                gateway.done(order)

    def supervise(self) -> None:
        """Look after the processes."""
        self.supervisor.turn()

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Turn until ``condition`` holds; on failure say what the kernel last said."""
        try:
            until(condition, what, self.turn)
        except AssertionError as error:
            raise AssertionError(f"{error}; {self.follower.status}") from None

    # -- what is known of it

    @property
    def status(self) -> Status:
        """The newest status."""
        assert self.follower.status is not None
        return self.follower.status

    def edge(self, name: str) -> dict[str, int]:
        """An edge's counters, as the kernel tells them."""
        return self.follower.status.edges.get(name, {}) if self.follower.status else {}

    def view(self, name: str) -> dict[str, Any]:
        """A row that the trade published."""
        row: dict[str, Any] = (
            self.follower.status.views.get(name, {}).get("all", {}) if self.follower.status else {}
        )
        return row

    def process(self, name: str) -> Process:
        """A process by its name."""
        return next(process for process in self.supervisor.processes if process.name == name)

    def log(self, name: str) -> str:
        """What a process wrote."""
        return (self.run.folder / f"{name}.log").read_text()

    # -- what is done to it

    def kill(self, name: str, signal: int = 9) -> None:
        """Send a process a signal, and wait until its supervisor has started it again."""
        process = self.process(name)
        starts = process.figures.starts
        assert process.pid is not None
        os.kill(process.pid, signal)
        self.until(lambda: process.figures.starts > starts, f"{name} is started again")

    def levels(self, value: float) -> None:
        """Every lamp tells its level: ``value`` plus its number's tenth part."""
        for gateway in self.gateways:
            for asset in gateway.index:
                if asset.startswith("L"):
                    gateway.send(asset, "lamp.level", value + int(asset[1:]) / 10)

    def shows(self, value: float) -> bool:
        """The kernel's table holds of every lamp what ``levels(value)`` told."""
        wanted = [value + (i + 1) / 10 for i in range(30)]
        return self.view("watch.levels").get("level") == pytest.approx(wanted)

    def present(self, sensor: str) -> None:
        """A sensor sees somebody."""
        gateway = next(gateway for gateway in self.gateways if sensor in gateway.index)
        gateway.send(sensor, "presence_sensor.presence", 1)

    def sent(self) -> int:
        """Samples that all gateways sent."""
        return sum(gateway.statistics.sent for gateway in self.gateways)

    def final(self, name: str) -> dict[str, Any]:
        """The figures that a process left at its end."""
        report: dict[str, Any] = msgspec.json.decode(self.run.report(name).read_bytes())
        return report

    def balance(self) -> dict[str, int]:
        """After the end: the telemetry edge's account. Every sample stands somewhere."""
        n: dict[str, int] = self.final("telemetry")["counts"]
        n["refused"] = sum(n[reason] for reason in SAMPLE_REFUSALS)
        # What came too late for its session stands under `lost` or `unaccounted` already.
        assert self.sent() == n["received"] - n["unknown_session"] + n["lost"] + n["unaccounted"]
        assert n["received"] == n["applied"] + n["unchanged"] + n["conflated"] + n["refused"]
        return n

    def journaled(self, kind: str) -> list[dict[str, Any]]:
        """The data of all events of a kind that the journal holds, in order."""
        db = sqlite3.connect(f"file:{self.run.data / 'journal.sqlite'}?mode=ro", uri=True)
        try:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            rows = db.execute("SELECT data FROM journal WHERE kind = 'event' ORDER BY seq").fetchall()
        finally:
            db.close()
        events = [msgspec.msgpack.decode(data) for (data,) in rows]
        return [event["data"] for event in events if event["kind"] == kind]

    def stop(self) -> None:
        """Gateways say goodbye, then the post stops in order."""
        if self._stopped:
            return
        self._stopped = True
        for gateway in self.gateways:
            gateway.close()
        self.end()
        self.follower.close()
        self.context.destroy(linger=0)

    def end(self) -> None:
        """Stop the processes."""
        self.supervisor.stop()


class Service(Post):
    """The same, as a person starts it: ``ondijon run --config FILE``."""

    def __init__(self, file: Path, folder: Path) -> None:
        self.output = file.with_name(f"run-{time.monotonic_ns()}.txt").open("w+")
        self.popen = subprocess.Popen(
            [ONDIJON, "run", "--config", file], stdout=self.output, stderr=subprocess.STDOUT
        )
        until(lambda: "events: tcp" in self.said(), "the endpoints are printed", self.supervise)
        self._follow(runs.load(folder))

    def supervise(self) -> None:
        """The command looks after the processes itself; it must not end."""
        assert self.popen.poll() is None, self.said()

    def said(self) -> str:
        """What the command printed."""
        return Path(self.output.name).read_text()

    def children(self) -> list[int]:
        """The process ids of what it started."""
        pid = self.popen.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def child(self, module: str) -> int:
        """The process id of the child that runs ``module``."""
        return next(
            pid for pid in self.children() if module in Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        )

    def end(self) -> None:
        """Ask the command to stop, and wait for it."""
        if self.popen.poll() is None:
            self.popen.terminate()
        self.popen.wait(PATIENCE_S)
        self.output.close()


@pytest.fixture(name="until", scope="session")
def _until() -> Callable[..., None]:
    return until


@pytest.fixture(name="lives", scope="session")
def _lives() -> Callable[[int], bool]:
    return lives


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the command remembers of its last run stays with the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What dies is started again at once: how long a supervisor waits has tests of its own."""
    monkeypatch.setattr(supervisor, "BACKOFF_S", (0.05, 0.1))


@pytest.fixture(scope="session")
def city_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small city, saved."""
    folder = tmp_path_factory.mktemp("live") / "city"
    cities.save(City.small(), folder)
    return folder


@pytest.fixture(scope="session")
def table(city_folder: Path) -> Callable[..., dict[str, Any]]:
    """Makes the table of a configuration; keywords replace or add tables."""

    def make(data: Path, **tables: Any) -> dict[str, Any]:
        post = {
            "city": str(city_folder),
            "data": str(data),
            "plugins": ["watch"],
            "plugin_folder": str(PLUGINS),
        }
        made = {"version": 1, "post": post} | tables
        # Its trades are nobody's but the tests', and run in the kernel unless a test wants otherwise.
        return {"workers": {"trusted": made["post"]["plugins"]}} | made

    return make


@pytest.fixture
def post(tmp_path: Path, table: Callable[..., dict[str, Any]]) -> Iterator[Post]:
    """A post that is not started yet."""
    made = Post(from_table(table(tmp_path / "data"), "the test", tmp_path), tmp_path / "run")
    yield made
    made.stop()


@pytest.fixture
def write(tmp_path: Path, table: Callable[..., dict[str, Any]]) -> Callable[..., Path]:
    """Writes a configuration file for the small city; keywords replace or add tables."""

    def make(name: str = "post.toml", **tables: Any) -> Path:
        path = tmp_path / name
        path.write_text(_toml(table(tmp_path / "data", **tables)))
        return path

    return make


def _toml(table: dict[str, Any], at: str = "") -> str:
    rows = [f"{key} = {json.dumps(value)}" for key, value in table.items() if not isinstance(value, dict)]
    parts = {f"{at}{key}": value for key, value in table.items() if isinstance(value, dict)}
    return "\n".join([*rows, *(f"[{key}]\n{_toml(value, f'{key}.')}" for key, value in parts.items())]) + "\n"


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[Path], Service]]:
    """Starts ``ondijon run`` with a file."""
    started: list[Service] = []

    def start(file: Path) -> Service:
        started.append(Service(file, tmp_path / "data" / "run"))
        return started[-1]

    yield start
    for service in started:
        service.stop()


class Faults:
    """The disk and the clock of all processes that are started from now on; see faults.c."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self, fault: str, value: str = "") -> None:
        """From now on it is so."""
        (self._folder / fault).write_text(value)

    def end(self, fault: str) -> None:
        """From now on it is no more."""
        (self._folder / fault).unlink()


@pytest.fixture
def faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Faults:
    """Lets the disk fail, or the clock jump, for what the test starts afterwards."""
    folder = tmp_path / "faults"
    folder.mkdir()
    library = folder / "faults.so"
    source = Path(__file__).with_name("faults.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("FAULTS", str(folder))
    return Faults(folder)


@pytest.fixture
def quick() -> Callable[..., Result]:
    """Runs the ``ondijon`` command in this process."""
    return lambda *arguments: CliRunner().invoke(main, list(map(str, arguments)))


@pytest.fixture
def ondijon() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the ``ondijon`` command to its end."""

    def call(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [ONDIJON, *map(str, arguments)], capture_output=True, text=True, timeout=2 * PATIENCE_S
        )

    return call


@pytest.fixture(scope="module")
def running_post(
    tmp_path_factory: pytest.TempPathFactory, table: Callable[..., dict[str, Any]]
) -> Iterator[Post]:
    """A running post with two honest gateways; the third place is free. Shared: leave it as you found it."""
    folder = tmp_path_factory.mktemp("post")
    made = Post(from_table(table(folder / "data"), "the test", folder), folder / "run")
    made.start(gateways=2)
    made.until(made.together, "the figures tell of both")
    yield made
    made.stop()


@pytest.fixture
def socket_of() -> Iterator[Callable[[int, str], zmq.Socket[bytes]]]:
    """Opens a stranger's socket to an endpoint, with a key file or without; all are closed at the end."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    opened: list[zmq.Socket[bytes]] = []

    def dial(kind: int, endpoint: str, file: Path | None = None, **options: Any) -> zmq.Socket[bytes]:
        socket = context.socket(kind)
        if file is not None:
            keys.read(file).secure(socket)
        for name, value in options.items():
            socket.set(getattr(zmq, name), value)
        socket.connect(endpoint)
        opened.append(socket)
        return socket

    yield dial
    for socket in opened:
        # A monitor that closes before the socket it watches would hold libzmq's own thread for ever.
        if not socket.closed:
            socket.disable_monitor()
    context.destroy(linger=0)
