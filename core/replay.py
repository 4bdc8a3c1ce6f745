"""Replay: a recorded stretch of city time is stepped again, and must come to the same, bit for bit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from core import build, keyframe, recorder, segment, snapshot
from core import city as cities
from core.clock import Now
from core.config import GateConfig
from core.errors import RecordError
from core.event import Event
from core.journal import Record
from core.kernel import Kernel
from core.person import Login
from core.plugins import Plugin
from core.reactor import SEGMENT
from core.segment import Block, Head, Keyframe, Step
from core.snapshot import Snapshot
from core.step import Outputs
from core.table import HandOver
from core.tail import numbered

#: The committed records of a journal above a number, of one kind.
Read = Callable[[int, str], Iterator[tuple[int, Record]]]

AnyKernel = TypeVar("AnyKernel", bound=Kernel)

_vouched = msgspec.msgpack.Decoder(tuple[str, bytes])


class Replayed(msgspec.Struct, frozen=True):
    """A step that was taken again. ``same``: it came to what was recorded."""

    now: Now
    outputs: Outputs
    same: bool


class Segment:
    """One segment of a data folder, opened for its head and keyframe."""

    def __init__(self, path: Path) -> None:
        self.path = path
        messages = segment.read(path)
        head, start = next(messages, None), next(messages, None)
        if not isinstance(head, Head) or not isinstance(start, Keyframe):
            raise RecordError(
                "it ends before its keyframe.",
                where=str(path),
                next="The segment before it may hold the time.",
            )
        self.head, self.keyframe = head, start
        self._messages = messages

    def blocks(self) -> Iterator[Block]:
        """Its steps in blocks. Once."""
        return (message for message in self._messages if isinstance(message, Block))

    def steps(self) -> Iterator[tuple[Step, list[HandOver]]]:
        """Each step and what was handed over to it. Once."""
        for block in self.blocks():
            yield from zip(block.steps, segment.hand_overs(block), strict=True)

    def kernel(self, read: Read, plugins: Sequence[Plugin]) -> Kernel:
        """The kernel as it was where the segment begins, with ``plugins`` just loaded.

        Raises RecordError where this is another build or machine, or the journal does not vouch for the keyframe.
        """
        self._check_build(build.build(plugins))
        self._check_vouched(read)
        stored = snapshot.decode(self.keyframe.snapshot)
        kernel = self.bare_kernel(Kernel, plugins, msgspec.msgpack.decode(self.head.plugin_config), stored)
        for plugin in plugins:
            plugin.due = dict(stored.due.get(plugin.name, {}))
        keyframe.thaw(kernel, self.keyframe.exact, self.keyframe.table)
        return kernel

    def bare_kernel(
        self, kind: type[AnyKernel], plugins: Sequence[Plugin], config: Mapping[str, Any], stored: Snapshot
    ) -> AnyKernel:
        """A kernel in the city as it was then, whose plugins have their states of then, under ``config``."""
        head = self.head
        city = cities.load(self.path.parent / head.city)
        city = city.with_assets(cities.unpack_assets(self.keyframe.register))
        for plugin in plugins:
            plugin.configure(config.get(plugin.name, {}))
            plugin.begin(city, stored.plugins.get(plugin.name))
        gate = msgspec.msgpack.decode(head.gate, type=GateConfig, dec_hook=lambda type, value: type(value))
        login = Login([Ed25519PublicKey.from_public_bytes(key) for key in head.login])
        return kind(city, plugins, head.run, head.seed, gate=gate, login=login)

    def _check_build(self, here: str) -> None:
        for was, now in ((self.head.build, here), (self.head.machine, build.machine())):
            if was != now:
                raise RecordError(
                    f"recorded by {was}, this is {now}: it would not come to the same bit for bit.",
                    where=str(self.path),
                    next="Replay it with that build on such a machine.",
                )

    def _check_vouched(self, read: Read) -> None:
        digest = hashlib.sha256(self.keyframe.exact).digest()
        for _, record in read(0, SEGMENT):
            if _vouched.decode(record.data) == (self.path.name, digest):
                return
        raise RecordError(
            "the journal does not vouch for its keyframe.",
            where=str(self.path),
            next="`ondijon audit verify` tells whether the journal is whole.",
        )


class Events:
    """The journal's events by their number, read forward once."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._rows: Iterator[tuple[int, Record]] | None = None
        self._next: tuple[int, Record] | None = None

    def between(self, first: int, last: int) -> list[Event]:
        """Those numbered ``first`` to ``last``, which lie after all that were asked for before."""
        if self._rows is None:
            self._rows = self._read(first - 1, "event")
            self._next = next(self._rows, None)
        out = []
        while self._next is not None and self._next[0] <= last:
            seq, record = self._next
            if seq >= first:
                out.append(numbered(seq, record.data))
            self._next = next(self._rows, None)
        return out


def segments(data: Path) -> list[Path]:
    """The segments of a data folder, in the order they were recorded. Raises RecordError where there are none."""
    found = sorted((data / recorder.FOLDER).glob(f"*{recorder.SUFFIX}"))
    if not found:
        raise RecordError(
            "nothing is recorded here.", where=str(data), next="Name the post's `data` folder; see [record]."
        )
    return found


def replay(opened: Segment, read: Read, plugins: Sequence[Plugin]) -> Iterator[Replayed]:
    """Take the steps of a segment again, with ``plugins`` just loaded."""
    kernel = opened.kernel(read, plugins)
    events, taken = Events(read), Events(read)
    emitted = [event for seq in opened.keyframe.emitted for event in taken.between(seq, seq)]
    before = segment.GENESIS
    for step, hand_overs in opened.steps():
        now = Now(step.step, step.utc, step.mono)
        outside = [event for part in step.events for event in events.between(*part)]
        outputs = kernel.step(now, segment.inputs(step, [*outside, *emitted], hand_overs))
        emitted = _numbered(outputs.events, step.last)
        digest = segment.digest(before, step, hand_overs, outputs)
        same = digest == step.digest and (not step.state or kernel.digest() == step.state.hex())
        yield Replayed(now, outputs, same)
        before = step.digest


def _numbered(events: Sequence[Event], last: int) -> list[Event]:
    first = last - len(events) + 1
    return [msgspec.structs.replace(event, seq=first + i) for i, event in enumerate(events)]
