"""Alarms: the states of ISA-18.2 against a plain twin, suppression, floods, shelves over restarts, the load."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from core import alarms
from core.alarms import POST_ASSET, Alarms, Change, Stored
from core.assets import NONE, Assets
from core.declaration import AlarmKind, Text
from core.errors import AlarmError
from core.topology import Topology
from tests.core.alarm_twin import S, Twin

T = Text("", "")
DAY = 86_400


def kind(code: str, priority: int = 3, **more: object) -> tuple[AlarmKind, str]:
    return AlarmKind(code=code, priority=priority, text=T, **more), "lighting"


KINDS = {
    each[0].code: each
    for each in (
        kind("now", 1),
        kind("slow", delay_on_s=10, delay_off_s=5),
        kind("lamp", suppressed_by=("cabinet", "link"), correlate_s=10),
        kind("cabinet", 1, suppressed_by=("link",), correlate_s=5),
        kind("link", 1, delay_on_s=2),
    )
}


def register(rows: list[tuple[str, int | None, str | None]]) -> Assets:
    """Assets of (kind, parent, gateway), named by their index; a gateway is named as it is."""
    kinds = sorted({row[0] for row in rows})
    gateways = sorted({row[2] for row in rows if row[2]})
    n = len(rows)
    zeros = np.zeros(n)
    ids = [f"gw{i}" if row[0] == "gateway" else str(i) for i, row in enumerate(rows)]
    columns = dict.fromkeys(Assets.COLUMNS, zeros) | {
        "kind": [kinds.index(row[0]) for row in rows],
        "parent": [NONE if row[1] is None else row[1] for row in rows],
        "gateway": [NONE if row[2] is None else gateways.index(row[2]) for row in rows],
    }
    return Assets(ids=ids, names=ids, kinds=kinds, gateways=gateways, columns=columns, attributes={})


#: A link 0, two gateways 1 and 2 behind it, cabinets 3 and 4, lamps 5 to 8; cabinet 4 is behind no gateway.
CITY = register(
    [
        ("link", None, None),
        ("gateway", 0, "gw1"),
        ("gateway", 0, None),
        ("cabinet", None, "gw1"),
        ("cabinet", None, None),
        ("lamp", 3, "gw1"),
        ("lamp", 3, None),
        ("lamp", 4, "gw2"),
        ("lamp", 4, None),
    ]
)
WAYS = {1: [0], 2: [0], 3: [1], 5: [3, 1], 6: [3], 7: [4, 2], 8: [4]}


def made(kinds: dict = KINDS, assets: Assets = CITY) -> Alarms:
    return Alarms(kinds, Topology(assets))


def announced(changes: list[Change]) -> int:
    return sum(change.announced for change in changes)


def state(register: Alarms, asset: int, code: str) -> str:
    found = register.get(asset, code)
    return found.state if found else "normal"


# -- the state machine


def test_the_life_of_an_alarm() -> None:
    register = made()
    register.raise_(7, "now", 0, {"watts": 3.0})
    (raised,) = register.turn(0, 100)
    assert (raised.state, raised.announced, raised.assets.tolist()) == ("unacked_active", 1, [7])
    alarm = register.get(7, "now")
    assert (alarm.raised_at, alarm.announced, alarm.priority, alarm.trade) == (100, 100, 1, "lighting")
    assert alarm.data == raised.data == {"watts": 3.0}
    register.raise_(7, "now", 1, {})
    assert register.turn(1, 101) == [], "raising what is raised changes nothing"
    assert register.acknowledge(7, "now", "Anne", 5, 110).state == "acked_active"
    assert register.acknowledge(7, "now", "Anne", 6, 111) is None
    register.clear(7, "now", 7)
    acked, normal = register.turn(7, 120)
    assert (acked.by, acked.state, normal.state) == ("Anne", "acked_active", "normal")
    assert not list(register.all())


def test_an_alarm_that_returns_unseen_waits_for_a_person() -> None:
    register = made()
    for mono, step in ((0, register.raise_), (1, register.clear), (2, register.raise_)):
        step(7, "now", mono, *([{}] if step == register.raise_ else []))
        register.turn(mono, mono + 1)
    assert (state(register, 7, "now"), register.get(7, "now").count) == ("unacked_active", 2)
    register.clear(7, "now", 3)
    assert register.turn(3, 4)[0].state == "returned_unacked"
    assert register.acknowledge(7, "now", "Anne", 5, 5).state == "normal"
    assert register.load(CITY.ids).active == {}


def test_delays_swallow_what_flickers() -> None:
    register = made()
    register.raise_(1, "slow", 0, {})
    assert register.turn(9 * S, 0) == []
    register.clear(1, "slow", 9 * S)
    assert register.turn(20 * S, 0) == []
    register.raise_(1, "slow", 20 * S, {})
    assert register.turn(30 * S, 0)[0].state == "unacked_active"
    register.clear(1, "slow", 31 * S)
    register.raise_(1, "slow", 33 * S, {})
    assert register.turn(60 * S, 0) == []


def test_what_chatters_is_said_once_until_it_is_quiet() -> None:
    register = made()
    said = 0
    for mono in range(0, 40 * S, 2 * S):
        (register.clear(7, "now", mono) if mono % (4 * S) else register.raise_(7, "now", mono, {}))
        said += announced(register.turn(mono, mono))
    alarm = register.get(7, "now")
    assert (said, alarm.chattering, alarm.count, alarm.state) == (2, True, 10, "unacked_active")
    assert register.load(CITY.ids).chattering == 1
    assert register.turn(97 * S, 0) == [], "held"
    (quiet,) = register.turn(98 * S, 0)
    assert (quiet.state, register.get(7, "now").chattering) == ("returned_unacked", False)


def test_a_shelf_needs_a_reason_and_an_end() -> None:
    register = made()
    for seconds, reason in ((60, " "), (0, "known"), (alarms.SHELF_MAX_S + 1, "known")):
        with pytest.raises(AlarmError):
            register.shelve(7, "now", seconds, reason, "Anne", 0, 0)
    register.take_out_of_service(7, "now", "rebuilt", "Anne", 0, 0)
    with pytest.raises(AlarmError, match="out of service"):
        register.shelve(7, "now", 60, "known", "Anne", 0, 0)
    assert register.put_into_service(7, "now", "Anne", 0, 0).state == "normal"
    assert register.put_into_service(7, "now", "Anne", 0, 0) is None
    assert register.unshelve(7, "now", "Anne", 0, 0) is None


def test_what_comes_back_from_the_shelf_is_what_it_then_is() -> None:
    register = made()
    register.raise_(7, "now", 0, {})
    register.raise_(8, "now", 0, {})
    register.turn(0, 0)
    for asset in (7, 8):
        register.shelve(asset, "now", 60, "known", "Anne", 0, 1000)
    register.clear(8, "now", 30 * S)
    shelved, *_ = register.turn(30 * S, 30 * S)
    assert (shelved.by, shelved.reason, shelved.until) == ("Anne", "known", 1000 + 60 * S)
    back = register.turn(60 * S, 60 * S)
    assert {(c.state, c.announced, *c.assets.tolist()) for c in back} == {
        ("unacked_active", 1, 7),
        ("returned_unacked", 0, 8),
    }


@pytest.mark.parametrize("downtime", [0, 20 * S, None])
def test_a_shelf_ends_also_after_a_restart(downtime: int | None) -> None:
    """The clock goes on while the post is down, or begins anew (None)."""
    before = made()
    before.raise_(7, "now", 0, {"why": "rain"})
    before.turn(0, 0)
    before.shelve(7, "now", 60, "known", "Anne", 0, 0)
    before.turn(30 * S, 0)
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(before.stored()), type=Stored)
    after = made()
    again = 0 if downtime is None else 30 * S + downtime
    after.restore(stored, again)
    assert after.get(7, "now") == before.get(7, "now")
    end = again + 30 * S - (downtime or 0)
    assert after.turn(end - 1, 0) == []
    assert [c.state for c in after.turn(end, 0)] == ["unacked_active"]
    assert after.get(7, "now").data == {"why": "rain"}


def test_a_code_that_is_declared_no_more_is_left_out() -> None:
    before = made()
    for code in ("now", "lamp", "cabinet"):
        before.raise_(5 if code != "cabinet" else 3, code, 0, {})
    before.turn(0, 0)
    assert state(before, 5, "lamp") == "suppressed"
    after = made({code: each for code, each in KINDS.items() if code != "cabinet"})
    after.restore(before.stored(), 0)
    after.turn(0, 0)
    assert [(alarm.code, alarm.state) for alarm in after.all()] == [
        ("now", "unacked_active"),
        ("lamp", "unacked_active"),
    ]


def test_the_register_is_bounded_and_forgets_what_is_over_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarms, "ALARMS_MAX", 3)
    register = Alarms({**KINDS, "own": (kind("own")[0], "post")}, Topology(CITY))
    for asset in range(5):
        register.raise_(asset, "now", 0, {})
    assert announced(register.turn(0, 0)) == 3
    assert register.load(CITY.ids).refused == 2
    register.raise_(POST_ASSET, "own", 1, {})
    assert announced(register.turn(1, 1)) == 1, "the post's own alarms find room"
    with pytest.raises(AlarmError, match="are known"):
        register.shelve(7, "now", 60, "known", "Anne", 1, 1)
    for asset in (0, 1):
        register.acknowledge(asset, "now", "Anne", 2, 2)
        register.clear(asset, "now", 2)
    register.turn(2, 2)
    register.raise_(7, "now", 3, {})
    assert announced(register.turn(3, 3)) == 1


def test_what_was_gone_for_a_day_is_forgotten() -> None:
    register = made()
    register.raise_(7, "now", 0, {"a": 1})
    register.turn(0, 0)
    register.acknowledge(7, "now", "Anne", 1, 1)
    register.clear(7, "now", 1)
    register.turn(1, 1)
    assert register.get(7, "now").count == 1
    register.turn(1 + DAY * S, 0)
    assert register.get(7, "now") is None
    register.raise_(7, "slow", 2 + DAY * S, {})
    register.turn(DAY * S + 20 * S, 0)
    assert register.get(7, "slow").data == {}


def test_an_undeclared_code_is_an_error() -> None:
    with pytest.raises(KeyError):
        made().raise_(1, "other", 0, {})


ASSETS = st.integers(0, 8)
CODES = st.sampled_from(sorted(KINDS))


class States(RuleBasedStateMachine):
    """The register does what the twin does, whatever trades, persons and time do, over restarts too."""

    def __init__(self) -> None:
        super().__init__()
        self.register = made()
        self.twin = Twin(
            {
                code: (int(k.delay_on_s), int(k.delay_off_s), int(k.correlate_s), k.suppressed_by)
                for code, (k, _) in KINDS.items()
            },
            WAYS,
        )
        self.mono = 0
        self.said: set[tuple[int, str]] = set()

    @rule(assets=st.sets(ASSETS, min_size=1), code=CODES, holds=st.booleans(), many=st.booleans())
    def say(self, assets: set[int], code: str, holds: bool, many: bool) -> None:
        assets = {asset for asset in assets if (asset, code) not in self.said}
        self.said |= {(asset, code) for asset in assets}
        for asset in assets:
            self.twin.say(asset, code, holds, self.mono)
        each = [np.array(sorted(assets), np.uint32)] if many else sorted(assets)
        for one in each:
            if holds:
                self.register.raise_(one, code, self.mono, {})
            else:
                self.register.clear(one, code, self.mono)

    @rule(asset=ASSETS, code=CODES)
    def acknowledge(self, asset: int, code: str) -> None:
        self.twin.acknowledge(asset, code)
        self.register.acknowledge(asset, code, "Anne", self.mono, self.mono)

    @rule(asset=ASSETS, code=CODES, seconds=st.sampled_from([1, 30, 90]))
    def shelve(self, asset: int, code: str, seconds: int) -> None:
        self.twin.shelve(asset, code, seconds, self.mono)
        try:
            self.register.shelve(asset, code, seconds, "known", "Anne", self.mono, self.mono)
        except AlarmError:
            assert self.twin.one(asset, code).out

    @rule(asset=ASSETS, code=CODES)
    def unshelve(self, asset: int, code: str) -> None:
        self.twin.unshelve(asset, code, self.mono)
        self.register.unshelve(asset, code, "Anne", self.mono, self.mono)

    @rule(asset=ASSETS, code=CODES, into=st.booleans())
    def service(self, asset: int, code: str, into: bool) -> None:
        if into:
            self.twin.into(asset, code, self.mono)
            self.register.put_into_service(asset, code, "Anne", self.mono, self.mono)
        else:
            self.twin.out(asset, code)
            self.register.take_out_of_service(asset, code, "rebuilt", "Anne", self.mono, self.mono)

    @rule(seconds=st.sampled_from([0.05, 1, 2, 5, 10, 30, 61]))
    def turn(self, seconds: float) -> None:
        self.mono += 1
        self.register.turn(self.mono, self.mono)
        self.twin.turn(self.mono)
        told = {(alarm.asset, alarm.code) for alarm in self.register.all() if alarm.announced == self.mono}
        assert told == {(asset, code) for mono, asset, code in self.twin.told if mono == self.mono}
        self.said.clear()
        self.mono += int(seconds * S)

    @precondition(lambda self: not self.said)
    @rule()
    def restart(self) -> None:
        self.turn(0.05)
        stored = msgspec.msgpack.decode(msgspec.msgpack.encode(self.register.stored()), type=Stored)
        self.register = made()
        self.register.restore(stored, self.mono)
        assert self.register.stored().columns == stored.columns

    @invariant()
    def the_same(self) -> None:
        if self.said:
            return
        for (asset, code), one in self.twin.alarms.items():
            alarm = self.register.get(asset, code)
            if alarm is None:
                assert one.count == 0 and one.state == "normal", (asset, code, one)  # noqa: PT018
                continue
            mine = (alarm.state, alarm.count, alarm.chattering)
            assert mine == (one.state, one.count, one.chatters), (asset, code, one)
            if one.state == "suppressed":
                assert alarm.parent == one.parent


States.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestStates = States.TestCase
