"""The declared kinds of alarm, by number: their delays as arrays, and which explains which."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from core.alarm_rows import NO_CODE
from core.clock import SECOND
from core.declaration import AlarmKind
from core.errors import PluginError


class Kinds:
    """Columns over all kinds: ``on``, ``off`` and ``correlate`` i64[kinds] µs.

    ``explains`` maps the number of a kind to those that it explains, and ``explained_by`` back, the first first.
    """

    def __init__(self, kinds: Mapping[str, tuple[AlarmKind, str]]) -> None:
        if len(kinds) >= NO_CODE:
            raise PluginError(f"{len(kinds)} alarm kinds are declared.", next=f"At most {NO_CODE - 1} fit.")
        self.codes = tuple(kinds)
        self.number = {code: number for number, code in enumerate(kinds)}
        self.kinds = [kind for kind, _ in kinds.values()]
        self.trades = [trade for _, trade in kinds.values()]
        self.on = _us([kind.delay_on_s for kind in self.kinds])
        self.off = _us([kind.delay_off_s for kind in self.kinds])
        self.correlate = _us([kind.correlate_s if kind.suppressed_by else 0 for kind in self.kinds])
        self.explained_by = [
            [self.number[code] for code in kind.suppressed_by if code in self.number] for kind in self.kinds
        ]
        self.explains: dict[int, list[int]] = {}
        for number, parents in enumerate(self.explained_by):
            for parent in parents:
                self.explains.setdefault(parent, []).append(number)

    def __len__(self) -> int:
        return len(self.codes)


def _us(seconds: list[float]) -> np.ndarray:
    return np.array([int(each * SECOND) for each in seconds], np.int64)
