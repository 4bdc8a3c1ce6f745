"""Alarm states of ISA-18.2, as far as this version has them."""

from __future__ import annotations

import pytest

from core import alarms
from core.alarms import Alarms
from core.declaration import AlarmKind, Text

T = Text("", "")
KINDS = {
    "now": (AlarmKind(code="now", priority=1, text=T), "lighting"),
    "slow": (AlarmKind(code="slow", priority=3, text=T, delay_on_s=10, delay_off_s=5), "lighting"),
}
S = 1_000_000


def test_the_life_of_an_alarm() -> None:
    register = Alarms(KINDS)
    register.raise_(7, "now", 0, {"watts": 3.0})
    (raised,) = register.turn(0, 100)
    assert (raised.state, raised.raised_at, raised.priority, raised.trade) == (
        "unacked_active",
        100,
        1,
        "lighting",
    )
    register.raise_(7, "now", 1, {})
    assert register.turn(1, 101) == [], "raising what is raised changes nothing"
    assert register.acknowledge(7, "now", "Anne", 110).state == "acked_active"
    assert register.acknowledge(7, "now", "Anne", 111) is None
    register.clear(7, "now", 2)
    assert register.turn(2, 120)[0].state == "normal"
    assert not register.known


def test_an_alarm_that_returns_unseen_waits_for_a_person() -> None:
    register = Alarms(KINDS)
    register.raise_(7, "now", 0, {})
    register.turn(0, 1)
    register.clear(7, "now", 1)
    assert register.turn(1, 2)[0].state == "returned_unacked"
    register.raise_(7, "now", 2, {})
    again = register.turn(2, 3)[0]
    assert (again.state, again.count) == ("unacked_active", 2)
    register.clear(7, "now", 3)
    register.turn(3, 4)
    assert register.acknowledge(7, "now", "Anne", 5).state == "normal"
    assert not list(register.active())


def test_delays_swallow_what_flickers() -> None:
    register = Alarms(KINDS)
    register.raise_(1, "slow", 0, {})
    assert register.turn(9 * S, 0) == []
    register.clear(1, "slow", 9 * S)
    assert register.turn(20 * S, 0) == []
    register.raise_(1, "slow", 20 * S, {})
    assert register.turn(30 * S, 0)[0].state == "unacked_active"
    register.clear(1, "slow", 31 * S)
    register.raise_(1, "slow", 33 * S, {})
    assert register.turn(60 * S, 0) == []


def test_the_register_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarms, "ALARMS_MAX", 3)
    register = Alarms(KINDS)
    for asset in range(5):
        register.raise_(asset, "now", 0, {})
    assert len(register.turn(0, 0)) == 3
    assert register.refused == 2


def test_an_undeclared_code_is_an_error() -> None:
    with pytest.raises(KeyError):
        Alarms(KINDS).raise_(1, "other", 0, {})
