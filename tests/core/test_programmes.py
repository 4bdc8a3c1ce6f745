"""Programmes from a person to the devices: who may, what is taken, what is told, and that nothing unlawful passes."""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from core import deliveries, wire
from core.config import GateConfig
from core.errors import PluginError
from core.operators import Approve, CommandTaken, ProposeProgramme
from core.wire import CONTENT_MAX, Programmed, Refused, Taken
from ondijon import AssetChange, ProgrammeKind, Text
from ondijon.testing import City, Post
from tests.core.conftest import trial

T = Text("essai", "trial")
GATE = GateConfig(danger_targets=12, approve_s=300)
PLAN, ALARM = "trial.plan", "trial.siren"


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    level: int
    note: str = ""

    def __post_init__(self) -> None:
        if self.level > 100:
            raise ValueError("above 100 %")
        if self.level == 13:
            raise KeyError("no ValueError")


def planned(**changes: Any) -> Any:
    """The trial trade, with a kind of programme for its lamps and a dangerous one for its sensors."""
    kinds = (
        ProgrammeKind(name=PLAN, targets="lamp", content=Plan, text=T),
        ProgrammeKind(name=ALARM, targets="presence_sensor", content=Plan, danger=True, text=T),
    )
    return trial(**{"programmes": kinds} | changes)


@pytest.fixture
def post() -> Post:
    return Post(City.small(), [planned()], gate=GATE)


def records(post: Post, kind: str) -> list[Any]:
    return [msgspec.msgpack.decode(r.data) for r in post.journal.records if r.kind == kind]


def held(post: Post) -> dict[str, dict[tuple[str, str], tuple[int, int, list[int]]]]:
    """What gateways hold: gateway, kind and zone, then version, level, wire indexes."""
    return {
        gateway: {key: (p.version, level(p.content), p.targets().tolist()) for key, p in of.items()}
        for gateway, of in post.held.items()
    }


def level(content: bytes) -> int:
    return msgspec.msgpack.decode(content, type=Plan).level


def refused(answer: object) -> str:
    assert isinstance(answer, Refused), answer
    assert answer.what
    assert answer.next
    return answer.reason


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


# -- nothing unlawful passes


