"""A fork: a recorded time lived once more with something else in it, and the figures that it comes to.

What came from outside is as it was recorded; what answers to commands is imagined (core/devices.py). Several grid
points are taken in one step, so that a night passes in a minute: a fork is compared with a fork that changes nothing.
"""

from __future__ import annotations

import datetime
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from core import segment
from core import snapshot as snapshots
from core.assets import NONE, Assets
from core.availability import SERVICE
from core.clock import SECOND, Now
from core.commands import COMMAND
from core.declaration import Kpi
from core.devices import Devices
from core.errors import RecordError
from core.event import Event
from core.job_clocks import JOB
from core.kernel import Kernel
from core.plugins import Plugin
from core.programmes import Programme
from core.replay import Events, Read, Segment
from core.segment import Columns, Head, Step
from core.step import Inputs, Outputs
from core.table import HandOver
from core.tail import Tail
from core.vocabulary import AlarmChanged

#: So much city time (µs) is one step of a fork: a night takes a minute, and energy comes out 0.3 % lower.
GRID = 2 * SECOND

#: How often (µs of city time) the figures are noted.
NOTE = 60 * SECOND

#: Steps further apart (µs) have something between them that was not recorded.
GAP = 5 * GRID

#: So many different faults are told.
FAULTS_MAX = 20

#: Numbers of a fork's own events begin here: above all that a journal holds.
OWN = 1 << 52


class Difference(msgspec.Struct, frozen=True):
    """What is otherwise: ``settings`` plugin → table, which take the place of recorded keys, nested ones too;
    ``programmes`` (kind, zone, content as msgpack) that are in force from the beginning."""

    settings: dict[str, dict[str, Any]] = {}
    programmes: tuple[tuple[str, str, bytes], ...] = ()


class Figures(msgspec.Struct):
    """What a fork came to, from ``first`` to ``last`` µs utc, in so many ``steps`` and ``seconds``.

    ``judged``: what its trades are judged by; ``counts`` name → how often; ``kpis`` name → growth; ``series`` name →
    (utc µs, growth); ``faults``: what went wrong, each once; ``gaps``: what of the record was not there to be read;
    ``in_workers``: plugins that a worker ran, and that were called in the steps themselves here.
    """

    first: int = 0
    last: int = 0
    steps: int = 0
    seconds: float = 0.0
    judged: list[Kpi] = []
    counts: dict[str, int] = {}
    kpis: dict[str, float] = {}
    series: dict[str, list[tuple[int, float]]] = {}
    faults: list[str] = []
    gaps: list[str] = []
    in_workers: list[str] = []


def live(
    paths: Sequence[Path],
    read: Read,
    load: Callable[[Sequence[str]], list[Plugin]],
    difference: Difference,
    until: int | None = None,
) -> Figures:
    """Live through the segments ``paths`` with the ``difference``; ``until`` µs utc ends it.

    What cannot be read is left out, and told as a gap. Raises RecordError where nothing can be read, ConfigError,
    PluginError or CityError where the difference cannot be.
    """
    began = time.perf_counter()
    life: _Life | None = None
    gaps: list[str] = []
    for path in paths:
        try:
            opened = Segment(path)
            if life is None:
                life = _Life(opened, read, load(opened.head.plugins), difference)
                life.tally.figures.gaps = gaps
                life.tally.figures.in_workers = opened.head.in_workers
            if not life.follow(opened, until):
                break
        except RecordError as error:
            gaps.append(str(error))
    if life is None:
        raise RecordError("nothing of it can be read.", next=" ".join(gaps) or "Name another time.")
    figures = life.tally.come_to()
    figures.seconds = time.perf_counter() - began
    return figures


