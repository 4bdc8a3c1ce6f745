"""A lighting post of a small city, by night and with all sensors alive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ondijon.testing import City, Post
from plugins.lighting import hooks

SENSORS = [f"S{i + 1:04}" for i in range(10)]
LAMPS = [f"L{i + 1:04}" for i in range(30)]
NIGHT = "2026-01-15T23:30:00+01:00"


@pytest.fixture
def make_post() -> Callable[..., Post]:
    """Build a post; ``alive=False`` leaves the sensors silent, other arguments are settings."""

    def make(*, start: str = NIGHT, alive: bool = True, **settings: Any) -> Post:
        post = Post(City.small(), [hooks], config={"lighting": settings}, start=start)
        if alive:
            post.samples(SENSORS, "presence_sensor.alive", [1.0] * len(SENSORS))
        post.run(1)
        return post

    return make


@pytest.fixture
def post(make_post: Callable[..., Post]) -> Post:
    """The default one: 23:30 in winter, all at 70 %."""
    return make_post()
