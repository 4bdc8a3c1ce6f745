"""An invented city of 20 x 12 km: its streets, lamps, cabinets, cameras, junctions, bus lines and fibre.

Positions are metres east and north of the centre (47.322 N, 5.041 E) until `degrees` turns them into
longitude and latitude.  A city is drawn first of all from the generator of a set, so that one seed always
gives one city.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LON, LAT = 5.041, 47.322
WIDTH_M, HEIGHT_M = 20_000.0, 12_000.0
LAMPS = 34_000
LAMPS_PER_CABINET = 57
CABINETS_PER_FEEDER = 25
SUBSTATION = "substation/1"

_NORTH_M = 111_195.0
_EAST_M = _NORTH_M * math.cos(math.radians(LAT))
_POINT_STEP_M = 50.0


def generator(seed: int) -> np.random.Generator:
    """The one source of randomness of a set."""
    return np.random.Generator(np.random.Philox(seed))


def degrees(xy: Floats) -> Floats:
    """Longitude and latitude (degrees, rounded to about 0.1 m) of positions in metres, one a row."""
    return np.round(xy / (_EAST_M, _NORTH_M) + (LON, LAT), 6)


def metres(lon_lat: npt.ArrayLike) -> Floats:
    """Positions in metres from the centre, of longitudes and latitudes in degrees, one a row."""
    return (np.asarray(lon_lat, dtype=np.float64) - (LON, LAT)) * (_EAST_M, _NORTH_M)


def distance_m(a: Floats, b: Floats) -> Floats:
    """Distance in metres between positions in metres; rows are broadcast."""
    return np.hypot(a[..., 0] - b[..., 0], a[..., 1] - b[..., 1])


class Things(msgspec.Struct, frozen=True):
    """Assets of one kind: their ids, where the register says they stand (m), what feeds or carries each."""

    ids: list[str]
    xy: Floats
    behind: list[str]

    def nearest(self, points: Floats) -> tuple[Ints, Floats]:
        """For each point (m) the index of the nearest asset and its distance in metres."""
        apart = distance_m(points[:, None, :], self.xy[None, :, :])
        index = np.argmin(apart, axis=1)
        return index, apart[np.arange(len(points)), index]


class Streets(msgspec.Struct, frozen=True):
    """Straight streets: middle (m), heading (unit vector), length (m)."""

    middle: Floats
    heading: Floats
    length: Floats

    def at(self, street: Ints, along: Floats) -> Floats:
        """Positions (m) on the named streets; `along` goes from -0.5 (one end) to 0.5 (the other)."""
        return self.middle[street] + self.heading[street] * (along * self.length[street])[:, None]

    def points(self, rng: np.random.Generator, n: int) -> tuple[Floats, Ints]:
        """`n` positions (m) anywhere on the streets, long streets more often, and their streets."""
        street = rng.choice(len(self.length), n, p=self.length / self.length.sum())
        return self.at(street, rng.uniform(-0.5, 0.5, n)), street


class City(msgspec.Struct, frozen=True):
    """Everything that stands in the city; `lamp_cabinet` and `cabinet_feeder` are indices."""

    streets: Streets
    lamps: Things
    lamp_street: Ints
    lamp_cabinet: Ints
    cabinets: Things
    cabinet_feeder: Ints
    links: Things
    switches: Things
    cameras: Things
    gateways: Things
    junctions: Things
    detectors: Things
    buildings: Things
    underpasses: Things
    stations: Things
    line_xy: Floats
    line_of: Ints

    def supply(self) -> dict[str, str]:
        """Asset -> what feeds or carries it: lamp, cabinet, feeder, substation; camera, switch, link."""
        kinds = (self.lamps, self.cabinets, self.switches, self.cameras, self.gateways, self.junctions)
        tree = {i: b for kind in (*kinds, self.detectors) for i, b in zip(kind.ids, kind.behind, strict=True)}
        return tree | {feeder_id(int(k)): SUBSTATION for k in np.unique(self.cabinet_feeder)}


def feeder_id(number: int) -> str:
    """The id of a medium-voltage feeder."""
    return f"feeder/{number:02d}"


def build(rng: np.random.Generator, lamps: int = LAMPS) -> City:
    """Draws a city with `lamps` light points, one cabinet to 57 of them, and the rest as Dijon counts it."""
    streets = _streets(rng, lamps)
    lamp_xy, lamp_street = _lamp_places(rng, streets, lamps)
    lamp_cabinet = _blocks(lamp_xy, LAMPS_PER_CABINET)
    cabinet_xy = _means(lamp_xy, lamp_cabinet)
    cabinet_feeder = np.arange(len(cabinet_xy)) // CABINETS_PER_FEEDER
    cabinets = _things("cabinet", cabinet_xy, [feeder_id(k) for k in cabinet_feeder.tolist()])
    switches, links = _fibre(rng, streets)
    junctions = _carried(rng, "junction", _core(rng, streets, 113), switches)
    line_xy, line_of = _lines(rng, 30)
    return City(
        streets=streets,
        lamps=_things("lamp", lamp_xy, [cabinets.ids[k] for k in lamp_cabinet.tolist()]),
        lamp_street=lamp_street,
        lamp_cabinet=lamp_cabinet,
        cabinets=cabinets,
        cabinet_feeder=cabinet_feeder,
        links=links,
        switches=switches,
        cameras=_carried(rng, "camera", _core(rng, streets, 269), switches),
        gateways=_carried(rng, "gateway", streets.points(rng, 120)[0], switches),
        junctions=junctions,
        detectors=_detectors(rng, junctions),
        buildings=_things("building", _core(rng, streets, 180) + rng.normal(0, 15, (180, 2))),
        underpasses=_things("underpass", streets.points(rng, 25)[0]),
        stations=_things("weather", streets.points(rng, 14)[0]),
        line_xy=line_xy,
        line_of=line_of,
    )


def _things(kind: str, xy: Floats, behind: list[str] | None = None) -> Things:
    digits = len(str(len(xy)))
    return Things([f"{kind}/{i:0{digits}d}" for i in range(1, len(xy) + 1)], xy, behind or [""] * len(xy))


def _streets(rng: np.random.Generator, lamps: int) -> Streets:
    n = max(40, lamps // 17)
    width = rng.choice(3, n, p=(0.4, 0.42, 0.18))
    sigma = np.array([(1_500, 1_100), (4_300, 2_600), (9_000, 6_000)], dtype=np.float64)[width]
    edge = np.array([WIDTH_M, HEIGHT_M]) / 2 - 760
    middle = rng.normal(0, 1, (n, 2)) * sigma
    outside = (np.abs(middle) > edge).any(axis=1)
    middle[outside] = rng.uniform(-edge, edge, (int(outside.sum()), 2))
    turn = (
        np.arctan2(middle[:, 1], middle[:, 0]) + rng.integers(0, 2, n) * (np.pi / 2) + rng.normal(0, 0.2, n)
    )
    length = np.clip(rng.lognormal(math.log(450), 0.5, n), 150, 1_500)
    return Streets(middle, np.stack((np.cos(turn), np.sin(turn)), axis=1), length)


def _lamp_places(rng: np.random.Generator, streets: Streets, lamps: int) -> tuple[Floats, Ints]:
    ends = np.cumsum(streets.length)
    run = (np.arange(lamps) + 0.5) * (ends[-1] / lamps)
    street = np.searchsorted(ends, run)
    along = (run - ends[street]) / streets.length[street] + 0.5
    side = streets.heading[street][:, ::-1] * (1, -1) * rng.choice((-4.0, 4.0), lamps)[:, None]
    return streets.at(street, along) + side, street


def _blocks(xy: Floats, size: int) -> Ints:
    """Numbers compact neighbourhoods of `size` points, by halving the city across its longer side."""

    def halve(index: Ints) -> list[Ints]:
        if len(index) <= size // 2:
            return [index]
        spread = np.ptp(xy[index], axis=0)
        index = index[np.argsort(xy[index, int(spread[1] > spread[0])], kind="stable")]
        return halve(index[: len(index) // 2]) + halve(index[len(index) // 2 :])

    block = np.empty(len(xy), dtype=np.int64)
    block[np.concatenate(halve(np.arange(len(xy))))] = np.arange(len(xy)) // size
    return block


def _means(xy: Floats, group: Ints) -> Floats:
    count = np.bincount(group)
    return np.stack([np.bincount(group, xy[:, k]) / count for k in (0, 1)], axis=1)


def _core(rng: np.random.Generator, streets: Streets, n: int) -> Floats:
    """`n` positions on streets, seven of ten within about 3 km of the centre."""
    xy, _ = streets.points(rng, n * 6)
    near = np.exp(-distance_m(xy, np.zeros(2)) / 2_500) + 0.02
    return xy[rng.choice(len(xy), n, replace=False, p=near / near.sum())]


def _fibre(rng: np.random.Generator, streets: Streets) -> tuple[Things, Things]:
    xy = _core(rng, streets, 48)
    link = _blocks(xy, 3)
    links = _things("link", xy[np.unique(link, return_index=True)[1]])
    return _things("switch", xy, [links.ids[k] for k in link.tolist()]), links


def _carried(rng: np.random.Generator, kind: str, xy: Floats, switches: Things) -> Things:
    index, _ = switches.nearest(xy + rng.normal(0, 120, xy.shape))
    return _things(kind, xy, [switches.ids[k] for k in index.tolist()])


def _detectors(rng: np.random.Generator, junctions: Things) -> Things:
    of = np.repeat(np.arange(len(junctions.ids)), 6)
    angle = rng.uniform(0, 2 * np.pi, len(of))
    away = rng.uniform(20, 250, len(of))
    xy = junctions.xy[of] + np.stack((np.cos(angle), np.sin(angle)), axis=1) * away[:, None]
    return _things("detector", xy, [junctions.ids[k] for k in of.tolist()])


def _lines(rng: np.random.Generator, n: int) -> tuple[Floats, Ints]:
    """Curved bus lines through the wider centre, as points 50 m apart, and the line of each point."""
    points, of = [], []
    for line in range(n):
        half = rng.uniform(2_500, 5_500)
        s = np.arange(-half, half, _POINT_STEP_M)
        turn = rng.uniform(0, np.pi) + np.cumsum(rng.normal(0, 0.04, len(s)))
        path = np.cumsum(np.stack((np.cos(turn), np.sin(turn)), axis=1) * _POINT_STEP_M, axis=0)
        path += rng.normal(0, (1_200, 800)) - path[len(path) // 2]
        points.append(path[(np.abs(path) < (WIDTH_M / 2, HEIGHT_M / 2)).all(axis=1)])
        of.append(np.full(len(points[-1]), line))
    return np.concatenate(points), np.concatenate(of)
