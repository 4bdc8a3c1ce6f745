"""Starts every process of the post, watches them, starts again what died, and stops all in order."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import structlog
import zmq

from core import adapter as adapters
from core import keyring, link, lock
from core import plugins as plugin_host
from core.clock import SECOND, origin_now
from core.config import Config
from core.errors import CityError, ConfigError
from core.run import Endpoints, Run

log = structlog.get_logger()

#: A process that dies is started again after this long (s), doubling to the second figure while it keeps dying.
BACKOFF_S = (0.5, 30.0)

#: One that ran this long (s) is well: its back-off begins anew.
WELL_S = 30.0

#: How long (s) a process may take to stop before it is killed.
STOP_S = 8.0

#: A process's log is moved to `.log.old` beyond this size (bytes): it can never fill the disk.
LOG_MAX = 16 << 20

#: Exit statuses that another start would not mend. They count at the first start: what ran once is tried again.
HOPELESS = (ConfigError.exit_status, CityError.exit_status)


class Figures(msgspec.Struct):
    """What one process used, over all its starts."""

    cpu_s: float = 0.0
    rss_max_mib: float = 0.0
    starts: int = 0


class Process:
    """One watched process."""

    def __init__(self, name: str, command: Sequence[str], fds: Sequence[int], log_folder: Path) -> None:
        self.name = name
        self.figures = Figures()
        self.hopeless = False
        #: The post is nothing without it.
        self.needed = True
        self._command = command
        self._fds = fds
        self._log = (log_folder / f"{name}.log").open("ab")
        self._popen: subprocess.Popen[bytes] | None = None
        self._started = self._again_at = self._asked_at = 0.0
        self._backoff = BACKOFF_S[0]

    def start(self) -> None:
        """Start it; threads of numeric libraries are held to one, the cores belong to the processes."""
        environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self._popen = subprocess.Popen(
            self._command,
            pass_fds=self._fds,
            stdout=self._log,
            stderr=self._log,
            env=environment,
            start_new_session=True,
        )
        self._started = time.monotonic()
        self.figures.starts += 1

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._popen.pid if self._popen else None

    def watch(self) -> None:
        """Reap it if it ended, start it again when its back-off is over."""
        self._bound_log()
        if self._popen is not None:
            if not self._reap(os.WNOHANG):
                self._measure()
                return
            self._plan_restart()
        elif not self.hopeless and time.monotonic() >= self._again_at:
            self.start()

    def _bound_log(self) -> None:
        if os.fstat(self._log.fileno()).st_size > LOG_MAX:
            # Copied and cut: the process holds the file open, and appends to it.
            with contextlib.suppress(OSError):
                shutil.copyfile(self._log.name, f"{self._log.name}.old")
            os.ftruncate(self._log.fileno(), 0)

    def _reap(self, options: int) -> bool:
        assert self._popen is not None
        try:
            pid, status, usage = os.wait4(self._popen.pid, options)
        except ChildProcessError:
            pid, status, usage = self._popen.pid, 0, None
        if pid == 0:
            return False
        self._popen.returncode = os.waitstatus_to_exitcode(status)
        if usage is not None:
            self.figures.cpu_s += usage.ru_utime + usage.ru_stime
        self.exit_status = self._popen.returncode
        self._popen = None
        return True

    def _measure(self) -> None:
        # What wait4 tells begins with the memory of the supervisor, from before the child's own program ran.
        assert self._popen is not None
        try:
            status = Path(f"/proc/{self._popen.pid}/status").read_text()
        except OSError:
            return
        _, found, peak = status.partition("VmHWM:")
        if found:
            self.figures.rss_max_mib = max(self.figures.rss_max_mib, int(peak.split()[0]) / 1024)

    def _plan_restart(self) -> None:
        ran = time.monotonic() - self._started
        self.hopeless = self.needed and self.exit_status in HOPELESS and self.figures.starts == 1
        self._backoff = BACKOFF_S[0] if ran > WELL_S else self._backoff
        self._again_at = time.monotonic() + self._backoff
        log.error(
            "process ended",
            process=self.name,
            status=self.exit_status,
            again_in_s=self._backoff,
            log=self._log.name,
        )
        self._backoff = min(self._backoff * 2, BACKOFF_S[1])

    def ask_to_stop(self) -> None:
        """Ask it to end."""
        if self._popen is not None:
            self._popen.send_signal(signal.SIGTERM)
            self._asked_at = time.monotonic()

    def see_it_end(self) -> None:
        """Wait until it has ended as it was asked to, kill it if it does not."""
        if self._popen is None:
            return
        while time.monotonic() < self._asked_at + STOP_S:
            self._measure()
            if self._reap(os.WNOHANG):
                return
            time.sleep(0.02)
        log.error("process killed", process=self.name, after_s=STOP_S)
        self._popen.kill()
        self._reap(0)


class Supervisor:
    """All processes of one run. ``start``, then ``watch`` or ``turn`` until ``stop``.

    ``trace`` is the plugin whose calls the kernel tells, for its author.
    """

    def __init__(self, config: Config, folder: Path, trace: str = "") -> None:
        self.config = config
        self.folder = folder
        _check_room_for_sockets(folder)
        folder.mkdir(parents=True, exist_ok=True)
        config.post.data.mkdir(parents=True, exist_ok=True)
        self._lock_fd = lock.hold(config.post.data)
        start = config.time.start
        self.run = Run(
            folder=folder,
            city=config.post.city,
            data=config.post.data,
            plugins=config.post.plugins,
            plugin_folder=config.post.plugin_folder,
            plugin_config=config.plugins,
            adapter_config=config.adapters,
            edges=config.edges,
            journal=config.journal,
            gate=config.gate,
            security=config.security,
            privacy=config.privacy,
            record=config.record,
            workers=config.workers,
            in_workers=plugin_host.in_workers(
                config.post.plugins,
                config.post.plugin_folder,
                config.workers.trusted,
                config.workers.isolated,
            ),
            origin=origin_now(config.time.speed, int(start.timestamp() * SECOND) if start else None),
            step_us=config.post.step_ms * 1000,
            seed=config.post.seed,
            endpoints=_endpoints(config),
            memory_fd=link.create_memory(config.edges.slots),
            trace=trace,
        )
        if config.security.curve:
            keyring.begin(config.post.data)
        self.run.save()
        # In the order they start; they stop the other way round, so that what is on its way arrives.
        self._ranks = [
            [self._worker(name) for name in self.run.in_workers],
            [self._process("kernel", "core.service", fds=[self.run.memory_fd])],
            [
                self._process("edge-telemetry", "core.edge_process", "telemetry", fds=[self.run.memory_fd]),
                self._process("edge-events", "core.edge_process", "events"),
                self._process("edge-partners", "core.edge_process", "partners"),
            ],
            list(self._adapters()),
        ]
        self.processes = [process for rank in self._ranks for process in rank]
        self._stopping = False

    def _adapters(self) -> Iterator[Process]:
        config = self.config
        for name, table in config.adapters.items():
            adapter = adapters.load(name)
            for part in range(adapter.parts(adapter.configure(table))):
                if config.security.curve and (adapter.speaks_for or (adapter.follows and part == 0)):
                    keyring.own(config.post.data, f"{name}-{part}", adapter.speaks_for, adapter.follows)
                yield self._process(f"{name}-{part}", "core.adapter", name, str(part))

    def _worker(self, plugin: str) -> Process:
        worker = self._process(f"worker-{plugin}", "core.worker", plugin)
        # The post goes on without it, whatever it ends with.
        worker.needed = False
        return worker

    def _process(self, name: str, module: str, *arguments: str, fds: Sequence[int] = ()) -> Process:
        command = [sys.executable, "-m", "core.child", str(os.getpid()), module, *arguments, str(self.folder)]
        return Process(name, command, [*fds, self._lock_fd], self.folder)

    def start(self) -> None:
        """Start every process."""
        for process in self.processes:
            process.start()
            log.info("process started", process=process.name, pid=process.pid)

    def turn(self) -> None:
        """Look after each process once. Raises ConfigError where one cannot be helped by a restart."""
        for process in self.processes:
            process.watch()
            if process.hopeless:
                raise ConfigError(
                    f"process {process.name} ended with status {process.exit_status}.",
                    where=str(self.folder / f"{process.name}.log"),
                    next=last_line(self.folder / f"{process.name}.log"),
                )

    def restart(self, name: str) -> None:
        """Stop one process in order and start it again, at once also where it waits for another try."""
        (process,) = (each for each in self.processes if each.name == name)
        process.ask_to_stop()
        process.see_it_end()
        process.start()

    def watch(self) -> None:
        """Look after the processes until a signal asks to stop."""
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, self._ask_to_stop)
        while not self._stopping:
            self.turn()
            time.sleep(0.2)

    def _ask_to_stop(self, *_: object) -> None:
        # A plain flag: a handler that takes a lock waits for ever where it interrupted its holder.
        self._stopping = True

    def stop(self) -> None:
        """Stop all: adapters first, then edges, then the kernel, so that nothing on its way is lost."""
        for rank in reversed(self._ranks):
            for process in rank:
                process.ask_to_stop()
            for process in rank:
                process.see_it_end()
        os.close(self.run.memory_fd)
        os.close(self._lock_fd)

    def alive(self) -> bool:
        """Every process runs that the post needs."""
        return all(process.pid is not None for process in self.processes if process.needed)


def _check_room_for_sockets(folder: Path) -> None:
    # The kernel's thread would only find out when it binds, and the post would wait for it in vain.
    room = zmq.IPC_PATH_MAX_LEN - len("/answers")
    if len(os.fsencode(folder)) > room:
        raise ConfigError(
            f"the path has {len(os.fsencode(folder))} bytes; local sockets have room for {room}.",
            where=str(folder),
            next="Choose a `data` folder with a shorter path.",
        )


def _endpoints(config: Config) -> Endpoints:
    edges = config.edges
    ports = [edges.telemetry_port, edges.control_port, edges.events_port, edges.partners_port]
    free = iter(_free_ports(edges.address, ports.count(0)))
    return Endpoints(*(f"tcp://{edges.address}:{port or next(free)}" for port in ports))


def _free_ports(address: str, n: int) -> list[int]:
    try:
        sockets = [socket.create_server((address, 0)) for _ in range(n)]
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {address!r}: {error.strerror}.",
            where="[edges]",
            next="Give an address of this machine.",
        ) from error
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def last_line(path: Path) -> str:
    """The last line of a log: usually the sentence a person needs."""
    try:
        lines = path.read_text("utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else ""
