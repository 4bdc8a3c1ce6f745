"""Minutes are what a plain model gathers, whatever comes when; bounded, late ones counted, nothing told twice."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import minutes
from core.assets import Assets
from core.clock import SECOND
from core.declaration import Merge
from core.minutes import GRACE, MINUTE, Minutes
from core.register import Numbering
from core.table import HandOver, Table
from ondijon import AssetKind, Declaration, Metric, Text

T = Text("essai", "trial")

#: An hour begins here (µs).
BEGIN = 1_768_514_400 * SECOND


class Nothing(msgspec.Struct):
    pass


def metric(name: str, kept: bool, merge: Merge = Merge.LAST) -> Metric:
    return Metric(name=name, kind="lamp", unit="1", low=-1e9, high=1e9, kept=kept, merge=merge, text=T)


DECLARATION = Declaration(
    name="trial",
    text=T,
    config=Nothing,
    state=Nothing,
    assets=(AssetKind(name="lamp", attributes=Nothing, text=T),),
    metrics=(metric("level", True), metric("secret", False), metric("passed", True, Merge.SUM)),
)


def assets(n: int) -> Assets:
    """So many lamps."""
    zeros = dict.fromkeys(Assets.COLUMNS, np.zeros(n))
    columns = zeros | {"parent": np.full(n, 0xFFFFFFFF)}
    return Assets(
        ids=[f"L{i}" for i in range(n)],
        names=[""] * n,
        kinds=["lamp"],
        gateways=["g"],
        columns=columns,
        attributes={"lamp": {}},
    )


#: Asset, metric, value, time and count of a slot that changed in a step.
Changed = tuple[int, str, float, int, int]


class Gathered:
    """Table and minutes as the kernel has them, and what was told."""

    def __init__(self, n: int = 4) -> None:
        self.numbering = Numbering.of(assets(n), [DECLARATION])
        self.table = Table(self.numbering, 1)
        self.counts: dict[str, int] = {}
        self.minutes = Minutes(self.numbering, self.counts)
        self.told: list[minutes.MinuteRows] = []
        self.changed: list[Changed] = []

    def step(self, utc: int, samples: list[tuple[int, str, float, int]] = ()) -> list[minutes.MinuteRows]:
        """A step at ``utc`` in which (asset, metric, value, time) came, at most one a slot."""
        if samples:
            slots = [int(self.numbering.slots_of(m)[1][a]) for a, m, _, _ in samples]
            order = np.argsort(slots)
            column = lambda i, dtype: np.array([each[i] for each in samples], dtype)[order]  # noqa: E731
            ones = np.ones(len(samples), np.uint32)
            slot = np.array(slots, np.uint32)[order]
            taken = HandOver("telemetry", 1, slot, column(2, float), column(3, np.int64), ones)
            self.table.apply(taken, utc + 3 * SECOND)
        batch = self.table.swap()
        names = [metric.name for metric in self.numbering.metrics]
        columns = (batch.asset, batch.metric, batch.value, batch.time, batch.count)
        self.changed = [
            (asset, names[number], value, time, count)
            for asset, number, value, time, count in zip(*(c.tolist() for c in columns), strict=True)
        ]
        told = self.minutes.turn(utc, batch, self.table)
        self.told += told
        return told

    def rows(self) -> dict[tuple[int, str, int], tuple[float, ...]]:
        """(minute, metric, asset) → last, low, high, total, values, count of all that was told."""
        found: dict[tuple[int, str, int], tuple[float, ...]] = {}
        for part in self.told:
            columns = part.columns()
            ids = columns.pop("asset").tolist()
            for asset, row in zip(
                ids, zip(*(c.tolist() for c in columns.values()), strict=True), strict=True
            ):
                assert (part.minute, part.metric, asset) not in found, "told twice"
                found[part.minute, part.metric, asset] = row
        return found


Sample = tuple[int, str, float, int]


@st.composite
def nights(draw: st.DrawFn) -> list[tuple[int, list[Sample]]]:
    """Steps at growing times; samples of now, of a moment ago and of long ago, each slot at most once a step."""
    at, steps = BEGIN + draw(st.integers(0, 50)) * SECOND, []
    for _ in range(draw(st.integers(1, 25))):
        at += draw(st.sampled_from([50_000, SECOND, 7 * SECOND, 31 * SECOND, 400 * SECOND]))
        slots = draw(
            st.lists(
                st.tuples(st.integers(0, 3), st.sampled_from(["level", "secret", "passed"])), unique=True
            )
        )
        ago = st.sampled_from([0, 2 * SECOND, 20 * SECOND, 61 * SECOND, 700 * SECOND])
        value = st.integers(-50, 50).map(float)
        steps.append((at, [(a, m, draw(value), at - draw(ago)) for a, m in slots]))
    # All that is open ends.
    return [*steps, (at + MINUTE + GRACE, []), (at + 2 * MINUTE + GRACE, [])]


class Twin:
    """The same, in plain Python: a list of what changed a minute and slot."""

    def __init__(self) -> None:
        self.open: dict[int, dict[tuple[str, int], list[tuple[int, float, int]]]] = {}
        self.stands: dict[tuple[str, int], tuple[int, float]] = {}
        self.stood: dict[int, dict[tuple[str, int], float]] = {}
        self.told = self.late = 0
        self.hour = -1
        self.rows: dict[tuple[int, str, int], tuple[float, ...]] = {}

    def step(self, utc: int, changed: list[Changed]) -> None:
        now = utc // MINUTE
        for asset, name, value, time, _ in changed:
            self.stands[name, asset] = time, value
        if now > self.told:
            self.open.setdefault(now, {})
            if now // 60 != self.hour:
                self.hour = now // 60
                self.stood[now] = self._known(now * MINUTE)
        for asset, name, value, time, count in changed:
            if name == "secret":
                continue
            if time // MINUTE <= self.told or time // MINUTE < now - 1:
                self.late += 1
            else:
                minute = self.open.setdefault(time // MINUTE, {})
                minute.setdefault((name, asset), []).append((time, value, count))
        for minute in sorted(self.open):
            if (minute + 1) * MINUTE + GRACE <= utc:
                self._close(minute)

    def _close(self, minute: int) -> None:
        came = self.open.pop(minute)
        first, self.told = not self.told, max(self.told, minute)
        for (name, asset), values in came.items():
            of = [value for _, value, _ in values]
            newest = max(time for time, _, _ in values)
            last = [value for time, value, _ in values if time == newest][-1]
            count = sum(count for _, _, count in values)
            self.rows[minute * MINUTE, name, asset] = (last, min(of), max(of), sum(of), len(of), count)
        stood = self._known((minute + 1) * MINUTE) if first else self.stood.get(minute, {})
        for slot, value in stood.items():
            if slot not in came:
                name, asset = slot
                self.rows[minute * MINUTE, name, asset] = (value, value, value, 0.0, 0, 0)

    def _known(self, before: int) -> dict[tuple[str, int], float]:
        return {
            slot: value for slot, (time, value) in self.stands.items() if slot[0] == "level" and time < before
        }


@settings(max_examples=300, deadline=None)
@given(nights())
def test_minutes_are_what_a_plain_model_gathers(night: list[tuple[int, list[Sample]]]) -> None:
    ours, twin = Gathered(), Twin()
    for utc, samples in night:
        ours.step(utc, samples)
        twin.step(utc, ours.changed)
        # A few steps more: parts that wait are told.
        while ours.step(utc):
            pass
    assert ours.rows() == twin.rows
    assert ours.counts["minutes_late"] == twin.late
    assert ours.counts["minutes_told"] == len(twin.rows)


def test_only_what_is_kept_is_told() -> None:
    ours = Gathered()
    ours.step(BEGIN, [(0, "secret", 1.0, BEGIN), (1, "level", 2.0, BEGIN)])
    ours.step(BEGIN + MINUTE + GRACE)
    assert set(ours.rows()) == {(BEGIN, "level", 1)}


def test_a_minute_is_told_in_parts_and_the_oldest_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minutes, "PART", 10)
    ours = Gathered(195)
    for k in range(8):
        # A step a minute, as when city time flies: 20 parts come, 4 go.
        at = BEGIN + k * MINUTE + GRACE
        told = ours.step(at, [(a, "level", float(a + k), at) for a in range(195)])
        assert len(told) == (minutes.TOLD_MAX if k else 0)
        assert {len(part) for part in told} <= {10}
    while ours.step(at):
        pass
    rows = ours.rows()
    assert ours.counts["minutes_told"] == 7 * 195
    assert ours.counts["minutes_left_out"] == 7 * 195 - len(rows) > 0
    assert sum(minute == BEGIN + 6 * MINUTE for minute, _, _ in rows) == 195


def test_added_assets_move_no_value() -> None:
    ours = Gathered()
    ours.step(BEGIN, [(a, m, 10.0 * a, BEGIN) for a in range(4) for m in ("level", "passed")])
    ours.numbering = Numbering.of(assets(6), [DECLARATION])
    ours.table.renumber(ours.numbering)
    ours.minutes.renumber(ours.numbering)
    ours.step(BEGIN + SECOND, [(5, "level", 7.0, BEGIN + SECOND), (1, "level", 20.0, BEGIN + SECOND)])
    ours.step(BEGIN + MINUTE + GRACE)
    rows: dict[Any, Any] = {(m, a): row[:4] for (_, m, a), row in ours.rows().items()}
    assert rows["level", 5] == (7.0, 7.0, 7.0, 7.0)
    assert rows["level", 1] == (20.0, 10.0, 20.0, 30.0)
    assert rows["passed", 3] == (30.0, 30.0, 30.0, 30.0)
