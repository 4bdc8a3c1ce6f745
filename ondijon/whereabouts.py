"""Where vehicles are, as far as their positions can be believed: on a street, and not faster than anybody drives."""

from __future__ import annotations

import msgspec
import numpy as np

from core.assets import NONE
from core.table import TableView
from ondijon.streets import Places, StreetMap

#: A position further than this from every street tells nothing of where one drives (m).
OFF_STREET_M = 250.0

#: Faster than this between two positions, and one of them is wrong (m/s).
JUMP_M_S = 45.0

#: Who was wrong once does not stay so for ever: after so long any place on a street is believed (s).
BELIEVE_S = 300.0


class Whereabouts(msgspec.Struct):
    """Columns over vehicles, to be kept in a state: ``edge`` u32 and ``offset_m`` f64 of the street each was seen on
    last, at ``seen`` i64 µs (0: never; then it is at home). ``refused`` counts positions that cannot be.
    """

    edge: np.ndarray
    offset_m: np.ndarray
    seen: np.ndarray
    refused: int = 0

    def places(self) -> Places:
        """Where they are."""
        return Places(self.edge, self.offset_m, np.zeros(len(self.edge)))


def fitted(home: Places, before: Whereabouts | None) -> Whereabouts:
    """Everybody at home, or where they were; those that are new at home. Vehicles are only ever added."""
    known = before or Whereabouts(np.empty(0, np.uint32), np.empty(0), np.empty(0, np.int64))
    new = slice(len(known.edge), len(home.edge))
    known.edge = np.append(known.edge, home.edge[new]).astype(np.uint32)
    known.offset_m = np.append(known.offset_m, home.offset_m[new])
    known.seen = np.append(known.seen, np.zeros(len(home.edge) - len(known.seen), np.int64))
    return known


def locate(streets: StreetMap, known: Whereabouts, table: TableView, lon: str, lat: str) -> None:
    """Take the positions that came since, of the metrics ``lon`` and ``lat`` (degrees); those of retired ones too.

    The metrics' assets are the vehicles, in their order.
    """
    x_column, y_column = table.column(lon), table.column(lat)
    time = np.minimum(x_column.time, y_column.time)
    usable = x_column.valid & y_column.valid & ~x_column.stale & ~y_column.stale
    fresh = np.flatnonzero(usable & (time > known.seen))
    if not len(fresh):
        return
    at = streets.nearest(x_column.value[fresh], y_column.value[fresh], within_m=OFF_STREET_M)
    x, y = streets.city.project(x_column.value[fresh], y_column.value[fresh])
    placed = known.edge[fresh] != NONE
    was = streets.point_at(np.where(placed, known.edge[fresh], 0), known.offset_m[fresh])
    was_x, was_y = streets.city.project(*was)
    since_s = np.maximum((time[fresh] - known.seen[fresh]) / 1e6, 1.0)
    reached = np.hypot(x - was_x, y - was_y) <= JUMP_M_S * since_s + OFF_STREET_M
    first = (known.seen[fresh] == 0) | ~placed
    good = (at.edge != NONE) & (reached | first | (since_s > BELIEVE_S))
    known.refused += int((~good).sum())
    taken = fresh[good]
    known.edge[taken], known.offset_m[taken] = at.edge[good], at.offset_m[good]
    known.seen[taken] = time[taken]
