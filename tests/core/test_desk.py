"""What persons ask: who is believed, what needs two of them, what is journaled, and that nothing unlawful passes."""

from __future__ import annotations

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from core.desk import grant_hash
from core.operators import CommandTaken, Propose, Released
from core.person import Person, Role, token
from ondijon import Authorisation, Command, Interlock, Release, hookimpl
from ondijon.testing import City, Post
from tests.core.conftest import T
from tests.core.persons import records, refused
from tests.core.watched import GATE, LAMPS, by_itself, rule_, watched


@pytest.fixture
def post() -> Post:
    return Post(City.small(), [watched()], gate=GATE)


def ended(post: Post) -> list[tuple[str, str]]:
    return [(event.data.state, event.data.reason) for event in post.events_of("post.command.ended")]


# -- the everyday


def test_a_persons_command_goes_out_and_is_answered(post: Post) -> None:
    answer = post.propose(post.person("anna"), "lamp.dim", ["L0001", "L0011"], [40, 50], incident="I-7")
    assert isinstance(answer, CommandTaken)
    assert answer.state == "committed"
    assert post.commanded("L0001") == [40]
    (record,) = records(post, "command")
    assert (record["by"], record["incident"], record["trade"], record["state"]) == (
        "anna",
        "I-7",
        "trial",
        "checked",
    )
    post.run(80)
    assert ended(post) == [("executed", "")]
    assert [event.data.by for event in post.events_of("post.command.reverted")] == ["anna"]


def rule_asks(post: Post, value: float, targets=(0, 1)) -> None:
    assets = np.array([post.kernel.city.assets.index[LAMPS[i]] for i in targets], np.uint32)
    post.rule.append([dim_by_rule(assets, value)])
    post.step()


def dim_by_rule(assets: np.ndarray, value: float) -> Command | Release:
    if value < 0:
        return Release(verb="lamp.dim", targets=assets, reason="the rule lets go")
    return Command(
        verb="lamp.dim", targets=assets, values=np.full(len(assets), value), lease_s=60.0, reason="the rule"
    )


@pytest.fixture
def ruled() -> Post:
    """A post whose trade asks what ``post.rule`` holds, step by step."""
    rule: list[list] = []
    everywhere = Authorisation(name="rule", verb="lamp.dim", low=0, high=100, lease_max_s=900, rate=100)
    module = watched(authorisations=(everywhere,), ticks={"look": 0.05})
    module.on_tick = hookimpl(lambda now, name, state: rule.pop(0) if rule else [])
    post = Post(City.small(), [module], gate=GATE)
    post.rule = rule
    return post


def test_a_rule_takes_no_target_from_a_person(ruled: Post) -> None:
    anna = ruled.person("anna")
    rule_asks(ruled, 20)
    ruled.propose(anna, "lamp.dim", [LAMPS[0]], [100])
    rule_asks(ruled, 30)
    assert (ruled.commanded(LAMPS[0]), ruled.commanded(LAMPS[1])) == ([20, 100], [20, 30])
    assert [record["left_out"] for record in records(ruled, "command")] == [0, 0, 1]
    for value in (40, -1):
        rule_asks(ruled, value, targets=[0])
    ruled.step()
    assert ended(ruled).count(("refused", "person_holds")) == 2
    ruled.propose(anna, "lamp.dim", [LAMPS[0]], lease_s=0)
    rule_asks(ruled, 50, targets=[0])
    assert ruled.commanded(LAMPS[0]) == [20, 100, 0, 50]


@pytest.mark.parametrize("saved", [False, True])
def test_what_a_person_holds_outlives_a_crash(ruled: Post, saved: bool) -> None:
    ruled.propose(ruled.person("anna"), "lamp.dim", [LAMPS[0]], [100])
    ruled.step()
    if saved:
        ruled.save()
    ruled.crash()
    rule_asks(ruled, 30)
    assert (ruled.commanded(LAMPS[0]), ruled.commanded(LAMPS[1])) == ([100], [30])
    ruled.run(120)
    rule_asks(ruled, 40)
    assert ruled.commanded(LAMPS[0]) == [100, 40]


