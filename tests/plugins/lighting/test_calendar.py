"""Programmes, above all on the two nights when the clocks change."""

from __future__ import annotations

import datetime
import itertools
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.lighting import calendar
from plugins.lighting.calendar import SECOND, Place, instant, night_at, night_of, programme
from plugins.lighting.settings import Calendar, Rule, after_noon

PARIS = ZoneInfo("Europe/Paris")
DIJON = Place(5.041, 47.322, PARIS, 3.0)
AUTUMN, SPRING = datetime.date(2026, 10, 24), datetime.date(2027, 3, 27)
LATE = Calendar(rules=(Rule(start="22:00", end="05:00", level_pct=70),))
DARK = Calendar(
    rules=(
        Rule(start="23:00", end="05:00", level_pct=50),
        Rule(start="00:00", end="05:00", level_pct=0, order="2026-17"),
    )
)


def utc(text: str) -> int:
    return int(datetime.datetime.fromisoformat(text).timestamp()) * SECOND


@pytest.mark.parametrize(("day", "hours"), [(AUTUMN, 8), (SPRING, 6), (datetime.date(2026, 6, 1), 7)])
def test_a_rule_lasts_as_long_as_the_clocks_make_it(day: datetime.date, hours: int) -> None:
    night = night_of(day, DIJON)
    # In June it is night later and day earlier than the rule says.
    inside = min(hours * 3600 * SECOND, night.dawn - night.dusk)
    lasting = programme(LATE, night, PARIS).hours()[70]
    assert lasting == pytest.approx(inside / SECOND / 3600, abs=2e-3 if day.month != 6 else 1)
    assert day.month == 6 or lasting == hours


@pytest.mark.parametrize("day", [AUTUMN, SPRING])
@pytest.mark.parametrize("rules", [LATE, DARK])
def test_nights_of_the_clock_change_lose_and_double_nothing(day: datetime.date, rules: Calendar) -> None:
    night = night_of(day, DIJON)
    found = programme(rules, night, PARIS)
    assert list(found.since) == sorted(set(found.since))
    assert found.since[0] == night.dusk
    assert sum(found.hours().values()) == pytest.approx((night.dawn - night.dusk) / SECOND / 3600)
    # Minute by minute in UTC, each level comes once and does not return but for the one around it.
    minutes = range(night.dusk, night.dawn, 60 * SECOND)
    seen = [found.level_at(at) for at in minutes]
    changes = [a for a, b in itertools.pairwise(seen) if a != b]
    assert changes == ([100, 70] if rules is LATE else [100, 50, 0])


def test_a_time_that_comes_twice_is_the_first_and_a_skipped_one_is_the_jump() -> None:
    assert instant(datetime.date(2026, 10, 25), "02:30", PARIS) == utc("2026-10-25T00:30:00+00:00")
    assert instant(datetime.date(2026, 10, 25), "03:00", PARIS) == utc("2026-10-25T02:00:00+00:00")
    jump = utc("2027-03-28T01:00:00+00:00")
    for clock in ("02:00", "02:01", "02:30", "02:59", "03:00"):
        assert instant(datetime.date(2027, 3, 28), clock, PARIS) == jump


@given(
    st.dates(datetime.date(2026, 1, 1), datetime.date(2028, 12, 31)),
    st.sampled_from(["Europe/Paris", "America/St_Johns", "Australia/Lord_Howe", "Africa/Cairo", "UTC"]),
    st.lists(st.times(), min_size=2, max_size=6),
)
@settings(max_examples=200, deadline=None)
def test_instants_never_go_back(day: datetime.date, zone: str, times: list[datetime.time]) -> None:
    clocks = sorted(f"{at:%H:%M}" for at in times)
    instants = [instant(day, clock, ZoneInfo(zone)) for clock in clocks]
    assert instants == sorted(instants)


clock = st.times().map(lambda at: f"{at:%H:%M}")
rule = st.tuples(clock, clock, st.integers(1, 100)).filter(lambda r: after_noon(r[0]) < after_noon(r[1]))


@given(st.lists(rule, max_size=4), st.dates(datetime.date(2026, 1, 1), datetime.date(2027, 12, 31)))
@settings(max_examples=150, deadline=None)
def test_a_programme_covers_its_night_and_no_more(
    rules: list[tuple[str, str, int]], day: datetime.date
) -> None:
    each = Calendar(rules=tuple(Rule(start=s, end=e, level_pct=p) for s, e, p in rules))
    night = night_of(day, DIJON)
    found = programme(each, night, PARIS)
    assert list(found.since) == sorted(set(found.since))
    assert found.level_at(night.dusk - 1) is None
    assert found.level_at(night.dusk) is not None
    assert found.level_at(night.dawn - 1) is not None
    assert found.level_at(night.dawn) is None
    assert set(found.level_pct) <= {100, *(level for _, _, level in rules)}


def test_a_night_runs_from_noon_to_noon() -> None:
    evening = night_at(utc("2026-01-15T23:30:00+01:00"), DIJON)
    morning = night_at(utc("2026-01-16T04:30:00+01:00"), DIJON)
    assert evening == morning
    assert evening.day == datetime.date(2026, 1, 15)
    assert night_at(utc("2026-01-16T12:00:00+01:00"), DIJON).day == datetime.date(2026, 1, 16)


def test_a_year_has_the_known_burning_hours() -> None:
    exact = sum(
        (night.dawn - night.dusk) / SECOND / 3600
        for night in (night_of(datetime.date(2026, 1, 1) + datetime.timedelta(i), DIJON) for i in range(365))
    )
    assert 4050 < exact < 4150, "domains.md: 4,100 h a year"
    assert sum(
        calendar.year_hours(LATE, calendar.year_nights(DIJON, 2026), DIJON.zone).values()
    ) == pytest.approx(exact, rel=0.005)


def test_beyond_the_polar_circle_it_is_dark_for_days_or_not_at_all() -> None:
    tromso = Place(18.96, 69.65, ZoneInfo("Europe/Oslo"), 3.0)
    winter, summer = (night_of(datetime.date(2026, month, 21), tromso) for month in (12, 6))
    assert winter.dawn > winter.dusk
    assert summer.dawn == summer.dusk
    assert programme(LATE, summer, tromso.zone).level_at(summer.dusk) is None