class _Kernel(Kernel):
    """A kernel whose commands go to imagined devices, not to gateways."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.devices = Devices(self.city.assets.gateways, self.table.generation)

    def send(self, now: Now, outputs: Outputs) -> None:
        for verb, targets, values in self.commands.obey(now.mono):
            self.devices.obey(verb, targets, values)


class _Life:
    def __init__(self, opened: Segment, read: Read, plugins: list[Plugin], difference: Difference) -> None:
        config = msgspec.msgpack.decode(opened.head.plugin_config)
        stored = snapshots.decode(opened.keyframe.snapshot)
        self.kernel = opened.bare_kernel(_Kernel, plugins, merged(config, difference.settings), stored)
        _Slots(opened.head, self.kernel).fill(opened.keyframe.table)
        self._events = Events(read)
        self._next = OWN
        self._step = stored.step
        self.tally = Tally(plugins)
        now = Now(stored.step, stored.utc, stored.mono)
        outputs = self.kernel.resume(stored, Tail(), now)
        for kind, zone, content in difference.programmes:
            self._put(kind, zone, content, now, outputs)
        self._emitted = self._numbered(outputs.events)

    def _put(self, kind: str, zone: str, content: bytes, now: Now, outputs: Outputs) -> None:
        draft = Programme(
            id="fork", kind=kind, zone=zone, content=content, by="fork", reason="fork", created_utc=now.utc
        )
        self.kernel.put(self.kernel.programmes.imagined(draft), now, outputs)

    def follow(self, opened: Segment, until: int | None) -> bool:
        """Live through one segment; whether it goes on after it. Raises RecordError where it is damaged."""
        slots = _Slots(opened.head, self.kernel)
        for steps, parts in _seconds(opened):
            if until is not None and steps[-1].utc > until:
                return False
            if self._take(steps, [kept for part in parts if (kept := slots.kept(part)) is not None]):
                slots = _Slots(opened.head, self.kernel)
        return True

    def _take(self, steps: Sequence[Step], hand_overs: list[HandOver]) -> bool:
        """Take several recorded steps as one; whether the register is another after it."""
        kernel, last = self.kernel, steps[-1]
        self._step += 1
        now = Now(self._step, last.utc, last.mono)
        given = [segment.outside(step) for step in steps]
        outside = [event for step in steps for part in step.events for event in self._events.between(*part)]
        outputs = kernel.step(
            now,
            Inputs(
                hand_overs=[*hand_overs, *kernel.devices.samples(now, kernel.plugins, kernel.numbering)],
                events=[*outside, *self._emitted],
                changes=[change for each in given for change in each.changes],
                asked=[asked for each in given for asked in each.asked],
                lies=[lie for each in given for lie in each.lies],
                knocks=[knock for each in given for knock in each.knocks],
                troubles=given[-1].troubles,
                programmed=kernel.devices.programmed(),
            ),
        )
        kernel.devices.store(outputs.programmes)
        outputs.faults += kernel.devices.faults
        kernel.devices.faults.clear()
        self._emitted = self._numbered(outputs.events)
        self.tally.take(now, outputs)
        return outputs.renumbered

    def _numbered(self, events: Sequence[Event]) -> list[Event]:
        first, self._next = self._next, self._next + len(events)
        return [msgspec.structs.replace(event, seq=first + i) for i, event in enumerate(events)]


def _seconds(opened: Segment) -> Iterator[tuple[list[Step], list[Columns]]]:
    """The steps of each GRID of city time, and the rows that were handed over to them."""
    steps: list[Step] = []
    parts: list[Columns] = []
    for block in opened.blocks():
        columns = segment.columns(block)
        start = end = 0
        for step in block.steps:
            if steps and step.mono // GRID != steps[0].mono // GRID:
                yield steps, [*parts, columns.part(start, end)]
                steps, parts, start = [], [], end
            steps.append(step)
            end += step.rows
        parts.append(columns.part(start, end))
    if steps:
        yield steps, parts


class _Slots:
    """From the slots that were recorded to those of the fork, without what answers to commands."""

    def __init__(self, head: Head, kernel: Kernel) -> None:
        self._table = kernel.table
        numbering = kernel.numbering
        there = _numbered_as(numbering.assets, head.metrics)
        answers = {metric.name for metric in numbering.metrics if metric.answers}
        answers |= {verb.verify_metric for verb in numbering.verbs if verb.verify_metric}
        # One more: what is beyond the register is nobody's.
        self._all = np.full(sum(len(slots) for _, slots in there.values()) + 1, NONE, np.uint32)
        self._mine = self._all.copy()
        for metric, (assets, slots) in there.items():
            if metric in numbering.metric_index:
                self._all[slots] = numbering.slot(metric, assets)
                if metric not in answers:
                    self._mine[slots] = self._all[slots]

    def fill(self, table: bytes) -> None:
        """Put the recorded table into the fork's."""
        records = self._table.slots.records_array()
        there = np.frombuffer(table, records.dtype)[: len(self._all) - 1]
        slot = self._all[: len(there)]
        records[slot[slot != NONE]] = there[slot != NONE]

    def kept(self, part: Columns) -> HandOver | None:
        """What of these rows is for the fork."""
        slot = self._mine[np.minimum(part.slot, len(self._mine) - 1)]
        kept = np.flatnonzero(slot != NONE)
        if not len(kept):
            return None
        value, time, count = part.value[kept], part.time[kept], part.count[kept]
        return HandOver("recorded", self._table.generation, slot[kept], value, time, count)


