"""EN 13201-2 classes and the floors that follow."""

from __future__ import annotations

import pytest

from plugins.lighting import classes


@pytest.mark.parametrize(
    ("installed", "steps", "lowest", "floor"),
    [("M1", 2, "M3", 50), ("M3", 1, "M4", 75), ("M5", 2, "M6", 60), ("C0", 2, "C2", 40), ("P3", 2, "P5", 40)],
)
def test_floor_is_the_light_of_the_lower_class(installed: str, steps: int, lowest: str, floor: int) -> None:
    assert classes.lower(installed, steps) == lowest
    assert classes.floor_pct(installed, lowest) == floor


@pytest.mark.parametrize("installed", classes.MAINTAINED)
def test_floor_never_gives_less_than_its_class(installed: str) -> None:
    for steps in range(6):
        lowest = classes.lower(installed, steps)
        floor = classes.floor_pct(installed, lowest)
        assert floor <= 100
        assert classes.MAINTAINED[installed] * floor / 100 >= classes.MAINTAINED[lowest] - 1e-9


def test_luminance_becomes_illuminance_by_the_coefficient() -> None:
    assert classes.illuminance_lx("M3", 0.07) == pytest.approx(14.29, abs=0.01)
    assert classes.illuminance_lx("P1", 0.07) == 15.0


@pytest.mark.parametrize(("installed", "lowest"), [("M7", "M7"), ("M3", "P3"), ("P4", "P1"), ("P1", "X")])
def test_what_cannot_be_is_refused(installed: str, lowest: str) -> None:
    with pytest.raises(ValueError):
        classes.floor_pct(installed, lowest)
