"""``[plugins.coordination]``: what a city decides. Every field has a default; README.md tells what each means."""

from __future__ import annotations

from typing import Annotated

import msgspec

Seconds = Annotated[float, msgspec.Meta(ge=0)]


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``setup_s``: what a site takes before work begins. ``due_s``: by when a job of priority 1, 2, 3 is to be done,
    if the asking trade does not say. ``tries``: visits after which a job that is not done is held. ``again_s``: not
    before then is it tried again. ``plan_s``: without a plan for so long, an alarm. ``overdue_s``: a visit that lasts
    so much longer than planned is one too. ``kept_s``: jobs that are done stay on the board for so long.
    """

    setup_s: Annotated[int, msgspec.Meta(ge=0, le=7200)] = 600
    due_s: tuple[Seconds, Seconds, Seconds] = (2 * 3600.0, 24 * 3600.0, 5 * 86_400.0)
    tries: Annotated[int, msgspec.Meta(ge=1, le=20)] = 3
    again_s: Seconds = 3600.0
    plan_s: Annotated[float, msgspec.Meta(ge=5)] = 60.0
    overdue_s: Seconds = 1800.0
    kept_s: Seconds = 8 * 3600.0
