"""Commands after the gate: orders, answers, read-back, leases, and what is left of them over a restart."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from core import commands
from core.commands import Differences
from core.wire import Fault, Reports
from ondijon import Authorisation, Command, Release, Text, Verb, hookimpl
from ondijon.testing import City, Post

T = Text("essai", "trial")
LAMPS = np.arange(3, 33, dtype=np.uint32)
VERIFIED = Verb(
    name="lamp.dim",
    targets="lamp",
    low=0,
    high=100,
    unit="%",
    lease_max_s=900,
    verify_metric="lamp.level",
    tolerance=2,
    verify_s=5,
    text=T,
)
LIGHT = Authorisation(name="light", verb="lamp.dim", low=0, high=100, lease_max_s=900, rate=6000)


@pytest.fixture
def city_post(make_trial):
    """The function that makes a post whose trade asks what ``post.asked`` holds, step by step."""

    def make(**given) -> Post:
        module = make_trial(verbs=(VERIFIED,), authorisations=(LIGHT,), ticks={"look": 0.05})
        asked: list[list] = []
        module.on_tick = hookimpl(lambda now, name, state: asked.pop(0) if asked else [])
        post = Post(City.small(), [module], **given)
        post.asked = asked
        return post

    return make


def dim(targets, value: float = 80.0, lease_s: float = 60.0, deadline_s: float = 10.0) -> Command:
    targets = np.asarray(targets, np.uint32)
    return Command(
        verb="lamp.dim",
        targets=targets,
        values=np.full(len(targets), value),
        lease_s=lease_s,
        deadline_s=deadline_s,
        reason="",
    )


def ended(post: Post) -> list[tuple[str, str, int]]:
    return [
        (event.data.command, event.data.state, event.data.failed)
        for event in post.events_of("post.command.ended")
    ]


def difference(post: Post) -> dict[str, tuple[list[int], list[float]]]:
    (record,) = [record for record in post.journal.records if record.kind == commands.DIFFERENCES]
    targets = msgspec.msgpack.decode(record.data, type=Differences).targets
    return {
        code: (np.frombuffer(a, "<u4").tolist(), np.frombuffer(v, "<f8").tolist())
        for code, (a, v) in targets.items()
    }


def state(post: Post, id: str) -> str | None:
    command = post.kernel.commands.open.get(id)
    return command and command.state


def test_the_states_of_a_command_one_by_one(city_post) -> None:
    post = city_post(answers=False)
    post.asked.append([dim([3, 4])])
    post.journal.hold = True
    post.step()
    assert state(post, "1-1") == "committed", "the disk has not taken it yet"
    post.step()
    assert state(post, "1-1") == "committed"
    post.journal.hold = False
    post.journal.append([])
    post.step()
    assert state(post, "1-1") == "sent"
    post._reports.append(("gw-A0001", msgspec.convert({"epoch": 1, "accepted": 1, "executed": 0}, Reports)))
    post.step()
    assert state(post, "1-1") == "accepted"
    post.report("gw-A0001", 1)
    post.step()
    assert state(post, "1-1") == "executed"
    post.samples(["L0001", "L0002"], "lamp.level", [80, 79])
    post.run(1)
    assert ended(post) == [("1-1", "verified", 0)]
    post.run(62)
    assert not post.kernel.commands._live, "the leases are over: it is reverted, and forgotten"
    assert not post.events_of("post.command.reverted"), "everyday business is not told"


def test_targets_that_do_not_follow_are_recorded_and_no_others(city_post) -> None:
    post = city_post()
    post.asked.append([dim([3, 4, 5, 6, 20])])
    post.step()
    post.step()
    post.samples(["L0001", "L0002", "L0003", "L0018"], "lamp.level", [80, 50, 82, 78])
    post.run(4)
    assert ended(post) == []
    post.run(3)
    assert ended(post) == [("1-1", "failed", 2)]
    found = difference(post)
    assert found["not_followed"] == ([4], [50])
    assert found["no_read_back"][0] == [6]
    assert np.isnan(found["no_read_back"][1]).all()


def test_what_said_nothing_since_is_unknown_and_not_failed(city_post) -> None:
    post = city_post()
    post.samples(["L0001"], "lamp.level", [20])
    post.step()
    post.asked.append([dim([3])])
    post.run(7)
    assert ended(post) == [("1-1", "unknown", 1)]


def test_no_answer_is_unknown_for_just_those_targets(city_post) -> None:
    post = city_post(answers=False)
    post.asked.append([dim([3, 20])])
    post.step()
    post.report("gw-A0001", 1)
    post.samples(["L0001"], "lamp.level", [80])
    post.run(16.5)
    assert ended(post) == [("1-1", "unknown", 1)]
    assert difference(post)["no_answer"][0] == [20]


@pytest.mark.parametrize(
    ("faults", "state", "codes"),
    [
        ([Fault(1, "lamp_dead")], "failed", {"lamp_dead": [3]}),
        ([Fault(1, "a"), Fault(2, "b"), Fault(2, "b")], "failed", {"a": [3], "b": [4]}),
        ([Fault(0, "expired")], "expired", {"expired": [3, 4]}),
        ([Fault(77, "lamp_dead")], "verified", {}),
    ],
)
def test_what_a_gateway_says_of_its_targets(city_post, faults, state: str, codes: dict) -> None:
    post = city_post(answers=False)
    post.asked.append([dim([3, 4])])
    post.step()
    post.report("gw-A0001", 1, [(1, fault) for fault in faults])
    post.samples(["L0001", "L0002"], "lamp.level", [80, 80], post.utc)
    post.run(2)
    assert ended(post) == [("1-1", state, sum(map(len, codes.values())))]
    if codes:
        assert {code: targets for code, (targets, _) in difference(post).items()} == codes


def test_a_newer_command_supersedes_target_by_target(city_post) -> None:
    post = city_post()
    post.asked += [[dim([3, 4])], [dim([4], 30.0)], [dim([3], 30.0)]]
    post.run(0.2)
    assert ended(post) == [("1-1", "superseded", 0)]
    post.samples(["L0001", "L0002"], "lamp.level", [30, 30])
    post.run(2)
    assert sorted(ended(post)) == [("1-1", "superseded", 0), ("1-2", "verified", 0), ("1-3", "verified", 0)]


def test_a_device_that_is_asked_the_same_again_and_again_is_judged_all_the_same(city_post) -> None:
    post = city_post()
    for _ in range(40):
        post.asked += [[dim([3])], *[[] for _ in range(9)]]
    post.samples(["L0001"], "lamp.level", [20], post.utc + 1_000_000)
    post.run(20)
    assert "failed" in {state for _, state, _ in ended(post)}


def test_at_most_one_order_a_gateway_verb_and_step(city_post) -> None:
    post = city_post()
    post.asked.append(
        [
            dim([3, 4, 20], 80, 60),
            dim([4, 5], 30, 10),
            Release(verb="lamp.dim", targets=np.array([6]), reason=""),
        ]
    )
    post.step()
    assert [gateway for gateway, _ in post.orders] == ["gw-A0001", "gw-A0002"]
    order = post.orders[0][1]
    indexes, values = order.targets()
    leases = order.leases_ms()
    got = {
        i: (v, lease) for i, v, lease in zip(indexes.tolist(), values.tolist(), leases.tolist(), strict=True)
    }
    assert got == {1: (80, 60_000), 2: (30, 10_000), 3: (30, 10_000), 4: (0, 0)}
    assert len([r for r in post.journal.records if r.kind == "command"]) == 3
    post.samples(["L0001", "L0002", "L0003", "L0018"], "lamp.level", [80, 30, 30, 80])
    post.run(2)
    assert {(id, state) for id, state, _ in ended(post)} == {
        ("1-1", "verified"),
        ("1-2", "verified"),
        ("1-3", "executed"),
    }


def test_imagined_devices_obey_at_once_without_an_order(city_post) -> None:
    post, told = city_post(), []
    post.kernel.send = lambda now, outputs: told.extend(post.kernel.commands.obey(now.mono))
    post.asked.append([dim(LAMPS[:2], 80.0), dim(LAMPS[1:3], 60.0, lease_s=5.0)])
    post.step()
    ((verb, targets, values),) = told
    assert verb == VERIFIED
    assert dict(zip(targets.tolist(), values.tolist(), strict=True)) == {3: 80.0, 4: 60.0, 5: 60.0}
    first, second = post.kernel.commands.open.values()
    assert (first.state, second.state) == ("executed", "executed")
    post.samples(["L0001", "L0002", "L0003"], "lamp.level", [80.0, 60.0, 60.0])
    post.run(1.1)
    assert [state for _, state, _ in ended(post)] == ["verified", "verified"]
    post.run(5)
    assert post.kernel.commands.by_person(first, post.mono).sum() == 0
    assert np.flatnonzero(post.kernel.commands._holds[0].until).tolist() == [3], "its lease ran from then on"
    told.clear()
    post.asked.append([Release(verb="lamp.dim", targets=LAMPS[:1], reason="")])
    post.step()
    assert [len(targets) for _, targets, _ in told] == [0], "what is released is told nothing"
    assert not post.kernel.commands._holds[0].until.any()
    assert post.orders == []


def test_a_release_ends_the_leases_of_its_targets(city_post) -> None:
    post = city_post()
    post.asked += [[dim([3, 4])], [Release(verb="lamp.dim", targets=np.array([3, 4]), reason="")]]
    post.run(1)
    holds = post.kernel.commands._holds[0]
    assert not holds.holder.any()
    assert not holds.until.any()
    assert not post.kernel.commands._live


def test_a_release_that_does_not_arrive_ends_no_lease(city_post) -> None:
    post = city_post()
    post.asked.append([dim([3], lease_s=300)])
    post.run(1)
    post._answers = False
    post.asked.append([Release(verb="lamp.dim", targets=np.array([3]), reason="")])
    post.run(17)
    assert ended(post)[-1][:2] == ("1-2", "unknown")
    assert post.kernel.commands._holds[0].over(2**62).tolist() == [3]
    post.run(290)
    assert not post.kernel.commands._live


def test_a_lease_that_ends_ends_the_read_back_too(city_post) -> None:
    post = city_post()
    post.asked.append([dim([3], lease_s=2)])
    post.run(4)
    assert ended(post) == [("1-1", "unknown", 1)]
    assert not post.kernel.commands._live


def test_a_jump_of_the_calendars_clock_expires_nothing(city_post) -> None:
    post = city_post(answers=False)
    post.asked.append([dim([3])])
    post.step()
    post.origin += 3_600_000_000
    post.run(2)
    post.origin -= 7_200_000_000
    post.run(2)
    assert ended(post) == []
    assert state(post, "1-1") == "sent"


def test_leases_outlive_a_restart_and_open_commands_do_not(city_post) -> None:
    post = city_post()
    post.asked.append([dim([3], lease_s=300)])
    post.run(1)
    post.samples(["L0001"], "lamp.level", [80])
    post.run(1)
    post.asked.append([dim([4], lease_s=300)])
    post.step()
    post.save()
    post.crash()
    assert ended(post)[1:] == [("1-2", "unknown", 0)]
    assert post.kernel.commands._holds[0].over(2**62).tolist() == [3, 4]
    post.run(320)
    assert post.kernel.commands._holds[0].over(2**62).tolist() == []


def test_a_large_command_costs_orders_a_gateway_and_not_a_target(city_post) -> None:
    post = city_post(follows=True)
    post.asked.append([dim(LAMPS)])
    post.run(2)
    assert len(post.orders) == 3
    assert ended(post) == [("1-1", "verified", 0)]