class Attempts(RuleBasedStateMachine):
    """Persons ask and agree as they like, the post dies; a plain model says what is in force and what devices hold."""

    attempts = 0
    passed = 0
    codes: ClassVar[set[str]] = set()

    #: How many lamps follow a zone's programme; "" those of communes without one of their own.
    LAMPS: ClassVar[dict[str, int]] = {"Petite-Ville": 20, "Voisine": 10}

    @initialize()
    def begin(self) -> None:
        self.post = Post(City.small(), [planned()], gate=GATE)
        self.post.run(0.1)
        self.people = {
            "anna": self.post.person("anna", seconds=2000),
            "bob": self.post.person("bob", trade="trial", commune="Voisine", verbs=[PLAN], seconds=2000),
            "carl": self.post.person("carl", seconds=2000),
            "dora": self.post.person("dora", trade="snow", seconds=2000),
        }
        self.ends = self.post.utc + 2_000_000_000
        #: By zone: the version in force and its level.
        self.in_force: dict[str, tuple[int, int]] = {}
        self.waiting: dict[str, tuple[str, str, int, int, bytes, int]] = {}
        self.requests: list[Any] = []
        self.versions: dict[tuple[str, tuple[str, str]], int] = {}
        self.n = 0

    def teardown(self) -> None:
        self.post.run(20)
        self.delivered()

    def count(self, answer: Any) -> None:
        type(self).attempts += 1
        if isinstance(answer, Refused):
            type(self).codes.add(answer.reason)
        else:
            type(self).passed += 1

    def may(self, who: str, zone: str) -> bool:
        return who in ("anna", "carl") or (who == "bob" and zone == "Voisine")

    def lamps(self, zone: str) -> int:
        if zone:
            return self.LAMPS.get(zone, 0)
        return sum(n for commune, n in self.LAMPS.items() if commune not in self.in_force)

    def put(self, zone: str, level: int) -> None:
        self.in_force[zone] = self.in_force.get(zone, (0, 0))[0] + 1, level

    @rule(
        who=st.sampled_from(["anna", "anna", "bob", "carl", "dora"]),
        zone=st.sampled_from(["", "Petite-Ville", "Voisine", "Voisine", "Atlantis"]),
        level=st.sampled_from([0, 1, 50, 100]),
        flaw=st.sampled_from([*[""] * 8, "forged", "late", "early", "epoch", "kind", "content", "raises"]),
    )
    def propose(self, who: str, zone: str, level: int, flaw: str) -> None:
        self.n += 1
        token = self.people[who]
        late_s = {"late": 31, "early": -4}.get(flaw, 0)
        said = {"content": 101, "raises": 13}.get(flaw, level)
        request = ProposeProgramme(
            token=token[:-1] if flaw == "forged" else token,
            request=f"p{self.n}",
            epoch=self.post.journal.generation - (flaw == "epoch"),
            asked_utc=self.post.utc - late_s * 1_000_000,
            kind="trial.fly" if flaw == "kind" else PLAN,
            zone=zone,
            content=msgspec.Raw(msgspec.msgpack.encode({"level": said})),
            reason="r",
        )
        self.requests.append(request)
        lawful = (
            not flaw
            and zone != "Atlantis"
            and self.may(who, zone)
            and self.lamps(zone) > 0
            and self.post.utc < self.ends
        )
        now = self.post.mono
        answer = self.post.ask(request)
        self.count(answer)
        assert isinstance(answer, CommandTaken) == lawful, answer
        if not lawful:
            return
        if self.lamps(zone) > GATE.danger_targets:
            assert answer.state == "awaiting"
            version = self.in_force.get(zone, (0, 0))[0]
            self.waiting[answer.command] = who, zone, level, version, answer.hash, now
        else:
            assert answer.state == "in_force"
            self.put(zone, level)

    @precondition(lambda self: self.requests)
    @rule(pick=st.integers(0, 1000))
    def replay(self, pick: int) -> None:
        answer = self.post.ask(self.requests[pick % len(self.requests)])
        self.count(answer)
        assert isinstance(answer, Refused)

    @precondition(lambda self: self.waiting)
    @rule(
        pick=st.integers(0, 1000),
        who=st.sampled_from(["anna", "bob", "carl", "dora"]),
        wrong=st.sampled_from([0, 0, 0, 1]),
    )
    def approve(self, pick: int, who: str, wrong: int) -> None:
        id = list(self.waiting)[pick % len(self.waiting)]
        first, zone, level, version, exact, since = self.waiting[id]
        self.n += 1
        request = Approve(
            token=self.people[who],
            request=f"a{self.n}",
            epoch=self.post.journal.generation,
            asked_utc=self.post.utc,
            command=id,
            hash=bytes(32) if wrong else exact,
        )
        self.requests.append(request)
        stands = (
            self.post.utc < self.ends
            and self.post.mono - since < 300_000_000
            and not wrong
            and who != first
            and self.may(who, zone)
        )
        lawful = stands and self.in_force.get(zone, (0, 0))[0] == version
        answer = self.post.ask(request)
        self.count(answer)
        assert isinstance(answer, CommandTaken) == lawful, answer
        if stands:
            del self.waiting[id]
        if lawful:
            self.put(zone, level)

    @rule(seconds=st.sampled_from([0.1, 1.0, 20.0, 130.0]))
    def wait(self, seconds: float) -> None:
        self.post.jump(seconds)
        self.post.run(0.1)

    @precondition(lambda self: self.n % 7 == 6)
    @rule(saved=st.booleans())
    def crash(self, saved: bool) -> None:
        if saved:
            self.post.save()
        self.post.crash()
        self.waiting.clear()

    @rule(gateway=st.sampled_from(["gw-A0001", "gw-A0002", "gw-A0003"]))
    def exchange(self, gateway: str) -> None:
        """A gateway is exchanged for one with an empty disk, and shakes hands."""
        self.post.held.pop(gateway, None)
        self.versions = {key: v for key, v in self.versions.items() if key[0] != gateway}
        self.post._tell_programmes(gateway)

    @invariant()
    def what_is_in_force_is_what_was_agreed(self) -> None:
        if hasattr(self, "post"):
            in_force = self.post.kernel.programmes.in_force
            assert {
                zone: (each.version, level(each.content)) for (_, zone), each in in_force.items()
            } == self.in_force

    @invariant()
    def no_device_goes_back(self) -> None:
        if hasattr(self, "post"):
            for gateway, of in self.post.held.items():
                for key, programme in of.items():
                    assert programme.version >= self.versions.get((gateway, key), 0)
                    self.versions[gateway, key] = programme.version

    def delivered(self) -> None:
        wanted: dict[str, dict[str, tuple[int, int]]] = {}
        for zone, (version, set_to) in self.in_force.items():
            for gateway in ("gw-A0001", "gw-A0002", "gw-A0003"):
                if zone in ("", "Voisine" if gateway == "gw-A0003" else "Petite-Ville"):
                    wanted.setdefault(gateway, {})[zone] = version, set_to
        there = {
            gateway: {zone: (p.version, level(p.content)) for (_, zone), p in of.items()}
            for gateway, of in self.post.held.items()
        }
        assert {gateway: of for gateway, of in there.items() if of} == wanted
        assert self.post.kernel.deliveries.open == 0


def test_nothing_unlawful_passes_in_3_000_attempts() -> None:
    many = settings(
        max_examples=50, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
    )
    # What overtakes what is left to chance here; a test of its own makes it happen.
    told = {"token", "stale_request", "replayed", "right", "same_person", "hash", "content"}
    for _ in range(8):
        run_state_machine_as_test(Attempts, settings=many)
        if Attempts.attempts >= 3_000 and told <= Attempts.codes:
            break
    assert Attempts.attempts >= 3_000
    assert told <= Attempts.codes, "each way was tried"
    assert Attempts.passed > 300, "and it is no gate that lets nothing through"
