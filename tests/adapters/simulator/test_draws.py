from __future__ import annotations

import numpy as np

from adapters.simulator.draws import Stream, uniform


def test_a_draw_depends_on_who_and_when_alone() -> None:
    who = np.arange(1000)
    together = uniform(3, Stream.CORNER, who, 77)
    shuffled = np.random.default_rng(0).permutation(who)
    np.testing.assert_array_equal(uniform(3, Stream.CORNER, shuffled, 77), together[shuffled])
    np.testing.assert_array_equal(uniform(3, Stream.CORNER, who[5:6], 77), together[5:6])
    np.testing.assert_array_equal(uniform(3, Stream.CORNER, who, np.full(1000, 77)), together)


def test_draws_are_even_and_unrelated() -> None:
    who = np.arange(100_000)
    base = uniform(1, Stream.CORNER, who, 5)
    assert np.all((base >= 0) & (base < 1))
    histogram = np.bincount((base * 20).astype(int), minlength=20)
    assert np.abs(histogram - 5000).max() < 350
    others = (
        uniform(2, Stream.CORNER, who, 5),
        uniform(1, Stream.PACE, who, 5),
        uniform(1, Stream.CORNER, who, 6),
        uniform(1, Stream.CORNER, who + 1, 5),
    )
    for other in others:
        assert abs(np.corrcoef(base, other)[0, 1]) < 0.02
