"""Egress against a plain model: a subscriber holds what it may see of what stands, whatever happened between."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core import partner_wire
from core.egress import Egress, Subscriber, Told
from core.partner_wire import TOPICS, Credit, Subscribe, Topic
from core.person import ANY
from ondijon.partner import Follower

TRADES = ("lighting", "snow")
COMMUNES = ("Dijon", "Quetigny", "Longvic")
BIG = Credit(0, partner_wire.MESSAGES_MAX, partner_wire.BYTES_MAX)

#: Who may see what: by name of a key, (trade, topic) to communes.
KEYS: dict[str, dict[tuple[str, str], frozenset[str]]] = {
    "all": {(trade, topic): frozenset((ANY,)) for trade in TRADES for topic in TOPICS},
    "lamps of Dijon": {("lighting", topic): frozenset(("Dijon",)) for topic in TOPICS},
    "alarms of two": {(trade, "alarm"): frozenset(("Dijon", "Longvic")) for trade in TRADES},
    "nothing": {},
}


def told(topic: Topic, key: str, trade: str, communes: tuple[str, ...], row: Any) -> Told:
    """A change as the edge packs it."""
    change = partner_wire.Change(topic, "name", key, trade, communes, row)
    return Told(
        f"{topic}\0name\0{key}", topic, trade, communes, partner_wire.encode(change), gone=row is None
    )


def passes(key: str, wanted: Subscribe, change: Told) -> bool:
    """The model's rights, said otherwise: every commune it is about must be open to the key, and asked for."""
    may = KEYS[key].get((change.trade, change.topic), frozenset())
    whole = not change.communes
    if change.topic not in wanted.topics or (ANY not in wanted.trades and change.trade not in wanted.trades):
        return False

    def inside(names: Any) -> bool:
        return ANY in names or (not whole and all(commune in names for commune in change.communes))

    return inside(may) and inside(wanted.communes)


class EgressMachine(RuleBasedStateMachine):
    """An edge and four partners whose connections deliver, stall, lose all or grant nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: dict[str, int] = {}
        self.egress = Egress(7, self.count)
        self.stands: dict[str, Told] = {}
        self.partners: dict[bytes, tuple[str, Follower]] = {}
        self.seen: dict[bytes, list[partner_wire.Change]] = {}
        self.expected: dict[bytes, list[Told]] = {}
        self.stalled: set[bytes] = set()
        self.now = 0.0
        self.journal = 0

    def count(self, name: str, n: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + n

    @initialize()
    def begin(self) -> None:
        self.egress.begin([], 0, 0)
        for n, key in enumerate(sorted(KEYS), 1):
            route = str(n).encode()
            self.partners[route] = key, Follower(messages=1000, bytes=1_000_000)
            self.again(route)

    @precondition(lambda self: self.journal % 4 == 3)
    @rule(
        route=st.sampled_from([b"1", b"2", b"3", b"4"]),
        key=st.sampled_from(sorted(KEYS)),
        topics=st.sampled_from([TOPICS, TOPICS, ("view", "event"), ("alarm",)]),
        trades=st.sampled_from([(ANY,), (ANY,), ("snow", "roads")]),
        communes=st.sampled_from([(ANY,), (ANY,), ("Quetigny", "Longvic")]),
        messages=st.integers(1, 4),
        bytes=st.sampled_from([1, 100, 100_000]),
    )
    def subscribe(self, route: bytes, key: str, messages: int, bytes: int, **wanted: Any) -> None:
        follower = Follower(wanted["topics"], wanted["trades"], wanted["communes"], messages, bytes)
        self.partners[route] = key, follower
        self.stalled.discard(route)
        self.again(route)

    def again(self, route: bytes) -> None:
        key, follower = self.partners[route]
        self.now += 10
        (message,) = follower.say(self.now)
        wanted = partner_wire.decode_from_partner(message)
        assert isinstance(wanted, Subscribe)
        self.seen[route], self.expected[route] = [], []
        self.egress.subscribe(
            route, wanted, key, lambda trade, topic: KEYS[key].get((trade, topic), frozenset())
        )

    @rule(
        changes=st.lists(
            st.tuples(
                st.sampled_from(["view", "alarm", "event"]),
                st.sampled_from(["a", "b"]),
                st.sampled_from(TRADES),
                st.lists(st.sampled_from(COMMUNES), max_size=2, unique=True).map(tuple),
                st.none() | st.binary(max_size=3) | st.builds(bytes, st.just(40_000)),
            ),
            min_size=1,
            max_size=5,
        )
    )
    def change(self, changes: list[Any]) -> None:
        self.journal += 1
        packed = []
        for topic, key, trade, communes, row in changes:
            row = {"at": row or b""} if topic == "event" else None if row is None else {"is": row}
            change = told(topic, key, trade, communes, row)
            packed.append(change)
            if topic == "event":
                pass
            elif change.gone:
                self.stands.pop(change.id, None)
            else:
                self.stands[change.id] = change
        for route, (key, follower) in self.partners.items():
            self.expected[route] += [c for c in packed if passes(key, follower.wanted, c)]
        self.egress.tell(packed, self.journal, 0, self.deliver)

    def deliver(self, subscriber: Subscriber, message: bytes) -> bool:
        """Over the partner's connection, where it is not stalled."""
        if subscriber.route in self.stalled:
            return False
        _, follower = self.partners[subscriber.route]
        changes = follower.hear(message, self.now)
        assert follower.statistics.gaps == 0
        assert follower.statistics.unreadable == 0
        self.seen[subscriber.route] += changes
        return True

    @rule(route=st.sampled_from([b"1", b"2", b"3", b"4"]))
    def stall_or_go_on(self, route: bytes) -> None:
        self.stalled ^= {route} & set(self.partners)

    @rule(route=st.sampled_from([b"1", b"2", b"3", b"4"]), messages=st.integers(0, 3), much=st.booleans())
    def grant(self, route: bytes, messages: int, much: bool) -> None:
        subscriber = self.egress.subscribers.get(route)
        if subscriber is not None and subscriber.cut is None:
            subscriber.grant(BIG if much else Credit(0, messages, 100 * messages))

    @rule()
    def pump(self) -> None:
        for subscriber in self.egress.subscribers.values():
            while (found := subscriber.next()) is not None:
                message, done = found
                if not self.deliver(subscriber, message):
                    break
                done()

    @precondition(lambda self: self.journal % 5 == 4)
    @rule()
    def kernel_begins_anew(self) -> None:
        self.egress.begin(list(self.stands.values()), self.journal, 0)
        for route, subscriber in list(self.egress.subscribers.items()):
            assert subscriber.cut is not None
            _, follower = self.partners[route]
            follower.hear(partner_wire.encode(subscriber.cut), self.now)
            # Whoever never began has no subscription to be cut, and says it again all the same.
            follower._subscription = None
            self.again(route)

    @rule()
    def all_catch_up(self) -> None:
        """With credit and a connection everyone holds what it may see, and has seen each of what is sequenced."""
        self.stalled.clear()
        for route, subscriber in self.egress.subscribers.items():
            while subscriber.waiting:
                subscriber.grant(BIG)
                found = subscriber.next()
                assert found is not None
                assert self.deliver(subscriber, found[0])
                found[1]()
            key, follower = self.partners[route]
            assert follower.whole
            mine = [c for c in self.stands.values() if passes(key, follower.wanted, c)]
            assert {c.id for c in mine} == {"\0".join(k) for k in follower.rows}
            assert {c.data for c in mine} == {partner_wire.encode(c) for c in follower.rows.values()}

    @invariant()
    def nobody_is_told_what_is_not_its_own(self) -> None:
        for route, (key, follower) in self.partners.items():
            for change in [*self.seen[route], *follower.rows.values()]:
                packed = told(change.topic, change.key, change.trade, change.communes, change.row)
                assert passes(key, follower.wanted, packed)

    @invariant()
    def what_is_sequenced_comes_whole_and_in_order(self) -> None:
        for route in self.partners:
            sequenced = [partner_wire.encode(c) for c in self.seen[route] if c.topic == "event"]
            wanted = [c.data for c in self.expected[route] if c.topic == "event"]
            assert sequenced == wanted[: len(sequenced)]

    @invariant()
    def memory_is_bounded(self) -> None:
        for subscriber in self.egress.subscribers.values():
            assert 0 <= subscriber.messages <= partner_wire.MESSAGES_MAX
            assert subscriber.bytes <= partner_wire.BYTES_MAX


