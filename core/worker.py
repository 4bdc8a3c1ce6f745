"""A worker: the process that runs one plugin, so that whatever it does stays there.

It dials the kernel and does what it is asked, one thing at a time; it holds a table of its own, with the metrics that
the plugin reads. It loads the plugin only when the kernel lets it begin.
"""

from __future__ import annotations

import argparse
import contextlib
import mmap
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import structlog

from core import city as cities
from core import plugins as plugin_host
from core import run as runs
from core import work, worker_wire
from core.city import City
from core.clock import Now
from core.config import WorkerConfig
from core.errors import OndijonError
from core.plugins import Plugin
from core.register import Numbering
from core.remote import Answered
from core.run import Run
from core.table import HandOver, Table
from core.work import Done
from core.worker_wire import Begin, Here, Line, Ping, Turn, Words

log = structlog.get_logger()

#: How long a worker waits for the kernel to listen, and for its inventory (s).
PATIENCE_S = 30.0

#: The status of one that needs more memory than it may have.
NO_MEMORY = 71

#: After this nothing of the process can be trusted: the work is tried again in another, in halves.
FATAL = (MemoryError,)

#: The kernel comes first: a worker has what it leaves.
NICE = 5


class Worker:
    """One plugin and what it sees. It is loaded, and the city of a revision is, when they are wanted."""

    def __init__(
        self,
        name: str,
        words: Words,
        memory: memoryview,
        load: Callable[[], Plugin],
        city: Callable[[int], City],
    ) -> None:
        self._name = name
        self._load = load
        self._city = city
        self._words = words
        self._memory = memory
        self._plugin: Plugin | None = None
        self._table: Table | None = None
        self._us: list[float] = []

    def begin(self, begin: Begin) -> bytes:
        """Load the plugin, or begin anew with it in a changed city. Raises whatever is wrong with it."""
        city = self._city(begin.revision)
        plugin = self._plugin or self._timed(self._load())
        if begin.state is None:
            plugin.fixed, plugin.state = plugin.derive(city, plugin.state)
        else:
            plugin.begin(city, begin.state or None)
        table = self._table = Table(Numbering(city.assets, self._words.metrics), begin.generation)
        records = table.slots.records_array()
        for filled in begin.filled:
            slot = np.frombuffer(filled.slot, np.uint32)
            for field in ("value", "time", "reported", "flags"):
                records[field][slot] = np.frombuffer(getattr(filled, field), records[field].dtype)
        self._plugin = plugin
        done = Done()
        for again in begin.again:
            mono = begin.mono - (begin.utc - again.utc)
            then = Now(again.step, again.utc, mono, begin.seed, self._name)
            seen = work.see_again(plugin, then, again.events, table.view())
            done.proposed += seen.proposed
            done.unread += seen.unread
            done.failed = done.failed or seen.failed
        return self._packed(done, store=False)

    def turn(self, turn: Turn) -> bytes:
        """Do the work of a step."""
        plugin, table = self._plugin, self._table
        assert plugin is not None
        assert table is not None
        now = Now(turn.step, turn.utc, turn.mono, turn.seed, self._name)
        slot, value, time_, count = worker_wire.columns(self._memory, turn.rows)
        changed = HandOver("kernel", table.generation, slot, value, time_, count)
        table.apply(changed, int(time_.max(initial=0)))
        if turn.swept != table.swept:
            table.sweep(turn.swept)
        done = work.do(plugin, now, turn.events, table.swap(), turn.ticks, table.view(), FATAL)
        return self._packed(done, turn.store)

    def _packed(self, done: Done, store: bool) -> bytes:
        assert self._plugin is not None
        us, self._us = self._us, []
        return worker_wire.pack(done, us, self._plugin.stored() if store else None)

    def _timed(self, plugin: Plugin) -> Plugin:
        plugin.watch = lambda call: self._us.append(call.us)
        return plugin


def load(run: Run, name: str) -> Plugin:
    """The plugin, as the run configures it. Raises PluginError, ConfigError."""
    plugin = plugin_host.hooked(name, plugin_host.find(name, run.plugin_folder))
    plugin.configure(run.plugin_config.get(name, {}))
    return plugin


def city_of(run: Run, revision: int) -> City:
    """The city with the inventory of that revision, which intake is about to write. Raises OndijonError."""
    city = cities.load(run.city)
    until = time.monotonic() + PATIENCE_S
    while True:
        with contextlib.suppress(OSError):
            assets = cities.load_assets(run.assets_path)
            if assets.revision == revision:
                return city.with_assets(assets)
        if time.monotonic() > until:
            raise OndijonError(f"there is no inventory of revision {revision}.", where=str(run.assets_path))
        time.sleep(0.01)


def limit(config: WorkerConfig) -> None:
    """Hold this process to its memory, and behind the kernel."""
    status = Path("/proc/self/status").read_text()
    has = int(status.partition("VmData:")[2].split()[0]) << 10
    most = has + (config.memory_mib << 20)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(NICE)


def dial(run: Run, name: str) -> Line:
    """The line to the kernel. Raises OndijonError where there is none."""
    until = time.monotonic() + PATIENCE_S
    while True:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made.connect(str(run.workers_path))
        except OSError as error:
            made.close()
            if time.monotonic() > until:
                raise OndijonError("the kernel does not listen.", where=str(run.workers_path)) from error
            time.sleep(0.02)
        else:
            line = Line(made)
            line.send(Here(name))
            return line


def serve(run: Run, name: str, line: Line) -> None:
    """Do what the kernel asks until it is gone. Raises whatever is wrong with the plugin at its begin."""
    worker: Worker | None = None
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            data, fd = line.receive()
            message = worker_wire.decode_to_worker(data)
            if isinstance(message, Words):
                assert fd is not None
                memory = memoryview(mmap.mmap(fd, 0, prot=mmap.PROT_READ))
                worker = Worker(name, message, memory, partial(load, run, name), partial(city_of, run))
            elif isinstance(message, Ping):
                line.send(message)
            else:
                assert worker is not None
                done = worker.begin(message) if isinstance(message, Begin) else worker.turn(message)
                line.send(Answered(name, 0, message.number, done))


def main() -> None:
    """Entry of the process; the supervisor starts it."""
    parser = argparse.ArgumentParser(prog="python -m core.worker", description=__doc__)
    parser.add_argument("plugin")
    parser.add_argument("folder", type=Path, help="the run's folder, made by `ondijon run`")
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        run = runs.load(arguments.folder)
        line = dial(run, arguments.plugin)
        limit(run.workers.of(arguments.plugin))
        serve(run, arguments.plugin, line)
    except MemoryError:
        os._exit(NO_MEMORY)
    except Exception as error:
        log.critical("worker stopped", plugin=arguments.plugin, why=f"{error}" or repr(error))
        sys.exit(OndijonError.exit_status)


if __name__ == "__main__":
    main()
