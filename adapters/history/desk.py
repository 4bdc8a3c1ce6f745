"""The process that answers: one local socket, a few questions at a time, none of which can hold up what is kept."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from concurrent.futures import Future, ThreadPoolExecutor

import structlog
import zmq

from adapters.history import asked as messages
from adapters.history.asked import Answer, Asked, Query, Table, refused
from adapters.history.reader import Reader
from adapters.history.settings import Settings
from adapters.history.store import Store
from core import wire
from core.errors import WireError
from core.limits import limit_memory
from core.person import load_login
from core.run import Run
from core.sockets import context, listen
from core.wire import Refused

log = structlog.get_logger()

#: Questions that are answered at the same time, and that wait for it.
TOGETHER, WAITING_MAX = 2, 16

#: MiB beside DuckDB's memory that the process may use.
OWN_MIB = 1024

#: Characters of a question that the log shows.
SHOWN = 300

TURN_MS = 200


class Desk:
    """Answers until a signal. A question of a person is logged with who asked."""

    def __init__(self, run: Run, settings: Settings) -> None:
        self._stopping = False
        signal.signal(signal.SIGTERM, self._ask_to_stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._clock = run.clock()
        self._reader = Reader(
            Store(run.data / "history"),
            settings,
            run.city,
            run.assets_path,
            load_login(run.gate.login_key),
            run.report("history"),
        )
        # Whatever a question makes DuckDB do: this process ends and is started again, and nothing else feels it.
        limit_memory(TOGETHER * settings.memory_mib + OWN_MIB)
        self._pool = ThreadPoolExecutor(TOGETHER, "question")
        self._open: dict[Future[Answer], bytes] = {}
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._context = context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.set(zmq.RCVHWM, WAITING_MAX)
        self._socket.set(zmq.MAXMSGSIZE, messages.REQUEST_MAX)
        self._socket.set(zmq.LINGER, 500)
        listen(self._socket, messages.endpoint(run))
        # Who may ask is who may write in the run's folder.
        os.chmod(messages.endpoint(run).removeprefix("ipc://"), 0o600)

    def _ask_to_stop(self, *_: object) -> None:
        self._stopping = True

    def main(self) -> None:
        """Answer until asked to stop."""
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._wake, zmq.POLLIN)
        log.info("history answers")
        while not self._stopping:
            ready = dict(poller.poll(TURN_MS))
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(self._wake)
            if self._socket in ready:
                self._hear()
            self._answer()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._context.destroy(linger=500)
        # A question that is still being answered must not hold up the end.
        os._exit(0)

    def _hear(self) -> None:
        try:
            parts = self._socket.recv_multipart(zmq.DONTWAIT)
        except zmq.Again:
            return
        if len(parts) != 2:
            return
        route, data = parts
        try:
            asked = messages.decode_asked(data)
        except WireError as error:
            self._say(route, wire.refused(error))
            return
        if len(self._open) >= WAITING_MAX:
            self._say(route, refused("busy", "too many questions wait.", "Try again in a moment."))
            return
        future = self._pool.submit(self._take, asked)
        self._open[future] = route
        future.add_done_callback(lambda _: os.eventfd_write(self._wake, 1))

    def _take(self, asked: Asked) -> Answer:
        began, utc = time.monotonic(), self._clock.utc()
        answer = self._reader.take(asked, utc)
        shown = (asked.ready or asked.sql[:SHOWN]) if isinstance(asked, Query) else "about"
        log.info(
            "question",
            person=self._reader.whose(asked, utc),
            question=shown,
            rows=len(answer.rows) if isinstance(answer, Table) else 0,
            refused=answer.reason if isinstance(answer, Refused) else "",
            passed_over=answer.passed_over if isinstance(answer, Table) else (),
            ms=round(1000 * (time.monotonic() - began)),
        )
        return answer

    def _answer(self) -> None:
        for future in [each for each in self._open if each.done()]:
            route = self._open.pop(future)
            error = future.exception()
            if error is not None:
                log.error("question", what=repr(error))
                self._say(
                    route, refused("failed", "the question could not be answered.", "The log tells why.")
                )
            else:
                self._say(route, future.result())

    def _say(self, route: bytes, answer: Answer) -> None:
        with contextlib.suppress(zmq.ZMQError):
            self._socket.send_multipart([route, messages.encode(answer)], zmq.DONTWAIT)
