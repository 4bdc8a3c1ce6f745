from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pytest

from adapters.simulator.programme import CLOCKS_S, Programme
from adapters.simulator.settings import Delivered, Rule, Settings
from core.city import City
from core.errors import ConfigError
from plugins.lighting import calendar as trade_calendar
from plugins.lighting import park, schedule
from plugins.lighting import settings as trade

PARIS = ZoneInfo("Europe/Paris")


def micros(*when: int) -> int:
    return int(datetime.datetime(*when, tzinfo=PARIS).timestamp()) * 1_000_000  # type: ignore[misc, arg-type]


def programme(city: City, settings: Settings, clock: float = 0.0) -> Programme:
    lamps = city.assets.of_kind("lamp")
    return Programme(city, settings, lamps, np.full(len(lamps), clock))


def test_a_night_as_dijon_decided_it(city: City) -> None:
    lamps = programme(city, Settings())
    conflict = city.assets.attribute("lamp", "conflict", bool)
    assert not lamps.at(micros(2026, 11, 20, 12, 0)).any()
    assert np.all(lamps.at(micros(2026, 11, 20, 20, 0)) == 100)
    assert np.all(lamps.at(micros(2026, 11, 20, 23, 0))[~conflict] == 70)
    assert np.all(lamps.at(micros(2026, 11, 20, 23, 0))[conflict] >= 70)
    assert np.all(lamps.at(micros(2026, 11, 21, 5, 30)) == 100)
    assert not lamps.at(micros(2026, 11, 21, 9, 0)).any()


def test_lamps_hold_the_programme_that_the_trade_believes_in(city: City) -> None:
    """Centre and device are written apart; where they differ, every lamp would look broken."""
    some = city.communes.names[0]
    table = [
        {
            "rules": [
                {"start": "22:00", "end": "05:00", "level_pct": 70},
                {"start": "23:00", "end": "04:30", "level_pct": 50},
            ]
        },
        {
            "communes": [some],
            "level_pct": 90,
            "rules": [{"start": "00:00", "end": "05:00", "level_pct": 0, "order": "A 1"}],
        },
    ]
    ours = msgspec.convert({"calendars": table}, Settings)
    theirs = park.build(city, msgspec.convert({"calendars": table}, trade.Settings))
    lamps = programme(city, ours)
    for at in range(micros(2026, 1, 1, 12, 10), micros(2026, 12, 31, 12, 0), 37 * 3600 * 1_000_000):
        night = trade_calendar.night_at(at, theirs.place)
        levels = [trade_calendar.programme(c, night, PARIS).level_at(at) for c in theirs.delivered]
        wanted = schedule.base_pct(
            theirs, np.array([-1 if level is None else level for level in levels], np.int16)
        )
        np.testing.assert_array_equal(lamps.at(at), wanted)


def test_clocks_differ_by_some_seconds(city: City) -> None:
    late = programme(city, Settings(), clock=0.999)
    ten = micros(2026, 11, 20, 22, 0)
    assert np.all(late.at(ten + (CLOCKS_S - 1) * 1_000_000) == 100)
    assert np.any(late.at(ten + CLOCKS_S * 1_000_000) < 100)


def test_an_unknown_commune_is_named(city: City) -> None:
    settings = Settings(
        calendars=(
            Delivered(),
            Delivered(communes=("Atlantis",), rules=(Rule(start="22:00", end="05:00", level_pct=50),)),
        )
    )
    with pytest.raises(ConfigError, match="Atlantis"):
        programme(city, settings)
