"""The recorder: writes each step and what it was given to segments, beside the steps and never in their way.

What cannot be written is left out, whole: the segment ends there, an alarm says so, and the next segment begins with a
keyframe when the disk takes it. Nothing that is acknowledged rests on the record.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec
import structlog

from core import city as cities
from core import segment
from core.clock import SECOND, Now
from core.config import RecordConfig
from core.event import Event
from core.segment import Head, Keyframe, Step
from core.step import Inputs, Outputs
from core.table import HandOver

log = structlog.get_logger()

#: Where the segments lie in the data folder, and what their names end with.
FOLDER, SUFFIX = "record", ".segment"

#: A block is written, and is safe, after so long (s), or after so many rows.
BLOCK_S = 1.0
BLOCK_ROWS = 200_000

#: A segment is of so much city time (µs): a replay begins at its keyframe.
SEGMENT = 3600 * SECOND

#: The state's digest is worked out this often (µs of city time).
STATE = 60 * SECOND

#: Blocks that wait for the disk; then the segment ends.
WAITING_MAX = 30

#: After a failure the disk is tried again after so long (s).
AGAIN_S = 60.0


class _Begin(NamedTuple):
    path: Path
    head: Head
    keyframe: Keyframe


class _Steps(NamedTuple):
    steps: list[Step]
    hand_overs: list[HandOver]


class Recorder:
    """One reactor tells it each step; a thread of its own writes.

    ``head`` is that of the run's segments, but for their number. ``counts``: steps and bytes recorded, segments, gaps.
    """

    def __init__(self, folder: Path, config: RecordConfig, head: Head) -> None:
        self._folder = folder
        self._config = config
        self._head = head
        self.counts = {"record_steps": 0, "record_bytes": 0, "record_segments": 0, "record_gaps": 0}
        self._number = 0
        self._began = 0
        self._digest = segment.GENESIS
        self._stated = 0
        self._steps: list[Step] = []
        self._hand_overs: list[HandOver] = []
        self._rows = 0
        self._block_at = 0.0
        self._open = False
        self._again = 0.0
        self._why = ""
        self._condition = threading.Condition()
        self._waiting: deque[_Begin | _Steps] = deque()
        self._closing = False
        self._thread = threading.Thread(target=self._write, name="record", daemon=True)
        self._thread.start()

    # -- the reactor's side

    def wants(self, now: Now) -> bool:
        """Whether a segment is to begin after the step of ``now``."""
        if self._open:
            return now.mono - self._began >= SEGMENT
        return time.monotonic() >= self._again

    def begin(self, now: Now, keyframe: Keyframe) -> str:
        """A segment begins after the step of ``now``; return its name."""
        self._flush()
        self._number += 1
        self._began = self._stated = now.mono
        self._digest = segment.GENESIS
        head = msgspec.structs.replace(self._head, number=self._number)
        at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now.utc // SECOND))
        path = self._folder / f"{at}-{head.run:06}-{self._number:04}{SUFFIX}"
        self._open = True
        self.counts["record_segments"] += 1
        self._put(_Begin(path, head, keyframe))
        return path.name

    def take(
        self,
        now: Now,
        inputs: Inputs,
        outside: Sequence[Event],
        outputs: Outputs,
        last: int,
        state: Callable[[], str],
    ) -> None:
        """A step was taken: its inputs, of which ``outside`` are the events that no step emitted; the journal's record
        after it; and how the state's digest is worked out."""
        if not self._open:
            return
        step = Step(
            now.step,
            now.utc,
            now.mono,
            last,
            _ranges(outside),
            tuple((each.edge, each.generation, len(each.slot)) for each in inputs.hand_overs),
            segment.rest(inputs),
            inputs.sent,
        )
        self._digest = segment.digest(self._digest, step, inputs.hand_overs, outputs)
        known = b""
        if now.mono - self._stated >= STATE:
            self._stated = now.mono
            known = bytes.fromhex(state())
        self._steps.append(msgspec.structs.replace(step, digest=self._digest, state=known))
        # Copies: the rooms they lie in are the next step's.
        self._hand_overs += [_copy(each) for each in inputs.hand_overs]
        self._rows += sum(len(each.slot) for each in inputs.hand_overs)
        if self._rows >= BLOCK_ROWS or time.monotonic() - self._block_at >= BLOCK_S:
            self._flush()

    def _flush(self) -> None:
        self._block_at = time.monotonic()
        if not self._steps:
            return
        self.counts["record_steps"] += len(self._steps)
        self._put(_Steps(self._steps, self._hand_overs))
        self._steps, self._hand_overs, self._rows = [], [], 0

    def _put(self, item: _Begin | _Steps) -> None:
        with self._condition:
            if len(self._waiting) >= WAITING_MAX:
                self._fail("the disk is slower than the city")
                return
            self._waiting.append(item)
            self._condition.notify()

    def _fail(self, why: str) -> None:
        """The segment ends here: what follows can be replayed from the next one's keyframe."""
        self._open = False
        self._why = why
        self._again = time.monotonic() + AGAIN_S
        self.counts["record_gaps"] += 1
        log.error("record", why=why)

    def _goes_on(self, head: Head) -> None:
        """A segment's keyframe is written: all is well again, unless the segment was given up meanwhile."""
        with self._condition:
            if self._open and head.number == self._number:
                self._why = ""

    def troubles(self) -> list[tuple[str, dict[str, str]]]:
        """The alarm while nothing is recorded, and why."""
        return [("record_stopped", {"why": self._why})] if self._why else []

    def close(self) -> None:
        """Write what waits, and end."""
        self._flush()
        with self._condition:
            self._closing = True
            self._condition.notify()
        self._thread.join(5)

    # -- the thread

    def _write(self) -> None:
        file: BinaryIO | None = None
        writer: segment.Writer | None = None
        while (item := self._next()) is not None:
            try:
                if isinstance(item, _Begin):
                    _end(writer, file)
                    self._forget()
                    file = _create(item.path)
                    writer = segment.Writer(file)
                    self._put_down(writer, file, item.head)
                    self._put_down(writer, file, item.keyframe)
                    self._goes_on(item.head)
                elif writer is not None and file is not None:
                    self._put_down(writer, file, segment.block(*item))
            except OSError as error:
                writer = None
                with self._condition:
                    self._waiting.clear()
                    self._fail(f"{error}")
        with contextlib.suppress(OSError):
            _end(writer, file)

    def _next(self) -> _Begin | _Steps | None:
        with self._condition:
            while not self._waiting and not self._closing:
                self._condition.wait()
            return self._waiting.popleft() if self._waiting else None

    def _put_down(self, writer: segment.Writer, file: BinaryIO, message: segment.Message) -> None:
        self.counts["record_bytes"] += writer.put(message)
        file.flush()
        os.fsync(file.fileno())

    def _forget(self) -> None:
        """Delete the oldest segments that are past their time, or beyond their room."""
        files = sorted(self._folder.glob(f"*{SUFFIX}"))
        room = int(self._config.max_gib * (1 << 30)) - sum(file.stat().st_size for file in files)
        oldest = time.time() - self._config.keep_days * 86_400
        for file in files:
            found = file.stat()
            if room >= 0 and found.st_mtime >= oldest:
                return
            room += found.st_size
            file.unlink()


