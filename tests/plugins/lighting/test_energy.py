"""The ledger against sums done by hand."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from ondijon.testing import Post
from plugins.lighting import energy
from plugins.lighting.calendar import year_hours
from plugins.lighting.energy import Account, Year

MakePost = Callable[..., Post]
CABINETS = ["A0001", "A0002", "A0003"]


def test_power_has_a_part_that_does_not_dim() -> None:
    watts = energy.power_w(np.array([0, 50, 100]), np.full(3, 40.0), 5)
    assert watts == pytest.approx([0.0, 40 * (0.05 + 0.95 * 0.5), 40.0])


def test_uncertainty_adds_as_squares() -> None:
    # Two class B meters (1 %) over 100 kWh each: 2 · √2 · 1/√3 kWh.
    assert energy.uncertainty_kwh(np.array([100.0, 100.0]), np.ones(2)) == pytest.approx(2 * math.sqrt(2 / 3))
    one, many = (energy.uncertainty_kwh(np.full(n, 1000.0 / n), np.ones(n)) for n in (1, 100))
    assert many == pytest.approx(one / 10)


def test_indicators_of_en_13201_5() -> None:
    # 10 lamps of 40 W light 240 m² each to 15 lx for 4,100 h.
    year = Year(night_h=4100, power_w=400, lux_m2=15 * 2400, area_m2=2400)
    assert energy.power_density(year) == pytest.approx(400 / 36_000)
    assert energy.annual_energy(2400, 1640, 0, 0) == pytest.approx(1640 / 2400)
    assert energy.annual_energy(2400, 1640, 110, 100) == pytest.approx(1.1 * 1640 / 2400)


def test_a_year_of_a_calendar_by_hand(make_post: MakePost) -> None:
    """M4 keeps 40 % (M6), conflict M4 67 % (M5), P3 40 % (P5)."""
    off = [{"rules": [{"start": "22:00", "end": "05:00", "level_pct": 0, "order": "test"}]}]
    plugin = make_post(calendars=off).plugins[0]
    park = plugin.fixed
    lamps, night = park.lamps, park.yearly.night_h
    put_out = year_hours(park.delivered[0], park.nights, park.place.zone)[0]
    conflict_w = lamps.power_w[lamps.conflict].sum()
    floor = 0.05 + 0.95 * 0.67
    by_hand = lamps.power_w.sum() * (night - put_out) + conflict_w * floor * put_out
    assert plugin.state.schedule.year_kwh == pytest.approx(by_hand / 1000)


def test_one_hour_at_seventy_percent_by_hand(post: Post) -> None:
    for _ in range(720):
        post.step()
        post.jump(4.95)
    row, lamps = post.views["lighting.energy"]["city"], post.plugins[0].fixed.lamps
    night_h = post.plugins[0].fixed.yearly.night_h
    assert row.hours == pytest.approx(1.0, abs=0.01)
    full = lamps.power_w.sum() / 1000
    assert row.always_on_kwh / row.hours == pytest.approx(full)
    assert row.calendar_kwh / row.hours == pytest.approx(full * (0.05 + 0.95 * 0.7))
    assert row.modelled_kwh == pytest.approx(row.calendar_kwh)
    assert row.reference_kwh / row.hours == pytest.approx(30 * 0.115 * 4100 / night_h)
    assert row.saving_pct is None, "no meter was read"


def metered_hour(post: Post, factor: float) -> None:
    """An hour in which each meter runs at ``factor`` times what its lamps are modelled to draw."""
    start = 1000.0
    for _ in range(61):
        energy_kwh = post.plugins[0].state.ledger.account_kwh[Account.MODELLED, :3]
        post.samples(CABINETS, "cabinet.energy", (start + factor * energy_kwh).tolist())
        for _ in range(12):
            post.step()
            post.jump(4.95)


def test_meters_that_agree_and_the_shares_of_the_saving(post: Post) -> None:
    metered_hour(post, 1.0)
    row = post.views["lighting.energy"]["city"]
    assert row.metered_share_pct == pytest.approx(100)
    assert row.gap_pct == pytest.approx(0, abs=0.2)
    assert row.saving_pct == pytest.approx(row.swap_pct + row.control_pct)
    assert row.saving_pct == pytest.approx(100 * (1 - row.metered_kwh / row.metered_reference_kwh))
    assert row.gap_uncertainty_pct == pytest.approx(2 / math.sqrt(3) / math.sqrt(3), rel=0.1)
    assert row.metered_kwh < row.modelled_kwh <= row.always_on_kwh < row.reference_kwh


def test_a_gap_between_model_and_meters_is_shown_beyond_its_uncertainty(post: Post) -> None:
    metered_hour(post, 1.25)
    row = post.views["lighting.energy"]["city"]
    assert row.gap_pct == pytest.approx(-20, abs=0.5)
    assert abs(row.gap_pct) > row.gap_uncertainty_pct


@pytest.mark.parametrize("jump_kwh", [-500.0, 10_000.0])
def test_an_exchanged_register_begins_anew(post: Post, jump_kwh: float) -> None:
    metered_hour(post, 1.0)
    before = post.plugins[0].state.ledger.metered_kwh.copy()
    post.samples(CABINETS, "cabinet.energy", [1000.0 + jump_kwh] * 3)
    post.run(0.1)
    assert post.plugins[0].state.ledger.metered_kwh == pytest.approx(before)
    post.jump(30)
    post.samples(CABINETS, "cabinet.energy", [1000.1 + jump_kwh] * 3)
    post.run(0.1)
    ledger = post.plugins[0].state.ledger
    assert ledger.metered_kwh == pytest.approx(before + 0.1)
    assert ledger.meter_restarts == 3


def test_a_pause_of_the_post_is_not_taken_for_a_gap(post: Post) -> None:
    metered_hour(post, 1.0)
    before = post.plugins[0].state.ledger.metered_kwh.copy()
    post.jump(3600)
    post.run(0.1)
    post.samples(CABINETS, "cabinet.energy", [1002.0] * 3)
    post.run(0.1)
    assert post.plugins[0].state.ledger.metered_kwh == pytest.approx(before)
    assert post.views["lighting.energy"]["city"].hours < 1.1


def test_a_new_point_neither_earns_nor_costs(post: Post) -> None:
    park = post.plugins[0].fixed
    existed = park.steady_w[:, :-1]
    assert np.all(existed[Account.REFERENCE] > existed[Account.ALWAYS_ON])
    park.lamps.old_power_w[:] = 0
    new = energy.steady_w(park.lamps, park.yearly, len(park.cabinets))[:, :-1]
    assert np.array_equal(new[Account.REFERENCE], new[Account.ALWAYS_ON])
