"""The units of a city, and who of them is somewhere first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from ondijon import NONE, City
from ondijon.shifts import Shifts
from ondijon.streets import Places, StreetMap
from ondijon.travel import Travel, drive_seconds
from plugins.police.settings import Settings


@dataclass(frozen=True)
class Fleet:
    """Units [n] in the order of their assets: ``asset`` u32[n], ``home`` their stations."""

    city: City
    settings: Settings
    streets: StreetMap
    seconds: np.ndarray
    ids: tuple[str, ...]
    asset: np.ndarray
    home: Places
    skills: tuple[frozenset[str], ...]
    shifts: Shifts

    def first(
        self, where: Places, able: Sequence[int], lon: float, lat: float, cost: np.ndarray
    ) -> list[tuple[float, int]]:
        """The units ``able`` to go, with the seconds that each takes to a place (degrees), the first one first.

        Those that have no way there are left out; a place off the streets is that of its nearest street.
        """
        goal = self.streets.nearest(np.array([lon]), np.array([lat]))
        rows = np.array(able, np.int64)
        start = Places(where.edge[rows], where.offset_m[rows], where.distance_m[rows])
        seconds = Travel(self.city.streets, cost).table(start, goal)[:, 0]
        found = [(float(seconds[n]), i) for n, i in enumerate(able) if np.isfinite(seconds[n])]
        return sorted(found)

    def way(self, where: Places, unit: int, lon: float, lat: float, cost: np.ndarray) -> tuple[int, ...]:
        """The streets a unit drives to a place, in order; none where it stands on the same one."""
        goal = self.streets.nearest(np.array([lon]), np.array([lat]))
        start_edge, goal_edge = int(where.edge[unit]), int(goal.edge[0])
        if NONE in (start_edge, goal_edge) or start_edge == goal_edge:
            return ()
        city = self.city.streets
        best: tuple[float, tuple[int, ...]] | None = None
        for out in _ends(city.edge_from, city.edge_to, city.edge_oneway, start_edge, leaving=True):
            for into in _ends(city.edge_from, city.edge_to, city.edge_oneway, goal_edge, leaving=False):
                path = self.streets.shortest_path(out, into, cost)
                if path is not None and (best is None or path.cost < best[0]):
                    best = path.cost, (start_edge, *path.edges.tolist(), goal_edge)
        return () if best is None else tuple(dict.fromkeys(best[1]))


def _ends(
    edge_from: np.ndarray, edge_to: np.ndarray, oneway: np.ndarray, edge: int, leaving: bool
) -> list[int]:
    """The nodes by which one may leave an edge, or come to it."""
    ends = []
    forward, backward = oneway[edge] >= 0, oneway[edge] <= 0
    if forward:
        ends.append(int(edge_to[edge] if leaving else edge_from[edge]))
    if backward:
        ends.append(int(edge_from[edge] if leaving else edge_to[edge]))
    return ends


def build(city: City, settings: Settings) -> Fleet:
    """What follows from the register. Raises ValueError where a shift is none."""
    streets = StreetMap(city)
    asset = city.assets.of_kind("patrol")
    kept = city.assets.attributes.get("patrol", {})
    return Fleet(
        city=city,
        settings=settings,
        streets=streets,
        seconds=drive_seconds(city.streets),
        ids=tuple(city.assets.ids[i] for i in asset.tolist()),
        asset=asset,
        home=streets.nearest(city.assets.lon[asset], city.assets.lat[asset]),
        skills=tuple(frozenset(each) for each in kept.get("skills", ())),
        shifts=Shifts(kept.get("shift", ()), ZoneInfo(city.description.timezone)),
    )
