"""What persons tell the trades: only kinds that are for them, only with the right, and nothing personal in clear."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.operators import Told
from core.statements import TOLD_MAX
from core.wire import Refused
from ondijon import EventKind, Reads, Retention, Sealed, hookimpl
from ondijon.testing import City, Post
from tests.core.conftest import T, trial


class Noted(msgspec.Struct, forbid_unknown_fields=True):
    what: str
    n: int = 0


class Called(msgspec.Struct, forbid_unknown_fields=True):
    caller: Sealed[str] | None = None
    words: Sealed[str] | None = None
    n: int = 0


HEARD: list[Any] = []


def told() -> ModuleType:
    """A trade that persons tell things, and that hears them itself."""
    kinds = (
        EventKind(name="trial.thing.noted", data=Noted, from_persons=True, text=T),
        EventKind(
            name="trial.call.taken",
            data=Called,
            from_persons=True,
            personal={"caller": "calls", "words": "calls"},
            subject="caller",
            text=T,
        ),
        EventKind(name="trial.own.said", data=Noted, text=T),
    )
    module = trial(
        events=kinds,
        reads=Reads(events={"trial.thing.noted": Noted, "trial.call.taken": Called}),
        retention=(Retention(name="calls", days=30, basis="a test", text=T),),
    )
    HEARD.clear()
    module.on_events = hookimpl(lambda events, state: HEARD.extend(events))
    return module


@pytest.fixture(name="post")
def _post() -> Post:
    return Post(City.small(), [told()])


def test_it_is_journaled_with_who_told_it_and_the_trades_hear_it_with_the_next_step(post: Post) -> None:
    answer = post.tell(post.person("anna"), "trial.thing.noted", Noted("a branch lies there"), "L0001")
    assert answer == Told("trial.thing.noted")
    assert HEARD == []
    post.step()
    (event,) = HEARD
    assert (event.source.person, event.trade, event.data.what) == ("anna", "trial", "a branch lies there")
    assert event.asset == post.kernel.city.assets.index["L0001"]
    assert event.communes == (int(post.kernel.city.assets.commune[event.asset]),)


def test_it_may_be_about_a_place(post: Post) -> None:
    assets = post.kernel.city.assets
    post.tell(
        post.person("anna"),
        "trial.thing.noted",
        {"what": "here"},
        lon=float(assets.lon[0]),
        lat=float(assets.lat[0]),
    )
    post.step()
    assert HEARD[0].lon == assets.lon[0]
    assert HEARD[0].communes == (int(assets.commune[0]),)


def test_nobody_tells_without_the_right_or_what_is_not_for_persons(post: Post) -> None:
    names = post.kernel.city.communes.names
    here = names[int(post.kernel.city.assets.commune[0])]
    bob = post.person("bob", trade="trial", commune=here, verbs=("trial.thing.noted",))
    there = next(
        id
        for i, id in enumerate(post.kernel.city.assets.ids)
        if names[post.kernel.city.assets.commune[i]] != here
    )
    assert isinstance(
        post.tell(bob, "trial.thing.noted", {"what": "x"}, post.kernel.city.assets.ids[0]), Told
    )

    def refused(*asked: Any) -> str:
        answer = post.tell(*asked)
        assert isinstance(answer, Refused)
        return answer.reason

    assert refused(bob, "trial.thing.noted", {"what": "x"}, there) == "right"
    assert refused(bob, "trial.thing.noted", {"what": "x"}) == "right", "for the whole city"
    assert refused(bob, "trial.call.taken", {}) == "right"
    anna = post.person("anna")
    assert refused(anna, "trial.own.said", {"what": "x"}) == "unknown_event"
    assert refused(anna, "trial.thing.noted", {"what": 7}) == "bad_data"
    assert refused(anna, "trial.thing.noted", {"what": "x", "why": 1}) == "bad_data"
    assert refused(anna, "trial.thing.noted", {"what": "x"}, "L9999") == "unknown_asset"
    assert refused(b"no token", "trial.thing.noted", {"what": "x"}) == "token"
    post.step()
    assert len(HEARD) == 1


def test_one_person_cannot_flood_the_journal(post: Post) -> None:
    anna = post.person("anna")
    answers = [post.tell(anna, "trial.thing.noted", Noted("x", n)) for n in range(TOLD_MAX + 5)]
    assert [isinstance(each, Told) for each in answers] == [True] * TOLD_MAX + [False] * 5
    assert isinstance(post.tell(post.person("bob"), "trial.thing.noted", Noted("x")), Told)
    post.jump(61)
    assert isinstance(post.tell(post.person("anna"), "trial.thing.noted", Noted("x")), Told)


def test_what_is_personal_is_sealed_before_a_step_sees_it(post: Post) -> None:
    asked = {"caller": "+33 6 12 34", "words": "my son is lost", "n": 3}
    assert isinstance(post.tell(post.person("anna"), "trial.call.taken", asked), Told)
    post.step()
    (event,) = HEARD
    assert isinstance(event.data.words, Sealed)
    assert b"lost" not in b"".join(record.data for record in post.journal.records)
    assert {line.value for line in post.kept("+33 6 12 34")} == {"+33 6 12 34", "my son is lost"}
    wrong = post.tell(post.person("anna"), "trial.call.taken", {"caller": 7})
    assert isinstance(wrong, Refused)
    assert wrong.reason == "bad_data"


def test_of_a_stranger_nothing_is_sealed_or_kept(post: Post) -> None:
    keys = len(post.vault.persons("+33 6 12 34"))
    answer = post.tell(b"no token", "trial.call.taken", {"caller": "+33 6 12 34", "words": "hm"})
    assert isinstance(answer, Refused)
    assert answer.reason == "token"
    assert len(post.vault.persons("+33 6 12 34")) == keys == 0


@given(data=st.binary(max_size=200))
def test_whatever_is_told_is_taken_or_refused_in_a_sentence(data: bytes) -> None:
    post = Post(City.small(), [told()])
    for kind in ("trial.thing.noted", "trial.call.taken"):
        answer = post.tell(post.person("anna"), kind, msgspec.Raw(data))
        assert isinstance(answer, Told | Refused)
    assert post.faults == []
