"""The telemetry edge: samples come in over PULL, are merged in a staging table, and cross to the kernel."""

from __future__ import annotations

import contextlib
import secrets
import time
from typing import Any

import numpy as np
import structlog
import zmq

from core import link, wire
from core._fast.ingest import Ingest, resolve_libzmq
from core._fast.slots import Slots
from core.door import Caller
from core.edge import COUNT_MAX, Edge
from core.errors import WireError
from core.loans import Borrower
from core.register import HEADROOM, Register
from core.run import Run

log = structlog.get_logger()

#: Samples wait in the socket up to this many messages a gateway; the table conflates, the queue does not.
TELEMETRY_QUEUE = 10_000

#: A columnar frame's largest size, with room.
FRAME_MAX = 32_768

#: How long (s) an ending session waits for samples that are still on their way.
BYE_PATIENCE_S = 1.0


class TelemetryEdge(Edge):
    """Owns the sessions and the staging table. Without credit it goes on merging: memory is bounded by the slots."""

    name = "telemetry"

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self.control = self.listen(zmq.ROUTER, run.endpoints.control)
        self.frames = self.listen(zmq.PULL, run.endpoints.telemetry, queue=TELEMETRY_QUEUE, message=FRAME_MAX)
        self.buffers = link.Buffers(run.memory_fd, writable=True)
        self.bell = link.Bell(run.loans, run.answers)
        self.poller.register(self.bell.fileno(), zmq.POLLIN)
        self.borrower = Borrower(self.buffers, self.bell)
        self.ingest: Ingest | None = None
        self._leaving: dict[str, tuple[int, float]] = {}
        self._finished: dict[str, int] = {}
        self._settled: dict[str, tuple[int, int]] = {}
        try:
            version = resolve_libzmq()
            self.portable = False
            log.info("ingest", engine="libzmq", version=version)
        except OSError as error:
            self.portable = True
            log.warning("ingest", engine="pyzmq", why=str(error))

    def serve(self, ready: dict[Any, int]) -> None:
        """Drain the frames, answer the control socket, hand over what there is credit for."""
        if self.frames in ready:
            self._drain_frames()
        if self.control in ready:
            self.hear(self.control)
        if self._leaving:
            self._let_go()
        if self.bell.fileno() in ready:
            self.borrower.hear()
        if self.ingest is not None and self.borrower.owes:
            self.borrower.hand_over(self.ingest.slots)

    def _drain_frames(self) -> int:
        if self.ingest is None:
            return self._discard()
        n = self.ingest.drain_portable(self.frames) if self.portable else self.ingest.drain(self.frames)
        for key, connection in self.ingest.strangers():
            if self.door.key(key) is None:
                self.door.end(connection)
        return n

    def _discard(self) -> int:
        # Before the first register there is no session: nobody honest sends yet.
        n = 0
        with contextlib.suppress(zmq.Again):
            while n < 1000:
                self.frames.recv_multipart(zmq.DONTWAIT)
                n += 1
        self.count("discarded", n)
        return n

    # -- the kernel

    def on_numbered(self, register: Register, before: Register | None, loan: int) -> None:
        """Keep table and sessions where the numbering goes on, else begin anew."""
        if before is None or not self._goes_on(register, before):
            self._begin(register)
        else:
            assert self.ingest is not None
            self.ingest.slots.extend(register.slot_metric[before.slots :])
            self.outdate(register, before)
            if register.generation != before.generation:
                # Another kernel, the same city: it has an empty table and gets all we know.
                self.ingest.slots.mark_all()
        self.borrower.numbered(register.generation, loan)

    def _goes_on(self, register: Register, before: Register) -> bool:
        assert self.ingest is not None
        return register.continues(before) and register.slots <= self.ingest.slots.capacity

    def _begin(self, register: Register) -> None:
        for gateway in list(self.peers):
            self.forget(gateway)
        if self.ingest is not None:
            self._keep_counts()
        self._leaving.clear()
        slots = Slots(register.slots + HEADROOM, **register.rules())
        slots.extend(register.slot_metric)
        origin = self.run.origin
        self.ingest = Ingest(
            slots,
            register.kind_offsets,
            sessions=self.run.edges.sessions,
            origin_utc=origin.utc,
            origin_mono=origin.mono_ns,
            speed=origin.speed,
            tolerance=int(2_000_000 * max(1.0, origin.speed)),
        )

    def _keep_counts(self) -> None:
        assert self.ingest is not None
        for name, n in self.ingest.counters().items():
            self._finished[name] = self._finished.get(name, 0) + n

    def figures(self) -> link.Counters:
        """The counters of ingest and of the control socket, and the ages of samples at the dirty set."""
        counts = dict(self.counts)
        counts["handed_over"] = self.borrower.handed
        counts["loans_refused"] = self.borrower.refused
        latency = b""
        if self.ingest is not None:
            for name, n in self.ingest.counters().items():
                counts[name] = n + self._finished.get(name, 0)
            counts["dirty"] = self.ingest.slots.changed
            latency = self.ingest.latencies().tobytes()
        return link.Counters(self.name, counts, latency, len(self.peers))

    # -- the gateways

    def on_message(
        self, socket: zmq.Socket[bytes], caller: Caller, data: bytes, message: wire.FromGateway
    ) -> None:
        """Handshakes, heartbeats and farewells."""
        if isinstance(message, wire.Hello):
            self._greet(caller, message)
        elif isinstance(message, wire.Beat):
            self._beat(caller, message)
        elif isinstance(message, wire.Bye):
            gateway, peer = self.peer_of(caller)
            if message.session == peer.session:
                self._leaving[gateway] = (message.sent, time.monotonic() + BYE_PATIENCE_S)
        else:
            raise WireError(f"{type(message).__name__} belongs to the events socket.", reason="wrong_socket")

    def _greet(self, caller: Caller, hello: wire.Hello) -> None:
        peer = self.admit(caller, hello)
        assert self.ingest is not None
        assert self.register is not None
        self._settle(hello)
        entry = self.register.gateways[hello.gateway]
        while not peer.session:
            session = 1 + secrets.randbelow(0xFFFFFFFF)
            try:
                self.ingest.open(
                    session,
                    np.frombuffer(entry.first_slot, np.uint32),
                    np.frombuffer(entry.kind, np.uint16),
                    caller.key.encode(),
                )
                peer.session = session
            except KeyError:
                self.count("session_redrawn")
        self.answer(self.control, caller.route, self.register.welcome(hello.gateway, peer.session, self.boot))

    def _settle(self, hello: wire.Hello) -> None:
        boot, settled = self._settled.get(hello.gateway, (None, 0))
        if boot != hello.boot:
            # All it sent before went to an edge that died: how much of it came in nobody can say.
            self.count("unaccounted", hello.sent)
        elif hello.sent > settled:
            # Sent after its last heartbeat, into a session that was given up.
            lost = self._finished.get("lost", 0) + hello.sent - settled
            self._finished["lost"] = min(lost, COUNT_MAX)
        self._settled[hello.gateway] = (hello.boot, hello.sent)

    def _beat(self, caller: Caller, beat: wire.Beat) -> None:
        peer = self.known(caller)
        known = False
        if peer is not None and peer.session == beat.session:
            peer.heard = time.monotonic()
            peer.sent = beat.sent
            known = not peer.outdated
        self.answer(self.control, caller.route, wire.BeatBack(self.boot, known))

    def _let_go(self) -> None:
        for gateway, (sent, until) in list(self._leaving.items()):
            peer = self.peers.get(gateway)
            if peer is None or self.ingest is None:
                del self._leaving[gateway]
                continue
            came = self.ingest.session(peer.session)[0]
            if came == sent & 0xFFFFFFFF or time.monotonic() > until:
                peer.sent = sent
                self.forget(gateway)

    def expel(self, gateway: str) -> None:
        """End its connection for frames, too; where none was heard there yet, that ends at its first."""
        if self.ingest is not None and self.peers[gateway].session:
            self.door.end(self.ingest.connection(self.peers[gateway].session))
        super().expel(gateway)

    def forget(self, gateway: str) -> None:
        """Close the session; what it said it sent and never came is lost, and counted so."""
        peer = self.peers[gateway]
        self._leaving.pop(gateway, None)
        if peer.session and self.ingest is not None:
            boot, settled = self._settled[gateway]
            came = self.ingest.session(peer.session)[0]
            self._settled[gateway] = (boot, settled + max(came, peer.sent))
            self.ingest.close(peer.session, peer.sent)
        super().forget(gateway)

    def drain(self) -> None:
        """Take the samples that are on their way, hand the last of them over."""
        until = time.monotonic() + 3.0
        quiet = 0
        while time.monotonic() < until and (quiet < 3 or self._waits_to_hand_over()):
            self.turn(50)
            quiet = 0 if self.frames.poll(0) or self._leaving else quiet + 1
        for gateway in list(self.peers):
            self.forget(gateway)

    def _waits_to_hand_over(self) -> bool:
        return self.borrower.holds or (self.ingest is not None and self.ingest.slots.changed > 0)
