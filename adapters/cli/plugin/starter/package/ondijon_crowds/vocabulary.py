"""What this trade says."""

from __future__ import annotations

import msgspec


class Filled(msgspec.Struct, frozen=True):
    """Many people gathered at some ``places`` of a commune since the last look."""

    commune: str
    places: int


class Emptied(msgspec.Struct, frozen=True):
    """They have gone from some ``places`` of a commune."""

    commune: str
    places: int


class Row(msgspec.Struct, frozen=True):
    """A commune on the screens. ``people`` is None where no sensor is heard: that is not the same as nobody."""

    people: float | None
    full: int
