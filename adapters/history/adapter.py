"""The history as an adapter: a process that keeps and one that answers, so that no question can hurt what is kept."""

from __future__ import annotations

import os

from adapters.history.settings import Settings
from core.adapter import Adapter
from core.person import ANY, Role
from core.run import Run

PARTS = KEEPS, ANSWERS = 0, 1

#: The city's present goes before its past.
NICE = 10


def main(run: Run, settings: Settings, part: int) -> None:
    """Entry of either process, see ``core.adapter``. Raises ConfigError where DuckDB is missing."""
    # Here, and not above: whoever only reads the configuration needs no DuckDB in its memory.
    from adapters.history import duck

    duck.check()
    os.nice(NICE)
    if part == KEEPS:
        from adapters.history.keeper import Follow

        Follow(run, settings).main()
    else:
        from adapters.history.desk import Desk

        Desk(run, settings).main()


adapter = Adapter("history", Settings, main, parts=lambda _: len(PARTS), follows=(Role(ANY, ANY, (ANY,)),))