@pytest.mark.parametrize("saved", ["never", "before it was approved", "after it was approved"])
def test_what_two_persons_gave_outlives_a_crash(ruled: Post, saved: str) -> None:
    answer = ruled.propose(ruled.person("anna"), "lamp.dim", LAMPS[:6], [100] * 6)
    assert answer.state == "awaiting"
    if saved == "before it was approved":
        ruled.save()
    assert isinstance(ruled.approve(ruled.person("bob"), answer.command, answer.hash), CommandTaken)
    if saved == "after it was approved":
        ruled.save()
    ruled.crash()
    assert ended(ruled) == [("unknown", "restart")]
    rule_asks(ruled, 30, targets=[0, 6])
    assert (ruled.commanded(LAMPS[0]), ruled.commanded(LAMPS[6])) == ([100], [30])
    ruled.run(120)
    rule_asks(ruled, 40)
    assert ruled.commanded(LAMPS[0]) == [100, 40]


def test_leases_come_back_in_the_order_they_were_given(ruled: Post) -> None:
    anna = ruled.person("anna")
    answer = ruled.propose(anna, "lamp.dim", LAMPS[:6], [100] * 6)
    ruled.propose(anna, "lamp.dim", [LAMPS[0]], lease_s=0)
    assert isinstance(ruled.approve(ruled.person("bob"), answer.command, answer.hash), CommandTaken)
    ruled.crash()
    rule_asks(ruled, 30, targets=[0])
    assert ruled.commanded(LAMPS[0]) == [0, 100], "it was approved after the release"


def test_a_lease_of_0_releases(post: Post) -> None:
    anna = post.person("anna")
    post.propose(anna, "lamp.kill", ["L0001"], lease_s=0)
    assert [order.lease_ms for _, order in post.orders] == [0]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"verb": "lamp.fly"}, "unknown_verb"),
        ({"targets": ["X"], "values": [1]}, "unknown_asset"),
        ({"targets": ["A0001"], "values": [1]}, "kind"),
        ({"targets": ["L0001", "L0001"], "values": [1, 1]}, "twice"),
        ({"values": []}, "targets"),
        ({"values": [101]}, "value"),
        ({"values": [float("nan")]}, "value"),
        ({"lease_s": 901}, "lease"),
        ({"deadline_s": 4000}, "deadline"),
        ({"targets": LAMPS[20:22], "values": [1, 1]}, "right"),
    ],
)
def test_what_a_person_may_not_ask(post: Post, given: dict, code: str) -> None:
    anna = post.person("anna", trade="trial", commune="Petite-Ville", verbs=["lamp.dim", "lamp.fly"])
    answer = post.propose(anna, **({"verb": "lamp.dim", "targets": ["L0001"], "values": [50]} | given))
    assert refused(answer) == code
    assert not post.orders
    journaled = records(post, "command") + records(post, "request")
    assert [each["refusal"]["code"] for each in journaled] == [code]
    assert "anna" in (journaled[0].get("by"), journaled[0].get("person"))


def test_nobody_is_believed_without_the_login_process(post: Post) -> None:
    stranger = Person("eve", "Eve", (Role("*", "*", ("*",)),), "s", post.utc + 10**9)
    forged = token(stranger, Ed25519PrivateKey.generate())
    good = post.person("anna")
    for bad in (b"", forged, good[:-1], bytes([good[0] ^ 1]) + good[1:], good + b"\0", good[:64]):
        assert refused(post.propose(bad, "lamp.dim", ["L0001"], [50])) == "token"
    assert (
        refused(post.propose(post.person("anna", seconds=0), "lamp.dim", ["L0001"], [50]))
        == "session_expired"
    )
    assert not post.orders
    assert len(records(post, "request")) == 7


