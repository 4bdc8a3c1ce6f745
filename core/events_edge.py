"""The events edge: gateways' events and answers come in, orders go out; a socket of its own, never behind telemetry."""

from __future__ import annotations

from typing import Any

import zmq

from core import link, wire
from core.edge import Edge
from core.errors import WireError
from core.register import Register
from core.run import Run


class EventsEdge(Edge):
    """Passes typed messages between gateways and kernel."""

    name = "events"

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self.gateways = self.listen(zmq.ROUTER, run.endpoints.events)

    def serve(self, ready: dict[Any, int]) -> None:
        """Take what gateways say."""
        if self.gateways in ready:
            self.hear(self.gateways)

    def on_numbered(self, register: Register) -> None:
        """Gateways shake hands again: their numbering may be another."""
        for gateway in list(self.peers):
            self.forget(gateway)

    def on_tell(self, tell: link.Tell) -> None:
        """Send each message to its gateway; one that is not connected is counted, its deadline runs on."""
        for gateway, data in tell.messages:
            peer = self.peers.get(gateway)
            if peer is None:
                self.count("undelivered")
            elif self.answer(self.gateways, peer.route, data):
                self.count("told")

    def on_message(
        self, socket: zmq.Socket[bytes], route: bytes, data: bytes, message: wire.FromGateway
    ) -> None:
        """Handshakes and heartbeats are answered here, reports and events go to the kernel."""
        if isinstance(message, wire.Hello):
            self.admit(route, message)
            self.answer(socket, route, self.welcome(message.gateway, 0))
        elif isinstance(message, wire.Beat):
            known = route in self.routes
            if known:
                self.peer_of(route)
            self.answer(socket, route, wire.BeatBack(self.boot, known))
        elif isinstance(message, wire.Bye):
            gateway, _ = self.peer_of(route)
            self.forget(gateway)
        elif isinstance(message, (wire.Reports, wire.FieldEvent)):
            gateway, peer = self.peer_of(route)
            self.count("heard")
            self.tell_kernel(link.Said(gateway, peer.boot, data))
        else:
            raise WireError(f"{type(message).__name__} makes no sense here.", reason="wrong_socket")
