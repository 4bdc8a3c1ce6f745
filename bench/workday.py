"""Days of work for the benchmark of teams: jobs of three trades in a city's streets, drawn from a seed.

What is assumed, and can be changed: how many jobs share a place with one of another trade, how long work takes, how
soon it is due, how many teams there are. Nothing in it knows how sites are made or tours are planned.
"""

from __future__ import annotations

import numpy as np

from core.city import City
from ondijon.streets import Places, StreetMap
from plugins.coordination.sites import Job
from plugins.tours.problem import Team

TRADES = ("lighting", "roads", "green")

#: The shift, s, and how long it takes to set up a site: signs, cones, a lift or a tool out of the van.
SHIFT_S, SETUP_S = 8 * 3600, 600

#: Of a hundred jobs so many are urgent, soon, and some time today; by when each is due (s from the begin of the day).
PRIORITIES = {1: (0.08, 2 * 3600), 2: (0.22, 4 * 3600), 3: (0.70, SHIFT_S)}

#: Seconds of work that a team does in a shift, on average, driving and set-up apart: so many teams are on duty.
TEAM_WORKS_S = 3.75 * 3600


class Workday:
    """Jobs and teams of one day. ``places`` are those of the jobs, in their order; the last is the depot."""

    def __init__(self, city: City, count: int, seed: int, shared: float) -> None:
        self._rng = np.random.Generator(np.random.Philox(seed))
        self._city = city
        self.street_map = StreetMap(city)
        trades, lon, lat = self._drawn(count, shared)
        self.jobs = self._jobs(trades, *city.project(lon, lat))
        self.places = self._on_streets(lon, lat)
        work_s = sum(job.duration_s for job in self.jobs)
        #: Teams of each trade: as many as the work needs, and at least one.
        self.teams_each = max(1, round(work_s / TEAM_WORKS_S / len(TRADES)))

    def _drawn(self, count: int, shared: float) -> tuple[list[str], np.ndarray, np.ndarray]:
        """Trades and positions: of the places, ``shared`` need two or three trades, as many two as three."""
        rng, streets = self._rng, self._city.streets
        needs = np.ones(round(count / (1 + 1.5 * shared)), np.int64)
        several = round(shared * len(needs))
        needs[:several] = 2 + np.arange(several) % 2
        # Whole numbers: what is missing, or too many, is made up by places with one trade.
        needs = np.append(needs, np.ones(max(count - needs.sum(), 0), np.int64))
        needs = needs[: len(needs) - max(needs.sum() - count, 0)]
        trades: list[str] = []
        for wanted in needs.tolist():
            trades += rng.permutation(TRADES)[:wanted].tolist()
        place = np.repeat(np.arange(len(needs)), needs)
        n = len(needs)
        length = streets.edge_length_m.astype(float)
        edge = rng.choice(streets.edges, n, p=length / length.sum())
        lon, lat = self.street_map.point_at(edge, rng.random(n) * length[edge])
        # Who reports says where within some 15 m.
        metre = 1 / 111_195.0
        jitter = rng.normal(0, 15.0, (2, count)) * metre
        return (
            trades,
            lon[place] + jitter[0] / np.cos(np.radians(self._city.centre[1])),
            lat[place] + jitter[1],
        )

    def _jobs(self, trades: list[str], x: np.ndarray, y: np.ndarray) -> list[Job]:
        rng = self._rng
        shares = [share for share, _ in PRIORITIES.values()]
        priority = rng.choice(list(PRIORITIES), len(trades), p=shares)
        duration = np.clip(rng.lognormal(np.log(1500), 0.5, len(trades)), 300, 7200)
        return [
            Job(
                key=f"J{i:04}",
                x=float(x[i]),
                y=float(y[i]),
                skills=(trade,),
                duration_s=int(duration[i]),
                priority=int(priority[i]),
                latest=PRIORITIES[int(priority[i])][1] * 1_000_000,
            )
            for i, trade in enumerate(trades)
        ]

    def _on_streets(self, lon: np.ndarray, lat: np.ndarray) -> Places:
        depot_lon, depot_lat = self._city.centre
        return self.street_map.nearest(np.append(lon, depot_lon), np.append(lat, depot_lat))

    def teams(self, skilled: bool) -> tuple[Team, ...]:
        """The same number of teams: each for one trade, or each for all three."""
        depot = len(self.jobs)
        return tuple(
            Team(
                key=f"{trade} {i}",
                place=depot,
                home=depot,
                skills=frozenset(TRADES if skilled else (trade,)),
                until_s=SHIFT_S,
            )
            for trade in TRADES
            for i in range(self.teams_each)
        )
