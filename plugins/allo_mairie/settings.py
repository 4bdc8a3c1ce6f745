"""``[plugins.allo_mairie]``: what a city decides. Every field has a default; README.md tells what each means."""

from __future__ import annotations

from typing import Annotated

import msgspec

from plugins.allo_mairie.matching import Matching

Seconds = Annotated[float, msgspec.Meta(ge=0)]


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``check_s``: what no agent has judged by then is a request of its own. ``urgent_share``: of the category's time,
    for each step that a request is more urgent than its kind. ``other_h``: hours for what is of no known category.
    ``confirm_s``: what was mended so long ago, and nobody complained, is closed. ``kept_s``: what is closed stays in
    sight, and may be reopened, for so long. ``open_max``: requests that are kept at most. ``matching``: when two
    reports are one.
    """

    check_s: Seconds = 1800.0
    urgent_share: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.5
    other_h: Annotated[float, msgspec.Meta(gt=0)] = 120.0
    confirm_s: Seconds = 7 * 86_400.0
    kept_s: Seconds = 23 * 86_400.0
    open_max: Annotated[int, msgspec.Meta(ge=1, le=30_000)] = 20_000
    matching: Matching = Matching()
