"""``[adapters.history]``: how long it is kept, and what a question may cost."""

from __future__ import annotations

from typing import Annotated

import msgspec


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``keep_days`` and ``size_gib`` bound what is kept, the oldest goes; ``write_ahead_mib`` what is not sealed yet.

    ``memory_mib`` is DuckDB's in each of its databases; ``query_s``, ``query_mib`` and ``query_rows`` are the time, the
    bytes of files and the rows of one question.
    """

    keep_days: Annotated[int, msgspec.Meta(ge=1, le=36_600)] = 366
    size_gib: Annotated[float, msgspec.Meta(gt=0, le=100_000)] = 100.0
    write_ahead_mib: Annotated[int, msgspec.Meta(ge=1, le=65_536)] = 2048
    memory_mib: Annotated[int, msgspec.Meta(ge=128, le=65_536)] = 512
    query_s: Annotated[float, msgspec.Meta(gt=0, le=600)] = 30.0
    query_mib: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 4096
    query_rows: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 10_000
