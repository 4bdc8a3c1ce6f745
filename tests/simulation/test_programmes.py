"""Many seeds of a world in which persons set programmes and all goes wrong; and bugs planted on purpose."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from core import deliveries, desk, kernel, tail
from core.deliveries import Deliveries
from core.host import Host
from core.programmes import Programmes
from ondijon import AssetKind, ProgrammeKind, Reads, vocabulary
from ondijon import programmes as held
from ondijon.spool import MemorySpool
from tests.attributes import Lamp
from tests.simulation.disk import Disk
from tests.simulation.programmes import KIND, World
from tests.simulation.seeded import T, finds, lived, trade


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    level: int


class State(msgspec.Struct):
    heard: list[str] = []


def on_events(events, state):
    state.heard += [f"{event.data.zone} {event.data.version}" for event in events]


def live(seed: int) -> World:
    """Its trade remembers each programme that came in force."""
    remembers = trade(
        State,
        on_events,
        assets=(AssetKind(name="lamp", attributes=Lamp, text=T),),
        reads=Reads(events={"post.programme.changed": vocabulary.ProgrammeChanged}),
        programmes=(ProgrammeKind(name=KIND, targets="lamp", content=Plan, text=T),),
    )
    return lived(World(seed, remembers, Disk()))


def test_whatever_goes_wrong_promises_hold() -> None:
    crashes = versions = 0
    for seed in range(300):
        world = live(seed)
        crashes += world.disk.generation - 1
        versions += len(world.in_force())
    assert crashes > 300
    assert versions > 600


def test_the_same_seed_is_the_same_world() -> None:
    assert len({live(7).digest() for _ in range(3)}) == 1
    assert live(7).digest() != live(8).digest()


def lets_out_what_is_not_durable(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(World, "may_leave", lambda self, seq: True)


def forgets_what_the_journal_holds(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(tail, "PROGRAMME", "nothing")


def forgets_what_the_snapshot_holds(patch: pytest.MonkeyPatch) -> None:
    inner = kernel.Kernel.resume

    def resume(self, snapshot, *others):
        return inner(self, snapshot and msgspec.structs.replace(snapshot, programmes=()), *others)

    patch.setattr(kernel.Kernel, "resume", resume)


def counts_versions_from_the_start(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Programmes, "_version", lambda self, key: 0)


def agrees_to_what_was_overtaken(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Programmes, "refuse_overtaken", lambda self, programme: None)


def sends_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(deliveries, "AGAIN", 1 << 60)


def believes_that_what_was_sent_arrived(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        Deliveries, "hear", lambda self, gateway, programmed: self._told.setdefault(gateway, {}) and []
    )


def does_not_show_them_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Host, "see_again", lambda *_: [])


def device_takes_older_ones(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(held.Programmes, "_wrong", lambda self, programme: "")


def device_does_not_store(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(MemorySpool, "put_programme", lambda self, programme: None)


def approves_twice(patch: pytest.MonkeyPatch) -> None:
    inner = desk.Desk._approve

    def approve(self, asked, person, now):
        waiting = dict(self._waiting)
        decision = inner(self, asked, person, now)
        self._waiting = waiting
        return decision

    patch.setattr(desk.Desk, "_approve", approve)
    agrees_to_what_was_overtaken(patch)


BUGS = (
    lets_out_what_is_not_durable,
    forgets_what_the_journal_holds,
    forgets_what_the_snapshot_holds,
    counts_versions_from_the_start,
    agrees_to_what_was_overtaken,
    sends_once,
    believes_that_what_was_sent_arrived,
    does_not_show_them_again,
    device_takes_older_ones,
    device_does_not_store,
    approves_twice,
)


@pytest.mark.parametrize("plant", BUGS, ids=lambda bug: bug.__name__)
def test_a_planted_bug_is_found(plant: Callable[[pytest.MonkeyPatch], None], monkeypatch) -> None:
    plant(monkeypatch)
    assert finds(live, 100), "100 seeds, and nobody noticed"
