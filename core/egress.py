"""Egress: what stands, who may see it, and who has credit for how much of it. No socket and no clock.

The present is a table of changes, the newest of each (topic, name, key). A subscriber gets all of it that it may see,
then what changes. Without credit views, assets, layers and the status wait as their newest rows; alarms, commands and
events wait in their order, up to a limit: then that subscriber alone is cut off, and told so.
"""

from __future__ import annotations

import itertools
import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import msgspec

from core.partner_wire import (
    BYTES_MAX,
    MESSAGE_MAX,
    MESSAGES_MAX,
    SEQUENCED,
    Change,
    Credit,
    Cut,
    Heartbeat,
    Subscribe,
    Topic,
    encode,
)
from core.person import ANY

#: Rows of the present at most: assets, alarms, views and open commands.
ROWS_MAX = 500_000

#: Sequenced changes, and their bytes, that wait for one subscriber's credit at most.
WAITING_MAX = 100_000
WAITING_BYTES_MAX = 32 << 20

#: Bytes of changes in one message; a single larger one goes alone.
BODY_MAX = 60_000

#: A change that is larger (bytes) fits into no message: it is left out, and counted.
CHANGE_MAX = MESSAGE_MAX - 4096

_ARRAY = struct.Struct(">BI")
_SEQUENCE = struct.Struct(">BQ")
_CHANGES = b"\xa7changes"


class Told(msgspec.Struct, frozen=True, gc=False):
    """One change as it goes out. ``id`` names topic, name and key; ``data`` is it on the wire; ``gone``: its row is.

    ``communes`` are names; none: about the whole city.
    """

    id: str
    topic: Topic
    trade: str
    communes: tuple[str, ...]
    data: bytes
    gone: bool = False

    @property
    def place(self) -> tuple[str, tuple[str, ...]]:
        """Whose it is, and where."""
        return self.trade, self.communes

    def withdrawn(self) -> Told:
        """That this row is gone, for those who saw it."""
        _, name, key = self.id.split("\0", 2)
        change = Change(self.topic, name, key, self.trade, self.communes, None)
        return Told(self.id, self.topic, self.trade, self.communes, encode(change), gone=True)


#: What is to be done when a message is on its way.
Done = Callable[[], None]
Sending = tuple[bytes, Done]

#: Where one may see a topic of a trade: names of communes, ANY among them is everywhere.
Rights = Callable[[str, Topic], frozenset[str]]


def everything(trade: str, topic: Topic) -> frozenset[str]:
    """The rights of who may see all."""
    return frozenset((ANY,))


class Filter:
    """What of the city passes to a subscriber: what it wants, of what it may see."""

    def __init__(self, wanted: Subscribe, rights: Rights) -> None:
        self._topics = frozenset(wanted.topics)
        self._trades = frozenset(wanted.trades)
        self._communes = frozenset(wanted.communes)
        self._rights = rights
        self._known: dict[tuple[Topic, str], frozenset[str]] = {}

    def passes(self, told: Told) -> bool:
        """Whether a subscriber is told. What is about the whole city needs the whole city."""
        allowed = self._known.get((told.topic, told.trade))
        if allowed is None:
            allowed = self._known[told.topic, told.trade] = self._allowed(told.topic, told.trade)
        return ANY in allowed or (bool(told.communes) and allowed.issuperset(told.communes))

    def _allowed(self, topic: Topic, trade: str) -> frozenset[str]:
        if topic not in self._topics or not self._trades & {ANY, trade}:
            return frozenset()
        may = self._rights(trade, topic)
        if ANY in self._communes:
            return may
        return self._communes if ANY in may else self._communes & may


class Body(msgspec.Struct, frozen=True):
    """Changes that go out in one message, and that message's list."""

    changes: Sequence[Told]
    data: bytes


def bodies(changes: Iterable[Told]) -> Iterator[Body]:
    """Changes in their order, in as few messages as hold them."""
    taken: list[Told] = []
    size = 0
    for told in changes:
        if taken and size + len(told.data) > BODY_MAX:
            yield _body(taken)
            taken, size = [], 0
        taken.append(told)
        size += len(told.data)
    if taken:
        yield _body(taken)


def _body(changes: list[Told]) -> Body:
    n = len(changes)
    head = bytes((0x90 | n,)) if n < 16 else _ARRAY.pack(0xDD, n)
    return Body(changes, head + b"".join([told.data for told in changes]))


def _first(waiting: Iterable[Told]) -> Body:
    return next(bodies(waiting))


