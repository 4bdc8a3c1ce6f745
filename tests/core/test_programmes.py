"""Programmes from a person to the devices: who may, what is taken, what is told, and that nothing unlawful passes."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import pytest

from core import deliveries, wire
from core.errors import PluginError
from core.operators import CommandTaken, ProposeProgramme
from core.wire import CONTENT_MAX, Programmed, Taken
from ondijon import AssetChange, ProgrammeKind
from ondijon.testing import City, Post
from tests.core.conftest import T
from tests.core.persons import records, refused
from tests.core.planned import ALARM, GATE, PLAN, Plan, level, planned


@pytest.fixture
def post() -> Post:
    return Post(City.small(), [planned()], gate=GATE)


def held(post: Post) -> dict[str, dict[tuple[str, str], tuple[int, int, list[int]]]]:
    """What gateways hold: gateway, kind and zone, then version, level, wire indexes."""
    return {
        gateway: {key: (p.version, level(p.content), p.targets().tolist()) for key, p in of.items()}
        for gateway, of in post.held.items()
    }


# -- the everyday


def test_one_person_sets_it_for_few_and_it_is_in_force_at_once(post: Post) -> None:
    answer = post.propose_programme(post.person("anna"), PLAN, "Voisine", {"level": 40}, reason="the council")
    assert isinstance(answer, CommandTaken)
    assert answer.state == "in_force"
    post.run(0.2)
    assert held(post) == {"gw-A0003": {(PLAN, "Voisine"): (1, 40, list(range(1, 11)))}}
    (record,) = records(post, "programme")
    assert (record["by"], record["reason"], record["state"], record["targets"]) == (
        "anna",
        "the council",
        "in_force",
        10,
    )
    exact = [answer.command, PLAN, "Voisine", 1, msgspec.msgpack.encode(Plan(40))]
    assert record["hash"] == answer.hash == hashlib.sha256(msgspec.msgpack.encode(exact)).digest()
    (((gateway, said),),) = records(post, "programmed")
    assert gateway == "gw-A0003"
    assert (said["version"], said["hash"]) == (1, post.held[gateway][PLAN, "Voisine"].hash)
    (told,) = post.events_of("post.programme.changed")
    assert (told.trade, told.communes, told.data.version, told.data.content) == (
        "trial",
        (1,),
        1,
        {"level": 40, "note": ""},
    )


def test_two_persons_set_it_for_many(post: Post) -> None:
    anna, bob = post.person("anna"), post.person("bob")
    answer = post.propose_programme(anna, PLAN, "Petite-Ville", {"level": 40})
    assert answer.state == "awaiting"
    assert refused(post.approve(anna, answer.command, answer.hash)) == "same_person"
    assert refused(post.approve(bob, answer.command, bytes(32))) == "hash"
    other = post.person("carl", trade="trial", commune="Voisine", verbs=[PLAN])
    assert refused(post.approve(other, answer.command, answer.hash)) == "right"
    post.run(0.2)
    assert held(post) == {}
    assert post.approve(bob, answer.command, answer.hash).state == "in_force"
    assert refused(post.approve(bob, answer.command, answer.hash)) == "not_awaiting"
    post.run(0.2)
    assert {gateway: list(of.values()) for gateway, of in held(post).items()} == {
        "gw-A0001": [(1, 40, list(range(1, 11)))],
        "gw-A0002": [(1, 40, list(range(1, 11)))],
    }
    asked, in_force = records(post, "programme")
    assert (asked["state"], in_force["state"]) == ("awaiting", "in_force")
    assert [each["person"] for each in in_force["approvals"]] == ["bob"]


def test_what_is_dangerous_takes_two_however_few_follow_it(post: Post) -> None:
    anna = post.person("anna")
    assert post.propose_programme(anna, ALARM, "Voisine", {"level": 1}).state == "awaiting"


@pytest.mark.parametrize(
    ("kind", "zone", "content", "code"),
    [
        ("trial.fly", "", {"level": 1}, "unknown_programme"),
        (PLAN, "Atlantis", {"level": 1}, "zone_unknown"),
        (PLAN, "Voisine", {}, "content"),
        (PLAN, "Voisine", {"level": 101}, "content"),
        (PLAN, "Voisine", {"level": 13}, "content"),
        (PLAN, "Voisine", {"level": 1, "more": 2}, "content"),
        (PLAN, "Voisine", {"level": "1"}, "content"),
        (PLAN, "Voisine", [1], "content"),
        (PLAN, "Voisine", {"level": 1, "note": "x" * CONTENT_MAX}, "content"),
        (PLAN, "Petite-Ville", {"level": 1}, "right"),
        (PLAN, "", {"level": 1}, "right"),
        (ALARM, "Voisine", {"level": 1}, "right"),
    ],
)
def test_what_a_person_may_not_set(post: Post, kind: str, zone: str, content: Any, code: str) -> None:
    anna = post.person("anna", trade="trial", commune="Voisine", verbs=[PLAN, "trial.fly"])
    assert refused(post.propose_programme(anna, kind, zone, content)) == code
    post.run(0.2)
    assert held(post) == {}
    (record,) = records(post, "programme")
    assert (record["state"], record["refusal"]["code"]) == ("refused", code)


def test_a_content_that_is_no_msgpack_is_refused(post: Post) -> None:
    anna = post.person("anna")
    for raw in (b"\xc1", b"\x81", b"\x91" * 5000 + b"\x01"):
        request = post._request(anna)
        asked = ProposeProgramme(**request, kind=PLAN, zone="", content=msgspec.Raw(raw), reason="x")
        assert refused(post.ask(asked)) == "content"


def test_a_zone_without_a_target_is_refused() -> None:
    post = Post(City.small(), [planned()], gate=GATE)
    lamps = [f"L{i:04}" for i in range(21, 31)]
    post.change(*(AssetChange(change="retired", id=id, at_utc=post.utc) for id in lamps))
    assert refused(post.propose_programme(post.person("anna"), PLAN, "Voisine", {"level": 1})) == "targets"


def test_the_second_person_comes_in_time_or_never(post: Post) -> None:
    answer = post.propose_programme(post.person("anna"), PLAN, "", {"level": 1})
    post.run(301)
    assert refused(post.approve(post.person("bob"), answer.command, answer.hash)) == "not_awaiting"
    assert [each["state"] for each in records(post, "programme")] == ["awaiting", "expired"]


def test_of_two_that_wait_the_second_was_asked_in_view_of_another(post: Post) -> None:
    anna, bob = post.person("anna"), post.person("bob")
    one, two = (post.propose_programme(anna, PLAN, "", {"level": i}) for i in (1, 2))
    assert post.approve(bob, two.command, two.hash).state == "in_force"
    assert refused(post.approve(bob, one.command, one.hash)) == "overtaken"
    post.run(0.2)
    assert {each[0][:2] for each in (list(of.values()) for of in held(post).values())} == {(1, 2)}


def test_the_first_persons_session_must_last(post: Post) -> None:
    answer = post.propose_programme(post.person("anna", seconds=10), PLAN, "", {"level": 1})
    post.run(11)
    assert refused(post.approve(post.person("bob"), answer.command, answer.hash)) == "session_expired"


@pytest.mark.parametrize("saved", [False, True])
def test_it_outlives_a_crash_and_its_version_counts_on(post: Post, saved: bool) -> None:
    post.set_programme(PLAN, "Voisine", {"level": 1})
    waiting = post.propose_programme(post.person("anna"), PLAN, "", {"level": 9})
    if saved:
        post.save()
    post.crash()
    assert refused(post.approve(post.person("bob"), waiting.command, waiting.hash)) == "not_awaiting"
    before = len(records(post, "programme"))
    post.run(1)
    assert len(records(post, "programme")) == before
    assert post.set_programme(PLAN, "Voisine", {"level": 2}) == 2
    assert held(post)["gw-A0003"][PLAN, "Voisine"][:2] == (2, 2)


def test_a_trade_that_is_away_for_a_run_finds_its_programmes_again(post: Post) -> None:
    post.set_programme(PLAN, "Voisine", {"level": 1})
    post.save()
    (plugin,) = post.plugins
    declared = plugin.declaration
    plugin.declaration = msgspec.structs.replace(declared, programmes=())
    post.crash()
    post.run(1)
    post.save()
    plugin.declaration = declared
    post.crash()
    assert post.set_programme(PLAN, "Voisine", {"level": 2}) == 2


# -- at the gateways


@pytest.fixture
def silent() -> Post:
    """A post whose gateways are played by the test."""
    return Post(City.small(), [planned()], gate=GATE, answers=False)


def told(post: Post, gateway: str, *taken: Taken) -> list[tuple[str, wire.Programme]]:
    """A gateway tells what it holds; what is sent in the next step."""
    post._programmed[gateway] = Programmed(taken)
    return post.step().programmes


def taken(programme: wire.Programme, code: str = "") -> Taken:
    return Taken(programme.kind, programme.zone, programme.version, programme.hash, code)


def propose(post: Post, zone: str = "Voisine", level: int = 1) -> None:
    answer = post.propose_programme(post.person("anna"), PLAN, zone, {"level": level})
    if answer.state == "awaiting":
        post.approve(post.person("bob"), answer.command, answer.hash)


def test_nothing_is_sent_to_a_gateway_that_does_not_say_what_it_holds(silent: Post) -> None:
    propose(silent)
    for _ in range(40):
        assert silent.step().programmes == []
    ((gateway, sent),) = told(silent, "gw-A0003")
    assert (gateway, sent.version) == ("gw-A0003", 1)
    assert told(silent, "gw-A0001") == [], "it has no asset there"


def test_it_is_sent_again_until_it_is_answered_and_then_no_more(silent: Post) -> None:
    propose(silent)
    ((_, sent),) = told(silent, "gw-A0003")
    assert told(silent, "gw-A0003") == [], "it is on its way"
    silent.jump(4)
    assert silent.step().programmes == []
    silent.jump(2)
    assert silent.step().programmes == [("gw-A0003", sent)]
    assert told(silent, "gw-A0003", taken(sent)) == []
    silent.jump(60)
    assert silent.step().programmes == []
    silent.crash()
    assert told(silent, "gw-A0003", taken(sent)) == [], "the same hash"
    ((_, again),) = told(silent, "gw-A0003")
    assert again == sent, "it lost its disk"


def test_what_a_gateway_refuses_is_recorded_and_seen_and_not_sent_again(silent: Post) -> None:
    propose(silent)
    ((_, sent),) = told(silent, "gw-A0003")
    assert told(silent, "gw-A0003", taken(sent, "unknown_kind")) == []
    for _ in range(5):
        silent.jump(20)
        assert told(silent, "gw-A0003", taken(sent, "unknown_kind")) == []
    ((said,),) = records(silent, "programmed")
    assert (said[0], said[1]["code"]) == ("gw-A0003", "unknown_kind")
    (figures,) = silent.kernel.deliveries.figures()
    assert (figures.gateways, figures.up_to_date, figures.refused) == (1, 0, {"gw-A0003": "unknown_kind"})
    ((_, again),) = told(silent, "gw-A0003")
    assert again == sent, "after another handshake it may know more"
    told(silent, "gw-A0003", taken(sent, "unknown_kind"))
    answer = silent.propose_programme(silent.person("anna"), PLAN, "Voisine", {"level": 2})
    assert answer.state == "in_force"
    assert silent.kernel.deliveries.figures()[0].refused == {}, "the next one it may like"


def test_what_is_not_taken_is_an_alarm_after_a_while_and_over_when_it_is(silent: Post) -> None:
    propose(silent)
    ((_, sent),) = told(silent, "gw-A0003")
    silent.run(290)
    assert silent.events_of("post.alarm.changed") == []
    silent.run(20)
    (raised,) = silent.events_of("post.alarm.changed")
    assert (raised.data.code, raised.data.priority) == ("programme_not_taken", 3)
    assert raised.data.data == {
        "gateway": "gw-A0003",
        "programme": PLAN,
        "zone": "Voisine",
        "waiting": "1",
    }
    told(silent, "gw-A0003", taken(sent))
    silent.run(70)
    assert silent.events_of("post.alarm.changed")[-1].data.state != raised.data.state


def test_an_added_lamp_is_told_to_its_gateway(post: Post) -> None:
    post.set_programme(PLAN, "Voisine", {"level": 1})
    before = post.held["gw-A0003"][PLAN, "Voisine"]
    post.set_programme(PLAN, "", {"level": 3})
    assets = post.kernel.city.assets
    at = assets.index["L0025"]
    new = AssetChange(
        change="added",
        id="L9001",
        at_utc=post.utc,
        kind="lamp",
        lon=float(assets.lon[at]),
        lat=float(assets.lat[at]),
        gateway="gw-A0003",
        attributes={
            "power_w": 40.0,
            "old_power_w": 0.0,
            "old_hours": 0.0,
            "lighting_class": "P3",
            "conflict": False,
        },
    )
    post.change(new)
    post.run(0.3)
    now = post.held["gw-A0003"][PLAN, "Voisine"]
    assert now.version == before.version
    assert len(now.targets()) == len(before.targets()) + 1
    assert now.hash != before.hash
    post.change(AssetChange(change="retired", id="L9001", at_utc=post.utc))
    post.run(0.3)
    assert post.held["gw-A0003"][PLAN, "Voisine"] == before


def test_a_gateway_that_holds_what_is_no_longer_its_own_is_told_so(silent: Post) -> None:
    propose(silent)
    ((_, sent),) = told(silent, "gw-A0003")
    told(silent, "gw-A0003", taken(sent))
    ((_, empty),) = told(silent, "gw-A0001", taken(sent))
    assert empty.targets().tolist() == []
    assert told(silent, "gw-A0001", taken(empty)) == []


def test_nobody_waits_for_a_gateway_of_which_all_is_retired(silent: Post) -> None:
    propose(silent)
    ((_, sent),) = told(silent, "gw-A0003")
    assert silent.kernel.deliveries.open == 1
    lamps = [f"L{i:04}" for i in range(21, 31)]
    silent.change(*(AssetChange(change="retired", id=id, at_utc=silent.utc) for id in lamps))
    assert silent.kernel.deliveries.open == 0
    ((_, empty),) = told(silent, "gw-A0003", taken(sent))
    assert empty.indexes == b"", "it is there after all"


def test_many_gateways_are_served_by_and_by(silent: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "SENT_MAX", 2)
    propose(silent, zone="")
    for gateway in ("gw-A0001", "gw-A0002", "gw-A0003"):
        silent._programmed[gateway] = Programmed(())
    assert [len(silent.step().programmes) for _ in range(3)] == [2, 1, 0]


# -- declared


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ({"targets": "tram"}, "which no allowed plugin declares"),
        ({"name": "lamp.dim"}, "a verb has that name"),
        ({"content": Taken}, ""),
        ({"content": type("Loose", (msgspec.Struct,), {"__annotations__": {"a": int}})}, "may change"),
    ],
)
def test_a_kind_that_makes_no_sense_is_refused_at_the_start(kind: dict[str, Any], says: str) -> None:
    given = {"name": PLAN, "targets": "lamp", "content": Plan, "text": T} | kind
    module = planned(programmes=(ProgrammeKind(**given),))
    if not says:
        Post(City.small(), [module])
        return
    with pytest.raises(PluginError, match=says):
        Post(City.small(), [module])
