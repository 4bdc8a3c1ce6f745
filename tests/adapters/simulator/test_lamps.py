from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from adapters.simulator.faults import Ailment
from adapters.simulator.lamps import Lamps
from adapters.simulator.settings import Settings
from adapters.simulator.world import TICK_S, TICK_US

N = 6
SOUND = np.zeros(N, bool)
POWERED = np.ones(N, bool)


def lamps(ailment: int = Ailment.DARK, level: float = 70.0) -> Lamps:
    made = Lamps(np.full(N, 100.0), np.full(N, ailment, np.uint8), Settings(rise_s=1.0, fade_s=30.0))
    made.begin(np.full(N, level), POWERED, SOUND)
    return made


def step(
    of: Lamps, tick: int, programme: float = 70.0, broken: np.ndarray = SOUND, powered: np.ndarray = POWERED
) -> None:
    of.step(tick * TICK_US, TICK_S, np.full(N, programme), powered, broken)


orders = st.lists(
    st.tuples(st.integers(1, 120), st.integers(0, N - 1), st.floats(-50, 150), st.floats(0.0, 15.0)),
    max_size=12,
)


@hypothesis_settings(max_examples=25, deadline=None)
@given(orders=orders, programme=st.sampled_from([0.0, 35.0, 70.0, 100.0]))
def test_a_lease_ends_without_the_centre(
    orders: list[tuple[int, int, float, float]], programme: float
) -> None:
    """Whatever was ordered: held while leased, within the ramp, and given up at the lease's end."""
    of = lamps(level=programme)
    ends = [0] * N
    held = [programme] * N
    for tick in range(1, 350):
        for _, lamp, value, lease_s in (order for order in orders if order[0] == tick):
            ends[lamp] = tick * TICK_US + int(lease_s * 1e6) if lease_s else 0
            held[lamp] = min(max(value, 0.0), 100.0)
            of.order(np.array([lamp]), np.array([value]), ends[lamp])
        before = of.level_pct
        step(of, tick, programme)
        wanted = np.array([held[i] if ends[i] > tick * TICK_US else programme for i in range(N)])
        moved = of.level_pct - before
        assert np.all(np.sign(moved) * np.sign(wanted - before) >= 0), (
            "moves only towards what it should hold"
        )
        assert np.all((moved <= 20.0 + 1e-9) & (moved >= -100 / 30 * TICK_S - 1e-9))
    # The last lease ended by tick 195 and a fade takes 30 s: all are back.
    np.testing.assert_allclose(of.level_pct, programme)


def test_fast_up_and_slow_down() -> None:
    of = lamps()
    of.order(np.arange(N), np.full(N, 100.0), 10_000_000)
    for tick in range(1, 6):
        step(of, tick)
    np.testing.assert_allclose(of.level_pct, 100.0)
    for tick in range(6, 50):
        step(of, tick)
    np.testing.assert_allclose(of.level_pct, 100.0)
    for tick in range(50, 56):
        step(of, tick)
    np.testing.assert_allclose(of.level_pct, 100.0 - 6 * 100 / 30 * TICK_S)


def test_power_follows_the_driver_and_the_fault() -> None:
    of = lamps()
    np.testing.assert_allclose(of.power_w, 5.0 + 95.0 * 0.7)
    broken = np.zeros(N, bool)
    broken[1] = True
    for ailment, watts, by_day in (
        (Ailment.DARK, 0.3, 0.3),
        (Ailment.STUCK, 100.0, 100.0),
        (Ailment.WEAK, 35.75, 0.3),
    ):
        of = lamps(ailment)
        step(of, 1, broken=broken)
        np.testing.assert_allclose(of.power_w[:2], [71.5, watts])
        for tick in range(2, 200):
            step(of, tick, 0.0, broken)
        np.testing.assert_allclose(of.power_w[:2], [0.3, by_day])


def test_without_power_a_lamp_forgets_its_order() -> None:
    of = lamps()
    of.order(np.arange(N), np.full(N, 100.0), 1 << 62)
    off = POWERED.copy()
    off[2] = False
    for tick in range(1, 10):
        step(of, tick, powered=off)
    np.testing.assert_allclose(of.level_pct, [100, 100, 0, 100, 100, 100])
    assert of.power_w[2] == 0.0
    assert not of.changed(of.said(SOUND))[2]
    for tick in range(10, 20):
        step(of, tick)
    np.testing.assert_allclose(of.level_pct[2], 70.0)


def test_changes_and_the_end_of_a_ramp_are_reported() -> None:
    of = lamps()
    assert not of.changed(of.said(SOUND)).any()
    of.order(np.array([0]), np.array([71.0]), 1 << 62)
    step(of, 1)
    # One per cent is little, but the ramp is at its end.
    assert of.changed(of.said(SOUND)).tolist() == [True] + [False] * (N - 1)
    of.report(np.array([0]), of.said(SOUND))
    assert not of.changed(of.said(SOUND)).any()