class Subscriber:
    """One subscription: what is on its way, what waits, and what credit there is. ``route`` is the connection's."""

    def __init__(self, route: bytes, number: int, group: Group, wanted: Subscribe, head: bytes) -> None:
        self.route = route
        self.number = number
        self.group = group
        self.sequence = 0
        self.messages = wanted.messages
        self.bytes = wanted.bytes
        #: Why it was cut off; empty while it was not.
        self.cut: Cut | None = None
        self._head = head
        self._snapshot: deque[Told] | None = None
        self._part = 0
        self._stands_for: dict[str, int] = {}
        self._sequenced: deque[Told] = deque()
        self._sequenced_bytes = 0
        self._newest: dict[str, Told] = {}

    @property
    def waiting(self) -> int:
        """Changes that wait for credit; a snapshot without any is one too."""
        left = 0 if self._snapshot is None else max(1, len(self._snapshot))
        return left + len(self._sequenced) + len(self._newest)

    @property
    def may_send(self) -> bool:
        """There is credit for a message. The last one may be larger than what is left of the bytes."""
        return self.cut is None and self.messages > 0 and self.bytes > 0

    def grant(self, credit: Credit) -> None:
        """Take more credit, up to the most that anybody holds."""
        self.messages = min(self.messages + credit.messages, MESSAGES_MAX)
        self.bytes = min(self.bytes + credit.bytes, BYTES_MAX)

    def begin(self, rows: Iterable[Told], stands_for: dict[str, int]) -> None:
        """Tell these rows first: what stands by now, whatever changes until they are out."""
        self._snapshot, self._stands_for = deque(rows), stands_for

    def add(self, changes: Iterable[Told]) -> bool:
        """Have changes wait; False where too many do by now."""
        for told in changes:
            if told.topic in SEQUENCED:
                self._sequenced.append(told)
                self._sequenced_bytes += len(told.data)
            else:
                # To the end: what changed last is told last.
                self._newest.pop(told.id, None)
                self._newest[told.id] = told
        return len(self._sequenced) <= WAITING_MAX and self._sequenced_bytes <= WAITING_BYTES_MAX

    def next(self) -> Sending | None:
        """The next message and what to do when it is on its way; None where there is nothing, or no credit."""
        if not self.may_send:
            return None
        if self._snapshot is not None:
            return self._next_part(self._snapshot)
        if self._sequenced:
            body = _first(self._sequenced)
            message = self.delta(body.data)
            return message, partial(self._told_sequenced, body, len(message))
        if self._newest:
            body = _first(self._newest.values())
            message = self.delta(body.data)
            return message, partial(self._told_newest, body, len(message))
        return None

    def _next_part(self, rows: deque[Told]) -> Sending:
        body = _first(rows) if rows else _body([])
        head = {"type": "snapshot", "subscription": self.number, **self._stands_for}
        head |= {"part": self._part, "last": len(body.changes) == len(rows)}
        # A map of eight: the changes follow.
        message = b"".join((b"\x88", encode(head)[1:], _CHANGES, body.data))
        return message, partial(self._told_part, rows, body, len(message))

    def _told_part(self, rows: deque[Told], body: Body, size: int) -> None:
        for _ in body.changes:
            rows.popleft()
        self._part += 1
        if not rows:
            self._snapshot = None
        self._spend(size)

    def _told_sequenced(self, body: Body, size: int) -> None:
        for told in body.changes:
            self._sequenced.popleft()
            self._sequenced_bytes -= len(told.data)
        self.told(size)

    def _told_newest(self, body: Body, size: int) -> None:
        for told in body.changes:
            del self._newest[told.id]
        self.told(size)

    def delta(self, body: bytes) -> bytes:
        """The next delta, with these changes."""
        return b"".join((self._head, _SEQUENCE.pack(0xCF, self.sequence + 1), _CHANGES, body))

    def told(self, size: int) -> None:
        """A delta of ``size`` bytes is on its way."""
        self.sequence += 1
        self._spend(size)

    def _spend(self, size: int) -> None:
        self.messages -= 1
        self.bytes -= size

    def end(self, reason: str, what: str, next: str) -> None:
        """Cut it off: nothing more is sent but why."""
        self.cut = Cut(self.number, reason, what, next)
        self._snapshot = None
        self._sequenced.clear()
        self._newest.clear()
        self._sequenced_bytes = 0


class Group:
    """Subscribers with the same filter: what passes it is found, and packed, once for them all."""

    def __init__(self, filter: Filter) -> None:
        self.filter = filter
        self.members: dict[int, Subscriber] = {}


