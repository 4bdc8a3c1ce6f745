"""A trade in a worker: the same outputs a step later, whatever comes; and nothing lost, whoever dies."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import mail_tail
from core.operators import ReleaseWorker, WorkerLetGo
from core.step import Outputs
from core.wire import Refused
from ondijon import AssetChange
from ondijon.testing import City, Post

WATCH = Path(__file__).parent.parent / "live" / "plugins" / "watch.py"


def watch() -> ModuleType:
    spec = importlib.util.spec_from_file_location("watch", WATCH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Structs look their annotations up there.
    sys.modules["watch"] = module
    spec.loader.exec_module(module)
    return module


def posts() -> tuple[Post, Post]:
    """The trade in the kernel, and in a worker that has begun."""
    city = City.small()
    inside, apart = Post(city, [watch()]), Post(city, [watch()], in_workers=["watch"])
    for post in (inside, apart):
        post.run(0.5)
    return inside, apart


def said(outputs: Outputs) -> list[Any]:
    """What the trade had a step say: views and commands."""
    views = [(each.view, each.key, msgspec.to_builtins(each.row)) for each in outputs.views]
    return [
        *views,
        *((gateway, order.verb, order.indexes, order.values) for gateway, order in outputs.orders),
    ]


LEVELS = st.tuples(st.integers(1, 30).map("L{:04}".format), st.just("lamp.level"), st.floats(0, 100))
SEEN = st.tuples(st.integers(1, 5).map("S{:04}".format), st.just("presence_sensor.presence"), st.just(1.0))
STEPS = st.lists(
    st.tuples(st.lists(LEVELS | SEEN, max_size=6), st.lists(st.integers(0, 900_000), max_size=2)), max_size=25
)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_it_says_the_same_one_step_later(steps: Any) -> None:
    inside, apart = posts()
    earlier: list[Any] = []
    for samples, codes in [*steps, ([], [])]:
        for post in (inside, apart):
            for asset, metric, value in samples:
                post.sample(asset, metric, value)
            for code in codes:
                post.event("watch.door.opened", {"code": code})
        here, there = said(inside.step()), said(apart.step())
        assert there == earlier
        earlier = here


def codes(post: Post) -> list[int]:
    row = post.views.get("watch.doors", {}).get("all")
    return row.codes if row is not None else []  # type: ignore[attr-defined]


def test_while_it_is_busy_work_gathers_and_is_told_merged() -> None:
    _, apart = posts()
    worker = apart.workers["watch"]
    worker.busy = True
    for n in range(5):
        apart.event("watch.door.opened", {"code": n})
        apart.sample("L0001", "lamp.level", n)
        apart.sample("S0001", "presence_sensor.presence", 1)
        apart.step()
    assert codes(apart) == []
    worker.busy = False
    apart.run(0.5)
    assert codes(apart) == [0, 1, 2, 3, 4]
    assert apart.views["watch.levels"]["all"].level[0] == 4  # type: ignore[attr-defined]
    assert len(apart.orders) == 2


def test_what_waits_for_one_that_is_away_is_bounded() -> None:
    _, apart = posts()
    worker = apart.workers["watch"]
    worker.busy = True
    for n in range(1500):
        apart.samples([f"L{i:04}" for i in range(1, 11)], "lamp.level", [n % 90 + 0.7 * (n % 2)] * 10)
        apart.event("watch.door.opened", {"code": n})
        apart.step()
    mailbox = apart.kernel.host.mailboxes["watch"]
    assert sum(map(len, mailbox._rows)) <= 2 * apart.kernel.numbering.slots
    assert apart.kernel.counts["workers_put_aside"] == 1500 - 1000 - 1
    worker.busy = False
    apart.run(0.5)
    assert codes(apart) == [0, *range(500, 1500)]
    assert apart.views["watch.levels"]["all"].level[:10] == [1499 % 90 + 0.7] * 10  # type: ignore[attr-defined]


@pytest.mark.parametrize("died", ["worker", "kernel", "both"])
@pytest.mark.parametrize("saved", [False, True], ids=["", "saved"])
def test_each_event_is_worked_on_once_whoever_dies(died: str, saved: bool) -> None:
    _, apart = posts()
    worker = apart.workers["watch"]
    apart.event("watch.door.opened", {"code": 1})
    apart.run(0.2)
    worker.busy = True
    apart.event("watch.door.opened", {"code": 2})
    apart.run(0.2)
    apart.event("watch.door.opened", {"code": 3})
    apart.run(0.2)
    if saved:
        apart.save()
    worker.busy = False
    if died != "kernel":
        worker.die()
    if died != "worker":
        apart.crash()
    apart.event("watch.door.opened", {"code": 4})
    apart.run(1.0)
    assert codes(apart) == [1, 2, 3, 4]


@pytest.mark.parametrize("saved", [False, True], ids=["", "saved"])
def test_a_trade_that_moves_works_on_each_event_once(saved: bool) -> None:
    post = Post(City.small(), [watch()])
    for n, in_workers in enumerate((["watch"], [], ["watch"], [], [])):
        post.event("watch.door.opened", {"code": 10 * n})
        post.run(0.2)
        for worker in post.workers.values():
            worker.busy = True
        post.event("watch.door.opened", {"code": 10 * n + 1})
        post.sample("S0001", "presence_sensor.presence", 1)
        post.run(0.2)
        if saved and n % 2:
            post.save()
        post.crash(in_workers=in_workers)
    post.run(0.5)
    assert codes(post) == [0, 1, 10, 11, 20, 21, 30, 31, 40, 41]
    worked = [each.data for each in post.journal.records if each.kind == mail_tail.WORKED]
    assert len(worked) == len({*worked}) == 2 + 2, "what a worker answered, and what it did not"


def test_an_answer_of_one_that_is_gone_is_refused() -> None:
    _, apart = posts()
    worker = apart.workers["watch"]
    worker.busy = True
    apart.event("watch.door.opened", {"code": 1})
    apart.step()
    (message,) = worker._asked
    worker.busy = False
    worker._answer(message)
    late = worker._said.pop()
    worker.die()
    worker._said.append(late)
    apart.step()
    assert codes(apart) == []
    assert apart.kernel.counts["workers_late"] == 1
    apart.run(0.5)
    assert codes(apart) == [1]


def test_one_that_died_five_times_begins_again_when_a_person_says_so() -> None:
    _, apart = posts()
    worker = apart.workers["watch"]
    for _ in range(5):
        worker.die()
        apart.run(0.2)
    apart.event("watch.door.opened", {"code": 1})
    apart.run(1.0)
    assert codes(apart) == []
    assert ("", "worker_held") in apart.alarms

    def release(who: bytes, plugin: str = "watch") -> Any:
        return apart.ask(ReleaseWorker(**apart._request(who), plugin=plugin, reason="mended"))

    everywhere = apart.person("Anne")
    for refused, why in (
        (release(apart.person("Bruno", verbs=["lamp.dim"])), "right"),
        (release(apart.person("Chloé", commune="Petite-Ville")), "right"),
        (release(everywhere, "lighting"), "worker"),
    ):
        assert isinstance(refused, Refused)
        assert refused.reason == why
    assert release(everywhere) == WorkerLetGo("watch")
    apart.run(1.0)
    assert codes(apart) == [1]
    assert isinstance(release(everywhere), Refused)


def test_a_city_that_changes_is_told_to_the_worker() -> None:
    _, apart = posts()
    apart.event("watch.door.opened", {"code": 1})
    apart.run(0.5)
    apart.change(AssetChange(change="retired", id="L0001", at_utc=apart.utc))
    apart.sample("S0002", "presence_sensor.presence", 1)
    apart.event("watch.door.opened", {"code": 2})
    apart.run(0.5)
    assert codes(apart) == [1, 2]
    assert apart.orders


def test_what_is_learned_survives_an_orderly_change_of_the_city_and_a_state_asked_for() -> None:
    _, apart = posts()
    apart.event("watch.door.opened", {"code": 7})
    apart.run(11.0)
    assert apart.plugins[0].stored()
    apart.workers["watch"].die()
    apart.event("watch.door.opened", {"code": 8})
    apart.run(0.5)
    assert codes(apart) == [7, 8]
