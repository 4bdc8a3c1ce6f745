"""Commands under way: what was asked, of whom, how far it came.

proposed → checked → committed → sent → accepted → executed → verified; or refused, expired, failed,
unknown, superseded. A command is one journal record however many targets it has; each gateway gets at
most one order of it.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import msgspec
import numpy as np

from core.assets import NONE, Assets
from core.errors import WireError
from core.wire import Order, Reports

#: Orders one gateway may owe an answer to; beyond it the oldest is given up as unknown.
OWED_MAX = 1000

#: How long after its deadline (µs) a command without an answer is called unknown.
SILENCE = 5_000_000


class Refusal(msgspec.Struct, frozen=True):
    """Why the gate said no: a code for programs, and what to do next for people."""

    code: str
    what: str
    next: str = ""


class TrackedCommand(msgspec.Struct, kw_only=True):
    """A command as the kernel keeps it. ``id`` is (epoch, seq) as text; times in µs of city time.

    ``targets`` u32[n], ``values`` f64[n]. ``owed`` counts the gateways that have not yet executed it.
    """

    id: str
    verb: int
    verb_name: str
    targets: np.ndarray
    values: np.ndarray
    by: str
    reason: str
    created_utc: int
    deadline: int
    lease_s: float
    since: int = 0
    state: str = "checked"
    owed: int = 0
    failed: list[tuple[str, str]] = []
    refusal: Refusal | None = None
    mono: int = 0

    def record(self) -> bytes:
        """The journal's form."""
        return _encode(
            {
                "id": self.id,
                "verb": self.verb_name,
                "targets": self.targets.astype("<u4").tobytes(),
                "values": self.values.astype("<f8").tobytes(),
                "by": self.by,
                "reason": self.reason,
                "created_utc": self.created_utc,
                "deadline": self.deadline,
                "lease_s": self.lease_s,
                "state": self.state,
                "refusal": self.refusal,
            }
        )


_encode = msgspec.msgpack.Encoder().encode


class Commands:
    """The commands that are not at their end."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.open: dict[str, TrackedCommand] = {}
        self.given_up = self.stale_reports = 0
        self._next = 1
        self._order: dict[str, int] = {}
        self._owed: dict[str, deque[tuple[int, str]]] = {}

    def number(self) -> str:
        """The id of the next command."""
        id = f"{self.epoch}-{self._next}"
        self._next += 1
        return id

    def send(self, command: TrackedCommand, assets: Assets) -> list[tuple[str, Order]]:
        """Split a checked command into one order a gateway, and keep it until they answered."""
        command.state = "committed"
        self.open[command.id] = command
        gateway = assets.gateway[command.targets]
        order = np.argsort(gateway, kind="stable")
        gateway = gateway[order]
        index = assets.wire_index[command.targets][order].astype("<u2")
        values = command.values[order].astype("<f8")
        starts = np.flatnonzero(np.diff(gateway, prepend=NONE))
        orders = []
        for start, end in zip(starts, [*starts[1:], len(gateway)], strict=True):
            name = assets.gateways[gateway[start]]
            orders.append((name, self._one(command, name, index[start:end], values[start:end])))
        command.owed = len(orders)
        return orders

    def _one(self, command: TrackedCommand, gateway: str, index: np.ndarray, values: np.ndarray) -> Order:
        n = self._order[gateway] = self._order.get(gateway, 0) + 1
        owed = self._owed.setdefault(gateway, deque())
        if len(owed) == OWED_MAX:
            self.given_up += 1
            owed.popleft()
        owed.append((n, command.id))
        return Order(
            n=n,
            epoch=self.epoch,
            command=command.id,
            verb=command.verb,
            indexes=index.tobytes(),
            values=values.tobytes(),
            lease_ms=int(command.lease_s * 1000),
            deadline=command.deadline,
            since=command.since,
        )

    def hear(self, gateway: str, reports: Reports, assets: Assets) -> list[TrackedCommand]:
        """Take a gateway's cumulative answer; return the commands that are now at their end.

        Raises WireError for an answer to orders that were never given.
        """
        if reports.epoch < self.epoch:
            # On its way while the kernel started again: it answers another kernel's orders.
            self.stale_reports += 1
            return []
        if reports.epoch > self.epoch or reports.executed > self._order.get(gateway, 0):
            raise WireError(
                f"order {reports.epoch}/{reports.executed} was never given.",
                reason="reports",
                where=f"gateway {gateway}",
            )
        owed = self._owed.get(gateway)
        if not owed:
            return []
        failed: dict[int, list[Any]] = {}
        for n, fault in reports.failed:
            failed.setdefault(n, []).append(fault)
        ended = []
        while owed and owed[0][0] <= reports.executed:
            n, id = owed.popleft()
            command = self.open.get(id)
            if command is None:
                continue
            behind = assets.of_gateway(gateway)
            command.failed += [
                (assets.ids[behind[f.index]], f.code) for f in failed.get(n, ()) if f.index < len(behind)
            ]
            command.owed -= 1
            command.state = "accepted"
            if command.owed == 0:
                ended.append(self._end(command, "failed" if command.failed else "executed"))
        return ended

    def expire(self, utc: int) -> list[TrackedCommand]:
        """End what nobody answered in time: after a timeout nobody guesses, the state is unknown."""
        late = [c for c in self.open.values() if utc > c.deadline + SILENCE]
        return [self._end(command, "unknown") for command in late]

    def _end(self, command: TrackedCommand, state: str) -> TrackedCommand:
        command.state = state
        del self.open[command.id]
        return command