def test_without_a_key_nobody_is_a_person() -> None:
    post = Post(City.small(), [watched()])
    post._login = Ed25519PrivateKey.generate()
    assert refused(post.propose(post.person("anna"), "lamp.dim", ["L0001"], [50])) == "token"
    post.kernel.desk._login._keys = ()
    assert refused(post.propose(post.person("anna"), "lamp.dim", ["L0001"], [50])) == "no_login"


def test_a_request_is_taken_once_and_in_time(post: Post) -> None:
    anna = post.person("anna")
    given = {
        "token": anna,
        "epoch": 1,
        "verb": "lamp.dim",
        "targets": ("L0001",),
        "values": (50.0,),
        "lease_s": 10.0,
        "reason": "x",
    }
    post.run(60)
    once = Propose(request="1", asked_utc=post.utc, **given)
    assert isinstance(post.ask(once), CommandTaken)
    assert refused(post.ask(once)) == "replayed"
    post.run(29)
    assert refused(post.ask(once)) == "replayed"
    post.run(5)
    assert refused(post.ask(once)) == "replayed"
    old = Propose(request="1b", asked_utc=post.utc - 31_000_000, **given)
    assert refused(post.ask(old)) == "stale_request"
    early = Propose(request="2", asked_utc=post.utc + 4_000_000, **given)
    assert refused(post.ask(early)) == "stale_request"
    post.run(2)
    assert refused(post.ask(early)) == "replayed", "who was told no does not find it done later"
    late = Propose(request="3", asked_utc=post.utc - 11_000_000, **given)
    assert refused(post.ask(late)) == "deadline", "it counts from when it was asked"
    again = Propose(request="4", asked_utc=post.utc, **given)
    assert isinstance(post.ask(again), CommandTaken)
    post.crash()
    assert refused(post.ask(again)) == "stale_request", "nor over a restart"


def test_one_person_can_do_only_so_much_in_a_minute(post: Post) -> None:
    anna, bob = post.person("anna"), post.person("bob")
    for _ in range(8):
        assert isinstance(post.propose(anna, "lamp.dim", LAMPS[:5], [50] * 5), CommandTaken)
    assert refused(post.propose(anna, "lamp.dim", LAMPS[:1], [50])) == "rate"
    assert isinstance(post.propose(bob, "lamp.dim", LAMPS[:1], [50]), CommandTaken)
    post.save()
    post.crash()
    anna = post.person("anna")
    assert refused(post.propose(anna, "lamp.dim", LAMPS[:1], [50])) == "rate", "a restart forgets nothing"
    assert isinstance(post.propose(anna, "lamp.dim", LAMPS[:1], lease_s=0), CommandTaken)
    post.run(61)
    assert isinstance(post.propose(anna, "lamp.dim", LAMPS[:1], [50]), CommandTaken)


# -- two persons


def closed(post: Post) -> None:
    post.samples(["A0001", "A0002", "A0003"], "cabinet.open", [0, 0, 0])
    post.step()


@pytest.mark.parametrize(
    ("verb", "targets", "given"),
    [
        ("lamp.kill", LAMPS[:1], {}),
        ("lamp.dim", LAMPS[:6], {}),
        ("lamp.dim", LAMPS[:1], {"override": True}),
    ],
)
def test_the_dangerous_needs_two_persons(post: Post, verb: str, targets: list[str], given: dict) -> None:
    closed(post)
    anna, bob = post.person("anna"), post.person("bob")
    answer = post.propose(anna, verb, targets, [1] * len(targets), deadline_s=200, **given)
    assert answer.state == "awaiting"
    assert not post.orders
    assert refused(post.approve(anna, answer.command, answer.hash)) == "same_person"
    assert refused(post.approve(post.person("anna"), answer.command, answer.hash)) == "same_person"
    assert refused(post.approve(bob, answer.command, bytes(32))) == "hash"
    assert refused(post.approve(bob, "1-99", answer.hash)) == "not_awaiting"
    assert refused(post.approve(post.person("carl", verbs=["none"]), answer.command, answer.hash)) == "right"
    assert isinstance(post.approve(bob, answer.command, answer.hash), CommandTaken)
    assert post.commanded(targets[0]) == [1]
    assert refused(post.approve(bob, answer.command, answer.hash)) == "not_awaiting"
    assert len(post.commanded(targets[0])) == 1
    said = [(each["person"], (each["refusal"] or {}).get("code", "")) for each in records(post, "approval")]
    assert said[-2:] == [("bob", ""), ("bob", "not_awaiting")]


