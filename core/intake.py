"""Intake: the kernel's thread at the doors. It numbers what comes in, and lets out what is durable."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

import msgspec
import numpy as np
import structlog
import zmq

from core import city as cities
from core import link, operators, whole, wire
from core.acknowledged import Acknowledged
from core.assets import Assets
from core.clock import Clock
from core.errors import WireError
from core.feed import Outlet
from core.field import FieldEvents, Place
from core.inventory import AssetChange
from core.journal import Journal
from core.loans import Lender
from core.register import Register
from core.run import Run
from core.sockets import context
from core.step import Inputs, Outputs
from core.vocabulary import HandshakeRefused

log = structlog.get_logger()

#: Reports and events that may wait for a step. Beyond it the edges' queues fill, and gateways keep what is
#: unacknowledged.
MESSAGES_MAX = 50_000

#: Messages that one turn takes at most: whoever floods must not keep acknowledgements and orders back.
TURN_MAX = 5_000

#: Refused messages of edges that one step is told of; all are counted.
LIES_MAX = 4

#: Refused handshakes that are journaled, each with how often: so many at once, and again in so many seconds.
KNOCKS_MAX, KNOCKS_S = 128, 60.0

#: What an edge says each second while it holds is over when it has not been said for so long (s).
TROUBLE_S = 3.0

#: Requests of operators' tools that may wait for a step.
REQUESTS_MAX = 16

#: A step waits this long (s) for the edge's dirty set: without it a sample that just missed one step would wait for
#: the next but one.
GRACE_S = 0.01

#: The thread turns at least this often, in ms.
TURN_MS = 100


class Sequenced(msgspec.Struct, frozen=True):
    """Something to be done in this thread once the journal is durable up to ``seq``."""

    seq: int
    act: Callable[[], object]


class Intake(threading.Thread):
    """Owns the kernel's sockets: the ROUTERs that edges and operators' tools dial, the PUB that tells the status."""

    def __init__(
        self,
        run: Run,
        clock: Clock,
        journal: Journal,
        register: Register,
        assets: Assets,
        field: FieldEvents,
    ) -> None:
        super().__init__(name="intake", daemon=True)
        self._run = run
        self._clock = clock
        self._journal = journal
        self._generation = register.generation
        self._take_register(register, assets)
        self._field = field
        self._lock = threading.Lock()
        self._reports: list[tuple[str, wire.Reports]] = []
        self._programmed: dict[str, wire.Programmed] = {}
        self._changes: list[tuple[bytes, Sequence[AssetChange]]] = []
        self._asked: list[tuple[bytes, operators.Asked]] = []
        self._personal: list[tuple[bytes, operators.AskedPersonal]] = []
        self._lies: list[tuple[str, str]] = []
        self._knocks: list[HandshakeRefused] = []
        self._knocks_left = float(KNOCKS_MAX)
        self._knocked = time.monotonic()
        self._unreadable: dict[str, tuple[float, str]] = {}
        self._outgoing: deque[Sequenced] = deque()
        self._publish: deque[tuple[bytes, bytes]] = deque(maxlen=64)
        self._known: set[bytes] = set()
        self._stopping = False
        self.edges: dict[str, dict[str, int]] = {}
        self.edge_latency: dict[str, np.ndarray] = {}
        self.counts = {
            "edge_messages_refused": 0,
            "requests_refused": 0,
            "handshakes_untold": 0,
        }
        self._acknowledged = Acknowledged(field, journal, self.counts)
        self.outlet = Outlet(self.counts)
        grace_s = min(GRACE_S, run.step_us / 1e6 / run.origin.speed)
        self._lender = Lender(
            link.Buffers(run.memory_fd, writable=False),
            link.Bell(run.answers, run.loans, grace_s),
            register.generation,
            counts=self.counts,
            refuse=partial(self._refuse, link.TELEMETRY),
        )
        self.wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    # -- the reactor's and the journal's side

    def take(self) -> Inputs:
        """All that waits for a step, and what the edge asked for it answers within the grace.

        The hand-overs' memory is the step's until the next call.
        """
        hand_overs = self._lender.take()
        with self._lock:
            events = self._acknowledged.take()
            inputs = Inputs(
                hand_overs,
                events,
                self._reports,
                self._changes,
                self._asked,
                self._lies,
                self._knocks,
                programmed=self._programmed,
            )
            self._reports, self._changes, self._asked, self._lies, self._knocks = [], [], [], [], []
            self._programmed = {}
        return inputs

    def troubles(self) -> list[tuple[str, dict[str, str]]]:
        """Alarms of the post whose condition an edge tells of."""
        since = time.monotonic() - TROUBLE_S
        return [
            ("keys_unreadable", {"edge": edge, "why": why})
            for edge, (at, why) in list(self._unreadable.items())
            if at > since
        ]

    def take_personal(self) -> list[tuple[bytes, operators.AskedPersonal]]:
        """What is asked of persons' data, and by which tool."""
        with self._lock:
            asked, self._personal = self._personal, []
        return asked

    def answer(self, asker: bytes, answer: operators.Answer, seq: int) -> None:
        """Answer an operator's tool once the journal is durable up to ``seq``."""
        self._when_durable(seq, self._answer, asker, answer)

    def settled(self) -> tuple[int, dict[str, Place]]:
        """Up to which record every event has been in a step's inputs, and how far each gateway's events came."""
        return self._acknowledged.settled()

    def put(self, outputs: Outputs, seq: int) -> None:
        """Let a step's orders and answers out once the journal is durable up to ``seq``."""
        if outputs.orders:
            messages = [(gateway, wire.encode(order)) for gateway, order in outputs.orders]
            self._when_durable(seq, self._send, link.EVENTS, link.encode(link.Tell(messages)))
        if outputs.programmes:
            messages = [(gateway, wire.encode(programme)) for gateway, programme in outputs.programmes]
            self._when_durable(seq, self._send, link.EVENTS, link.encode(link.Tell(messages, keep=False)))
        for asker, answer in outputs.answers:
            self.answer(asker, answer, seq)

    def tell_partners(self, told: link.Stepped | link.Present, seq: int) -> None:
        """Let the partners' edge hear of a step once the journal is durable up to ``seq``."""
        sequence = told.now.sequence if isinstance(told, link.Present) else told.sequence
        self._when_durable(seq, self._tell_partners, sequence, link.encode(told))

    def renumber(self, register: Register, assets: Assets, seq: int) -> None:
        """Tell the edges of a changed register once the journal is durable up to ``seq``."""
        self._when_durable(seq, self._renumber, register, assets)

    def _when_durable(self, seq: int, act: Callable[..., object], *arguments: object) -> None:
        self._outgoing.append(Sequenced(seq, partial(act, *arguments)))
        self.wake()

    def publish(self, topic: bytes, data: bytes) -> None:
        """Tell whoever follows the status; the oldest is dropped where nobody takes it in time."""
        self._publish.append((topic, data))
        self.wake()

    def wake(self) -> None:
        """Make the thread turn now."""
        os.eventfd_write(self.wake_fd, 1)

    def stop(self) -> None:
        """End the thread after it let out what is durable."""
        self._stopping = True
        self.wake()
        self.join(5)
        self._lender.close()

    # -- the thread

    def run(self) -> None:
        """Turn until stopped."""
        zmq_context = context()
        self._router = zmq_context.socket(zmq.ROUTER)
        self._router.set(zmq.ROUTER_MANDATORY, 1)
        self._router.set(zmq.ROUTER_HANDOVER, 1)
        self._router.set(zmq.MAXMSGSIZE, link.MESSAGE_MAX)
        self._router.set(zmq.LINGER, 1000)
        self._router.bind(self._run.kernel_ipc)
        self._operators = zmq_context.socket(zmq.ROUTER)
        self._operators.set(zmq.MAXMSGSIZE, operators.MESSAGE_MAX)
        self._operators.set(zmq.RCVHWM, REQUESTS_MAX)
        self._operators.set(zmq.LINGER, 1000)
        self._operators.bind(self._run.desk_ipc)
        self._pub = zmq_context.socket(zmq.PUB)
        self._pub.set(zmq.SNDHWM, 16)
        self._pub.set(zmq.LINGER, 200)
        self._pub.bind(self._run.status_ipc)
        poller = zmq.Poller()
        poller.register(self._router, zmq.POLLIN)
        poller.register(self._operators, zmq.POLLIN)
        poller.register(self.wake_fd, zmq.POLLIN)
        alive = 0.0
        while not self._stopping:
            poller.poll(TURN_MS)
            self._rest()
            self._hear()
            self._hear_operators()
            self._let_out()
            if time.monotonic() - alive > 1.0:
                alive = time.monotonic()
                self._tell_all(link.encode(link.Alive(self._generation)))
        self._let_out()
        zmq_context.destroy(linger=1000)

    def _rest(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self.wake_fd)

    def _hear(self) -> None:
        for _ in range(TURN_MAX):
            if len(self._reports) + self._acknowledged.waiting >= MESSAGES_MAX:
                return
            try:
                edge, data = self._router.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            except ValueError:
                self.counts["edge_messages_refused"] += 1
                continue
            try:
                self._on_message(edge, data)
            except WireError as error:
                self._refuse(edge, error)

    def _refuse(self, edge: bytes, error: WireError) -> None:
        with self._lock:
            self.counts["edge_messages_refused"] += 1
            if len(self._lies) < LIES_MAX:
                self._lies.append((edge.decode(errors="replace"), str(error)))

    def _meet(self, edge: bytes) -> None:
        self._known.add(edge)
        if edge == link.TELEMETRY:
            self._lender.meet()
        self._number(edge)
        if edge == link.PARTNERS:
            self.outlet.ready()

    def _number(self, edge: bytes) -> None:
        register, path = self._register, self._run.register_path.name
        self._send(
            edge,
            link.encode(link.Numbered(path, register.generation, register.revision, self._lender.first)),
        )

    def _on_message(self, edge: bytes, data: bytes) -> None:
        if edge not in (link.TELEMETRY, link.EVENTS, link.PARTNERS):
            raise WireError("no edge of this post has that name.", reason="edge")
        message = link.decode_from_edge(data)
        if edge not in self._known or isinstance(message, link.Ready):
            # One that starts knows nothing, and the buffers it had are free again.
            self._meet(edge)
        if isinstance(message, link.Said):
            self._on_said(edge, message)
        elif isinstance(message, link.Took):
            if edge != link.PARTNERS:
                raise WireError("it was told nothing.", reason="took")
            self.outlet.took(message.sequence)
        elif isinstance(message, link.Knocked):
            self._on_knocked(edge.decode(), message)
        elif isinstance(message, link.Counters):
            sessions = {} if edge == link.PARTNERS else {"gateways": message.sessions}
            self.edges[edge.decode()] = message.counts | sessions
            if len(message.latency) == 8 * 256:
                self.edge_latency[edge.decode()] = np.frombuffer(message.latency, np.uint64)

    def _on_said(self, edge: bytes, said: link.Said) -> None:
        if edge != link.EVENTS or said.gateway not in self._gateways:
            raise WireError(f"it speaks for {said.gateway!r}.", reason="said")
        message = wire.decode_from_gateway(said.message)
        if isinstance(message, wire.Reports):
            with self._lock:
                self._reports.append((said.gateway, message))
        elif isinstance(message, wire.Programmed):
            with self._lock:
                # It is all that the gateway holds: the last one counts.
                self._programmed[said.gateway] = message
        elif isinstance(message, wire.FieldEvent):
            utc, mono = self._clock.utc(), self._clock.mono()
            answer = self._acknowledged.on_event(said.gateway, said.boot, message, utc, mono)
            if answer is not None:
                self._tell(said.gateway, answer)

    def _on_knocked(self, edge: str, message: link.Knocked) -> None:
        if message.unreadable:
            self._unreadable[edge] = (time.monotonic(), message.unreadable)
        now = time.monotonic()
        refill = (now - self._knocked) * KNOCKS_MAX / KNOCKS_S
        self._knocks_left = min(self._knocks_left + refill, KNOCKS_MAX)
        self._knocked = now
        for knock, n in message.knocks:
            if self._knocks_left < 1:
                self.counts["handshakes_untold"] += n
                continue
            self._knocks_left -= 1
            with self._lock:
                self._knocks.append(HandshakeRefused(edge, knock.why, knock.fingerprint, knock.name, n))

    def _let_out(self) -> None:
        for gateway, acknowledgement in self._acknowledged.let_out():
            self._tell(gateway, acknowledgement)
        durable = self._journal.durable().local
        while self._outgoing and self._outgoing[0].seq <= durable:
            self._outgoing.popleft().act()
        while self._publish:
            topic, data = self._publish.popleft()
            self._pub.send_multipart([topic, data], zmq.DONTWAIT)

    # -- operators

    def _hear_operators(self) -> None:
        while len(self._changes) + len(self._asked) + len(self._personal) < REQUESTS_MAX:
            try:
                asker, data = self._operators.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            except ValueError:
                self.counts["requests_refused"] += 1
                continue
            try:
                request = operators.decode_request(data)
            except WireError as error:
                self.counts["requests_refused"] += 1
                self._answer(asker, wire.refused(error))
                continue
            with self._lock:
                if isinstance(request, operators.ChangeAssets):
                    self._changes.append((asker, request.changes))
                elif isinstance(request, operators.AskedPersonal):
                    self._personal.append((asker, request))
                else:
                    self._asked.append((asker, request))

    def _answer(self, asker: bytes, answer: operators.Answer) -> None:
        # One that no longer waits for its answer finds what was done in the journal.
        with contextlib.suppress(zmq.ZMQError):
            self._operators.send_multipart([asker, operators.encode(answer)], zmq.DONTWAIT)

    def _renumber(self, register: Register, assets: Assets) -> None:
        self._take_register(register, assets)
        self._field.renumber(assets)
        for edge in list(self._known):
            self._number(edge)

    def _take_register(self, register: Register, assets: Assets) -> None:
        register.save(self._run.register_path)
        whole.write(self._run.assets_path, cities.pack_assets(assets), 0o600)
        self._register = register
        self._gateways = frozenset(register.gateways)

    # -- what leaves

    def _tell(self, gateway: str, message: wire.ToGateway) -> None:
        self._send(link.EVENTS, link.encode(link.Tell([(gateway, wire.encode(message))])))

    def _tell_partners(self, sequence: int, message: bytes) -> None:
        if link.PARTNERS in self._known and self.outlet.admit(sequence, len(message)):
            self._send(link.PARTNERS, message)

    def _tell_all(self, message: bytes) -> None:
        for edge in list(self._known):
            self._send(edge, message)

    def _send(self, edge: bytes, message: bytes) -> bool:
        try:
            self._router.send_multipart([edge, message], zmq.DONTWAIT)
        except zmq.ZMQError:
            # The edge is away: it will say Ready, its gateways keep their leases.
            self.counts["edge_away"] = self.counts.get("edge_away", 0) + 1
            return False
        return True
