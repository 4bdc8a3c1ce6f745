"""Calendars that persons set: in force for the trade, its ledger, and over a restart."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from core import state as core_state
from core.wire import Refused
from ondijon.testing import Post
from plugins.lighting import state as states
from plugins.lighting.energy import Account
from plugins.lighting.settings import Calendar, Rule

MakePost = Callable[..., Post]

CALENDAR = "lighting.calendar"
HALF = Calendar(rules=(Rule(start="23:00", end="05:00", level_pct=50),))


def base(post: Post) -> np.ndarray:
    return post.plugins[0].state.schedule.base_pct


def test_a_commune_follows_what_was_set_for_it(post: Post) -> None:
    assert base(post).tolist() == [70] * 30
    assert post.set_programme(CALENDAR, "Voisine", HALF) == 1
    assert base(post)[:20].tolist() == [70] * 20
    assert base(post)[20:].tolist() == [50] * 10
    assert [(e.data.communes, e.data.level_pct) for e in post.events_of("lighting.calendar.changed")][1:] == [
        (["Voisine"], 50)
    ]
    assert post.orders == [], "devices follow it by themselves"


def test_one_for_all_others_leaves_a_commune_its_own(post: Post) -> None:
    post.set_programme(CALENDAR, "Voisine", HALF)
    post.set_programme(CALENDAR, "", {"level_pct": 90})
    assert base(post).tolist() == [90] * 20 + [50] * 10
    assert post.set_programme(CALENDAR, "Voisine", {"level_pct": 100}) == 2
    assert base(post).tolist() == [90] * 20 + [100] * 10


def test_the_ledger_reckons_with_it_from_then_on(post: Post) -> None:
    ledger, schedule = post.plugins[0].state.ledger, post.plugins[0].state.schedule
    year = schedule.year_kwh
    post.run(30)
    before = ledger.account_kwh[Account.CALENDAR].copy()
    post.set_programme(CALENDAR, "", HALF)
    schedule = post.plugins[0].state.schedule
    assert schedule.year_kwh < year
    post.run(30)
    after = post.plugins[0].state.ledger.account_kwh[Account.CALENDAR] - before
    # The conflict lamps keep 67 %: of a commune without one, 52.5 % of the power instead of 71.5 %.
    fed = before > 0
    assert np.all(after[fed] < 0.95 * before[fed])


@pytest.mark.parametrize("saved", [False, True])
def test_it_outlives_a_crash(post: Post, saved: bool) -> None:
    post.set_programme(CALENDAR, "Voisine", HALF)
    if saved:
        post.save()
    post.crash()
    post.run(11)
    assert base(post)[20:].tolist() == [50] * 10
    assert post.set_programme(CALENDAR, "Voisine", HALF) == 2


@pytest.mark.parametrize(
    "content",
    [
        {"level_pct": 0},
        {"rules": [{"start": "00:00", "end": "05:00", "level_pct": 0}]},
        {"rules": [{"start": "05:00", "end": "22:00", "level_pct": 50}]},
        {"level_pct": 101},
        {"level_pct": 50, "communes": ["Voisine"]},
    ],
)
def test_what_no_calendar_may_say_nobody_can_set(post: Post, content: dict) -> None:
    answer = post.propose_programme(post.person("anna"), CALENDAR, "Voisine", content)
    assert isinstance(answer, Refused)
    assert answer.reason == "content"
    assert base(post).tolist() == [70] * 30


def test_the_nights_of_the_clock_change_hold(make_post: MakePost) -> None:
    """25 October 2026: 02:30 comes twice, and a rule that ends then ends the first time; it is not begun again."""
    post = make_post(start="2026-10-24T23:30:00+02:00")
    rule = {"start": "23:00", "end": "02:30", "level_pct": 40}
    post.set_programme(CALENDAR, "Voisine", {"rules": [rule]})
    levels = []
    for _ in range(11):
        levels.append(int(base(post)[20]))
        post.jump(1800)
        post.run(10)
    # 23:30, 0:00 ... 2:00 in summer time; from 2:30, the first and the second time, and on.
    assert levels == [40] * 6 + [100] * 5


def test_a_replay_finds_the_same_whatever_order_a_set_has() -> None:
    script = """
from ondijon.testing import City, Post
post = Post(City.small(), ["lighting"])
post.run(1)
for level in range(71, 91):
    rules = [{"start": f"{level % 3 + 20}:0{level % 7}", "end": f"0{level % 5}:17", "level_pct": level - 23}]
    content = {"level_pct": level, "rules": rules}
    post.set_programme("lighting.calendar", ["Petite-Ville", "Voisine"][level % 2], content)
    print(post.digest())
"""
    found = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            check=True,
            capture_output=True,
        ).stdout
        for seed in range(1, 5)
    }
    assert len(found) == 1


class OldSchedule(msgspec.Struct):
    night: bool
    level_pct: np.ndarray
    changed_utc: np.ndarray
    base_pct: np.ndarray
    keep_pct: np.ndarray


class OldState(msgspec.Struct):
    schedule: OldSchedule
    people: states.People
    health: states.Health
    ledger: states.Ledger


def test_a_state_of_version_1_is_brought_to_today(post: Post) -> None:
    """Stored when calendars stood in the settings alone, with a level for each of them."""
    post.run(60)
    plugin = post.plugins[0]
    now = plugin.state
    schedule = OldSchedule(
        True, np.array([70], np.int16), np.array([5]), now.schedule.base_pct, now.schedule.keep_pct
    )
    old = core_state.encode(OldState(schedule, now.people, now.health, now.ledger), 1)
    before = now.ledger.account_kwh.copy()
    plugin.begin(post.kernel.city, old)
    np.testing.assert_array_equal(plugin.state.ledger.account_kwh, before)
    assert plugin.state.schedule.approved == {}
    assert plugin.state.schedule.year_kwh == pytest.approx(now.schedule.year_kwh)
    post.run(11)
    assert base(post).tolist() == [70] * 30
    assert post.set_programme(CALENDAR, "Voisine", HALF) == 1
