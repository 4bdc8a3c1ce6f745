"""A door to the network: CURVE on every TCP socket of an edge, ZAP for who may come in, and the end of who may no more.

ZAP is asked only while a connection shakes hands. So each message is judged by its own key too, and a key that was
revoked or has expired loses its live connections: their sockets are shut, which no peer can refuse.
Source of the protocol: https://rfc.zeromq.org/spec/27.
"""

from __future__ import annotations

import contextlib
import os
import socket as sockets
import struct
import time
from collections.abc import Callable, Container
from pathlib import Path
from typing import Any, Literal, NamedTuple

import structlog
import zmq

from core import allowlist, keys, link
from core.allowlist import Key
from core.wire import TEXT_MAX

log = structlog.get_logger()

ZAP = "inproc://zeromq.zap.01"
DOMAIN = b"ondijon"

#: The list is looked at this often (s); a date passes as quickly.
LOOK_S = 0.1

#: Handshakes that one turn judges, and failed ones that it counts, at most: the rest waits.
HANDSHAKES_MAX = 500

#: One that goes on knocking is told again after this long (s); of more kinds within it the kernel is not told.
KNOCK_S = 60.0
KNOCKS_MAX = link.KNOCKS_MAX

#: What a monitor says of a handshake that failed before there was a key to judge.
_PROTOCOL: dict[int, link.Why] = {
    zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH: "no_curve",
    zmq.PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC: "wrong_server_key",
}
_FAILED = zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL


class Caller(NamedTuple):
    """Who sent a message: its routing id, the fingerprint of its key ("" on a door without CURVE), its descriptor."""

    route: bytes
    key: str
    connection: int