def _numbered_as(
    assets: Assets, metrics: Sequence[tuple[str, str]]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """(assets u32[n], slots i64[n]) by metric, as a numbering with these metrics has them."""
    per_kind = Counter(kind for _, kind in metrics)
    per_asset = np.array([per_kind[kind] for kind in assets.kinds], np.int64)[assets.kind]
    first = np.cumsum(per_asset) - per_asset
    seen: Counter[str] = Counter()
    out = {}
    for name, kind in metrics:
        of_kind = assets.of_kind(kind)
        out[name] = of_kind, first[of_kind] + seen[kind]
        seen[kind] += 1
    return out


class Tally:
    """Counts what a life comes to."""

    def __init__(self, plugins: Iterable[Plugin]) -> None:
        self.figures = Figures(judged=[kpi for plugin in plugins for kpi in plugin.declaration.kpis])
        self._kpis: dict[str, list[Kpi]] = {}
        for kpi in self.figures.judged:
            self._kpis.setdefault(kpi.view, []).append(kpi)
        #: By (figure, key of a row): the first value that was told, and the last.
        self._told: dict[tuple[str, str], tuple[float, float]] = {}
        self._counts: Counter[str] = Counter()
        self._noted = 0

    def take(self, now: Now, outputs: Outputs) -> None:
        """A step."""
        figures = self.figures
        if figures.steps and now.utc - figures.last > GAP:
            at = datetime.datetime.fromtimestamp(figures.last / SECOND, datetime.UTC)
            missing = (now.utc - figures.last) / SECOND
            figures.gaps.append(f"{missing:.0f} s from {at:%Y-%m-%d %H:%M:%S}Z on were not recorded.")
        for published in outputs.views:
            for kpi in self._kpis.get(published.view, ()) if published.row is not None else ():
                value = float(getattr(published.row, kpi.field))
                first, _ = self._told.get((kpi.name, published.key), (value, value))
                self._told[kpi.name, published.key] = first, value
        for record in outputs.records:
            self._count(record.kind, record.data)
        for event in outputs.events:
            if isinstance(event.data, AlarmChanged):
                if event.data.announced:
                    self._counts[f"alarms {event.data.code}"] += event.data.announced
            elif not event.kind.startswith("post."):
                self._counts[f"events {event.kind}"] += 1
        figures.faults += [fault for fault in outputs.faults if fault not in figures.faults]
        del figures.faults[FAULTS_MAX:]
        if not figures.steps or now.mono - self._noted >= NOTE:
            self._note(now)
        figures.first, figures.last = figures.first or now.utc, now.utc
        figures.steps += 1

    def _count(self, kind: str, data: bytes) -> None:
        if kind == COMMAND:
            said = _command.decode(data)
            if said.state == "refused":
                self._counts[f"refused {said.verb}"] += 1
            else:
                self._counts[f"commands {said.verb}"] += 1
                self._counts[f"targets {said.verb}"] += len(said.targets) // 4
        elif kind == JOB:
            self._counts[f"jobs {_job.decode(data).state}"] += 1
        elif kind == SERVICE:
            said_service = _service.decode(data)
            self._counts[f"assets that became {said_service.state}"] += len(said_service.assets) // 4

    def _note(self, now: Now) -> None:
        self._noted = now.mono
        for name, value in self._growth().items():
            self.figures.series.setdefault(name, []).append((now.utc, value))

    def _growth(self) -> dict[str, float]:
        growth: dict[str, float] = {}
        for (name, _), (first, last) in self._told.items():
            growth[name] = growth.get(name, 0.0) + last - first
        return growth

    def come_to(self) -> Figures:
        """What it came to."""
        self.figures.kpis = self._growth()
        self.figures.counts = dict(sorted(self._counts.items()))
        return self.figures


class _Command(msgspec.Struct):
    verb: str
    state: str
    targets: bytes


class _State(msgspec.Struct):
    state: str


class _Serves(_State):
    assets: bytes


_command = msgspec.msgpack.Decoder(_Command)
_job = msgspec.msgpack.Decoder(_State)
_service = msgspec.msgpack.Decoder(_Serves)


def merged(recorded: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Tables with what is otherwise in place of what was; nested tables key by key."""
    out = dict(recorded)
    for key, value in other.items():
        both = isinstance(value, Mapping) and isinstance(out.get(key), Mapping)
        out[key] = merged(out[key], value) if both else value
    return out
