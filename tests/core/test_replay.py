"""What was recorded is stepped again and comes to the same, bit for bit; whatever was changed in it shows."""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import build, keyframe, plugins, recorder, replay, segment
from core.config import RecordConfig
from core.errors import RecordError
from core.journal import Record
from core.operators import ActOnAlarms
from core.recorder import Recorder
from core.replay import Segment
from core.segment import Block, Head
from ondijon.testing import City, Post
from tests.core.conftest import trial


class Recorded:
    """A post whose steps are recorded, and the folder of the record."""

    def __init__(self, folder: Path, module: ModuleType | None = None) -> None:
        city = City.small(3)
        city.save(folder / "city")
        self.trades: dict[str, ModuleType] = {module.__name__: module} if module else {}
        self.names = [*self.trades] or ["lighting"]
        self.post = Post(city, [*self.trades.values()] or ["lighting"], follows=True)
        self.folder = folder / recorder.FOLDER
        self.data = folder
        self.recorder = self.record()

    def record(self) -> Recorder:
        """Begin to record, as a post does when it starts."""
        post = self.post
        head = Head(
            run=post.journal.generation,
            build=build.build(post.plugins),
            machine=build.machine(),
            city=recorder.keep_city(self.folder, self.data / "city"),
            step_us=50_000,
            seed=0,
            plugins=self.names,
            metrics=[(metric.name, metric.kind) for metric in post.kernel.numbering.metrics],
            plugin_config=msgspec.msgpack.encode({}),
            gate=msgspec.msgpack.encode(post.kernel.gate.config),
            login=post.kernel.login.public_keys(),
        )
        self.recorder = post.reactor.recorder = Recorder(self.folder, RecordConfig(), head)
        return self.recorder

    def segments(self) -> list[Segment]:
        """What was recorded so far, opened."""
        self.recorder.close()
        return [Segment(path) for path in replay.segments(self.data)]

    def replayed(self, opened: Segment) -> Iterator[replay.Replayed]:
        """The steps of a segment, taken again."""
        return self.read_from(opened, self.post.journal.read)

    def read_from(self, opened: Segment, read: replay.Read) -> Iterator[replay.Replayed]:
        """The same, with another reading of the journal."""
        return replay.replay(opened, read, plugins.load(self.names, modules=self.trades))


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    return Recorded(tmp_path)


def live(post: Post, seconds: float, draws: np.random.Generator) -> None:
    """A stretch of an evening: people, meters, faults, persons who command, and what they may not."""
    for _ in range(round(seconds / 0.05)):
        match draws.integers(60):
            case 0:
                post.sample(f"S{draws.integers(1, 11):04}", "presence_sensor.presence", 1)
            case 1:
                post.sample(f"A{draws.integers(1, 4):04}", "cabinet.energy", post.mono / 1e9)
            case 2:
                post.sample(f"L{draws.integers(1, 31):04}", "lamp.power", float(draws.uniform(0, 60)))
            case 3:
                post.propose(post.person("Anne"), "lamp.dim", ["L0003"], [float(draws.integers(30, 100))])
            case 4:
                post.propose(post.person("Zoé", commune="Voisine"), "lamp.dim", ["L0001"], [50.0])
            case 5:
                act = {
                    "act": "shelve",
                    "alarms": (("L0002", "lamp_fault"),),
                    "seconds": 3.0,
                    "reason": "works",
                }
                post.ask(ActOnAlarms(**post._request(post.person("Anne")), **act))
            case _:
                post.step()


def test_what_was_recorded_comes_to_the_same(recorded: Recorded) -> None:
    live(recorded.post, 90, np.random.default_rng(1))
    (opened,) = recorded.segments()
    steps = list(recorded.replayed(opened))
    assert len(steps) > 1500
    assert all(step.same for step in steps)
    assert sum(len(step.outputs.orders) for step in steps) > 0
    assert sum(len(step.outputs.events) for step in steps) > 0


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1 << 32))
def test_each_keyframe_is_the_kernel_as_it_was(tmp_path_factory: Any, seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorder, "SEGMENT", 2_000_000)
        patch.setattr(recorder, "STATE", 1_000_000)
        recorded = Recorded(tmp_path_factory.mktemp("record"))
        live(recorded.post, 12, np.random.default_rng(seed))
        opened = recorded.segments()
        assert len(opened) > 4
        for each in opened:
            steps = list(recorded.replayed(each))
            assert steps
            assert all(step.same for step in steps)


def changed_blocks(opened: Segment, change: Callable[[Block], Block]) -> None:
    messages = opened._messages
    opened._messages = (change(each) if isinstance(each, Block) else each for each in messages)


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def of_a_value(block: Block) -> Block:
    return msgspec.structs.replace(block, value=flipped(block.value, 0)) if block.value else block


def of_a_time(block: Block) -> Block:
    return msgspec.structs.replace(block, time=flipped(block.time, 0)) if block.time else block


def of_a_count(block: Block) -> Block:
    return msgspec.structs.replace(block, count=flipped(block.count, 0)) if block.count else block


def in_first_step(**changes: Any) -> Callable[[Block], Block]:
    def change(block: Block) -> Block:
        return msgspec.structs.replace(
            block, steps=[msgspec.structs.replace(block.steps[0], **changes), *block.steps[1:]]
        )

    return change


def of_the_clock(block: Block) -> Block:
    return in_first_step(utc=block.steps[0].utc ^ 1)(block)


def of_what_was_sent(block: Block) -> Block:
    return in_first_step(sent=block.steps[0].sent ^ 1)(block)


def of_what_persons_asked(block: Block) -> Block:
    steps = [step if b"Anne" not in step.rest else with_rest(step) for step in block.steps]
    return msgspec.structs.replace(block, steps=steps)


