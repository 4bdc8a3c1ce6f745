"""Many seeds of a world in which all goes wrong; and bugs planted on purpose, each of which some seed must find."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from core import reactor, tail, work
from core.acknowledged import Acknowledged
from core.field import FieldEvents
from core.host import Host
from ondijon import Emit, EventKind, Reads
from tests.simulation.disk import Disk
from tests.simulation.seeded import T, finds, lived, trade
from tests.simulation.world import World


class Seen(msgspec.Struct):
    count: int


class Echo(msgspec.Struct):
    links: int


class State(msgspec.Struct):
    codes: list[int] = []


def on_events(events, state):
    state.codes += [event.data.count for event in events]
    return [Emit(kind="trial.echo", data=Echo(event.data.count)) for event in events]


def live(seed: int) -> World:
    """Its trade remembers each event, and says so of each once."""
    remembers = trade(
        State,
        on_events,
        reads=Reads(events={"trial.seen": Seen}),
        events=(
            EventKind(name="trial.seen", data=Seen, from_field=True, text=T),
            EventKind(name="trial.echo", data=Echo, text=T),
        ),
    )
    return lived(World(seed, remembers, Disk()))


def test_whatever_goes_wrong_promises_hold() -> None:
    crashes = 0
    for seed in range(1000):
        crashes += live(seed).disk.generation - 1
    assert crashes > 2000


def test_the_same_seed_is_the_same_world() -> None:
    for seed in range(10):
        assert len({live(seed).digest() for _ in range(3)}) == 1
    assert live(1).digest() != live(2).digest()


def acknowledges_too_early(patch: pytest.MonkeyPatch) -> None:
    inner = Acknowledged.let_out

    def let_out(self):
        before, self._journal._durable = self._journal._durable, self._journal.last()
        yield from inner(self)
        self._journal._durable = before

    patch.setattr(Acknowledged, "let_out", let_out)


def takes_what_came_before(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(FieldEvents, "is_next", lambda self, gateway, boot, message: True)


def takes_what_lies_behind_a_gap(patch: pytest.MonkeyPatch) -> None:
    def is_next(self, gateway, boot, message):
        return message.seq > max(self._place(gateway, boot).taken, message.acked)

    patch.setattr(FieldEvents, "is_next", is_next)


def forgets_how_far_gateways_came(patch: pytest.MonkeyPatch) -> None:
    inner = FieldEvents.__init__
    patch.setattr(FieldEvents, "__init__", lambda self, kinds, city, places: inner(self, kinds, city, {}))


def does_not_say_what_it_consumed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(tail, "consumed", lambda events, step, utc: tail.Record("note", step, utc, b"\x90"))


def forgets_what_nobody_took(patch: pytest.MonkeyPatch) -> None:
    inner = tail.read

    def read(*arguments):
        found = inner(*arguments)
        found.fresh = []
        return found

    patch.setattr(reactor.tails, "read", read)


def forgets_what_was_consumed_since_the_snapshot(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Host, "see_again", lambda *_: [])


def believes_that_all_was_in_a_step(patch: pytest.MonkeyPatch) -> None:
    inner = Acknowledged.settled
    patch.setattr(Acknowledged, "settled", lambda self: (self._journal.last(), inner(self)[1]))


def does_again_what_was_done(patch: pytest.MonkeyPatch) -> None:
    def see_again(self, plugin, again, now, view, outputs):
        done = work.do(plugin, now, self._read(plugin, again.events), None, (), view)
        return [each for _, each in done.proposed]

    patch.setattr(Host, "see_again", see_again)


def commits_half_a_step(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Disk, "splits", True)


BUGS = (
    acknowledges_too_early,
    takes_what_came_before,
    takes_what_lies_behind_a_gap,
    forgets_how_far_gateways_came,
    does_not_say_what_it_consumed,
    forgets_what_nobody_took,
    forgets_what_was_consumed_since_the_snapshot,
    believes_that_all_was_in_a_step,
    does_again_what_was_done,
    commits_half_a_step,
)


@pytest.mark.parametrize("plant", BUGS, ids=lambda bug: bug.__name__)
def test_a_planted_bug_is_found(plant: Callable[[pytest.MonkeyPatch], None], monkeypatch) -> None:
    plant(monkeypatch)
    assert finds(live, 200), "200 seeds, and nobody noticed"