class Egress:
    """The present and its subscribers. ``boot`` is the edge's own; ``count`` adds to a counter."""

    def __init__(self, boot: int, count: Callable[[str, int], None], rows_max: int = ROWS_MAX) -> None:
        self.boot = boot
        self.journal = 0
        self.utc = 0
        self.rows: dict[str, Told] = {}
        self.subscribers: dict[bytes, Subscriber] = {}
        #: The routes of those for whom something waits, or that were cut off, since somebody last looked.
        self.behind: set[bytes] = set()
        self._groups: dict[object, Group] = {}
        self._numbers = itertools.count(1)
        self._count = count
        self._rows_max = rows_max

    # -- what the kernel tells

    def begin(self, changes: Iterable[Told], journal: int, utc: int) -> None:
        """Take all that stands anew. Who follows missed something, and is cut off."""
        self.rows = {}
        self.journal, self.utc = journal, utc
        self._keep(changes)
        for subscriber in self.subscribers.values():
            if subscriber.cut is None:
                self.behind.add(subscriber.route)
                self._count("cut_restarted", 1)
                subscriber.end(
                    "restarted", "the post began anew, or told too much at once.", "Subscribe again."
                )

    def tell(
        self,
        changes: Sequence[Told],
        journal: int,
        utc: int,
        deliver: Callable[[Subscriber, bytes], bool],
    ) -> None:
        """Take what changed, and ``deliver`` at once what can go; what it says did not go waits, like the rest."""
        self.journal, self.utc = journal, utc
        changes = self._keep(changes)
        for group in self._groups.values():
            passed = [told for told in changes if group.filter.passes(told)]
            if not passed:
                continue
            packed = list(bodies(passed))
            for subscriber in group.members.values():
                if subscriber.cut is None:
                    self._tell(subscriber, packed, deliver)

    def _tell(
        self, subscriber: Subscriber, packed: Sequence[Body], deliver: Callable[[Subscriber, bytes], bool]
    ) -> None:
        for body in packed:
            if subscriber.may_send and subscriber.waiting == 0:
                message = subscriber.delta(body.data)
                if deliver(subscriber, message):
                    subscriber.told(len(message))
                    continue
            self.behind.add(subscriber.route)
            if not subscriber.add(body.changes):
                self._count("cut_slow", 1)
                subscriber.end(
                    "slow", "more waited for credit than is kept.", "Grant more, and subscribe again."
                )
                return

    def _keep(self, changes: Iterable[Told]) -> list[Told]:
        kept = []
        for told in changes:
            if len(told.data) > CHANGE_MAX:
                self._count("rows_refused", 1)
                continue
            if told.topic == "event":
                kept.append(told)
                continue
            stands = self.rows.get(told.id)
            if stands is None and not told.gone and len(self.rows) >= self._rows_max:
                self._count("rows_refused", 1)
                continue
            if stands is not None and (told.gone or stands.place != told.place):
                # It goes from where it stood: who saw it there may not see where it is now.
                del self.rows[told.id]
                kept.append(stands.withdrawn())
            if not told.gone:
                self.rows[told.id] = told
                kept.append(told)
        return kept

    # -- subscribers

    def subscribe(
        self, route: bytes, wanted: Subscribe, may: object = None, rights: Rights = everything
    ) -> Subscriber:
        """Begin a subscription, in place of the connection's last one. Equal ``may`` stands for equal rights."""
        self.forget(route)
        alike = (may, wanted.topics, wanted.trades, wanted.communes)
        group = self._groups.get(alike)
        if group is None:
            group = self._groups[alike] = Group(Filter(wanted, rights))
        number = next(self._numbers) & 0xFFFFFFFF
        head = encode({"type": "delta", "subscription": number})
        # A map of four: sequence and changes follow.
        subscriber = Subscriber(route, number, group, wanted, b"\x84" + head[1:] + b"\xa8sequence")
        group.members[number] = self.subscribers[route] = subscriber
        passes = group.filter.passes
        stands_for = {"boot": self.boot, "journal": self.journal, "utc": self.utc}
        subscriber.begin((told for told in self.rows.values() if passes(told)), stands_for)
        return subscriber

    def forget(self, route: bytes) -> None:
        """End what is known of a connection."""
        subscriber = self.subscribers.pop(route, None)
        if subscriber is None:
            return
        del subscriber.group.members[subscriber.number]
        if not subscriber.group.members:
            self._groups = {alike: group for alike, group in self._groups.items() if group.members}

    def heartbeat(self, subscriber: Subscriber, utc: int) -> bytes:
        """A sign of life: it costs no credit."""
        beat = Heartbeat(subscriber.number, self.boot, subscriber.sequence, subscriber.waiting, utc)
        return encode(beat)
