"""What explains what: alarms that stand on what an asset is behind suppress those of the asset."""

from __future__ import annotations

import numpy as np

from core.alarm_kinds import Kinds
from core.alarm_rows import MOVED, NO_CODE, Rows
from core.alarm_state import ACTIVE, SUPPRESSED
from core.assets import NONE
from core.topology import Topology


class Suppression:
    """Looks at kinds of which alarms came or went, and at what those explain; at all of it where the city changed."""

    def __init__(self, kinds: Kinds, topology: Topology) -> None:
        self._kinds = kinds
        self._covers: dict[int, np.ndarray] = {}
        self.renumber(topology)

    def renumber(self, topology: Topology) -> None:
        """The inventory changed, or all alarms did."""
        self.topology = topology
        self._stirred = set(self._kinds.explains)

    def stir(self, codes: np.ndarray) -> None:
        """Alarms of these kinds, by number, came or went."""
        self._stirred.update(np.unique(codes).tolist())

    def turn(self, rows: Rows) -> np.ndarray:
        """Suppress what is explained; return the rows i64[n] that were and are explained no more."""
        stirred, self._stirred = self._stirred, set()
        explaining = stirred & set(self._kinds.explains)
        for code in explaining:
            self._covers[code] = self.topology.covers(self._standing(code, rows))
        explained = {child for code in explaining for child in self._kinds.explains[code]}
        explained |= {code for code in stirred if self._kinds.explained_by[code]}
        released = [self._explain(code, rows) for code in sorted(explained)]
        return np.concatenate([np.empty(0, np.int64), *released])

    def _standing(self, code: int, rows: Rows) -> np.ndarray:
        """bool[assets + 1]: where an alarm of a kind stands, whoever knows of it."""
        on = np.zeros(self.topology.nobody + 1, bool)
        on[self.topology.places(rows.asset[rows.of_code(code, ACTIVE)])] = True
        on[-1] = False
        return on

    def _explain(self, code: int, r: Rows) -> np.ndarray:
        rows = r.of_code(code, ACTIVE)
        by_code, by_asset = self._parents(code, r.asset[rows])
        moved = (by_code != r.by_code[rows]) | (by_asset != r.by_asset[rows])
        moved |= ((r.flags[rows] & SUPPRESSED) != 0) != (by_code != NO_CODE)
        rows, by_code, by_asset = rows[moved], by_code[moved], by_asset[moved]
        r.by_code[rows], r.by_asset[rows] = by_code, by_asset
        r.say[rows] |= np.uint8(MOVED)
        r.flags[rows[by_code != NO_CODE]] |= np.uint8(SUPPRESSED)
        return np.asarray(rows[by_code == NO_CODE])

    def _parents(self, code: int, assets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The kind u16[n] and asset u32[n] that explain alarms on assets u32[n]; NO_CODE and NONE: nothing does."""
        places = self.topology.places(assets)
        by_code = np.full(len(assets), NO_CODE, np.uint16)
        by_asset = np.full(len(assets), NONE, np.uint32)
        for parent in reversed(self._kinds.explained_by[code]):
            found = self._covers[parent][places]
            known = found != self.topology.nobody
            by_code[known], by_asset[known] = parent, found[known]
        return by_code, by_asset
