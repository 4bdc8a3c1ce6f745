"""The login process: one local socket, one request after the other."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Annotated

import msgspec
import structlog
import zmq

from adapters.login import people
from adapters.login.reception import Reception
from adapters.login.signing import signing_key
from core import session, wire
from core.adapter import Adapter
from core.errors import WireError
from core.run import Run
from core.session import LogIn
from core.sockets import context, listen
from core.wire import Refused

log = structlog.get_logger()

#: Requests that wait, at most: a password takes some 50 ms to compare, on purpose.
WAITING_MAX = 64

#: How often (ms) the process looks whether it shall end.
TURN_MS = 200


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[adapters.login]``: how long a token holds, and how long a session may be renewed."""

    token_minutes: Annotated[float, msgspec.Meta(gt=0, le=60)] = 15.0
    session_hours: Annotated[float, msgspec.Meta(gt=0, le=24)] = 12.0


class Desk:
    """The socket of the login process."""

    def __init__(self, run: Run, settings: Settings) -> None:
        self._stopping = False
        signal.signal(signal.SIGTERM, self._ask_to_stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._watch = people.watch(run.data)
        self._clock = run.clock()
        self._reception = Reception(
            self._watch.look,
            signing_key(run.data),
            settings.token_minutes * 60,
            settings.session_hours * 3600,
        )
        self._context = context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.set(zmq.RCVHWM, WAITING_MAX)
        self._socket.set(zmq.MAXMSGSIZE, session.MESSAGE_MAX)
        listen(self._socket, run.login_ipc)
        # Who may ask is who may write in the run's folder.
        os.chmod(run.login_ipc.removeprefix("ipc://"), 0o600)

    def main(self) -> None:
        """Answer until asked to stop."""
        log.info("login ready", people=len(self._watch.look().accounts))
        while not self._stopping:
            self._socket.poll(TURN_MS)
            # Also where it is ready a socket may have nothing: a peer that left.
            with contextlib.suppress(zmq.ZMQError):
                self._answer()
        self._context.destroy(linger=500)

    def _ask_to_stop(self, *_: object) -> None:
        self._stopping = True

    def _answer(self) -> None:
        parts = self._socket.recv_multipart(zmq.DONTWAIT)
        if len(parts) != 2:
            return
        try:
            asked = session.decode_asked(parts[1])
        except WireError as error:
            # Its text quotes nothing of the message: there may be a password in it.
            answer: session.Answer = wire.refused(error)
        else:
            answer = self._reception.take(asked, self._clock.utc(), self._clock.mono())
            self._log(asked, answer)
        self._socket.send_multipart([parts[0], session.encode(answer)], zmq.DONTWAIT)

    def _log(self, asked: session.Asked, answer: session.Answer) -> None:
        if self._watch.trouble:
            log.error("people", why=self._watch.trouble)
        if isinstance(asked, LogIn):
            refused = answer.reason if isinstance(answer, Refused) else ""
            log.info("log in", person=asked.person, refused=refused)


def main(run: Run, settings: Settings, part: int) -> None:
    """Entry of the process, see ``core.adapter``."""
    Desk(run, settings).main()


adapter = Adapter("login", Settings, main)
