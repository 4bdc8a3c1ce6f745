"""The fuzz targets without a fuzzer: their seeds, what once broke them, and mutations that hypothesis draws."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz import frames, handover, twin
from tests.fuzz.target import Target, cases
from tests.fuzz.targets import ALL, BY_NAME

TARGETS = pytest.mark.parametrize("target", ALL, ids=lambda target: target.name)


@TARGETS
def test_seeds_and_old_cases_hold(target: Target) -> None:
    check_all(target, [*target.seeds(), *(path.read_bytes() for path in cases(target.name))])


def check_all(target: Target, inputs: list[bytes]) -> None:
    for data in inputs:
        target.check(data)


@TARGETS
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_mutations_hold(target: Target, data: st.DataObject) -> None:
    target.check(_mutated(data, target.seeds()))


def _mutated(data: st.DataObject, seeds: list[bytes]) -> bytes:
    """A seed with some bytes changed, cut out or put in, and now and then the rest of another."""
    content = bytearray(data.draw(st.sampled_from(seeds)))
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(content)))
        n = data.draw(st.integers(0, 8))
        content[at : at + n] = data.draw(st.binary(max_size=8))
    if data.draw(st.integers(0, 3)) == 0:
        other = data.draw(st.sampled_from(seeds))
        content = content[: len(content) // 2] + other[len(other) // 2 :]
    return bytes(content)


def test_every_case_belongs_to_a_target() -> None:
    assert all(path.name.split("-")[0] in BY_NAME for path in cases("*"))


@pytest.mark.parametrize("change", [("TOLERANCE", -1), ("UNIT", 1)])
def test_a_decoder_that_differs_from_the_twin_is_noticed(monkeypatch, change: tuple[str, int]) -> None:
    monkeypatch.setattr(twin, *change)
    with pytest.raises(AssertionError):
        check_all(frames.TARGET, frames.seeds())


def test_a_hand_over_that_stores_before_it_refuses_is_noticed(monkeypatch) -> None:
    def hasty(table, hand_over, latest):
        table.slots.mark_all()
        table.slots.records_array()["count"] += 1
        return real(table, hand_over, latest)

    real = handover.Table.apply
    monkeypatch.setattr(handover.Table, "apply", hasty)
    with pytest.raises(AssertionError):
        check_all(handover.TARGET, handover.seeds())
