"""``[adapters.papers]``: when the pack is written, where, in which language, and whom to call."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from adapters.papers.tongue import Language


class Telephone(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom to call when the screens are dark: ``who``, their ``number``, and ``when`` or for what."""

    who: Annotated[str, msgspec.Meta(min_length=1, max_length=120)]
    number: Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
    when: Annotated[str, msgspec.Meta(max_length=200)] = ""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``at`` the city's local time; ``folder`` None is DATA/papers; ``hours`` are those of a shift."""

    at: Annotated[str, msgspec.Meta(pattern=r"\A([01]\d|2[0-3]):[0-5]\d\Z")] = "04:00"
    folder: Path | None = None
    keep_days: Annotated[int, msgspec.Meta(ge=1, le=3660)] = 14
    hours: Annotated[float, msgspec.Meta(gt=0, le=168)] = 8.0
    lang: Language = "fr"
    telephones: tuple[Telephone, ...] = ()
