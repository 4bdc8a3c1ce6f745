"""What the edges share: the link to the kernel, what peers say, the table of gateways, the loop, the orderly end.

An edge owns listeners that face the network. Hostile bytes end here; it may be killed and started again
at any time.
"""

from __future__ import annotations

import secrets
import signal
import time
from typing import Any, Literal

import msgspec
import structlog
import zmq

from core import link, wire
from core.door import Caller, Door
from core.errors import WireError
from core.limits import allow_files, files_needed, limit_memory
from core.register import Register
from core.register import load as load_register
from core.run import Run
from core.sockets import context, dial, identify, limit, listen

log = structlog.get_logger()

#: A gateway that was welcomed may say hello again after this long (s).
HELLO_S = 1.0

#: No counter grows beyond: it must fit into a message.
COUNT_MAX = 1 << 62

#: Messages of the kernel that one turn hears at most: what is to be done of them comes in between.
KERNEL_MAX = 1000

#: Messages of peers that one turn hears from a socket at most.
HEAR_MAX = 1000

#: The loop turns at least this often, in ms.
TURN_MS = 100

_IN = int(zmq.POLLIN)


class Peer(msgspec.Struct):
    """A connected gateway: who calls in its name, its boot, its session (0: none), since when, and when last heard.

    ``outdated``: it has more assets now than it was welcomed with, and is asked to say hello again.
    """

    caller: Caller
    boot: int
    session: int
    since: float
    heard: float
    sent: int = 0
    outdated: bool = False


