"""What a city decides."""

from __future__ import annotations

from typing import Annotated

import msgspec

Positive = Annotated[float, msgspec.Meta(gt=0)]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[plugins.crowds]: ``limit`` people at a sensor are a crowd, those of ``half_life_s`` seconds ago count half."""

    limit: Positive = 6.0
    half_life_s: Positive = 60.0
