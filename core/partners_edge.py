"""The partners' edge: what partners may see of the city goes out, a snapshot first and then what changes.

Partners speak over a ROUTER, because credit and rights are each one's own. The edge holds the present, as the kernel
told it, and asks for it anew when it missed something.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import structlog
import zmq

from core import city as cities
from core import link, partner_wire, wire
from core.clock import Clock
from core.door import Caller
from core.edge import Edge
from core.egress import Egress, Subscriber, Told, everything
from core.errors import WireError
from core.partner_wire import Credit, Subscribe, Unsubscribe
from core.person import ANY, Role
from core.publication import Publication
from core.register import Register
from core.run import Run

log = structlog.get_logger()

#: Messages that wait in a partner's socket at most: its credit bounds them first.
QUEUE = 1000

#: A partner that took nothing is tried again after this long (s).
AGAIN_S = 0.1

#: The kernel hears that there is room again after so many bytes, and once a second.
TOOK_BYTES = 1 << 20

#: Between two subscriptions of one connection (s): each costs a look at all that stands.
SUBSCRIBE_S = 1.0

#: Connections that follow under one key at most: who has it must not take all the places.
KEY_MAX = 8

#: Messages that one turn sends to a partner at most.
SEND_MAX = 100

#: The flags as plain numbers: to combine zmq's own costs as much as half a send.
_MORE, _LAST = int(zmq.SNDMORE | zmq.DONTWAIT), int(zmq.DONTWAIT)


class PartnersEdge(Edge):
    """Fans out what the kernel tells, by the rights and the credit of each partner."""

    name = "partners"
    role = "partner"

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self.partners = self.listen(
            zmq.ROUTER, run.endpoints.partners, queue=QUEUE, message=partner_wire.REQUEST_MAX
        )
        self.egress = Egress(self.boot, self.count)
        self._clock: Clock = run.clock()
        self._publication: Publication | None = None
        self._expected = 1
        self._untold = 0
        self._gathered: list[Told] = []
        self._stands_for = 0, 0
        self._callers: dict[bytes, tuple[Caller, tuple[Role, ...]]] = {}
        self._heard: dict[bytes, float] = {}
        self._since: dict[bytes, float] = {}
        self._blocked: dict[bytes, float] = {}
        self._pending: set[bytes] = set()
        self._beat = 0.0
        self._busy = False
        self._delivered = 0

    # -- the kernel

    def on_numbered(self, register: Register, before: Register | None, loan: int) -> None:
        """The inventory is new: tell what of it changed. A new kernel tells all that stands by itself."""
        if self._publication is None:
            return
        if before is None or register.generation != before.generation:
            self._publication = None
            return
        assets = cities.load_assets(self.run.assets_path)
        self._gathered += self._publication.renumber(assets)

    def on_present(self, present: link.Present) -> None:
        """All that stands, anew."""
        self._publication = Publication(present, cities.load_assets(self.run.assets_path))
        now = present.now
        self._gathered.clear()
        self._stands_for = now.journal, now.utc
        self.egress.begin(self._publication.present(present), now.journal, now.utc)
        self._look_who_waits()
        self._expected = now.sequence + 1
        self._took()
        log.info("present", rows=len(self.egress.rows), journal=now.journal)

    def on_stepped(self, stepped: link.Stepped, size: int) -> None:
        """What a step changed."""
        if self._publication is None:
            # From before the present: that has it.
            return
        if stepped.sequence != self._expected:
            self.count("missed")
            self._publication = None
            self.tell_kernel(link.Ready(self.name, self.boot))
            return
        self._gathered += self._publication.stepped(stepped)
        self._stands_for = stepped.journal, stepped.utc
        self._expected = stepped.sequence + 1
        self._untold += size
        if self._untold >= TOOK_BYTES:
            self._took()

    def _took(self) -> None:
        # Not at each step: it would cost as much as telling a partner of it.
        self._untold = 0
        self.tell_kernel(link.Took(self._expected - 1))

    def _tell(self) -> None:
        """Tell what this turn heard: where the edge is behind, several steps go out as one."""
        changes, self._gathered = self._gathered, []
        self.egress.tell(changes, *self._stands_for, self._deliver)
        self._look_who_waits()

    def _look_who_waits(self) -> None:
        self._pending |= self.egress.behind
        self.egress.behind.clear()

    # -- partners

    def turn(self, timeout_ms: int) -> None:
        """Wait for work, unless there is some left, and do it."""
        busy, self._busy = self._busy, False
        super().turn(0 if busy else timeout_ms)

    def serve(self, ready: dict[Any, int]) -> None:
        """Tell what the kernel said, hear partners, and send what waits to those who have credit."""
        if self._gathered:
            self._tell()
        if self.partners in ready:
            self.hear(self.partners)
        for route in list(self._pending):
            self._pump(route)

    def on_data(self, socket: zmq.Socket[bytes], caller: Caller, data: bytes) -> None:
        """What one partner said. Raises WireError for what makes no sense here."""
        message = partner_wire.decode_from_partner(data)
        if isinstance(message, Subscribe):
            self._subscribe(caller, message)
            return
        subscriber = self.egress.subscribers.get(caller.route)
        # A route may be chosen by the peer: one that took another's, and has not its key, is not the same.
        if (
            subscriber is None
            or subscriber.cut is not None
            or self._callers[caller.route][0].key != caller.key
            or (isinstance(message, Credit) and message.subscription != subscriber.number)
        ):
            raise WireError("there is no such subscription.", reason="no_subscription", next="Subscribe.")
        if isinstance(message, Unsubscribe):
            self._forget(caller.route)
        else:
            self._heard[caller.route] = time.monotonic()
            subscriber.grant(message)
            self._pending.add(caller.route)

    def _subscribe(self, caller: Caller, wanted: Subscribe) -> None:
        route = caller.route
        if wanted.wire != partner_wire.VERSION:
            raise WireError(
                f"wire version {wanted.wire} is not spoken here.",
                reason="wire_version",
                next=f"Speak {partner_wire.VERSION}.",
            )
        if self._publication is None:
            raise WireError("the post is starting.", reason="not_ready", next="Try again in a second.")
        now = time.monotonic()
        if now - self._since.get(route, -SUBSCRIBE_S) < SUBSCRIBE_S:
            raise WireError("subscribed a moment ago.", reason="subscribe_flood", next="Wait a second.")
        if route not in self.egress.subscribers and len(self.egress.subscribers) >= self.run.edges.partners:
            raise WireError("too many partners.", reason="partner_limit", next="Raise `partners` in [edges].")
        if self.door.curve and self._others(caller) >= KEY_MAX:
            raise WireError(
                "too many follow under this key.",
                reason="key_limit",
                next="Close some, or make each a key of its own.",
            )
        key = self.door.key(caller.key) if self.door.curve else None
        rights = everything if key is None else key.communes
        if not any(rights(trade, topic) for topic in wanted.topics for trade in self._trades(wanted)):
            raise WireError(
                "this key may see none of it.",
                reason="not_allowed",
                next="`ondijon keys list` tells what it may.",
            )
        may = () if key is None else key.rights
        self.egress.subscribe(route, wanted, may, rights)
        self._callers[route] = caller, may
        self.count("subscribed")
        self._since[route] = self._heard[route] = now
        self._blocked.pop(route, None)
        self._pending.add(route)

    def _others(self, caller: Caller) -> int:
        """How many other connections follow under the same key."""
        return sum(
            each.key == caller.key and route != caller.route for route, (each, _) in self._callers.items()
        )

    def _trades(self, wanted: Subscribe) -> Iterable[str]:
        assert self._publication is not None
        return self._publication.trades if ANY in wanted.trades else wanted.trades

    def expel_ended(self) -> None:
        """End the connections of keys that may be here no more; cut off those whose rights are others now."""
        for route, (caller, rights) in list(self._callers.items()):
            key = self.door.key(caller.key)
            if key is None:
                log.warning("session ended", edge=self.name, key=caller.key)
                self.count("sessions_ended")
                self.door.end(caller.connection)
                self._forget(route)
            elif key.rights != rights and self.egress.subscribers[route].cut is None:
                self.count("cut_rights")
                self.egress.subscribers[route].end(
                    "rights", "what this key may see has changed.", "Subscribe again."
                )
                self._pending.add(route)

    def _pump(self, route: bytes) -> None:
        subscriber = self.egress.subscribers.get(route)
        if subscriber is None:
            self._pending.discard(route)
            return
        if time.monotonic() < self._blocked.get(route, 0.0):
            return
        if subscriber.cut is not None:
            if self.send(self.partners, route, partner_wire.encode(subscriber.cut)):
                self._forget(route)
            return
        for _ in range(SEND_MAX):
            found = subscriber.next()
            if found is None:
                self._pending.discard(route)
                return
            message, done = found
            if not self._deliver(subscriber, message):
                return
            done()
        # More is ready to go: the next turn waits for nothing.
        self._busy = True

    def _deliver(self, subscriber: Subscriber, message: bytes) -> bool:
        if self._blocked and time.monotonic() < self._blocked.get(subscriber.route, 0.0):
            return False
        if not self.send(self.partners, subscriber.route, message):
            return False
        self._delivered += 1
        return True

    def send(self, socket: zmq.Socket[bytes], route: bytes, data: bytes) -> bool:
        """Send to a partner; one that takes nothing is tried again later, one that is gone is forgotten."""
        try:
            socket.send(route, _MORE)
            socket.send(data, _LAST)
        except zmq.Again:
            self.count("partner_slow")
            self._blocked[route] = time.monotonic() + AGAIN_S
            return False
        except zmq.ZMQError:
            self.count("partner_gone")
            # Not in the middle of what goes through all of them.
            self._heard[route] = 0.0
            return False
        return True

    def _forget(self, route: bytes) -> None:
        self.egress.forget(route)
        self._pending.discard(route)
        self._blocked.pop(route, None)
        self._heard.pop(route, None)
        self._callers.pop(route, None)

    # -- time

    def each_second(self, now: float) -> None:
        """Forget silent partners, give those who follow a sign of life, tell the kernel our figures."""
        for route, heard in list(self._heard.items()):
            if now - heard > wire.HEARTBEATS_MISSED * wire.HEARTBEAT_S:
                self.count("partners_silent", route in self.egress.subscribers)
                self._forget(route)
        self._since = {route: at for route, at in self._since.items() if now - at < SUBSCRIBE_S}
        self._blocked = {route: until for route, until in self._blocked.items() if until > now}
        if now - self._beat >= wire.HEARTBEAT_S:
            self._beat = now
            for subscriber in list(self.egress.subscribers.values()):
                if subscriber.cut is None:
                    self.send(
                        self.partners, subscriber.route, self.egress.heartbeat(subscriber, self._clock.utc())
                    )
        self._took()
        self.tell_figures()

    def figures(self) -> link.Counters:
        """This edge's counters, and what waits for credit now."""
        waiting = sum(subscriber.waiting for subscriber in self.egress.subscribers.values())
        self.count("messages", self._delivered)
        self._delivered = 0
        now = {"partners": len(self.egress.subscribers), "rows": len(self.egress.rows), "waiting": waiting}
        return link.Counters(self.name, self.counts | now)
