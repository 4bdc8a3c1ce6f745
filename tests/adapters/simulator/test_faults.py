from __future__ import annotations

import numpy as np

from adapters.simulator.faults import DAY_US, FEEDER, GATEWAY, LAMP, MINUTE_US, Ailment, Outages

NOW = 20_000 * DAY_US


def test_faults_are_a_function_of_time() -> None:
    who = np.arange(500)
    running = Outages(1, LAMP, who, 0.01, 0.05)
    times = [NOW + i * 17 * MINUTE_US for i in range(400)]
    history = [running.at(at).copy() for at in times]
    assert any(not np.array_equal(history[0], later) for later in history)
    for i in np.random.default_rng(0).integers(0, 400, size=60):
        fresh = Outages(1, LAMP, who, 0.01, 0.05)
        np.testing.assert_array_equal(fresh.at(times[i]), history[i])


def test_faults_do_not_depend_on_who_else_is_asked_about() -> None:
    whole, part = Outages(1, LAMP, np.arange(500), 0.1, 0.1), Outages(1, LAMP, np.arange(200, 300), 0.1, 0.1)
    for hour in range(48):
        at = NOW + hour * 60 * MINUTE_US
        np.testing.assert_array_equal(whole.at(at)[200:300], part.at(at))


def test_outages_last_as_long_as_their_kind() -> None:
    for kind in (GATEWAY, FEEDER):
        outages = Outages(4, kind, np.arange(300), 0.0, 0.3)
        out = np.stack([outages.at(NOW + minute * MINUTE_US) for minute in range(2 * 1440)])
        begins, ends = np.diff(out.astype(int), axis=0) > 0, np.diff(out.astype(int), axis=0) < 0
        for one in np.flatnonzero((begins.sum(axis=0) == 1) & (ends.sum(axis=0) == 1) & ~out[0]):
            minutes = np.flatnonzero(ends[:, one])[0] - np.flatnonzero(begins[:, one])[0]
            assert kind.shortest_min - 1 <= minutes <= kind.longest_min + 1
        share_hit = begins.any(axis=0).mean()
        assert 0.35 < share_hit < 0.65  # two days at 0.3


def test_every_ailment_occurs() -> None:
    ailments = Outages(1, LAMP, np.arange(1000), 1.0, 0.0).ailments()
    assert set(ailments.tolist()) == {Ailment.DARK, Ailment.STUCK, Ailment.WEAK}
    assert np.mean(ailments == Ailment.DARK) > 0.5
