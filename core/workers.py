"""The kernel's side of the workers: a door where they come in, and a thread for each that is here.

Each thread asks its worker one thing at a time and waits for the answer. One that does not answer in time, that takes
more memory or time than it may, or that says what cannot be, is killed; its supervisor starts another.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import mmap
import os
import queue
import signal
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from core import worker_wire
from core.config import WorkerConfig, WorkersConfig
from core.declaration import Metric
from core.errors import WireError
from core.remote import Answered, Came, Gone, Said
from core.worker_wire import Begin, Here, Line, Ping, Post, Stop, Turn, Words

log = structlog.get_logger()

#: A worker that idles is asked this often (s) whether its loop turns; its figures are looked at as often.
PING_S = 1.0

#: A look at a worker that is busy (s): its memory must not run away meanwhile.
LOOK_S = 0.2

#: Its time is counted over so long (s).
CPU_S = 10.0

#: A stranger at the door has so long (s) to say who it is.
HERE_S = 2.0

#: Why all are ended in the end.
STOPS = "the post stops"

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_CREDENTIALS = struct.Struct("3i")


class EndedError(Exception):
    """The worker is to be ended, and why."""


class Workers(threading.Thread):
    """The door. ``tell`` is called from the threads with what workers say."""

    def __init__(
        self,
        path: Path,
        names: Sequence[str],
        config: WorkersConfig,
        metrics: Sequence[Metric],
        slots: int,
        tell: Callable[[Said], None],
    ) -> None:
        super().__init__(name="workers", daemon=True)
        self._names = names
        self._config = config
        self._words = Words(list(metrics))
        self._slots = slots
        self._tell = tell
        self._generations = itertools.count(1)
        self._here: dict[str, Attendant] = {}
        self._stopping = False
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._door.bind(str(path))
        path.chmod(0o600)
        self._door.listen(16)
        self._door.settimeout(LOOK_S)

    def put(self, post: Sequence[tuple[str, int, Post]]) -> None:
        """Give workers what a step has for them."""
        for name, generation, message in post:
            attendant = self._here.get(name)
            if attendant is not None and attendant.generation == generation:
                attendant.put(message)

    def figures(self) -> dict[str, Figures]:
        """What each worker that is here uses, by plugin."""
        return {name: each.figures for name, each in list(self._here.items()) if each.is_alive()}

    def run(self) -> None:
        """Let workers in until stopped."""
        while not self._stopping:
            try:
                came, _ = self._door.accept()
            except TimeoutError:
                continue
            try:
                self._admit(Line(came))
            except (TimeoutError, EOFError, WireError, OSError) as error:
                log.warning("a stranger at the workers' door", why=repr(error))
                came.close()

    def _admit(self, line: Line) -> None:
        pid, _, _ = _CREDENTIALS.unpack(
            line.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        )
        here = worker_wire.decode_from_worker(line.receive(time.monotonic() + HERE_S)[0])
        if not isinstance(here, Here) or here.plugin not in self._names:
            raise WireError("it runs no plugin of this post.", reason="worker")
        before = self._here.get(here.plugin)
        if before is not None:
            # Two would both propose: the one that came last is the one that the supervisor watches.
            before.end("another one came")
            before.join()
        attendant = Attendant(
            line,
            pid,
            here.plugin,
            next(self._generations),
            self._config.of(here.plugin),
            self._slots,
            self._tell,
        )
        attendant.meet(self._words)
        self._here[here.plugin] = attendant
        attendant.start()

    def stop(self) -> None:
        """End the threads. The workers see the line close, and end."""
        self._stopping = True
        self.join()
        self._door.close()
        for attendant in self._here.values():
            attendant.end(STOPS)
        for attendant in self._here.values():
            attendant.join()


class Figures:
    """What a worker uses: memory in MiB, percent of a core."""

    def __init__(self, pid: int) -> None:
        self.rss_mib = self.core_percent = 0.0
        self._pid = pid
        self._used: deque[tuple[float, float]] = deque()

    def look(self, config: WorkerConfig) -> None:
        """Look at it. Raises EndedError where it takes more than it may."""
        try:
            rss = int(Path(f"/proc/{self._pid}/statm").read_text().split()[1]) * _PAGE
            fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        except (OSError, IndexError) as error:
            raise EndedError("it died") from error
        self.rss_mib = rss / (1 << 20)
        if self.rss_mib > config.memory_mib:
            raise EndedError(f"it took {self.rss_mib:.0f} MiB of memory, {config.memory_mib} are allowed")
        now, used = time.monotonic(), (int(fields[11]) + int(fields[12])) / _TICKS
        self._used.append((now, used))
        while now - self._used[0][0] > CPU_S:
            self._used.popleft()
        since, then = self._used[0]
        # Not before half of it has passed: whoever starts is busy.
        if now - since > CPU_S / 2:
            self.core_percent = 100 * (used - then) / (now - since)
            if self.core_percent > config.cpu_percent:
                raise EndedError(
                    f"it took {self.core_percent:.0f} % of a core, {config.cpu_percent} are allowed"
                )


class Attendant(threading.Thread):
    """Asks one worker and hears it."""

    def __init__(
        self,
        line: Line,
        pid: int,
        name: str,
        generation: int,
        config: WorkerConfig,
        slots: int,
        tell: Callable[[Said], None],
    ) -> None:
        super().__init__(name=f"worker-{name}", daemon=True)
        self.generation = generation
        self.figures = Figures(pid)
        self._plugin = name
        self._line = line
        self._pidfd = os.pidfd_open(pid)
        self._config = config
        self._tell = tell
        self._post: queue.SimpleQueue[Post] = queue.SimpleQueue()
        self._looked = 0.0
        self._memory_fd = os.memfd_create(f"ondijon-worker-{name}", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self._memory_fd, max(1, slots) * worker_wire.SLOT_BYTES)
        self._memory = memoryview(mmap.mmap(self._memory_fd, 0))
        # Ours is mapped: the worker's may only read, whatever it tries.
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | _F_SEAL_FUTURE_WRITE
        fcntl.fcntl(self._memory_fd, fcntl.F_ADD_SEALS, seals)

    def meet(self, words: Words) -> None:
        """Give the worker what it needs before it begins. Raises OSError."""
        self._line.send(words, time.monotonic() + HERE_S, self._memory_fd)

    def put(self, message: Post) -> None:
        """Ask it something."""
        self._post.put(message)

    def end(self, why: str) -> None:
        """Have it ended."""
        self._post.put(Stop(why))

    def run(self) -> None:
        """Ask and hear until it ends, or must be ended."""
        log.info("worker came", plugin=self._plugin, generation=self.generation)
        self._tell(Came(self._plugin, self.generation))
        try:
            while True:
                self._turn()
        except EndedError as ended:
            why = str(ended)
        except (EOFError, ConnectionError):
            why = "it died"
        except WireError as error:
            why = f"it said what cannot be: {error.what}"
        except Exception as error:
            # Whatever it is, it must end this worker, and nobody waits for it in vain.
            why = f"it cannot be asked: {error!r}"
        # Killed before anybody is told: nothing of it can come after that.
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        self._line.close()
        os.close(self._pidfd)
        os.close(self._memory_fd)
        say = log.info if why == STOPS else log.error
        say("worker ended", plugin=self._plugin, generation=self.generation, why=why)
        self._tell(Gone(self._plugin, self.generation, why))

    def _turn(self) -> None:
        try:
            message = self._post.get(timeout=PING_S)
        except queue.Empty:
            self._ask(Ping(), self._config.answer_s)
            self.figures.look(self._config)
            return
        if isinstance(message, Stop):
            raise EndedError(message.why)
        if isinstance(message, Turn):
            worker_wire.fill(self._memory, message)
            message = worker_wire.without_columns(message)
        patience = self._config.begin_s if isinstance(message, Begin) else self._config.answer_s
        answer = self._ask(message, patience)
        if not isinstance(answer, Answered):
            raise WireError("it answers something else.", reason="worker")
        self._tell(Answered(self._plugin, self.generation, answer.number, answer.done))

    def _ask(self, message: Begin | Turn | Ping, patience_s: float) -> worker_wire.FromWorker:
        """Its answer. Raises EndedError where there is none in time."""
        deadline = time.monotonic() + patience_s
        try:
            self._line.send(message, deadline)
            while not self._line.ready(min(deadline, time.monotonic() + LOOK_S)):
                if time.monotonic() >= deadline:
                    raise TimeoutError
                self.figures.look(self._config)
            return worker_wire.decode_from_worker(self._line.receive(deadline)[0])
        except TimeoutError as error:
            raise EndedError(f"it did not answer for {patience_s:g} s") from error


#: fcntl knows it from Python 3.13 on.
_F_SEAL_FUTURE_WRITE = 0x10
