"""A small city, built in memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np

from core import city as cities
from core.assets import NONE, Assets
from core.city import Communes, Description, Streets, arcs


class City(cities.City):
    """A city for tests."""

    @classmethod
    def small(cls, seed: int = 0) -> City:
        """30 lamps on 3 streets, 10 sensors, 3 cabinets, 2 junctions, 2 communes; the same for the same seed."""
        rng = np.random.Generator(np.random.Philox(seed))
        return cls(
            Description(
                format=cities.FORMAT,
                name="Petite-Ville",
                timezone="Europe/Paris",
                licence="Apache-2.0",
                origin="made for tests",
                synthetic=["everything"],
            ),
            _communes(),
            _streets(),
            _assets(rng),
        )

    def having(self, kind: str, assets: Mapping[str, msgspec.Struct], *, street: int = 0) -> City:
        """The same city with things of one more ``kind``: id to attributes, spread along the edge ``street``.

        Each stands behind a gateway of its own, named ``gw-`` and its id.
        """
        there, n = self.assets, len(assets)
        on_street = int(np.flatnonzero(there.edge == street)[0])
        offset = float(self.streets.edge_length_m[street]) * (np.arange(n) + 0.5) / max(n, 1)
        ends = self.streets.edge_from[street], self.streets.edge_to[street]
        share = offset / float(self.streets.edge_length_m[street])
        added = {
            "kind": np.full(n, len(there.kinds)),
            "commune": np.full(n, there.commune[on_street]),
            "lon": np.interp(share, [0, 1], [self.streets.node_lon[end] for end in ends]),
            "lat": np.interp(share, [0, 1], [self.streets.node_lat[end] for end in ends]),
            "edge": np.full(n, street),
            "offset_m": offset,
            "parent": np.full(n, NONE),
            "gateway": len(there.gateways) + np.arange(n),
            "since": np.zeros(n),
            "until": np.zeros(n),
        }
        fields = next(iter(assets.values())).__struct_fields__
        attributes = {name: [getattr(each, name) for each in assets.values()] for name in fields}
        register = Assets(
            ids=[*there.ids, *assets],
            names=[*there.names, *assets],
            kinds=[*there.kinds, kind],
            gateways=[*there.gateways, *(f"gw-{id}" for id in assets)],
            columns={name: np.append(getattr(there, name), added[name]) for name in Assets.COLUMNS},
            attributes={**there.attributes, kind: attributes},
        )
        return City(self.description, self.communes, self.streets, register)

    def save(self, folder: str | Path) -> None:
        """Write it as a city folder, for ``ondijon check`` and ``ondijon run``."""
        cities.save(self, Path(folder))


_LON, _LAT, _DEGREE = 5.04, 47.32, 1 / 111_195.0


def _communes() -> Communes:
    lon = _LON + np.array([-0.01, 0.002, 0.002, -0.01, -0.01, 0.002, 0.02, 0.02, 0.002, 0.002])
    lat = _LAT + np.array([-0.01, -0.01, 0.01, 0.01, -0.01, -0.01, -0.01, 0.01, 0.01, -0.01])
    return Communes(("Petite-Ville", "Voisine"), np.array([0, 5, 10], np.uint32), lon, lat)


def _streets() -> Streets:
    # One street of three edges from west to east: node 1 and node 2 are the two junctions.
    node_lon = _LON + np.arange(4) * 300 * _DEGREE / np.cos(np.radians(_LAT))
    node_lat = np.full(4, _LAT)
    edge_from, edge_to = np.arange(3, dtype=np.uint32), np.arange(1, 4, dtype=np.uint32)
    oneway = np.zeros(3, np.int8)
    start, to, edge = arcs(4, edge_from, edge_to, oneway)
    return Streets(
        names=("Rue de la Liberté", "Rue des Godrans", "Rue Musette"),
        node_lon=node_lon,
        node_lat=node_lat,
        edge_from=edge_from,
        edge_to=edge_to,
        edge_length_m=np.full(3, 300, np.float32),
        edge_class=np.array([2, 3, 3], np.uint8),
        edge_oneway=oneway,
        edge_name=np.arange(3, dtype=np.uint32),
        point_start=np.array([0, 2, 4, 6], np.uint32),
        point_lon=np.repeat(node_lon, 2)[1:-1],
        point_lat=np.repeat(node_lat, 2)[1:-1],
        arc_start=start,
        arc_to=to,
        arc_edge=edge,
    )


def _assets(rng: np.random.Generator) -> Assets:
    rows: list[tuple[str, str, int, float, int, int]] = []
    cabinets = [(f"A{e + 1:04}", "cabinet", e, 5.0, NONE, e) for e in range(3)]
    lamps = [(f"L{i + 1:04}", "lamp", i // 10, 15.0 + 30 * (i % 10), i // 10, i // 10) for i in range(30)]
    sensors = [
        (f"S{i + 1:04}", "presence_sensor", i * 3 // 10, lamps[i * 3][3], 3 + i * 3, lamps[i * 3][5])
        for i in range(10)
    ]
    junctions = [(f"J{i + 1:04}", "junction", i, 300.0, NONE, NONE) for i in range(2)]
    rows = [*cabinets, *lamps, *sensors, *junctions]
    kinds = ("cabinet", "lamp", "presence_sensor", "junction")
    edge = np.array([row[2] for row in rows])
    offset = np.array([row[3] for row in rows])
    lon = _LON + (edge * 300 + offset) * _DEGREE / np.cos(np.radians(_LAT))
    conflict = [min(row[3], 300 - row[3]) < 20 and row[2] == 0 for row in lamps]
    return Assets(
        ids=[row[0] for row in rows],
        names=[row[0] for row in rows],
        kinds=kinds,
        gateways=[f"gw-A{e + 1:04}" for e in range(3)],
        columns={
            "kind": np.array([kinds.index(row[1]) for row in rows]),
            "commune": (edge == 2).astype(int),
            "lon": lon,
            "lat": np.full(len(rows), _LAT),
            "edge": edge,
            "offset_m": offset,
            "parent": np.array([row[4] for row in rows]),
            "gateway": np.array([row[5] for row in rows]),
            "since": np.zeros(len(rows)),
            "until": np.zeros(len(rows)),
        },
        attributes={
            "cabinet": {"meter_class_pct": [1.0] * 3},
            "lamp": {
                "power_w": [float(p) for p in rng.choice([36.0, 48.0, 60.0], 30)],
                "old_power_w": [115.0] * 30,
                "old_hours": [4100.0] * 30,
                "lighting_class": ["M4"] * 10 + ["P3"] * 20,
                "conflict": conflict,
            },
            "presence_sensor": {"range_m": [12.0] * 10},
            "junction": {"arms": [4, 4]},
        },
    )
