"""The partners' door: follow what stands in the city, as far as one's key goes.

``Partner`` needs no thread: call ``turn`` when its ``socket`` is readable, and at least every second; it returns what
changed. ``AsyncPartner`` is the same for asyncio: ``async for change in partner``. Both hold the present in ``rows``.
``Follower`` is what they share: the protocol without a socket.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, TypeVar

import msgspec
import zmq
import zmq.asyncio

from core import keys as key_files
from core import partner_wire, wire
from core.errors import WireError
from core.keys import ClientKey
from core.partner_wire import (
    PRESENT,
    TOPICS,
    Change,
    Credit,
    Cut,
    Delta,
    Heartbeat,
    Refused,
    Snapshot,
    Subscribe,
)
from core.person import ANY
from core.sockets import dial, limit

__all__ = ["PRESENT", "TOPICS", "AsyncPartner", "Change", "Follower", "Partner", "Statistics"]

#: Credit that a partner keeps at the post: so much may be on its way to it.
MESSAGES = 1000
BYTES = 4 << 20

#: A sign of life goes out this often (s); one of the post is missed after the second figure.
BEAT_S = wire.HEARTBEAT_S
SILENCE_S = wire.HEARTBEATS_MISSED * wire.HEARTBEAT_S

#: After a refusal it is tried again after this long (s).
AGAIN_S = 1.0

Key = tuple[str, str, str]
C = TypeVar("C", bound=zmq.Context[Any])


class Statistics(msgspec.Struct):
    """What one partner counted. ``gaps`` are those seen in the sequence, ``resyncs`` the snapshots after the first."""

    snapshots: int = 0
    resyncs: int = 0
    deltas: int = 0
    changes: int = 0
    gaps: int = 0
    cuts: int = 0
    refused: int = 0
    unreadable: int = 0


class Follower:
    """The protocol without a socket: give it what came and the time, send what it says, take the changes.

    ``rows`` maps (topic, name, key) to the newest change; it is whole when ``whole``. ``why`` says why it was begun
    anew last, or why the post refuses.
    """

    def __init__(
        self,
        topics: Sequence[str] = PRESENT,
        trades: Sequence[str] = (ANY,),
        communes: Sequence[str] = (ANY,),
        messages: int = MESSAGES,
        bytes: int = BYTES,
    ) -> None:
        self.wanted = msgspec.convert(
            {"messages": messages, "bytes": bytes, "topics": topics, "trades": trades, "communes": communes},
            Subscribe,
        )
        self.rows: dict[Key, Change] = {}
        self.whole = False
        self.why = ""
        self.journal = 0
        self.statistics = Statistics()
        self._coming: dict[Key, Change] = {}
        self._part = 0
        self._subscription: int | None = None
        self._sequence = 0
        self._spent_messages = self._spent_bytes = 0
        self._heard = self._beat = self._asked = -1e9

    def hear(self, data: bytes, now: float) -> list[Change]:
        """Take a message of ``now`` (monotonic s); return what changed. A snapshot tells what it changes."""
        try:
            message = partner_wire.decode_to_partner(data)
        except WireError:
            self.statistics.unreadable += 1
            return []
        self._heard = now
        match message:
            case Snapshot():
                return self._part_came(message, len(data))
            case Delta() if message.subscription == self._subscription:
                return self._delta_came(message, len(data), now)
            case Heartbeat() if message.subscription == self._subscription:
                if self.whole and message.sequence != self._sequence:
                    self._gap(now)
            case Cut() if message.subscription == self._subscription:
                self.statistics.cuts += 1
                self._anew(f"{message.reason}: {message.what}", now)
            case Refused():
                self.statistics.refused += 1
                self.why = f"{message.reason}: {message.what} {message.next}"
                self._subscription, self.whole = None, False
        return []

    def say(self, now: float) -> list[bytes]:
        """What is to be sent at ``now``: a subscription, credit, a sign of life."""
        if self._subscription is not None and now - self._heard > SILENCE_S:
            self._anew("the post is silent.", now)
        if self._subscription is None:
            if now - self._asked < AGAIN_S:
                return []
            self._asked = now
            self._spent_messages = self._spent_bytes = 0
            return [partner_wire.encode(self.wanted)]
        much = self._spent_messages * 2 >= self.wanted.messages or self._spent_bytes * 2 >= self.wanted.bytes
        if not much and now - self._beat < BEAT_S:
            return []
        self._beat = now
        credit = Credit(self._subscription, self._spent_messages, self._spent_bytes)
        self._spent_messages = self._spent_bytes = 0
        return [partner_wire.encode(credit)]

    def _part_came(self, snapshot: Snapshot, size: int) -> list[Change]:
        if snapshot.part == 0:
            self._subscription, self._part, self._coming = snapshot.subscription, 0, {}
            self._sequence, self.whole = 0, False
            self._spent_messages = self._spent_bytes = 0
        elif snapshot.subscription != self._subscription or snapshot.part != self._part:
            return []
        self._part += 1
        self._spend(size)
        self._coming |= {(c.topic, c.name, c.key): c for c in snapshot.changes}
        if not snapshot.last:
            return []
        self.statistics.resyncs += self.statistics.snapshots > 0
        self.statistics.snapshots += 1
        self.journal, self.whole = snapshot.journal, True
        before, self.rows, self._coming = self.rows, self._coming, {}
        changed = [change for key, change in self.rows.items() if before.get(key) != change]
        gone = [change for key, change in before.items() if key not in self.rows]
        return [*changed, *(msgspec.structs.replace(change, row=None) for change in gone)]

    def _delta_came(self, delta: Delta, size: int, now: float) -> list[Change]:
        if delta.sequence != self._sequence + 1 or not self.whole:
            self._gap(now)
            return []
        self._sequence = delta.sequence
        self._spend(size)
        self.statistics.deltas += 1
        self.statistics.changes += len(delta.changes)
        for change in delta.changes:
            key = (change.topic, change.name, change.key)
            if change.row is None:
                self.rows.pop(key, None)
            elif change.topic != "event":
                self.rows[key] = change
        return list(delta.changes)

    def _spend(self, size: int) -> None:
        # What it measures here is more than what it cost: the post counts the changes alone.
        self._spent_messages += 1
        self._spent_bytes += size

    def _gap(self, now: float) -> None:
        self.statistics.gaps += 1
        self._anew("a delta is missing.", now)

    def _anew(self, why: str, now: float) -> None:
        # Not twice within a second: the post would refuse it.
        self.why = why
        self._subscription, self.whole = None, False
        self._asked = max(self._asked, now - AGAIN_S)


class _Face(Generic[C]):
    """What both faces share: a DEALER to the partners' edge, and the follower of what comes there."""

    #: The kind of context that its socket needs.
    _contexts: type[C]

    def __init__(
        self,
        endpoint: str,
        key: ClientKey | Path | None = None,
        topics: Sequence[str] = PRESENT,
        trades: Sequence[str] = (ANY,),
        communes: Sequence[str] = (ANY,),
        context: C | None = None,
        **credit: int,
    ) -> None:
        self.follower = Follower(topics, trades, communes, **credit)
        if isinstance(key, Path):
            key = key_files.read(key)
        self.socket: Any = (context or self._contexts.instance()).socket(zmq.DEALER)
        limit(self.socket, queue=MESSAGES, message=partner_wire.MESSAGE_MAX)
        if key is not None:
            key.secure(self.socket)
        # What is asked while there is no connection would all be asked at once when there is.
        self.socket.set(zmq.IMMEDIATE, 1)
        dial(self.socket, endpoint)

    @property
    def rows(self) -> dict[Key, Change]:
        """The present by (topic, name, key)."""
        return self.follower.rows

    @property
    def whole(self) -> bool:
        """The snapshot has come, and nothing is missing since."""
        return self.follower.whole

    def close(self) -> None:
        """Close the socket."""
        self.socket.close(100)


