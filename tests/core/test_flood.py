"""Floods: how little a person is told, that nothing is forgotten, and the figures against a naive recomputation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.alarms import Alarms
from core.assets import NONE, Assets
from core.declaration import AlarmKind, Text
from core.flood import FLOOD_ABOVE, GROUPS_MAX, SLOT_S, WINDOW_S, Flood
from core.topology import Topology

T = Text("", "")
S = 1_000_000
UTC = 1_768_000_000 * S
CABINETS, LAMPS, COMMUNES = 680, 34_000, 23
KINDS = {
    kind.code: (kind, "lighting")
    for kind in (
        AlarmKind(code="cabinet", priority=1, text=T),
        AlarmKind(code="lamp", priority=3, text=T, suppressed_by=("cabinet",), correlate_s=10),
        AlarmKind(code="silent", priority=3, text=T),
        AlarmKind(code="burner", priority=2, text=T),
    )
}


@pytest.fixture(scope="module")
def dijon() -> Assets:
    """680 cabinets, and behind each 50 lamps; 23 communes."""
    n = CABINETS + LAMPS
    cabinet = np.concatenate([np.arange(CABINETS), np.arange(LAMPS) // 50])
    ids = [str(i) for i in range(n)]
    columns = {name: np.zeros(n) for name in Assets.COLUMNS} | {
        "kind": np.arange(n) >= CABINETS,
        "parent": np.where(np.arange(n) < CABINETS, NONE, cabinet),
        "gateway": np.full(n, NONE),
        "commune": cabinet * COMMUNES // CABINETS,
    }
    kinds = ("cabinet", "lamp")
    return Assets(ids=ids, names=ids, kinds=kinds, gateways=[], columns=columns, attributes={})


ALL = np.arange(CABINETS, CABINETS + LAMPS, dtype=np.uint32)


class Storm:
    """Raises alarms over some seconds and notes what a person is told, and what the journal."""

    def __init__(self, assets: Assets) -> None:
        self.register = Alarms(KINDS, Topology(assets))
        self.mono = 0
        self.told = 0
        self.events = 0
        self.worst = 0
        self.traced: dict[str, list[np.ndarray]] = {}

    def turn(self, seconds: float = 0.05) -> None:
        changes = self.register.turn(self.mono, UTC + self.mono)
        self.told += sum(change.announced for change in changes)
        self.events += len(changes)
        self.worst = max(self.worst, len(changes))
        for change in changes:
            self.traced.setdefault(change.state, []).append(change.assets)
        self.mono += int(seconds * S)

    def during(self, seconds: float, lamps: np.ndarray, *codes: str) -> None:
        for some in np.array_split(lamps, round(seconds / 0.05)):
            for code in codes:
                for lamp in some.tolist():
                    self.register.raise_(lamp, code, self.mono, {})
            self.turn()


@pytest.mark.parametrize("order", ["along the cabinets", "shuffled", "at once"])
@pytest.mark.parametrize("codes", [("lamp",), ("silent",), ("lamp", "silent", "burner")])
def test_the_whole_city_is_announced_ten_times_at_most(
    dijon: Assets, order: str, codes: tuple[str, ...]
) -> None:
    storm = Storm(dijon)
    lamps = np.random.default_rng(1).permutation(ALL) if order == "shuffled" else ALL
    if order == "at once":
        for code in codes:
            storm.register.raise_(lamps, code, 0, {})
        storm.turn()
    else:
        storm.during(10, lamps, *codes)
    while storm.mono < 30 * S:
        storm.turn()
    assert 1 <= storm.told <= 10
    assert storm.worst <= 40, "one event a code, state and group"
    load = storm.register.load(dijon.ids)
    assert (load.standing, load.announced_10min) == (LAMPS * len(codes), storm.told)
    assert load.active == dict.fromkeys(codes, LAMPS)
    traced = np.concatenate(storm.traced["unacked_active"])
    assert set(traced.tolist()) == set(ALL.tolist())
    told = [alarm.announced for alarm in storm.register.all()]
    assert all(told), "each was told of, alone or in its group"
    standing = sum(n for _, n in storm.register.groups().values())
    alone = sum(alarm.group == 0 for alarm in storm.register.all())
    assert standing + alone == LAMPS * len(codes)


def test_the_feeder_explains_its_lamps_whoever_comes_first(dijon: Assets) -> None:
    lamps = ALL[:50]
    told = []
    for first, second in (("lamp", "cabinet"), ("cabinet", "lamp")):
        storm = Storm(dijon)
        for code in (first, second):
            storm.register.raise_(lamps if code == "lamp" else 0, code, storm.mono, {})
            storm.turn(5)
        storm.turn(30)
        storm.turn()
        told.append(storm.told)
        assert storm.register.load(dijon.ids).suppressed == 50
        assert storm.register.get(int(lamps[0]), "lamp").parent == (0, "cabinet")
    assert told == [1, 1]


def test_what_was_announced_before_its_cause_is_moved_and_comes_back_with_it(dijon: Assets) -> None:
    storm = Storm(dijon)
    lamps = ALL[:50]
    storm.register.raise_(lamps, "lamp", 0, {})
    storm.turn(11)
    storm.turn()
    assert storm.told == 1
    storm.register.acknowledge(int(lamps[0]), "lamp", "Anne", storm.mono, storm.mono)
    storm.register.raise_(0, "cabinet", storm.mono, {})
    storm.turn(100)
    assert (storm.told, storm.register.load(dijon.ids).suppressed) == (2, 50)
    storm.register.clear(0, "cabinet", storm.mono)
    storm.register.clear(lamps[2:], "lamp", storm.mono + 1)
    storm.turn(9)
    storm.turn(2)
    assert storm.told == 2, "their conditions have a moment to go"
    storm.turn()
    assert storm.told == 3
    assert storm.register.get(int(lamps[0]), "lamp").state == "acked_active"
    assert storm.register.get(int(lamps[1]), "lamp").announced == UTC + storm.mono - 50_000
    assert storm.register.get(int(lamps[2]), "lamp").state == "normal"


def test_a_group_takes_members_for_a_minute_and_is_acknowledged_as_one(dijon: Assets) -> None:
    storm = Storm(dijon)
    for seconds, some in ((50, ALL[:20]), (20, ALL[20:30]), (1, ALL[30:50])):
        storm.register.raise_(some, "silent", storm.mono, {})
        storm.turn(seconds)
    (first, members), (second, later) = storm.register.groups().values()
    assert (first.level, first.cause, members) == ("parent", 0, 30)
    assert (second.code, later, storm.told) == ("silent", 20, 2)
    assert storm.register.acknowledge_group(first.number, "Anne", storm.mono, storm.mono) == 30
    assert storm.register.acknowledge_group(first.number, "Anne", storm.mono, storm.mono) == 0
    assert storm.register.acknowledge_group(0, "Anne", storm.mono, storm.mono) == 0
    assert storm.register.load(dijon.ids).unacked == 20
    storm.register.clear(ALL[:50], "silent", storm.mono)
    storm.turn()
    assert storm.register.groups() == {}


def test_high_priority_is_told_alone_and_few_are_no_flood(dijon: Assets) -> None:
    storm = Storm(dijon)
    storm.register.raise_(np.arange(40, dtype=np.uint32), "cabinet", 0, {})
    storm.turn()
    assert (storm.told, storm.register.groups()) == (40, {})
    storm = Storm(dijon)
    for lamp in ALL[:: LAMPS // 4][:4].tolist():
        storm.register.raise_(lamp, "silent", storm.mono, {})
    storm.turn()
    assert (storm.told, storm.register.groups()) == (4, {})


def test_groups_of_which_nothing_is_remembered_are_forgotten() -> None:
    flood = Flood()
    one = np.zeros(20, np.int64)
    for minute in range(GROUPS_MAX + 10):
        flood.tell("silent", False, one, one, minute * 61 * S, 0)
    flood.forget(np.array([3, 5, 0], np.uint32))
    assert list(flood.groups) == [3, 5]


@given(st.lists(st.tuples(st.integers(0, 4000), st.integers(1, 12), st.booleans()), min_size=1, max_size=40))
@settings(max_examples=100, deadline=None)
def test_the_figures_are_those_of_a_naive_recomputation(said: list[tuple[int, int, bool]]) -> None:
    flood, mono = Flood(), 0
    slots: list[int] = []
    for seconds, n, restart in said:
        mono += seconds * S
        flood.count(n, mono)
        slots += [mono // (SLOT_S * S)] * n
        if restart:
            told, flood = flood.stored(mono), Flood()
            flood.restore(told, mono, 0)
    now = mono // (SLOT_S * S)
    first = max(slots[0], now - 86_400 // SLOT_S + 1)

    def within(seconds: int, end: int) -> int:
        return sum(end - seconds // SLOT_S < slot <= end and slot > now - 86_400 // SLOT_S for slot in slots)

    assert flood.recent(mono) == within(WINDOW_S, now)
    assert flood.within(3600, mono) == within(3600, now)
    windows = [within(WINDOW_S, end) for end in range(first, now + 1)]
    assert flood.windows(mono).tolist() == windows


def test_the_load_on_a_person(dijon: Assets) -> None:
    storm = Storm(dijon)
    register = storm.register
    for second in range(12):
        register.raise_(second, "cabinet", storm.mono, {})
        storm.turn(1)
    for asset, after in ((0, 10), (1, 20), (2, 60)):
        register.acknowledge(asset, "cabinet", "Anne", storm.mono + after * S, 0)
    register.shelve(3, "cabinet", 3600, "known", "Anne", storm.mono, 0)
    register.take_out_of_service(4, "cabinet", "rebuilt", "Anne", storm.mono, 0)
    register.raise_(ALL[:50], "lamp", storm.mono, {})
    for _ in range(4):
        register.raise_(700, "burner", storm.mono, {})
        storm.turn(2)
        register.clear(700, "burner", storm.mono)
        storm.turn(2)
    storm.turn()
    load = register.load(dijon.ids)
    assert (load.announced_10min, load.announced_hour, load.peak_10min) == (storm.told,) * 3
    assert load.flood is True
    assert load.flood_pct > 0
    assert (load.standing, load.suppressed, load.shelved, load.out_of_service) == (11, 50, 1, 1)
    assert (load.unacked, load.chattering, load.stale) == (8, 1, 0)
    assert (load.top[0].asset, load.top[0].code, load.top[0].count) == ("700", "burner", 4)
    assert load.top_pct == round(100 * (4 + 9) / (12 + 50 + 4), 1)
    assert 20 <= load.ack_p50_s <= 40
    assert 60 <= load.ack_p95_s <= 80
    storm.mono += 2 * 86_400 * S
    storm.turn()
    load = register.load(dijon.ids)
    assert (load.stale, load.standing, load.announced_10min, load.shelved) == (11, 11, 1, 0)
    assert FLOOD_ABOVE == 10