class Edge:
    """One edge process. A subclass adds its sockets and what it does with messages."""

    #: The edge's name, also its identity at the kernel; and whose keys its door lets in.
    name = ""
    role: Literal["gateway", "partner"] = "gateway"

    def __init__(self, run: Run) -> None:
        self.run = run
        self.boot = secrets.randbits(48)
        self.register: Register | None = None
        self.peers: dict[str, Peer] = {}
        self.routes: dict[bytes, str] = {}
        self.counts: dict[str, int] = {}
        self.context = context()
        self.poller = zmq.Poller()
        self.door = Door(self.context, run.data, self.role, self.count, curve=run.security.curve)
        for waiting in self.door.sockets:
            self.poller.register(waiting, zmq.POLLIN)
        self.stopping = False
        self._heard_kernel = 0.0
        self.kernel = self.context.socket(zmq.DEALER)
        identify(self.kernel, self.name)
        self.kernel.set(zmq.LINGER, 1000)
        dial(self.kernel, run.kernel_ipc)
        self.poller.register(self.kernel, zmq.POLLIN)

    def listen(self, kind: int, endpoint: str, **limits: int) -> zmq.Socket[bytes]:
        """A bound and limited socket in the poll set."""
        socket = self.context.socket(kind)
        limit(socket, **limits)
        if kind == zmq.ROUTER:
            # Whom it cannot reach it says; and a peer that names itself as another does not take its place.
            socket.set(zmq.ROUTER_MANDATORY, 1)
            socket.set(zmq.ROUTER_HANDOVER, 0)
        self.door.guard(socket)
        listen(socket, endpoint)
        self.door.bound(socket)
        self.poller.register(socket, zmq.POLLIN)
        return socket

    def count(self, name: str, n: int = 1) -> None:
        """Add to a counter; one that a liar filled stays full."""
        self.counts[name] = min(self.counts.get(name, 0) + n, COUNT_MAX)

    # -- the loop

    def main(self) -> None:
        """Turn until asked to stop, then drain and leave the final figures."""
        signal.signal(signal.SIGTERM, self._ask_to_stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        limit_memory(self.run.edges.memory_mib)
        self._allow_files()
        self.tell_kernel(link.Ready(self.name, self.boot))
        second = 0.0
        while not self.stopping:
            self.turn(TURN_MS)
            if time.monotonic() - second >= 1.0:
                second = time.monotonic()
                self.each_second(second)
        self.drain()
        self.tell_kernel(self.figures())
        self.run.report(self.name).write_bytes(msgspec.json.encode(self.figures()))
        self.door.close()
        self.context.destroy(linger=1000)

    def turn(self, timeout_ms: int) -> None:
        """Wait for work and do it."""
        ready = dict(self.poller.poll(timeout_ms))
        if self.kernel in ready:
            self._hear_kernel()
        if self.door.turn(ready):
            self.expel_ended()
        self.serve(ready)

    def serve(self, ready: dict[Any, int]) -> None:
        """Do the work of the sockets that are ready."""
        raise NotImplementedError

    def drain(self) -> None:
        """Take what is still on its way before stopping; bounded in time."""

    def _ask_to_stop(self, *_: object) -> None:
        self.stopping = True

    def _allow_files(self) -> None:
        wanted = files_needed(self.run.edges.sessions)
        allowed = allow_files(wanted)
        if allowed < wanted:
            log.warning("open files", edge=self.name, allowed=allowed, wanted=wanted)

    def each_second(self, now: float) -> None:
        """Forget silent gateways, tell the kernel our figures."""
        for gateway, peer in list(self.peers.items()):
            if now - peer.heard > wire.HEARTBEATS_MISSED * wire.HEARTBEAT_S:
                self.count("gateways_silent")
                self.forget(gateway)
        self.tell_figures()

    def tell_figures(self) -> None:
        """Tell the kernel our figures, and who was turned away at the door."""
        knocked = self.door.knocked()
        if knocked is not None:
            self.tell_kernel(knocked)
        self.tell_kernel(self.figures())

    def expel_ended(self) -> None:
        """End the sessions, and the connections, of keys that may speak for their gateway no more."""
        for gateway, peer in list(self.peers.items()):
            if not self.door.may_speak_for(peer.caller.key, gateway):
                log.warning("session ended", edge=self.name, gateway=gateway, key=peer.caller.key)
                self.count("sessions_ended")
                self.expel(gateway)

    def expel(self, gateway: str) -> None:
        """End a gateway's session and its connections, at once."""
        self.door.end(self.peers[gateway].caller.connection)
        self.forget(gateway)

    # -- the kernel

    def tell_kernel(self, message: link.FromEdge) -> None:
        """Send to the kernel; what finds no room is counted."""
        try:
            self.kernel.send(link.encode(message), zmq.DONTWAIT)
        except zmq.Again:
            self.count("kernel_unreachable")

    def _hear_kernel(self) -> None:
        for _ in range(KERNEL_MAX):
            # Asked, not tried: an exception costs several times as much, and most turns bring one message.
            if not int(self.kernel.get(zmq.EVENTS)) & _IN:
                return
            try:
                data = self.kernel.recv(zmq.DONTWAIT)
            except zmq.Again:
                return
            message = link.decode_to_edge(data)
            if isinstance(message, link.Numbered):
                before, self.register = self.register, load_register(self.run.folder / message.path)
                self.on_numbered(self.register, before, message.loan)
                log.info("numbered", edge=self.name, generation=message.generation, slots=self.register.slots)
            elif isinstance(message, link.Tell):
                self.on_tell(message)
            elif isinstance(message, link.Stepped):
                self.on_stepped(message, len(data))
            elif isinstance(message, link.Present):
                self.on_present(message)

    def on_numbered(self, register: Register, before: Register | None, loan: int) -> None:
        """The kernel's register is new, ``before`` was the last one; loans count from number ``loan`` on."""

    def outdate(self, register: Register, before: Register) -> None:
        """Have the gateways whose assets became more shake hands again; till then they go on as they are."""
        for gateway, peer in self.peers.items():
            peer.outdated |= register.gateways[gateway] != before.gateways[gateway]

    def on_tell(self, tell: link.Tell) -> None:
        """The kernel has messages for gateways."""

    def on_present(self, present: link.Present) -> None:
        """The kernel tells how all stands."""

    def on_stepped(self, stepped: link.Stepped, size: int) -> None:
        """The kernel tells what changed since, in ``size`` bytes."""

    def figures(self) -> link.Counters:
        """This edge's counters."""
        return link.Counters(self.name, dict(self.counts), sessions=len(self.peers))

    # -- the peers

    def hear(self, socket: zmq.Socket[bytes]) -> None:
        """Take what peers say; one that is not a message is counted and answered."""
        for _ in range(HEAR_MAX):
            try:
                frames = socket.recv_multipart(zmq.DONTWAIT, copy=False)
            except zmq.Again:
                return
            caller = self.door.caller(frames[0].bytes, frames[-1])
            if caller is None:
                self.count("refused_ended")
                continue
            if len(frames) != 2:
                self.count("refused_multipart")
                continue
            try:
                self.on_data(socket, caller, frames[1].bytes)
            except WireError as error:
                self.count(f"refused_{error.reason}")
                self.send(socket, caller.route, wire.encode(wire.refused(error)))

    def on_data(self, socket: zmq.Socket[bytes], caller: Caller, data: bytes) -> None:
        """What one peer said. Raises WireError for what makes no sense here."""
        self.on_message(socket, caller, data, wire.decode_from_gateway(data))

    def on_message(
        self, socket: zmq.Socket[bytes], caller: Caller, data: bytes, message: wire.FromGateway
    ) -> None:
        """What one gateway said, decoded. Raises WireError for what makes no sense here."""
        raise NotImplementedError

    # -- the gateways

    def answer(self, socket: zmq.Socket[bytes], route: bytes, message: wire.ToGateway) -> bool:
        """Send a message; False where the peer is gone or too slow."""
        return self.send(socket, route, wire.encode(message))

    def send(self, socket: zmq.Socket[bytes], route: bytes, data: bytes) -> bool:
        """Send to a gateway; False where it is gone or too slow, which is counted."""
        try:
            socket.send_multipart([route, data], zmq.DONTWAIT)
        except zmq.Again:
            self.count("gateway_slow")
            return False
        except zmq.ZMQError:
            self.count("gateway_gone")
            return False
        return True

    def admit(self, caller: Caller, hello: wire.Hello) -> Peer:
        """Take a gateway in, or raise WireError: not ready, another version, unknown, another's, or a taken place."""
        if self.register is None:
            raise WireError("the post is starting.", reason="not_ready", next="Try again in a second.")
        if hello.wire != wire.VERSION:
            raise WireError(
                f"wire version {hello.wire} is not spoken here.",
                reason="wire_version",
                next=f"Speak {wire.VERSION}.",
            )
        if hello.gateway not in self.register.gateways:
            raise WireError(
                f"no asset stands behind {hello.gateway!r}.",
                reason="unknown_gateway",
                next="Add it to the register.",
            )
        if not self.door.may_speak_for(caller.key, hello.gateway):
            raise WireError(
                f"this key may not speak for {hello.gateway!r}.",
                reason="not_allowed",
                next="Use its own key; `ondijon keys list` tells whose this one is.",
            )
        if self.routes.get(caller.route, hello.gateway) != hello.gateway:
            raise WireError(
                f"this connection is {self.routes[caller.route]!r} already.",
                reason="second_name",
                next="Open a connection a gateway.",
            )
        old = self.peers.get(hello.gateway)
        if old is not None and old.caller.route != caller.route:
            raise WireError(
                f"{hello.gateway!r} is connected already.",
                reason="duplicate_handshake",
                next="Stop the other, or wait 6 s.",
            )
        if old is not None:
            if not old.outdated and time.monotonic() - old.since < HELLO_S:
                # Each is answered with the whole numbering: whoever never reads must not fill our memory.
                raise WireError("welcomed a moment ago.", reason="hello_flood", next="Wait a second.")
            self.forget(hello.gateway)
        if len(self.peers) >= self.run.edges.sessions:
            raise WireError("too many gateways.", reason="session_limit", next="Raise `sessions` in [edges].")
        self.routes[caller.route] = hello.gateway
        now = time.monotonic()
        peer = self.peers[hello.gateway] = Peer(caller, hello.boot, 0, now, now)
        return peer

    def known(self, caller: Caller) -> Peer | None:
        """The gateway that introduced itself on this connection; None where none did."""
        peer = self.peers.get(self.routes.get(caller.route, ""))
        # A route may be chosen by the peer: one that took another's, and has not its key, is not the same.
        return peer if peer is not None and peer.caller.key == caller.key else None

    def peer_of(self, caller: Caller) -> tuple[str, Peer]:
        """Who speaks. Raises WireError for one that has not introduced itself."""
        peer = self.known(caller)
        if peer is None:
            raise WireError("say hello first.", reason="no_handshake", next="Send a hello.")
        gateway = self.routes[caller.route]
        peer.heard = time.monotonic()
        return gateway, peer

    def forget(self, gateway: str) -> None:
        """End what is known of a gateway."""
        peer = self.peers.pop(gateway)
        self.routes.pop(peer.caller.route, None)
