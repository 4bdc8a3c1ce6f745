"""Persons act on alarms at the desk: who may, where, and with what to show for it in the journal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from core.alarm_desk import RIGHTS
from core.event import Event
from core.operators import ActOnAlarms, AlarmsActedOn
from core.wire import Refused
from ondijon import Raise, hookimpl
from ondijon.testing import City, Post
from tests.core.conftest import trial

#: Lamps 1 to 20 stand in Petite-Ville, the rest in Voisine.
HERE, THERE = "L0001", "L0021"


def crowded(*lamps: str, **given: Any) -> Post:
    """A post in which the alarm `crowd` stands on some lamps."""
    module = trial()

    @hookimpl
    def on_tick(table):
        return [Raise(asset=table.asset(lamp), code="crowd") for lamp in lamps]

    module.on_tick = on_tick
    post = Post(City.small(), [module], **given)
    post.run(3)
    assert all(post.alarms[lamp, "crowd"].state == "unacked_active" for lamp in lamps)
    return post


def act(post: Post, token: bytes, what: str, alarms: Sequence[tuple[str, str]] = (), **given: Any) -> Any:
    return post.ask(ActOnAlarms(**post._request(token), act=what, alarms=tuple(alarms), **given))


def changes(post: Post) -> list[Event]:
    return post.events_of("post.alarm.changed")


def test_it_is_acknowledged_shelved_and_put_back_and_the_journal_says_by_whom_and_why() -> None:
    post = crowded(HERE)
    anne = post.person("anne")
    alarm = [(HERE, "crowd")]
    assert act(post, anne, "acknowledge", alarm) == AlarmsActedOn(1)
    assert post.alarms[HERE, "crowd"].acked_by == "anne"
    assert act(post, anne, "acknowledge", alarm) == AlarmsActedOn(0)
    assert act(post, anne, "shelve", alarm, seconds=5, reason="roadworks") == AlarmsActedOn(1)
    shelved = post.alarms[HERE, "crowd"]
    assert (shelved.state, shelved.shelved_by, shelved.shelved_reason) == ("shelved", "anne", "roadworks")
    assert (changes(post)[-1].data.by, changes(post)[-1].data.reason) == ("anne", "roadworks")
    assert act(post, anne, "unshelve", alarm) == AlarmsActedOn(1)
    assert act(post, anne, "take_out_of_service", alarm, reason="gone") == AlarmsActedOn(1)
    assert post.alarms[HERE, "crowd"].state == "out_of_service"
    assert act(post, anne, "put_into_service", alarm) == AlarmsActedOn(1)
    assert post.alarms[HERE, "crowd"].state == "acked_active"


def test_a_shelf_ends_by_itself() -> None:
    post = crowded(HERE)
    act(post, post.person("anne"), "shelve", [(HERE, "crowd")], seconds=5, reason="roadworks")
    post.run(4)
    assert post.alarms[HERE, "crowd"].state == "shelved"
    post.run(2)
    assert post.alarms[HERE, "crowd"].state == "unacked_active"


@pytest.mark.parametrize("what", RIGHTS)
def test_each_act_needs_its_right_in_the_alarms_trade_and_commune(what: str) -> None:
    post = crowded(HERE, THERE)
    right = RIGHTS[what]
    given = {"seconds": 5.0, "reason": "roadworks"}
    allowed = post.person("anne", trade="trial", commune="Petite-Ville", verbs=[right])
    others = [
        post.person("zoe", trade="trial", commune="Voisine", verbs=[right]),
        post.person("yves", trade="police", verbs=[right]),
        post.person("xavier", trade="trial", verbs=[r for r in RIGHTS.values() if r != right]),
    ]
    for token in others:
        answer = act(post, token, what, [(HERE, "crowd")], **given)
        assert isinstance(answer, Refused)
        assert answer.reason == "right"
    assert isinstance(act(post, allowed, what, [(HERE, "crowd")], **given), AlarmsActedOn)
    both = act(post, allowed, what, [(HERE, "crowd"), (THERE, "crowd")], **given)
    assert isinstance(both, Refused)
    assert post.alarms[THERE, "crowd"].state == "unacked_active", "nothing of it was done"
    records = [r for r in post.journal.records if r.kind == "request"]
    assert len(records) == 4
    assert msgspec.msgpack.decode(records[0].data)["person"] == "zoe"


def test_the_posts_own_alarms_are_for_who_may_everywhere() -> None:
    module = trial()

    @hookimpl
    def on_batch():
        raise ValueError("broken")

    module.on_batch = on_batch
    post = Post(City.small(), [module])
    post.sample("S0001", "presence_sensor.presence", 1)
    post.step()
    own = [("", "plugin_failed")]
    here = post.person("anne", trade="post", commune="Petite-Ville", verbs=["alarm.acknowledge"])
    assert act(post, here, "acknowledge", own).reason == "right"
    everywhere = post.person("bruno", trade="post", verbs=["alarm.acknowledge"])
    assert act(post, everywhere, "acknowledge", own) == AlarmsActedOn(1)


def test_a_group_is_acknowledged_as_one_by_who_may_for_all_its_members() -> None:
    lamps = [f"L{n:04}" for n in range(1, 31)]
    post = crowded(*lamps)
    groups = {post.alarms[lamp, "crowd"].group for lamp in lamps} - {0}
    assert groups
    group = max(groups, key=lambda g: sum(post.alarms[lamp, "crowd"].group == g for lamp in lamps))
    members = [lamp for lamp in lamps if post.alarms[lamp, "crowd"].group == group]
    nobody = post.person("zoe", trade="police", verbs=["alarm.acknowledge"])
    assert act(post, nobody, "acknowledge", group=group).reason == "right"
    assert act(post, post.person("anne"), "acknowledge", group=group) == AlarmsActedOn(len(members))
    assert act(post, post.person("anne"), "acknowledge", group=99_999) == AlarmsActedOn(0)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"what": "shelve", "alarms": [(HERE, "crowd")], "seconds": 5}, "alarm"),
        ({"what": "shelve", "alarms": [(HERE, "crowd")], "seconds": 90_000, "reason": "long"}, "alarm"),
        ({"what": "shelve", "alarms": [(HERE, "crowd")], "reason": "no time"}, "alarm"),
        ({"what": "take_out_of_service", "alarms": [(HERE, "crowd")], "reason": " "}, "alarm"),
        ({"what": "acknowledge"}, "alarm"),
        ({"what": "acknowledge", "alarms": [(HERE, "crowd")], "group": 1}, "alarm"),
        ({"what": "shelve", "group": 1, "seconds": 5, "reason": "all"}, "alarm"),
        ({"what": "acknowledge", "alarms": [("L9999", "crowd")]}, "unknown_asset"),
        ({"what": "acknowledge", "alarms": [(HERE, "nothing")]}, "unknown_alarm"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_sentence(given: dict[str, Any], code: str) -> None:
    post = crowded(HERE)
    answer = act(post, post.person("anne"), **given)
    assert isinstance(answer, Refused)
    assert answer.reason == code
    assert answer.what
    assert post.alarms[HERE, "crowd"].state == "unacked_active"


def test_where_one_of_several_cannot_it_says_how_many_are_done() -> None:
    post = crowded(HERE, THERE)
    anne = post.person("anne")
    act(post, anne, "take_out_of_service", [(THERE, "crowd")], reason="gone")
    answer = act(post, anne, "shelve", [(HERE, "crowd"), (THERE, "crowd")], seconds=5, reason="works")
    assert isinstance(answer, Refused)
    assert "1 before it are done" in answer.what


def test_without_a_token_or_asked_twice_nothing_is_done() -> None:
    post = crowded(HERE)
    assert act(post, b"", "acknowledge", [(HERE, "crowd")]).reason == "token"
    asked = ActOnAlarms(**post._request(post.person("anne")), act="acknowledge", alarms=((HERE, "crowd"),))
    assert post.ask(asked) == AlarmsActedOn(1)
    assert post.ask(asked).reason == "replayed"


def test_what_persons_did_stands_after_a_crash() -> None:
    post = crowded(HERE)
    post.save()
    act(post, post.person("anne"), "shelve", [(HERE, "crowd")], seconds=60, reason="roadworks")
    post.crash()
    assert post.alarms[HERE, "crowd"].state == "shelved"
    assert post.alarms[HERE, "crowd"].shelved_by == "anne"
