"""The partners' edge: what partners may see of the city goes out, a snapshot first and then what changes.

Partners speak over a ROUTER, because credit and rights are each one's own. The edge holds the present, as the kernel
told it, and asks for it anew when it missed something.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import structlog
import zmq

from core import city as cities
from core import link, partner_wire, wire
from core.clock import Clock
from core.edge import Edge
from core.egress import Egress, Subscriber
from core.errors import WireError
from core.partner_wire import Credit, Subscribe
from core.publication import Publication
from core.register import Register
from core.run import Run

log = structlog.get_logger()

#: Messages that wait in a partner's socket at most: its credit bounds them first.
QUEUE = 1000

#: A partner that took nothing is tried again after this long (s).
AGAIN_S = 0.1

#: Between two subscriptions of one connection (s): each costs a look at all that stands.
SUBSCRIBE_S = 1.0

#: Messages that one turn hears from partners, and sends to each, at most.
HEAR_MAX = 1000
SEND_MAX = 100


class PartnersEdge(Edge):
    """Fans out what the kernel tells, by the rights and the credit of each partner."""

    name = "partners"

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self.partners = self.listen(
            zmq.ROUTER, run.endpoints.partners, queue=QUEUE, message=partner_wire.REQUEST_MAX
        )
        self.egress = Egress(self.boot, self.count)
        self._clock: Clock = run.clock()
        self._publication: Publication | None = None
        self._expected = 0
        self._heard: dict[bytes, float] = {}
        self._since: dict[bytes, float] = {}
        self._blocked: dict[bytes, float] = {}
        self._pending: set[bytes] = set()
        self._beat = 0.0

    # -- the kernel

    def on_numbered(self, register: Register, before: Register | None, loan: int) -> None:
        """The inventory is new: tell what of it changed. A new kernel tells all that stands by itself."""
        if self._publication is None:
            return
        if before is None or register.generation != before.generation:
            self._publication = None
            return
        assets = cities.load_assets(self.run.assets_path)
        self._tell(self._publication.renumber(assets), self.egress.journal, self._clock.utc())

    def on_present(self, present: link.Present) -> None:
        """All that stands, anew."""
        self._publication = Publication(present, cities.load_assets(self.run.assets_path))
        now = present.now
        self.egress.begin(self._publication.present(present), now.journal, now.utc)
        self._took(now.sequence)
        log.info("present", rows=len(self.egress.rows), journal=now.journal)

    def on_stepped(self, stepped: link.Stepped) -> None:
        """What a step changed."""
        if self._publication is None:
            # From before the present: that has it.
            return
        if stepped.sequence != self._expected:
            self.count("missed")
            self._publication = None
            self.tell_kernel(link.Ready(self.name, self.boot))
            return
        self._tell(self._publication.stepped(stepped), stepped.journal, stepped.utc)
        self._took(stepped.sequence)

    def _took(self, sequence: int) -> None:
        self._expected = sequence + 1
        self.tell_kernel(link.Took(sequence))

    def _tell(self, changes: list[Any], journal: int, utc: int) -> None:
        for subscriber, message, done in self.egress.tell(changes, journal, utc):
            self._send(subscriber, message, done)
        self._pending.update(
            subscriber.route for subscriber in self.egress.subscribers.values() if subscriber.waiting
        )

    # -- partners

    def serve(self, ready: dict[Any, int]) -> None:
        """Hear partners, and send what waits for those who have credit."""
        if self.partners in ready:
            self._hear_partners()
        for route in list(self._pending):
            self._pump(route)

    def _hear_partners(self) -> None:
        for _ in range(HEAR_MAX):
            try:
                parts = self.partners.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            if len(parts) != 2:
                self.count("refused_multipart")
                continue
            route, data = parts
            try:
                self._on_partner(route, partner_wire.decode_from_partner(data))
            except WireError as error:
                self.count(f"refused_{error.reason}")
                self._say(route, partner_wire.encode(partner_wire.refusal(error)))

    def _on_partner(self, route: bytes, message: partner_wire.FromPartner) -> None:
        if isinstance(message, Subscribe):
            self._subscribe(route, message)
        elif isinstance(message, Credit):
            subscriber = self.egress.subscribers.get(route)
            if subscriber is None or subscriber.number != message.subscription or subscriber.cut is not None:
                raise WireError("no such subscription.", reason="no_subscription", next="Send a subscribe.")
            self._heard[route] = time.monotonic()
            subscriber.grant(message)
            self._pending.add(route)
        else:
            self._forget(route)

    def _subscribe(self, route: bytes, wanted: Subscribe) -> None:
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
        self.egress.subscribe(route, wanted)
        self.count("subscribed")
        self._since[route] = self._heard[route] = now
        self._blocked.pop(route, None)
        self._pending.add(route)

    def _pump(self, route: bytes) -> None:
        subscriber = self.egress.subscribers.get(route)
        if subscriber is None:
            self._pending.discard(route)
            return
        if time.monotonic() < self._blocked.get(route, 0.0):
            return
        if subscriber.cut is not None:
            if self._say(route, partner_wire.encode(subscriber.cut)):
                self._forget(route)
            return
        for _ in range(SEND_MAX):
            found = subscriber.next()
            if found is None:
                self._pending.discard(route)
                return
            if not self._send(subscriber, *found):
                return

    def _send(self, subscriber: Subscriber, message: bytes, done: Callable[[], None]) -> bool:
        if time.monotonic() < self._blocked.get(subscriber.route, 0.0):
            return False
        if not self._say(subscriber.route, message):
            return False
        self.count("messages")
        done()
        return True

    def _say(self, route: bytes, message: bytes) -> bool:
        """Send to a partner; one that takes nothing is tried again later, one that is gone is forgotten."""
        try:
            self.partners.send(route, zmq.SNDMORE | zmq.DONTWAIT)
            self.partners.send(message, zmq.DONTWAIT)
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

    # -- time

    def each_second(self, now: float) -> None:
        """Forget silent partners, give those who follow a sign of life, tell the kernel our figures."""
        for route, heard in list(self._heard.items()):
            if now - heard > wire.HEARTBEATS_MISSED * wire.HEARTBEAT_S:
                self.count("partners_silent", route in self.egress.subscribers)
                self._forget(route)
        self._since = {route: at for route, at in self._since.items() if now - at < SUBSCRIBE_S}
        if now - self._beat >= wire.HEARTBEAT_S:
            self._beat = now
            for subscriber in list(self.egress.subscribers.values()):
                if subscriber.cut is None:
                    self._say(subscriber.route, self.egress.heartbeat(subscriber, self._clock.utc()))
        self.tell_kernel(self.figures())

    def figures(self) -> link.Counters:
        """This edge's counters, and what waits for credit now."""
        waiting = sum(subscriber.waiting for subscriber in self.egress.subscribers.values())
        now = {"partners": len(self.egress.subscribers), "rows": len(self.egress.rows), "waiting": waiting}
        return link.Counters(self.name, self.counts | now)
