"""City time, and how far the system's clock has gone away from it."""

from __future__ import annotations

from core.clock import Clock, Origin


def test_a_systems_clock_that_was_set_is_told_and_city_time_goes_on() -> None:
    system, monotonic = [1_000_000_000_000_000_000], [5_000_000_000]
    origin = Origin(utc=system[0] // 1000, mono_ns=monotonic[0], real=True)
    clock = Clock(origin, lambda: monotonic[0], lambda: system[0])
    before = clock.utc()
    system[0] += 60_000_000_000
    monotonic[0] += 60_000_000_000
    assert clock.system_ahead_s() == 0
    system[0] -= 3_600_000_000_000
    assert clock.system_ahead_s() == -3600
    assert clock.utc() == before + 60_000_000


def test_a_city_at_another_date_or_speed_is_no_fault() -> None:
    assert Clock(Origin(utc=5, mono_ns=0)).system_ahead_s() == 0
