"""The events edge: gateways' events and answers come in, orders go out; a socket of its own, never behind telemetry."""

from __future__ import annotations

from collections import deque
from typing import Any

import zmq

from core import link, wire
from core.door import Caller
from core.edge import Edge
from core.errors import WireError
from core.register import Register
from core.run import Run

#: Messages kept for a gateway that is away; of more, the oldest are given up.
KEPT_MAX = 16


class EventsEdge(Edge):
    """Passes typed messages between gateways and kernel.

    A gateway that is away for a moment finds its orders when it is back: it refuses those past their deadline.
    """

    name = "events"

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self.gateways = self.listen(zmq.ROUTER, run.endpoints.events)
        self._kept: dict[str, deque[bytes]] = {}

    def serve(self, ready: dict[Any, int]) -> None:
        """Take what gateways say."""
        if self.gateways in ready:
            self.hear(self.gateways)

    def on_numbered(self, register: Register, before: Register | None, loan: int) -> None:
        """Have gateways shake hands again: all of them for another kernel, which knows no order of the last one."""
        if before is not None and register.generation == before.generation and register.continues(before):
            self.outdate(register, before)
            return
        for gateway in list(self.peers):
            self.forget(gateway)
        self.count("undelivered", sum(map(len, self._kept.values())))
        self._kept.clear()

    def on_tell(self, tell: link.Tell) -> None:
        """Send each message to its gateway, or keep it for one that is not connected, if that makes sense."""
        for gateway, data in tell.messages:
            peer = self.peers.get(gateway)
            if peer is None and tell.keep:
                self._keep(gateway, data)
            elif peer is None:
                self.count("away")
            elif self.send(self.gateways, peer.caller.route, data):
                self.count("told")

    def _keep(self, gateway: str, data: bytes) -> None:
        kept = self._kept.setdefault(gateway, deque())
        if len(kept) == KEPT_MAX:
            kept.popleft()
            self.count("undelivered")
        kept.append(data)

    def on_message(
        self, socket: zmq.Socket[bytes], caller: Caller, data: bytes, message: wire.FromGateway
    ) -> None:
        """Handshakes and heartbeats are answered here, reports and events go to the kernel."""
        if isinstance(message, wire.Hello):
            self.admit(caller, message)
            assert self.register is not None
            self.answer(socket, caller.route, self.register.welcome(message.gateway, 0, self.boot))
            for kept in self._kept.pop(message.gateway, ()):
                self.count("told", self.send(socket, caller.route, kept))
        elif isinstance(message, wire.Beat):
            known = self.known(caller) is not None and not self.peer_of(caller)[1].outdated
            self.answer(socket, caller.route, wire.BeatBack(self.boot, known))
        elif isinstance(message, wire.Bye):
            gateway, _ = self.peer_of(caller)
            self.forget(gateway)
        elif isinstance(message, (wire.Reports, wire.Programmed, wire.FieldEvent)):
            gateway, peer = self.peer_of(caller)
            self.count("heard")
            self.tell_kernel(link.Said(gateway, peer.boot, data))
        else:
            raise WireError(f"{type(message).__name__} makes no sense here.", reason="wrong_socket")