def keep_city(folder: Path, city: Path) -> str:
    """Copy a city folder beside the segments, once; return the copy's name."""
    content = {name: (city / name).read_bytes() for name in cities.FILES}
    name = f"city-{hashlib.sha256(b''.join(content.values())).hexdigest()[:16]}"
    kept = folder / name
    folder.mkdir(mode=0o700, exist_ok=True)
    if not kept.is_dir():
        new = folder / f"{name}.new"
        new.mkdir(mode=0o700, exist_ok=True)
        for file, data in content.items():
            (new / file).write_bytes(data)
        new.rename(kept)
    return name


def _ranges(events: Sequence[Event]) -> tuple[tuple[int, int], ...]:
    """Their records in the journal, as (first, last)."""
    out: list[tuple[int, int]] = []
    for event in events:
        if out and out[-1][1] + 1 == event.seq:
            out[-1] = (out[-1][0], event.seq)
        else:
            out.append((event.seq, event.seq))
    return tuple(out)


def _copy(of: HandOver) -> HandOver:
    columns = (column.copy() for column in (of.slot, of.value, of.time, of.count))
    return HandOver(of.edge, of.generation, *columns)


def _create(path: Path) -> BinaryIO:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return file


def _end(writer: segment.Writer | None, file: BinaryIO | None) -> None:
    if writer is not None and file is not None:
        writer.end()
        file.close()