def with_rest(step: segment.Step) -> segment.Step:
    return msgspec.structs.replace(step, rest=step.rest.replace(b"a test", b"a tesu", 1))


@pytest.mark.parametrize(
    "change", [of_a_value, of_a_time, of_a_count, of_the_clock, of_what_was_sent, of_what_persons_asked]
)
def test_a_change_of_one_bit_shows(recorded: Recorded, change: Callable[[Block], Block]) -> None:
    live(recorded.post, 30, np.random.default_rng(2))
    (opened,) = recorded.segments()
    changed_blocks(opened, change)
    assert not all(step.same for step in recorded.replayed(opened))


def test_events_are_the_journals_and_a_change_of_one_shows(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path, trial())
    post = recorded.post
    post.step()
    for n in range(5):
        post.event("trial.seen", {"count": n})
        post.event("trial.echo", {"links": 0})
        post.run(0.2)
    (opened,) = recorded.segments()
    steps = list(recorded.replayed(opened))
    assert all(step.same for step in steps)
    assert sum(len(step.outputs.events) for step in steps) >= 5

    def read(after: int, kind: str) -> Iterator[tuple[int, Record]]:
        for seq, record in post.journal.read(after, kind):
            if record.kind == "event" and b"trial.echo" in record.data:
                record = msgspec.structs.replace(record, data=record.data.replace(b"links\x00", b"links\x01"))
            yield seq, record

    (again,) = [Segment(path) for path in replay.segments(recorded.data)]
    assert not all(step.same for step in recorded.read_from(again, read))


def test_a_crash_begins_a_segment_of_another_run(recorded: Recorded) -> None:
    live(recorded.post, 10, np.random.default_rng(3))
    recorded.recorder.close()
    recorded.post.crash()
    recorded.record()
    live(recorded.post, 10, np.random.default_rng(4))
    first, second = recorded.segments()
    assert (first.head.run, second.head.run) == (1, 2)
    assert all(step.same for opened in (first, second) for step in recorded.replayed(opened))


def test_a_segment_that_was_cut_is_good_up_to_there(recorded: Recorded) -> None:
    live(recorded.post, 20, np.random.default_rng(5))
    (opened,) = recorded.segments()
    whole = opened.path.read_bytes()
    steps = len(list(recorded.replayed(opened)))
    opened.path.write_bytes(whole[: len(whole) * 9 // 10])
    (cut,) = [Segment(path) for path in replay.segments(recorded.data)]
    found = list(recorded.replayed(cut))
    assert all(step.same for step in found)
    assert len(found) <= steps


@pytest.mark.parametrize("part", [0.0, 0.001, 0.5, 0.99])
def test_a_damaged_segment_never_passes_for_what_was(recorded: Recorded, part: float) -> None:
    live(recorded.post, 10, np.random.default_rng(6))
    (opened,) = recorded.segments()
    data = bytearray(opened.path.read_bytes())
    at = int(len(data) * part)
    data[at : at + 8] = bytes(byte ^ 0xFF for byte in data[at : at + 8])
    opened.path.write_bytes(data)
    with contextlib.suppress(RecordError):
        assert not all(step.same for step in recorded.replayed(Segment(opened.path)))


def test_what_is_damaged_is_named(recorded: Recorded) -> None:
    recorded.post.run(1)
    (opened,) = recorded.segments()
    opened.path.write_bytes(b"no segment")
    with pytest.raises(RecordError, match="it is no segment") as error:
        Segment(opened.path)
    assert error.value.where == str(opened.path)
    opened.path.write_bytes(segment.MAGIC + b"no stream of zstd")
    with pytest.raises(RecordError, match="it is damaged"):
        Segment(opened.path)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"build": "ondijon 9"}, "recorded by ondijon 9, this is"),
        ({"machine": "PDP-11"}, "recorded by PDP-11, this is"),
    ],
)
def test_what_another_build_or_machine_recorded_is_refused(
    recorded: Recorded, changes: dict[str, str], says: str
) -> None:
    recorded.post.run(1)
    (opened,) = recorded.segments()
    opened.head = msgspec.structs.replace(opened.head, **changes)
    with pytest.raises(RecordError, match=says):
        next(recorded.replayed(opened))


def test_a_newer_format_is_refused(recorded: Recorded, tmp_path: Path) -> None:
    recorded.post.run(1)
    (opened,) = recorded.segments()
    newer = tmp_path / "newer.segment"
    with newer.open("wb") as file:
        segment.Writer(file).put(msgspec.structs.replace(opened.head, format=segment.FORMAT + 1))
    with pytest.raises(RecordError, match=f"format {segment.FORMAT + 1}, this version reads up to"):
        Segment(newer)


class Attack:
    def __reduce__(self) -> Any:
        return print, ("owned",)


def test_a_keyframe_that_the_journal_does_not_vouch_for_is_never_thawed(recorded: Recorded) -> None:
    recorded.post.run(1)
    (opened,) = recorded.segments()
    opened.keyframe = msgspec.structs.replace(opened.keyframe, exact=pickle.dumps(Attack()))
    with pytest.raises(RecordError, match="does not vouch"):
        next(recorded.replayed(opened))


def test_even_one_that_it_vouches_for_makes_nothing_but_the_kernels_own(
    recorded: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RecordError, match=r"names builtins\.print"):
        keyframe.thaw(recorded.post.kernel, pickle.dumps(Attack()), b"")
    with pytest.raises(RecordError, match=r"names core\.sockets"):
        keyframe.thaw(recorded.post.kernel, b"ccore.sockets\ncontext\n(tR.", b"")
    assert "owned" not in capsys.readouterr().out