class Partner(_Face[zmq.Context[Any]]):
    """Follows the post at ``endpoint`` under ``key`` (a key or its file). Not thread-safe. A context manager."""

    _contexts = zmq.Context

    def turn(self, timeout_s: float = 0.0) -> list[Change]:
        """Do what is due, wait at most ``timeout_s`` for something; return what changed, in order."""
        self._say()
        changes: list[Change] = []
        if not self.socket.poll(int(timeout_s * 1000)):
            return changes
        for _ in range(MESSAGES):
            try:
                data = self.socket.recv(zmq.DONTWAIT)
            except zmq.Again:
                break
            changes += self.follower.hear(data, time.monotonic())
        self._say()
        return changes

    def _say(self) -> None:
        for message in self.follower.say(time.monotonic()):
            try:
                self.socket.send(message, zmq.DONTWAIT)
            except zmq.Again:
                return

    def __enter__(self) -> Partner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncPartner(_Face[zmq.asyncio.Context]):
    """The same under asyncio: ``async with AsyncPartner(...) as partner: async for change in partner: ...``"""

    _contexts = zmq.asyncio.Context

    @cached_property
    def _changes(self) -> deque[Change]:
        """What came and was not taken yet."""
        return deque()

    def __aiter__(self) -> AsyncIterator[Change]:
        return self

    async def __anext__(self) -> Change:
        while not self._changes:
            self._changes.extend(await self._turn())
        return self._changes.popleft()

    async def _turn(self) -> Iterable[Change]:
        await self._say()
        if not await self.socket.poll(int(1000 * AGAIN_S / 4)):
            return ()
        changes = self.follower.hear(await self.socket.recv(), time.monotonic())
        await self._say()
        return changes

    async def _say(self) -> None:
        for message in self.follower.say(time.monotonic()):
            try:
                await asyncio.wait_for(self.socket.send(message), AGAIN_S)
            except TimeoutError:
                return

    async def __aenter__(self) -> AsyncPartner:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