def test_the_second_person_comes_in_time_or_never(post: Post) -> None:
    closed(post)
    answer = post.propose(post.person("anna"), "lamp.kill", ["L0001"], [1], deadline_s=1000)
    post.run(301)
    assert ended(post) == [("expired", "second_person_missing")]
    assert refused(post.approve(post.person("bob"), answer.command, answer.hash)) == "not_awaiting"


@pytest.mark.parametrize(
    ("wait", "given", "code"),
    [
        (20, {"deadline_s": 15}, "deadline"),
        (130, {}, "interlock_unknown"),
        (40, {"seconds": 30}, "session_expired"),
    ],
)
def test_what_was_asked_passes_the_gate_once_more(post: Post, wait: float, given: dict, code: str) -> None:
    closed(post)
    anna = post.person("anna", seconds=given.pop("seconds", 3600))
    answer = post.propose(anna, "lamp.kill", ["L0001"], [1], **({"deadline_s": 600} | given))
    post.run(wait)
    assert refused(post.approve(post.person("bob"), answer.command, answer.hash)) == code
    assert not post.orders
    assert ended(post) == [("expired" if code == "deadline" else "refused", code)]


def test_what_waits_does_not_outlive_a_restart(post: Post) -> None:
    closed(post)
    answer = post.propose(post.person("anna"), "lamp.kill", ["L0001"], [1], deadline_s=600)
    post.crash()
    assert ended(post) == [("expired", "restart")]
    assert refused(post.approve(post.person("bob"), answer.command, answer.hash)) == "not_awaiting"


# -- interlocks


def test_an_interlock_refuses_where_it_does_not_hold_or_nobody_knows(post: Post) -> None:
    def kill(lamp: str, **given) -> object:
        return post.propose(post.person("anna"), "lamp.kill", [lamp], [1], **given)

    assert refused(kill("L0001")) == "interlock_unknown"
    closed(post)
    assert kill("L0001").state == "awaiting"
    post.sample("A0001", "cabinet.open", 1)
    post.step()
    assert refused(kill("L0001")) == "interlock"
    assert kill("L0011").state == "awaiting"
    assert kill("L0001", override=True).state == "awaiting", "two persons may"
    post.run(121)
    assert refused(kill("L0011")) == "interlock_unknown"


def test_an_interlock_holds_a_trade_too() -> None:
    lock = Interlock(verb="lamp.dim", metric="cabinet.open", comparison="<", value=0.5, text=T)
    post = Post(City.small(), [watched(interlocks=(lock,))])
    post.sample("S0001", "presence_sensor.presence", 1)
    post.step()
    post.samples(["A0001"], "cabinet.open", [0])
    post.step()
    post.sample("S0001", "presence_sensor.presence", 1)
    post.step()
    assert [state for state, _ in ended(post)] == ["refused"]
    assert post.commanded("L0001") == [80]


# -- releasing all


