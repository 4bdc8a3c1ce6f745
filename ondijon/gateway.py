"""The field's door: a gateway (a cabinet, a concentrator, a protocol adapter) sends samples and events, obeys orders.

``Gateway`` needs no thread: call ``turn`` when one of its ``sockets`` is readable, and at least every
second. Batch where you can: one columnar frame a second, or on change with some tens of milliseconds of
patience, costs the post a fraction of what a frame a lamp costs.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import zmq

from core import keys as key_files
from core import wire
from core.clock import Clock, origin_now
from core.errors import OndijonError, WireError
from core.keys import ClientKey
from core.run import Endpoints
from core.sockets import context as new_context
from core.sockets import dial, limit
from core.wire import Fault, Order, Programme
from ondijon.programmes import Programmes
from ondijon.spool import Kept, MemorySpool, Spool, SpoolFullError

__all__ = [
    "Endpoints",
    "Fault",
    "Gateway",
    "Order",
    "Programme",
    "SpoolFullError",
    "Statistics",
    "new_context",
]

#: Frames that wait for the edge at most; beyond them samples are dropped here, and counted.
QUEUE = 1000

#: Events that are on their way at most, before one of them is acknowledged.
WINDOW = 100

#: Events that are not acknowledged for so long (s) are sent again: an edge may have had no room for one.
RESEND_S = 5.0

#: What programmes a gateway holds it says again after this long (s): a message may have found no room somewhere.
RETELL_S = 60.0

#: Stands for an asset that the post does not know behind this gateway: it refuses the event, and says so.
_NO_INDEX = 0xFFFF

#: Room in a message beside an event's data.
_DATA_MAX = wire.MESSAGE_MAX - 1024

#: Faults that one answer to orders holds, so that it stays within a message.
_FAULTS_MAX = 500


class Statistics(msgspec.Struct):
    """What one gateway counted, over all its sessions."""

    sent: int = 0
    dropped: int = 0
    frames: int = 0
    events: int = 0
    events_resent: int = 0
    orders: int = 0
    stale_orders: int = 0
    expired_orders: int = 0
    programmes: int = 0
    programmes_refused: int = 0
    handshakes: int = 0
    refused: int = 0


class Gateway:
    """One gateway's three sockets and its session. Not thread-safe.

    ``clock`` gives city time: by default this machine's, which is right but for a demo. Samples given
    before the handshake ended, or while the post is away, are dropped and counted: what must not be lost
    is an event. Many gateways in one process need a ``context`` with room for three sockets each
    (``new_context``); ``spool`` keeps the events, by default in memory. ``keys`` is the gateway's key file, as the
    post made it (`ondijon keys new`): without one it is let in only where the post runs without CURVE. Raises
    KeyFileError for one that is none.
    """

    def __init__(
        self,
        name: str,
        endpoints: Endpoints,
        clock: Clock | None = None,
        context: zmq.Context[Any] | None = None,
        spool: Spool | None = None,
        keys: Path | None = None,
    ) -> None:
        self.name = name
        self.clock = clock or Clock(origin_now())
        self.spool: Spool = spool or MemorySpool(secrets.randbits(62))
        self.boot = self.spool.boot
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
        self._events_sent = self.spool.acked
        self._events_moved = time.monotonic()
        self._on_welcome: Callable[[], None] = lambda: None
        self._programmes = Programmes(self.spool)
        self._retell = 0.0
        context = context or zmq.Context.instance()
        key = key_files.read(keys) if keys is not None else None
        self._control = _open(context, zmq.DEALER, endpoints.control, key)
        self._events = _open(context, zmq.DEALER, endpoints.events, key)
        self._frames = _open(context, zmq.PUSH, endpoints.telemetry, key)

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

    # -- events

    def emit(
        self,
        kind: str,
        data: msgspec.Struct | dict[str, Any],
        asset: str | None = None,
        at: int | None = None,
        lon: float | None = None,
        lat: float | None = None,
    ) -> int:
        """Tell the post that something happened, ``at`` µs of city time (default now); return its number.

        It is about an ``asset`` of this gateway, or a place (degrees), or neither.

        It is kept, and sent again after each outage, until the post has committed it. Raises SpoolFullError when
        too many wait, OndijonError for one that is too large, KeyError for an asset that is not an own one.
        """
        if asset is not None and self.index and asset not in self.index:
            raise KeyError(asset)
        body = wire.encode(data)
        if len(body) > _DATA_MAX:
            raise OndijonError(
                f"{len(body)} bytes of data, at most {_DATA_MAX} are carried.", where=f"event {kind}"
            )
        if self.spool.last == self.spool.acked:
            self._events_moved = time.monotonic()
        seq = self.spool.put(Kept(kind, self.clock.utc() if at is None else at, asset or "", body, lon, lat))
        self.statistics.events += 1
        self._send_events()
        return seq

    def _send_events(self) -> None:
        if not self._greeted[1] or self._events_sent == self.spool.last:
            return
        for seq, kept in self.spool.after(self._events_sent):
            if seq > self.spool.acked + WINDOW or not _say(self._events, self._field_event(seq, kept)):
                return
            self._events_sent = seq

    def _field_event(self, seq: int, kept: Kept) -> wire.FieldEvent:
        index = self.index.get(kept.asset, _NO_INDEX) if kept.asset else None
        acked, data = self.spool.acked, msgspec.Raw(kept.data)
        return wire.FieldEvent(seq, acked, kept.kind, kept.at, index, data, kept.lon, kept.lat)

    def _resend_events(self) -> None:
        self.statistics.events_resent += self._events_sent - self.spool.acked
        self._events_sent = self.spool.acked
        self._events_moved = time.monotonic()

    # -- orders

    def turn(self) -> list[Order]:
        """Do what is due (handshakes, heartbeats, reports, events, programmes); return the orders that came, in order.

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
        self._tell_programmes()
        if self._events_sent > self.spool.acked and time.monotonic() - self._events_moved > RESEND_S:
            self._resend_events()
        self._send_events()
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
            case wire.Programme():
                self._take_programme(message)
            case wire.EventAck() if message.boot == self.boot and message.through > self.spool.acked:
                self.spool.forget(message.through)
                self._events_sent = max(self._events_sent, self.spool.acked)
                self._events_moved = time.monotonic()
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
        else:
            self._resend_events()
            self._retell = 0.0

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
        failed = tuple(self._failed[:_FAULTS_MAX])
        if _say(self._events, wire.Reports(self.epoch, self._accepted, self._executed, failed)):
            self._reported = self._executed
            self._failed.clear()

    # -- programmes

    def obey(
        self, kind: str, check: Callable[[Programme], str], run: Callable[[Sequence[Programme]], None]
    ) -> None:
        """Take programmes of ``kind``, and run at once those that the spool has kept.

        ``check`` says what is wrong with a programme, as a code of at most 40 bytes, or "". What it lets through is
        put on the spool's disk; then ``run`` is called, with all programmes of the kind, the newest last, and the post
        is told. Where one with a zone and one without name the same index, the former holds.
        """
        self._programmes.obey(kind, check, run)

    def _take_programme(self, programme: Programme) -> None:
        if self._programmes.take(programme):
            self.statistics.programmes_refused += 1
        else:
            self.statistics.programmes += 1
        self._retell = 0.0

    def _tell_programmes(self) -> None:
        now = time.monotonic()
        if not self._greeted[1] or now < self._retell:
            return
        if _say(self._events, self._programmes.told()):
            # Not all at the same time.
            self._retell = now + RETELL_S * (0.8 + 0.2 * secrets.randbelow(1000) / 1000)

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
                _say(socket, wire.Hello(self.name, self.boot, sent=self.statistics.sent))

    def close(self, linger_ms: int = 1000) -> None:
        """Say goodbye, with the count of what was sent, and close the sockets."""
        if self.session:
            _say(self._control, wire.Bye(self.session, self._sequence))
        if self._greeted[1]:
            _say(self._events, wire.Bye(0, 0))
        for socket in (*self.sockets, self._frames):
            socket.close(linger_ms)


def _open(context: zmq.Context[Any], kind: int, endpoint: str, key: ClientKey | None) -> zmq.Socket[bytes]:
    try:
        socket: zmq.Socket[bytes] = context.socket(kind)
    except zmq.ZMQError as error:
        raise OndijonError(
            f"no room for another socket: {error.strerror}.",
            where="gateway",
            next="Give many gateways a context of their own: new_context(max_sockets=3 * gateways + 64).",
        ) from error
    limit(socket, queue=QUEUE)
    if key is not None:
        key.secure(socket)
    dial(socket, endpoint)
    return socket


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
