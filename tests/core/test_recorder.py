"""The recorder never keeps a step back: what the disk does not take is a gap, an alarm, and a new segment."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from core import recorder, replay, segment
from core.config import RecordConfig
from core.errors import RecordError
from core.segment import Block, Step
from core.table import HandOver
from tests.core.test_replay import Recorded, live

STEPS = st.lists(
    st.lists(
        st.lists(
            st.tuples(
                st.integers(0, (1 << 32) - 1),
                st.floats(allow_nan=False),
                st.integers(-(1 << 62), 1 << 62),
                st.integers(0, (1 << 32) - 1),
            ),
            max_size=5,
        ),
        max_size=3,
    ),
    max_size=4,
)


def hand_over(rows: list[tuple[int, float, int, int]]) -> HandOver:
    columns = zip(*rows, strict=True) if rows else ((), (), (), ())
    types = (np.uint32, np.float64, np.int64, np.uint32)
    arrays = [np.array(column, dtype) for column, dtype in zip(columns, types, strict=True)]
    return HandOver("telemetry", 3, *arrays)


@given(STEPS)
def test_columns_come_back_as_they_were(rows: list[list[list[tuple[int, float, int, int]]]]) -> None:
    given = [[hand_over(each) for each in of_step] for of_step in rows]
    steps = [
        Step(n, n, n, 0, columns=tuple(("telemetry", 3, len(each.slot)) for each in of_step))
        for n, of_step in enumerate(given)
    ]
    block = segment.block(steps, [each for of_step in given for each in of_step])
    for there, back in zip(given, segment.hand_overs(block), strict=True):
        for before, after in zip(there, back, strict=True):
            for name in ("slot", "value", "time", "count"):
                np.testing.assert_array_equal(getattr(before, name), getattr(after, name), strict=True)


def test_a_long_time_is_cut_into_segments_that_each_begin_with_a_keyframe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "SEGMENT", 5_000_000)
    recorded = Recorded(tmp_path)
    recorded.post.run(21)
    opened = recorded.segments()
    assert [each.head.number for each in opened] == [1, 2, 3, 4, 5]
    steps = [[step.step for step, _ in each.steps()] for each in opened]
    assert [*chain.from_iterable(steps)] == list(range(1, 420)), "none is missing, none twice"


class Disk:
    """The file system as the recorder's thread uses it, which fails or stands still when told to."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.fails: OSError | None = None
        self.stands = threading.Event()
        self.stands.set()
        self._fsync = os.fsync
        patch.setattr(recorder.os, "fsync", self.fsync)
        patch.setattr(recorder, "AGAIN_S", 0.2)
        patch.setattr(recorder, "BLOCK_S", 0.0)

    def fsync(self, fd: int) -> None:
        """As the system's, or not."""
        self.stands.wait(20)
        if self.fails is not None:
            raise self.fails
        self._fsync(fd)


def until(what: Any, post: Any) -> None:
    end = time.monotonic() + 20
    while not what():
        assert time.monotonic() < end
        post.step()
        time.sleep(0.01)


def test_a_disk_that_fails_is_an_alarm_and_then_a_new_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    monkeypatch.setattr(recorder, "WAITING_MAX", 10_000)
    recorded = Recorded(tmp_path)
    post = recorded.post
    until(lambda: recorded.recorder.counts["record_steps"] > 20 and not recorded.recorder._waiting, post)
    disk.fails = OSError(errno.ENOSPC, "No space left on device")
    until(recorded.recorder.troubles, post)
    ((code, said),) = recorded.recorder.troubles()
    assert code == "record_stopped"
    assert "No space left" in said["why"]
    disk.fails = None
    until(lambda: not recorded.recorder.troubles(), post)
    live(post, 2, np.random.default_rng(1))
    assert recorded.recorder.counts["record_gaps"] >= 1
    recorded.recorder.close()
    whole = []
    for path in replay.segments(tmp_path):
        # One that the disk did not take ends before its keyframe.
        with contextlib.suppress(RecordError):
            whole.append(replay.Segment(path))
    assert len(whole) >= 2
    assert all(step.same for each in whole for step in recorded.replayed(each))


def test_a_disk_that_stands_still_costs_a_gap_and_never_a_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    recorded = Recorded(tmp_path)
    recorded.post.run(1)
    disk.stands.clear()
    recorded.post.run(recorder.WAITING_MAX * 0.05 + 2)
    assert recorded.recorder.counts["record_gaps"] >= 1
    assert "slower than the city" in recorded.recorder.troubles()[0][1]["why"]
    disk.stands.set()
    until(lambda: not recorded.recorder.troubles(), recorded.post)


def test_a_segment_that_was_given_up_does_not_end_the_alarm_when_its_keyframe_is_written_at_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    disk.stands.clear()
    monkeypatch.setattr(recorder, "AGAIN_S", 60.0)
    recorded = Recorded(tmp_path)
    recorded.post.run(recorder.WAITING_MAX * 0.05 + 2)
    assert recorded.recorder.troubles()
    disk.stands.set()
    recorded.recorder.close()
    assert not recorded.recorder._waiting, "all is written"
    assert recorded.recorder.troubles(), "and nothing is recorded until the disk is tried again"


def test_old_segments_go_first_and_only_those(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / recorder.FOLDER
    folder.mkdir()
    for n, age_days in enumerate((30, 9, 6, 1)):
        path = folder / f"2026010{n}T000000Z-000001-000{n}{recorder.SUFFIX}"
        path.write_bytes(bytes(1000))
        os.utime(path, (time.time() - age_days * 86_400,) * 2)
    recorded = Recorded(tmp_path)
    recorded.post.run(0.2)
    recorded.recorder.close()
    left = [path.name for path in replay.segments(tmp_path)]
    assert [name[:8] for name in left[:2]] == ["20260102", "20260103"]
    assert len(left) == 3
    recorded.record()
    recorded.recorder._config = RecordConfig(max_gib=1e-9)
    recorded.post.run(0.2)
    recorded.recorder.close()
    assert len(replay.segments(tmp_path)) == 1


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.post.run(0.2)
    recorded.recorder.close()
    (path,) = replay.segments(tmp_path)
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_columns_that_do_not_fit_their_steps_are_refused() -> None:
    block = Block([Step(1, 1, 1, 0, columns=(("telemetry", 1, 2),))], b"", b"", b"", b"")
    with pytest.raises(RecordError, match="a block of 2 rows"):
        segment.hand_overs(block)
    with pytest.raises(RecordError, match="is not of 4 each"):
        segment.hand_overs(Block([], b"abc", b"", b"", b""))


def test_a_file_that_asks_for_a_hundred_megabytes_to_be_read_is_damaged(tmp_path: Path) -> None:
    wide = zstandard.ZstdCompressionParameters.from_level(segment.LEVEL, window_log=27)
    stream = zstandard.ZstdCompressor(compression_params=wide).compressobj()
    path = tmp_path / "wide.segment"
    path.write_bytes(segment.MAGIC + stream.compress(bytes(1000)) + stream.flush())
    with pytest.raises(RecordError, match="damaged"):
        list(segment.read(path))