def test_a_row_that_moves_is_gone_for_who_may_not_see_where_it_is() -> None:
    machine = EgressMachine()
    machine.begin()
    for commune in ("Dijon", "Longvic"):
        machine.change([("view", "a", "lighting", (commune,), b"row")])
        machine.all_catch_up()
    held = {key: list(follower.rows) for key, follower in machine.partners.values()}
    assert held == {"all": [("view", "name", "a")], "lamps of Dijon": [], "alarms of two": [], "nothing": []}


def went(subscriber: Subscriber, message: bytes) -> bool:
    """A connection that takes all."""
    return True


def test_who_lets_too_much_wait_is_cut_off_alone_and_told() -> None:
    counts: dict[str, int] = {}
    edge = Egress(1, lambda name, n: counts.update({name: counts.get(name, 0) + n}))
    edge.begin([], 0, 0)
    slow, quick = (edge.subscribe(route, Subscribe(1, 1_000_000)) for route in (b"slow", b"quick"))
    for subscriber in (slow, quick):
        found = subscriber.next()
        assert found is not None
        found[1]()
    for n in range(600):
        quick.grant(BIG)
        changes = [told("event", str(n), "snow", (), {"n": bytes(59_000)})]
        edge.tell(changes, n, n, went)
    assert quick.sequence == 600
    assert quick.cut is None
    assert slow.cut is not None
    assert slow.cut.reason == "slow"
    # What waited for it is gone, and nothing more is kept.
    assert slow.waiting == 0
    assert slow.next() is None
    assert counts == {"cut_slow": 1}


def test_what_finds_no_place_is_counted_and_told_to_nobody() -> None:
    counts: dict[str, int] = {}
    edge = Egress(1, lambda name, n: counts.update({name: counts.get(name, 0) + n}), rows_max=2)
    edge.begin([told("view", key, "snow", (), {}) for key in "abc"], 0, 0)
    edge.tell([told("view", "a", "snow", (), {"n": 1}), told("view", "d", "snow", (), {})], 1, 1, went)
    edge.tell([told("view", "a", "snow", (), {"n": bytes(130_000)})], 1, 1, went)
    assert set(edge.rows) == {"view\0name\0a", "view\0name\0b"}
    assert counts == {"rows_refused": 3}


EgressMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestEgress = EgressMachine.TestCase
