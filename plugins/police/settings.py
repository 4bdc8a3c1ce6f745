"""``[plugins.police]``: what a city decides. Every field has a default; README.md tells what each means."""

from __future__ import annotations

from typing import Annotated

import msgspec


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``urgent_share``: how much of the usual time a unit takes that is called to a case of priority 1.

    ``corridor_priority``: up to this one the junctions on the way are asked to let it through. ``blur_m``: a unit that
    is called to nothing is shown within a square of this size. ``corridor_s``: how long after its arrival was expected.
    """

    urgent_share: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.7
    corridor_priority: Annotated[int, msgspec.Meta(ge=0, le=3)] = 1
    corridor_s: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 60.0
    blur_m: Annotated[float, msgspec.Meta(ge=50, le=5000)] = 500.0
