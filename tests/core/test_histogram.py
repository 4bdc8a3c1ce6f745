"""Percentiles from buckets against sorted lists."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.histogram import BUCKETS, Histogram, bucket


@given(st.lists(st.integers(0, 10**8), min_size=1, max_size=300), st.sampled_from([50, 90, 99, 99.9]))
def test_a_percentile_is_within_an_eighth(times: list[int], p: float) -> None:
    histogram = Histogram()
    histogram.add_all(np.array(times))
    exact = sorted(times)[int(np.ceil(len(times) * p / 100)) - 1]
    found = histogram.percentile(p)
    assert abs(found - exact) <= max(1, exact / 8)


@given(st.integers(-10, 2**50))
def test_one_time_is_counted_like_many(us: int) -> None:
    one, many = Histogram(), Histogram()
    one.add(us)
    many.add_all(np.array([us]))
    assert np.array_equal(one.counts, many.counts)


@given(st.integers(0, 2**50))
def test_buckets_rise_with_time_and_stay_inside(us: int) -> None:
    at, after = int(bucket(np.array(us))), int(bucket(np.array(us + 1)))
    assert 0 <= at <= after <= BUCKETS - 1


def test_nothing_counted_is_none() -> None:
    assert Histogram().summary() == {"p50": None, "p99": None, "p999": None}
