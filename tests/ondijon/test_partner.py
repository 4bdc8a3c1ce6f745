"""The partner's protocol without a socket: what it holds, and when it begins anew."""

from __future__ import annotations

from typing import Any

import pytest

from core import partner_wire as wire
from ondijon.partner import Follower


def change(key: str, n: int | None, topic: Any = "view") -> wire.Change:
    return wire.Change(topic, "trial.row", key, "trial", (), None if n is None else {"n": n})


def snapshot(*changes: wire.Change, number: int = 7, part: int = 0, last: bool = True) -> bytes:
    return wire.encode(wire.Snapshot(number, 9, part, last, 4711, 5, changes))


def delta(sequence: int, *changes: wire.Change, number: int = 7) -> bytes:
    return wire.encode(wire.Delta(number, sequence, changes))


def held(follower: Follower) -> dict[str, int]:
    return {key: (change.row or {})["n"] for (_, _, key), change in follower.rows.items()}


@pytest.fixture
def follower() -> Follower:
    """One that follows, at 0 s, with two rows."""
    made = Follower(messages=4, bytes=1_000_000)
    assert len(made.say(0.0)) == 1
    assert made.hear(snapshot(change("a", 1), last=False), 0.0) == []
    assert not made.whole
    assert len(made.hear(snapshot(change("b", 2), part=1), 0.0)) == 2
    assert made.whole
    return made


def test_it_holds_what_stands(follower: Follower) -> None:
    changes = follower.hear(delta(1, change("a", None), change("b", 3), change("7", 1, "event")), 1.0)
    assert [c.key for c in changes] == ["a", "b", "7"]
    assert held(follower) == {"b": 3}
    assert follower.journal == 4711


def test_it_grants_what_it_used_and_says_that_it_lives(follower: Follower) -> None:
    (said,) = follower.say(0.1)
    credit = wire.decode_from_partner(said)
    assert isinstance(credit, wire.Credit)
    used = len(snapshot(change("a", 1), last=False)) + len(snapshot(change("b", 2), part=1))
    assert (credit.subscription, credit.messages, credit.bytes) == (7, 2, used)
    assert follower.say(1.0) == []
    (said,) = follower.say(2.2)
    assert wire.decode_from_partner(said) == wire.Credit(7)


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (delta(2, change("a", 5)), "missing"),
        (wire.encode(wire.Heartbeat(7, 9, 3, 0, 5)), "missing"),
        (wire.encode(wire.Cut(7, "slow", "too much waited.")), "slow"),
        (wire.encode(wire.Refused("no_subscription", "there is none.")), "no_subscription"),
    ],
    ids=["gap", "gap at the end", "cut", "forgotten"],
)
def test_it_begins_anew_and_tells_what_is_other_then(follower: Follower, message: bytes, why: str) -> None:
    follower.hear(message, 3.0)
    assert not follower.whole
    assert why in follower.why
    (said,) = follower.say(4.1)
    assert isinstance(wire.decode_from_partner(said), wire.Subscribe)
    # What stood is kept until all is known again; then only what is other is told.
    assert held(follower) == {"a": 1, "b": 2}
    changes = follower.hear(snapshot(change("b", 2), change("c", 3), number=8), 4.2)
    assert {(c.key, c.row is None) for c in changes} == {("c", False), ("a", True)}
    assert held(follower) == {"b": 2, "c": 3}
    assert follower.statistics.resyncs == 1


def test_silence_is_an_end_too(follower: Follower) -> None:
    follower.hear(wire.encode(wire.Heartbeat(7, 9, 0, 0, 5)), 5.0)
    assert isinstance(wire.decode_from_partner(follower.say(10.0)[0]), wire.Credit)
    (said,) = follower.say(11.1)
    assert isinstance(wire.decode_from_partner(said), wire.Subscribe)
    # At most once a second, while nobody answers.
    assert follower.say(11.5) == []


def test_what_is_not_for_it_changes_nothing(follower: Follower) -> None:
    for message in (b"\xc1", delta(1, change("a", 9), number=6), wire.encode(wire.Cut(6, "slow", ""))):
        assert follower.hear(message, 1.0) == []
    assert held(follower) == {"a": 1, "b": 2}
    assert follower.whole
    assert follower.statistics.unreadable == 1