@pytest.mark.parametrize(("zone", "lamps"), [("", 30), ("Voisine", 10)])
def test_one_person_releases_all(post: Post, zone: str, lamps: int) -> None:
    nobody = post.person("carl", trade="snow", commune="Voisine", verbs=[])
    answer = post.release_all(nobody, zone)
    assert isinstance(answer, Released)
    assert answer.targets == 2 * lamps, "of both verbs"
    assert {order.lease_ms for _, order in post.orders} == {0}
    assert {record["by"] for record in records(post, "command")} == {"carl"}
    assert refused(post.release_all(nobody, "Atlantis")) == "zone_unknown"
    assert refused(post.release_all(b"", zone)) == "token"


# -- authorisations


def asking(post_of, *commands: Command) -> Post:
    queue = list(commands)
    module = post_of
    module.on_tick = hookimpl(lambda now, name, state: [queue.pop(0)] if queue else [])
    post = Post(City.small(), [module], gate=GATE)
    post.queue = queue
    return post


@pytest.mark.parametrize(
    ("rules", "command", "code"),
    [
        ((), by_itself(), "no_authorisation"),
        ((rule_(),), by_itself(value=95), "value"),
        ((rule_(),), by_itself(lease_s=61), "lease"),
        ((rule_(communes=("Voisine",)),), by_itself(), "zone"),
        ((rule_(communes=("Voisine",)),), by_itself(targets=(31,)), ""),
        ((rule_(assets=("L0001", "gone")),), by_itself(targets=(3, 4)), "zone"),
        ((rule_(assets=("L0001", "gone")),), by_itself(), ""),
        ((rule_(communes=("Atlantis",)),), by_itself(), "zone"),
        ((rule_(high=20), rule_(name="more", low=50)), by_itself(), ""),
        ((rule_(rate=0.02),), by_itself(targets=(3, 4)), "rate"),
    ],
)
def test_a_trade_does_by_itself_what_is_authorised(rules, command: Command, code: str) -> None:
    post = asking(watched(authorisations=rules), command)
    post.run(0.2)
    assert [reason for _, reason in ended(post) if reason] == ([code] if code else [])
    assert bool(post.orders) == (not code)


def test_a_trades_rate_is_counted_over_a_minute_and_raises_an_alarm() -> None:
    post = asking(watched(authorisations=(rule_(rate=0.1),)), *[by_itself()] * 5)
    post.run(5)
    assert len(post.orders) == 3
    assert ("", "limit_reached") in post.alarms
    post.run(60)
    post.queue.append(by_itself())
    post.run(2)
    assert len(post.orders) == 4


def test_two_persons_approve_an_authorisation_of_a_dangerous_verb() -> None:
    rule = Authorisation(
        name="night", verb="lamp.kill", low=0, high=1, lease_max_s=60, rate=60, approved_s=100
    )
    post = asking(watched(authorisations=(rule,), interlocks=()), by_itself("lamp.kill", value=1))
    post.run(0.1)
    assert [reason for _, reason in ended(post)] == ["not_approved"]
    exact = grant_hash(post.kernel.gate.grants["trial/night"])
    anna, bob = post.person("anna"), post.person("bob")
    assert refused(post.approve(anna, "trial/night", bytes(32))) == "hash"
    local = post.person("carl", commune="Voisine")
    assert refused(post.approve(local, "trial/night", exact)) == "right"
    assert post.approve(anna, "trial/night", exact).state == "awaiting"
    assert refused(post.approve(anna, "trial/night", exact)) == "same_person"
    assert refused(post.approve(local, "trial/night", exact)) == "right"
    assert post.approve(bob, "trial/night", exact).state == "authorised"

    def kill() -> int:
        before = len(post.orders)
        post.queue.append(by_itself("lamp.kill", value=1))
        post.run(1.1)
        return len(post.orders) - before

    assert kill() == 1
    post.crash()
    assert kill() == 1, "it outlives a restart, from the journal"
    post.save()
    post.crash()
    assert kill() == 1, "and from a snapshot"
    post.run(100)
    assert kill() == 0, "for as long as it was approved"
