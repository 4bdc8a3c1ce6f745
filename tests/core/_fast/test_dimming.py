"""The fast dimming loop against a twin that can be read, and the promises both make."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core._fast import dimming

RENEW_DS, KEEP_LEASE_DS, HOLD_DS = 50, 3000, 300


@dataclass
class Twin:
    """What the loop does, lamp by lamp and without any haste."""

    neighbours: list[set[int]]
    sensor_lamp: list[int]
    boost: list[int]
    base: list[int]
    keep: list[int]
    want: list[int] = field(default_factory=list)
    hold: list[int] = field(default_factory=list)
    leased: list[int] = field(default_factory=list)
    lease: list[int] = field(default_factory=list)
    level: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        lamps = len(self.neighbours)
        self.want, self.hold, self.leased, self.lease = ([0] * lamps for _ in range(4))
        self.level = [b * 256 for b in self.base]

    def reach(self, sensor: int) -> dict[int, int]:
        """Lamp to level, for one sensor."""
        found = {self.sensor_lamp[sensor]: self.boost[0]}
        edge = set(found)
        for level in self.boost[1:]:
            edge = set().union(*(self.neighbours[lamp] for lamp in edge)) - set(found)
            found |= dict.fromkeys(edge, level)
        return found

    def notice(self, seen: list[int], hold_ds: int) -> None:
        for sensor in seen:
            for lamp, level in self.reach(sensor).items():
                self.want[lamp] = max(level, self.want[lamp]) if self.hold[lamp] > 0 else level
                self.hold[lamp] = hold_ds

    def blind(self, silent: list[int]) -> list[int]:
        reached = [set(), set()]
        for sensor, is_silent in enumerate(silent):
            reached[is_silent] |= set(self.reach(sensor))
        return [int(lamp in reached[1] - reached[0]) for lamp in range(len(self.base))]

    def tick(self, elapsed_ds: int, rise: int, fall: int) -> list[tuple[int, int, int]]:
        due = []
        for i, base in enumerate(self.base):
            self.hold[i] = max(self.hold[i] - elapsed_ds, 0)
            self.lease[i] = max(self.lease[i] - elapsed_ds, 0)
            asked = self.want[i] if self.hold[i] else 0
            wanted = max(asked, self.keep[i])
            device = max(base, self.leased[i]) if self.lease[i] else base
            way = device * 256 - self.level[i]
            self.level[i] += min(max(way, -fall), rise)
            lasts = float("inf") if self.keep[i] > base else self.hold[i]
            ends = self.lease[i] <= RENEW_DS and lasts > self.lease[i]
            if wanted > device or (wanted > base and ends):
                self.leased[i] = wanted
                self.lease[i] = KEEP_LEASE_DS if self.keep[i] >= asked else self.hold[i] + RENEW_DS
                self.hold[i] = 0
                due.append((i, self.leased[i], self.lease[i]))
        return due


class Fast:
    """The same, by the loop."""

    def __init__(self, twin: Twin) -> None:
        start, to = csr(twin.neighbours)
        self.lamps = len(twin.base)
        self.reach = dimming.Reach(
            start, to, np.array(twin.sensor_lamp, np.uint32), np.array(twin.boost, np.uint8)
        )
        self.base, self.keep = np.array(twin.base, np.uint8), np.array(twin.keep, np.uint8)
        self.want, self.leased = (np.zeros(self.lamps, np.uint8) for _ in range(2))
        self.hold, self.lease = (np.zeros(self.lamps, np.int16) for _ in range(2))
        self.level = self.base.astype(np.int16) * 256

    def notice(self, seen: list[int], hold_ds: int) -> int:
        return self.reach.notice(np.array(seen, np.uint32), self.want, self.hold, hold_ds)

    def tick(self, elapsed_ds: int, rise: int, fall: int, **other: int) -> list[tuple[int, int, int]]:
        out = np.empty(self.lamps, np.uint32), np.empty(self.lamps, np.uint8), np.empty(self.lamps, np.int16)
        times = {"renew_ds": RENEW_DS, "keep_lease_ds": KEEP_LEASE_DS} | other
        rows = dimming.tick(
            base=self.base,
            keep=self.keep,
            want=self.want,
            hold=self.hold,
            leased=self.leased,
            lease=self.lease,
            level=self.level,
            out_lamp=out[0],
            out_level=out[1],
            out_lease=out[2],
            elapsed_ds=elapsed_ds,
            rise=rise,
            fall=fall,
            **times,
        )
        return list(zip(*(column[:rows].tolist() for column in out), strict=True))


def csr(neighbours: list[set[int]]) -> tuple[np.ndarray, np.ndarray]:
    start = np.cumsum([0] + [len(of) for of in neighbours]).astype(np.uint32)
    return start, np.array([lamp for of in neighbours for lamp in sorted(of)], np.uint32)


def chain(lamps: int, **changes: list[int]) -> Twin:
    """Lamps in a row, a sensor on each, 50 % by programme."""
    neighbours = [{i - 1, i + 1} & set(range(lamps)) for i in range(lamps)]
    plain = {"base": [50] * lamps, "keep": [0] * lamps, "boost": [100, 80], "sensor_lamp": list(range(lamps))}
    return Twin(neighbours, **(plain | changes))


levels = st.integers(0, 100)


@st.composite
def parks(draw: st.DrawFn) -> Twin:
    # More lamps than a block of the loop holds now and then, so that both its ends are walked.
    lamps = draw(st.one_of(st.integers(1, 8), st.integers(60, 140)))
    lamp = st.integers(0, lamps - 1)
    neighbours: list[set[int]] = [set() for _ in range(lamps)]
    for a, b in draw(st.lists(st.tuples(lamp, lamp), max_size=2 * lamps)):
        neighbours[a].add(b)
        neighbours[b].add(a)
    per_lamp = st.lists(levels, min_size=lamps, max_size=lamps)
    return Twin(
        neighbours,
        sensor_lamp=draw(st.lists(lamp, max_size=8)),
        boost=draw(st.lists(levels, min_size=1, max_size=5)),
        base=draw(per_lamp),
        keep=draw(per_lamp),
    )


@given(parks(), st.data())
@settings(max_examples=120, deadline=None)
def test_loop_and_twin_agree(twin: Twin, data: st.DataObject) -> None:
    fast, sensors = Fast(twin), len(twin.sensor_lamp)
    for sensor in range(sensors):
        rows = slice(fast.reach.start[sensor], fast.reach.start[sensor + 1])
        assert dict(zip(fast.reach.lamp[rows], fast.reach.level[rows], strict=True)) == twin.reach(sensor)
    silent = data.draw(st.lists(st.integers(0, 1), min_size=sensors, max_size=sensors))
    assert fast.reach.blind(np.array(silent, np.uint8)).tolist() == twin.blind(silent)
    for _ in range(data.draw(st.integers(1, 12))):
        seen = data.draw(st.lists(st.integers(0, sensors - 1), max_size=6)) if sensors else []
        hold = data.draw(st.sampled_from([1, 40, HOLD_DS]))
        elapsed = data.draw(st.sampled_from([0, 1, 2, 49, 250, 4000, dimming.LONGEST_DS, 10**6]))
        rise, fall = data.draw(st.tuples(st.integers(0, 25600), st.integers(0, 25600)))
        fast.notice(seen, hold)
        twin.notice(seen, hold)
        assert fast.tick(elapsed, rise, fall) == twin.tick(elapsed, rise, fall)
        for name in ("hold", "leased", "lease", "level"):
            assert getattr(fast, name).tolist() == getattr(twin, name), name


@given(parks(), st.data())
@settings(max_examples=60, deadline=None)
def test_nothing_granted_is_below_programme_or_floor(twin: Twin, data: st.DataObject) -> None:
    fast, sensors = Fast(twin), len(twin.sensor_lamp)
    for _ in range(8):
        if sensors:
            fast.notice(data.draw(st.lists(st.integers(0, sensors - 1), max_size=4)), HOLD_DS)
        for lamp, level, lease in fast.tick(data.draw(st.integers(0, 400)), 25600, 100):
            assert level > fast.base[lamp]
            assert level >= fast.keep[lamp]
            assert RENEW_DS < lease <= KEEP_LEASE_DS
        assert np.all(fast.level >= fast.base.astype(int) * 256)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 200)), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_each_sighting_is_honoured_for_its_whole_hold(sightings: list[tuple[int, int]]) -> None:
    """The device is judged here by the leases it was sent alone, as it would do."""
    park = Fast(chain(10))
    granted, until = [0] * 10, [0] * 10
    owed: list[tuple[int, int, int]] = []
    now = 0
    for sensor, pause in [*sightings, (0, 200), (0, 200)]:
        park.notice([sensor], HOLD_DS)
        owed += [(lamp, level, now + HOLD_DS) for lamp, level in chain(10).reach(sensor).items()]
        for step in range(max(pause // 2, 1)):
            now += 2 if step else 0
            for lamp, level, lease in park.tick(2 if step else 0, 25600, 100):
                granted[lamp], until[lamp] = level, now + lease
            owed = [row for row in owed if row[2] > now]
            assert all(granted[lamp] >= level and until[lamp] > now for lamp, level, _ in owed)


def test_presence_raises_holds_and_fades() -> None:
    park = Fast(chain(5))
    park.notice([2], HOLD_DS)
    assert park.tick(0, 25600, 100) == [(1, 80, 350), (2, 100, 350), (3, 80, 350)]
    assert park.tick(2, 25600, 100) == []
    assert (park.level // 256).tolist() == [50, 80, 100, 80, 50]
    assert park.tick(347, 25600, 100) == []
    assert park.level[2] == 100 * 256, "the lease still runs"
    park.tick(2, 25600, 100)
    assert park.level[2] == 100 * 256 - 100, "down slowly"
    for _ in range(200):
        park.tick(2, 25600, 100)
    assert (park.level // 256).tolist() == [50] * 5


def test_presence_that_goes_on_renews_only_near_the_end() -> None:
    park = Fast(chain(3))
    sent = []
    for now in range(0, 1200, 2):
        if now % 10 == 0:
            park.notice([1], HOLD_DS)
        sent += [now for lamp, _, _ in park.tick(2 if now else 0, 25600, 100) if lamp == 1]
    assert sent[0] == 0
    assert all(HOLD_DS - 20 <= later - sooner <= HOLD_DS for sooner, later in itertools.pairwise(sent)), sent


def test_silent_sensors_keep_the_safe_level() -> None:
    park = Fast(chain(3, base=[0, 0, 60], keep=[0, 50, 50]))
    assert park.tick(0, 25600, 100) == [(1, 50, KEEP_LEASE_DS)], "only where the programme is below it"
    park.notice([1], HOLD_DS)
    assert park.tick(2, 25600, 100) == [(0, 80, 348), (1, 100, 348), (2, 80, 348)]
    assert park.tick(298, 25600, 100) == [(1, 50, KEEP_LEASE_DS)], "and again after somebody passed"


def test_what_cannot_be_is_refused_with_nothing_changed() -> None:
    park = Fast(chain(3))
    with pytest.raises(IndexError, match="no sensor 3"):
        park.notice([0, 3], HOLD_DS)
    assert not park.hold.any()
    for bad in (
        {"elapsed_ds": -1},
        {"rise": 25601},
        {"fall": -1},
        {"renew_ds": 3000},
        {"keep_lease_ds": 40_000},
    ):
        with pytest.raises(ValueError):
            park.tick(**({"elapsed_ds": 2, "rise": 1, "fall": 1} | bad))
    with pytest.raises(ValueError, match="one row"):
        park.reach.notice(np.zeros(1, np.uint32), np.zeros(2, np.uint8), park.hold, 1)
    one = np.zeros(1, np.uint32)
    for start, to, sensor, boost in (
        ([0, 1], [1], [0], [100]),
        ([0, 2], [0], [0], [100]),
        ([0, 1, 0, 1], [0], [0], [100]),
        ([0, 0], [], [1], [100]),
        ([0, 0], [], [0], []),
        ([0, 0], [], [0], [101]),
    ):
        with pytest.raises(ValueError):
            dimming.Reach(
                np.array(start, np.uint32),
                np.array(to, np.uint32),
                np.array(sensor, np.uint32),
                np.array(boost, np.uint8),
            )
    assert dimming.Reach(one, one[:0], one[:0], np.array([100], np.uint8)).lamps == 0
