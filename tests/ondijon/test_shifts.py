"""Shifts by local time, over midnight and over the clock's changes."""

from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

import pytest

from ondijon.shifts import Shifts

PARIS = ZoneInfo("Europe/Paris")


def at(text: str) -> int:
    return int(datetime.datetime.fromisoformat(text).timestamp() * 1e6)


def local(utc: int) -> str:
    return datetime.datetime.fromtimestamp(utc / 1e6, PARIS).strftime("%d %H:%M")


@pytest.mark.parametrize(
    ("shift", "now", "expected"),
    [
        ("07:00-15:00", "2026-01-15T06:00+01:00", ("15 07:00", "15 15:00")),
        ("07:00-15:00", "2026-01-15T10:00+01:00", ("15 07:00", "15 15:00")),
        ("07:00-15:00", "2026-01-15T15:00+01:00", ("16 07:00", "16 15:00")),
        ("22:00-06:00", "2026-01-15T02:00+01:00", ("14 22:00", "15 06:00")),
        ("22:00-06:00", "2026-10-24T23:00+02:00", ("24 22:00", "25 06:00")),
        ("12:00-12:00", "2026-01-15T11:59+01:00", ("14 12:00", "15 12:00")),
    ],
)
def test_the_shift_that_runs_or_comes_next(shift: str, now: str, expected: tuple[str, str]) -> None:
    shifts = Shifts([shift], PARIS)
    begin, end = shifts.duty(0, at(now))
    assert (local(begin), local(end)) == expected
    assert shifts.on_duty(0, at(now)) == (begin <= at(now))


def test_the_night_of_the_clock_change_is_an_hour_longer() -> None:
    begin, end = Shifts(["22:00-06:00"], PARIS).duty(0, at("2026-10-24T23:00+02:00"))
    assert (end - begin) / 3.6e9 == 9


@pytest.mark.parametrize("wrong", ["", "7:00-15:00", "07:00", "07:00-24:00", "07:00-15:00 "])
def test_what_is_no_shift_is_told(wrong: str) -> None:
    with pytest.raises(ValueError, match="it must be like 07:00-15:00"):
        Shifts([wrong], PARIS)
