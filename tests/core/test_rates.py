"""A minute that slides: never less than what was asked in it, and soon forgotten after it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.rates import GRAIN, WINDOW, Rates

asked = st.lists(st.tuples(st.integers(0, 20_000_000), st.sampled_from(["a", "b"]), st.integers(1, 9)))


@given(asked, st.integers(0, WINDOW))
def test_it_counts_what_was_asked_in_the_last_minute(asked: list[tuple[int, str, int]], after: int) -> None:
    rates, at, told = Rates(), 0, []
    for pause, who, n in asked:
        at += pause
        rates.count(who, n, at)
        told.append((at, who, n))
    now = at + after
    kept = Rates()
    kept.restore(rates.stored(), 5_000_000)
    for who in ("a", "b"):
        surely = sum(n for then, name, n in told if name == who and then > now - WINDOW)
        at_most = sum(n for then, name, n in told if name == who and then > now - WINDOW - GRAIN)
        assert surely <= rates.of(who, now) <= at_most
        assert kept.of(who, now + 5_000_000) == rates.of(who, now)
    assert rates.of("a", now + WINDOW + GRAIN) == 0
