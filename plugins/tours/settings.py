"""``[plugins.tours]``: how tours are planned. Every field has a default; README.md tells what each means."""

from __future__ import annotations

from typing import Annotated

import msgspec


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``effort`` 0 to 5: the solver's exploration. ``anew_s``: how often the whole day is planned anew.

    ``anew_sites``: up to so many sites it is, beyond it only around what changed.
    """

    effort: Annotated[int, msgspec.Meta(ge=0, le=5)] = 0
    anew_s: Annotated[float, msgspec.Meta(ge=10)] = 900.0
    anew_sites: Annotated[int, msgspec.Meta(ge=0)] = 250