class Door:
    """The guard of one edge process. Make it before its listeners; not thread-safe: it belongs to the edge's loop.

    ``role`` is that of the keys it lets in. ``count(name)`` adds to a counter of the edge. Without ``curve`` everyone
    comes in as nobody: for a post that only this machine can reach.
    """

    def __init__(
        self,
        context: zmq.Context[Any],
        data: Path,
        role: Literal["gateway", "partner"],
        count: Callable[[str], None],
        *,
        curve: bool = True,
    ) -> None:
        self.curve = curve
        self._context, self._role, self._count = context, role, count
        self._watch = allowlist.watch(data)
        self._ports: set[int] = set()
        self._monitors: list[tuple[zmq.Socket[bytes], zmq.Socket[bytes]]] = []
        self._knocks: dict[link.Knock, int] = {}
        self._told: dict[link.Knock, float] = {}
        self._looked = 0.0
        self._looked_for_stranger = False
        self._trouble = ""
        if not curve:
            return
        self._secret = keys.post_key(data).secret.encode()
        # libzmq refuses every handshake while nobody is bound here.
        self._zap = context.socket(zmq.ROUTER)
        self._zap.set(zmq.LINGER, 0)
        self._zap.bind(ZAP)
        self._look()

    @property
    def sockets(self) -> list[zmq.Socket[bytes]]:
        """What the edge polls for the door: handshakes that wait. Failed ones it may hear of later."""
        return [self._zap] if self.curve else []

    # -- a listener

    def guard(self, socket: zmq.Socket[bytes]) -> None:
        """Secure a socket, before it is bound."""
        if not self.curve:
            return
        socket.set(zmq.CURVE_SERVER, 1)
        socket.set(zmq.CURVE_SECRETKEY, self._secret)
        socket.set(zmq.ZAP_DOMAIN, DOMAIN)
        socket.set(zmq.ZAP_ENFORCE_DOMAIN, 1)
        address = f"inproc://monitor-{len(self._monitors)}"
        socket.monitor(address, _FAILED)
        monitor = self._context.socket(zmq.PAIR)
        monitor.set(zmq.LINGER, 0)
        # Without a limit here: libzmq's I/O thread would wait for room, and with it all that the edge hears.
        monitor.set(zmq.RCVHWM, 0)
        monitor.connect(address)
        self._monitors.append((socket, monitor))

    def bound(self, socket: zmq.Socket[bytes]) -> None:
        """The socket is bound: its port is one whose connections this door may end."""
        endpoint = socket.get_string(zmq.LAST_ENDPOINT)
        self._ports.add(int(endpoint.rpartition(":")[2]))

    # -- who comes in

    def turn(self, ready: Container[Any]) -> bool:
        """Judge the handshakes that wait, where the door's socket is ``ready``.

        Returns whether live keys are to be looked at anew.
        """
        if not self.curve:
            return False
        if self._zap in ready:
            self._judge_all()
        if time.monotonic() - self._looked < LOOK_S:
            return False
        self._looked = time.monotonic()
        self._hear_failures()
        self._look()
        return True

    def _judge_all(self) -> None:
        self._looked_for_stranger = False
        for _ in range(HANDSHAKES_MAX):
            try:
                request = self._zap.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            self._zap.send_multipart(self._judge(request))

    def _judge(self, request: list[bytes]) -> list[bytes]:
        at = request.index(b"")
        version, number, domain, _, _, mechanism, *credentials = request[at + 1 :]
        public = credentials[0] if (version, domain, mechanism) == (b"1.0", DOMAIN, b"CURVE") else b""
        print_ = keys.fingerprint(public)
        key = self._watch.held.of_public(public)
        if key is None and not self._looked_for_stranger:
            # It may have been made a moment ago. Once a turn: whoever knocks and knocks must not keep the door busy.
            self._looked_for_stranger = True
            self._look()
            key = self._watch.held.of_public(public)
        why = self._refuse(key)
        if why is not None:
            self._knock(why, print_, key.name if key else "")
            # 300 and not 400: at that libzmq's clients give up for good, and a key may be allowed a moment later.
            return [*request[: at + 1], b"1.0", number, b"300", why.encode(), b"", b""]
        return [*request[: at + 1], b"1.0", number, b"200", b"", print_.encode(), b""]

    def _refuse(self, key: Key | None) -> link.Why | None:
        if key is None:
            return "unknown_key"
        state = key.state(allowlist.now())
        if state != "valid":
            return state
        return None if key.role == self._role else "other_role"

    def key(self, fingerprint: str) -> Key | None:
        """The key of this fingerprint, while it may be here."""
        key = self._watch.held.by_fingerprint.get(fingerprint)
        return key if key is not None and self._refuse(key) is None else None

    def caller(self, route: bytes, message: zmq.Frame) -> Caller | None:
        """Who sent ``message``; None, and its connection ends, where its key may be here no more."""
        if not self.curve:
            return Caller(route, "", -1)
        caller = Caller(route, str(message.get("User-Id")), int(message.get(zmq.SRCFD)))
        if self.key(caller.key) is None:
            self.end(caller.connection)
            return None
        return caller

    def may_speak_for(self, fingerprint: str, gateway: str) -> bool:
        """Whether who holds this key is, or speaks for, ``gateway``."""
        if not self.curve:
            return True
        key = self.key(fingerprint)
        return key is not None and key.may_speak_for(gateway)

    def end(self, connection: int) -> None:
        """Shut a connection of this door's listeners, by its descriptor; one that is gone already is left alone."""
        with contextlib.suppress(OSError), sockets.socket(fileno=os.dup(connection)) as socket:
            # The number may be another's by now, such as the way to the kernel: that has not our port.
            if (
                socket.family in (sockets.AF_INET, sockets.AF_INET6)
                and socket.getsockname()[1] in self._ports
            ):
                socket.shutdown(sockets.SHUT_RDWR)

    # -- the list

    def _look(self) -> None:
        before, held = self._watch.held, self._watch.look()
        if held is not before:
            log.info("allow-list", keys=len(held.keys))
        if self._watch.trouble and self._watch.trouble != self._trouble:
            log.error("allow-list", what=self._watch.trouble, held=len(held.keys))
        self._trouble = self._watch.trouble

    # -- who was turned away

    def _hear_failures(self) -> None:
        for _, monitor in self._monitors:
            for _ in range(HANDSHAKES_MAX):
                try:
                    event, *_ = monitor.recv_multipart(zmq.DONTWAIT)
                except zmq.Again:
                    break
                number, value = struct.unpack("=HI", event)
                failed = number == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
                self._knock(_PROTOCOL.get(value, "broken_off") if failed else "broken_off")

    def _knock(self, why: link.Why, fingerprint: str = "", name: str = "") -> None:
        self._count(f"handshake_{why}")
        knock = link.Knock(why, fingerprint, name)
        known = knock in self._knocks or knock in self._told
        if known or len(self._knocks.keys() | self._told.keys()) < KNOCKS_MAX:
            self._knocks[knock] = self._knocks.get(knock, 0) + 1

    def knocked(self) -> link.Knocked | None:
        """What the kernel is to be told: who was turned away, and why the list cannot be read, where it cannot."""
        now = time.monotonic()
        self._told = {knock: at for knock, at in self._told.items() if now - at < KNOCK_S}
        due = {knock: n for knock, n in self._knocks.items() if knock not in self._told}
        if not due and not self._trouble:
            return None
        for knock in due:
            del self._knocks[knock]
            self._told[knock] = now
        return link.Knocked(list(due.items()), self._trouble[:TEXT_MAX])

    def close(self) -> None:
        """Guard no more, before the listeners close."""
        for socket, monitor in self._monitors:
            socket.disable_monitor()
            monitor.close()
