"""The field's door: a gateway (a cabinet, a concentrator, a protocol adapter) sends samples, obeys orders.

``Gateway`` needs no thread: call ``turn`` when one of its ``sockets`` is readable, and at least every
second. Batch where you can: one columnar frame a second, or on change with some tens of milliseconds of
patience, costs the post a fraction of what a frame a lamp costs.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import numpy as np
import zmq

from core import wire
from core.clock import Clock, origin_now
from core.errors import WireError
from core.run import Endpoints
from core.sockets import dial, limit
from core.wire import Fault, Order

__all__ = ["Endpoints", "Fault", "Gateway", "Order", "Statistics"]

#: Frames that wait for the edge at most; beyond them samples are dropped here, and counted.
QUEUE = 1000


class Statistics(msgspec.Struct):
    """What one gateway counted, over all its sessions."""

    sent: int = 0
    dropped: int = 0
    frames: int = 0
    orders: int = 0
    stale_orders: int = 0
    expired_orders: int = 0
    handshakes: int = 0
    refused: int = 0


class Gateway:
    """One gateway's three sockets and its session. Not thread-safe.

    ``clock`` gives city time: by default this machine's, which is right but for a demo. Samples given
    before the handshake ended, or while the post is away, are dropped and counted: what must not be lost
    is an event.
    """

    def __init__(
        self,
        name: str,
        endpoints: Endpoints,
        clock: Clock | None = None,
        context: zmq.Context[Any] | None = None,
    ) -> None:
        self.name = name
        self.clock = clock or Clock(origin_now())
        self.boot = secrets.randbits(62)
        self.statistics = Statistics()
        self.session = 0
        self.epoch = 0
        self.index: dict[str, int] = {}
        self.metrics: dict[str, int] = {}
        self.verbs: dict[str, int] = {}
        self._sequence = 0
        self._edge_boot: int | None = None
        self._greeted = [False, False]
        self._heard = [time.monotonic()] * 2
        self._next_beat = 0.0
        self._accepted = self._executed = self._reported = 0
        self._failed: list[tuple[int, Fault]] = []
        self._on_welcome: Callable[[], None] = lambda: None
        context = context or zmq.Context.instance()
        self._control = self._dealer(context, endpoints.control)
        self._events = self._dealer(context, endpoints.events)
        self._frames = context.socket(zmq.PUSH)
        limit(self._frames, queue=QUEUE)
        dial(self._frames, endpoints.telemetry)

    @staticmethod
    def _dealer(context: zmq.Context[Any], endpoint: str) -> zmq.Socket[bytes]:
        socket: zmq.Socket[bytes] = context.socket(zmq.DEALER)
        limit(socket, queue=QUEUE)
        dial(socket, endpoint)
        return socket

    @property
    def sockets(self) -> Sequence[zmq.Socket[bytes]]:
        """The sockets to poll for reading."""
        return (self._control, self._events)

    @property
    def ready(self) -> bool:
        """Both handshakes are done: samples are taken, orders come."""
        return all(self._greeted)

    def on_welcome(self, call: Callable[[], None]) -> None:
        """Have ``call`` run after each telemetry handshake: the post may know nothing, tell it all."""
        self._on_welcome = call

    # -- samples

    def send(self, asset: str, metric: str, value: float, at: int | None = None) -> None:
        """Send one sample of an own asset, ``at`` µs of city time (default now). Raises KeyError for unknown names."""
        if not self.session:
            self.statistics.dropped += 1
            return
        frame = wire.single(
            self.session,
            self._sequence,
            self.index[asset],
            self.metrics[metric],
            self.clock.utc() if at is None else at,
            value,
        )
        self._push(frame, 1)

    def send_columns(
        self,
        index: np.ndarray,
        metric: np.ndarray | int,
        value: np.ndarray,
        at: np.ndarray | int | None = None,
    ) -> None:
        """Send many samples: wire ``index`` u16[n], ``metric`` u16[n] or one number, ``value`` f64[n], ``at`` µs."""
        n = len(index)
        if not self.session:
            self.statistics.dropped += n
            return
        now = self.clock.utc() if at is None else at
        times = np.full(n, now, np.int64) if isinstance(now, int) else now
        for start in range(0, n, wire.COLUMNS_MAX):
            part = slice(start, min(start + wire.COLUMNS_MAX, n))
            of = metric if isinstance(metric, int) else metric[part]
            frame = wire.columns(self.session, self._sequence, index[part], of, times[part], value[part])
            self._push(frame, part.stop - part.start)

    def _push(self, frame: bytes, n: int) -> None:
        try:
            self._frames.send(frame, zmq.DONTWAIT)
        except zmq.Again:
            self.statistics.dropped += n
            return
        self._sequence += n
        self.statistics.sent += n
        self.statistics.frames += 1

    # -- orders

    def turn(self) -> list[Order]:
        """Do what is due (handshakes, heartbeats, reports), and return the orders that came, in order.

        Call ``done`` for each. An order of an older epoch, one seen before, or one past its deadline is
        not returned: it must not be executed.
        """
        orders: list[Order] = []
        for which, socket in enumerate(self.sockets):
            for message in _received(socket):
                self._heard[which] = time.monotonic()
                self._take(which, message, orders)
        self._keep_alive()
        self._report()
        return orders

    def done(self, order: Order, failed: Iterable[Fault] = ()) -> None:
        """The order is carried out, but for the targets in ``failed``."""
        self._executed = order.n
        self._failed += [(order.n, fault) for fault in failed]

    def _take(self, which: int, message: wire.ToGateway, orders: list[Order]) -> None:
        match message:
            case wire.Welcome():
                self._welcomed(which, message)
            case wire.BeatBack() if not message.known or (which == 0 and message.boot != self._edge_boot):
                self._greeted[which] = False
                self.session = 0 if which == 0 else self.session
                self._next_beat = 0.0
            case wire.Order():
                self._ordered(message, orders)
            case wire.Refused():
                self.statistics.refused += 1

    def _welcomed(self, which: int, welcome: wire.Welcome) -> None:
        self.statistics.handshakes += 1
        self._greeted[which] = True
        self.index = {id: i for i, id in enumerate(welcome.assets)}
        self.metrics = {name: i for i, name in enumerate(welcome.metrics)}
        self.verbs = {name: i for i, name in enumerate(welcome.verbs)}
        if which == 0:
            self.session, self._sequence, self._edge_boot = welcome.session, 0, welcome.boot
            self._on_welcome()

    def _ordered(self, order: Order, orders: list[Order]) -> None:
        if order.epoch > self.epoch:
            self.epoch = order.epoch
            self._accepted = self._executed = self._reported = 0
            self._failed.clear()
        if order.epoch < self.epoch or order.n <= self._accepted:
            self.statistics.stale_orders += 1
            return
        self._accepted = order.n
        self.statistics.orders += 1
        if self.clock.utc() > order.deadline:
            self.statistics.expired_orders += 1
            self.done(order, [Fault(0, "expired")])
            return
        orders.append(order)

    def _report(self) -> None:
        if self._executed == self._reported or not self._greeted[1]:
            return
        failed, self._failed = tuple(self._failed[:1000]), self._failed[1000:]
        if _say(self._events, wire.Reports(self._accepted, self._executed, failed)):
            self._reported = self._executed

    # -- staying known

    def _keep_alive(self) -> None:
        now = time.monotonic()
        if now < self._next_beat:
            return
        # Gateways must not beat in step: after an outage they would all knock at once.
        self._next_beat = now + wire.HEARTBEAT_S * (0.8 + 0.2 * secrets.randbelow(1000) / 1000)
        for which, socket in enumerate(self.sockets):
            if self._greeted[which] and now - self._heard[which] > wire.HEARTBEATS_MISSED * wire.HEARTBEAT_S:
                self._greeted[which] = False
                self.session = 0 if which == 0 else self.session
            if self._greeted[which]:
                session = self.session if which == 0 else 0
                _say(socket, wire.Beat(session, self._sequence if which == 0 else 0))
            else:
                _say(socket, wire.Hello(self.name, self.boot))

    def close(self, linger_ms: int = 1000) -> None:
        """Say goodbye, with the count of what was sent, and close the sockets."""
        if self.session:
            _say(self._control, wire.Bye(self.session, self._sequence))
        if self._greeted[1]:
            _say(self._events, wire.Bye(0, 0))
        for socket in (*self.sockets, self._frames):
            socket.close(linger_ms)


def _received(socket: zmq.Socket[bytes]) -> Iterable[wire.ToGateway]:
    # Asking first costs half of what an exception does, and most turns find nothing.
    while int(socket.get(zmq.EVENTS)) & zmq.POLLIN:
        try:
            data = socket.recv(zmq.DONTWAIT)
        except zmq.Again:
            return
        try:
            yield wire.decode_to_gateway(data)
        except WireError:
            continue


def _say(socket: zmq.Socket[bytes], message: wire.FromGateway) -> bool:
    try:
        socket.send(wire.encode(message), zmq.DONTWAIT)
    except zmq.Again:
        return False
    return True
