"""Who speaks, from where, with which error: from points of a happening to positions and assets."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec
import numpy as np

from tests.labelled.city import City, Floats, Ints, Things, distance_m, feeder_id

_MANY = 5_000


class Said(NamedTuple):
    """Positions (m), assets and what carries them, one entry a sign."""

    xy: Floats
    asset: list[str]
    behind: list[str]


class Scene(msgspec.Struct, frozen=True):
    """Where signs come from: the city, and what an incident took down (`lamps` and `cabinets` by index).

    `unrelated`: a scene of noise, where cameras see things near themselves rather than at a given point.
    """

    rng: np.random.Generator
    city: City
    lamps: Ints | None = None
    cabinets: Ints | None = None
    switches: frozenset[str] = frozenset()
    link: int = -1
    parties: int = 4
    unrelated: bool = False


class Source(msgspec.Struct, frozen=True):
    """A way to speak; it is heard at a spot only if one of its `things` (if any) is within `reach_m`."""

    speak: Callable[[Scene, Floats], Said]
    things: Callable[[Scene], Things] | None = None
    reach_m: float = np.inf

    def hears(self, scene: Scene, spot: Floats) -> bool:
        """Whether this source notices a happening at `spot` (m)."""
        if self.things is None:
            return True
        things = self.things(scene)
        return bool(things.ids) and float(distance_m(things.xy, spot).min()) <= self.reach_m


def off(rng: np.random.Generator, points: Floats, low_m: float, high_m: float) -> Floats:
    """The points moved by `low_m` to `high_m` metres, each in a direction of its own."""
    away, turn = rng.uniform(low_m, high_m, len(points)), rng.uniform(0, 2 * np.pi, len(points))
    return points + np.stack((np.cos(turn), np.sin(turn)), axis=1) * away[:, None]


def registered(things: Things, index: Ints) -> Said:
    """The assets of these indices, each at its registered position (m)."""
    rows = index.tolist()
    return Said(things.xy[index], [things.ids[k] for k in rows], [things.behind[k] for k in rows])


def _only(things: Things, behind: frozenset[str]) -> Things:
    rows = [k for k, b in enumerate(things.behind) if b in behind]
    return Things([things.ids[k] for k in rows], things.xy[rows], [things.behind[k] for k in rows])


def _nearest(things: Things, scene: Scene, points: Floats) -> Ints:
    if len(things.ids) <= _MANY or len(points) <= 50:
        return things.nearest(points)[0]
    some = scene.rng.choice(len(things.ids), _MANY, replace=False)
    return some[Things([], things.xy[some], []).nearest(points)[0]]


def _fixed(kind: str, reach_m: float) -> Source:
    """The nearest asset of a kind, at its registered position."""

    def things(scene: Scene) -> Things:
        every: Things = getattr(scene.city, kind)
        return every

    def speak(scene: Scene, points: Floats) -> Said:
        return registered(things(scene), _nearest(things(scene), scene, points))

    return Source(speak, things, reach_m)


def _part(detail: str, reach_m: float, few: int = 6) -> Source:
    """One of `few` detectors of the nearest public building, carried by the building's panel."""

    def speak(scene: Scene, points: Floats) -> Said:
        buildings = scene.city.buildings
        index, _ = buildings.nearest(points)
        panels = [buildings.ids[k] for k in index.tolist()]
        known = scene.rng.integers(1, 9, len(points) if scene.unrelated else few)
        number = scene.rng.choice(known, len(points)).tolist()
        return Said(
            buildings.xy[index], [f"{p}/{detail}/{n}" for p, n in zip(panels, number, strict=True)], panels
        )

    return Source(speak, lambda scene: scene.city.buildings, reach_m)


def _seen(scene: Scene, points: Floats) -> Said:
    cameras = scene.city.cameras
    index, _ = cameras.nearest(points)
    if scene.unrelated:
        points = off(scene.rng, cameras.xy[index], 5, 80)
    said = registered(cameras, index)
    return said._replace(xy=points + scene.rng.normal(0, 7, points.shape))


def _person(low_m: float, high_m: float, wild: float = 0.0) -> Source:
    """Somebody without an asset; a `wild` share is located by the cell of the telephone, 100 to 300 m off."""

    def speak(scene: Scene, points: Floats) -> Said:
        xy = off(scene.rng, points, low_m, high_m)
        far = scene.rng.random(len(points)) < wild
        xy[far] = off(scene.rng, points[far], 100, 300)
        return Said(xy, [""] * len(xy), [""] * len(xy))

    return Source(speak)


def _mobile(kind: str, fleet: int, high_m: float) -> Source:
    """A vehicle or radio with satellite positions, one of the few that came to this place."""

    def speak(scene: Scene, points: Floats) -> Said:
        n = len(points)
        few = scene.rng.integers(1, fleet + 1, n if scene.unrelated else scene.parties)
        ids = [f"{kind}/{k:03d}" for k in scene.rng.choice(few, n).tolist()]
        xy = off(scene.rng, points, 0, high_m) + scene.rng.normal(0, 6, points.shape)
        return Said(xy, ids, [""] * n)

    return Source(speak)


def _stretch(scene: Scene) -> Things:
    """The bus lines as things: one for each point of their paths."""
    blank = [""] * len(scene.city.line_xy)
    return Things(blank, scene.city.line_xy, blank)


def _bus(scene: Scene, points: Floats) -> Said:
    """Vehicles of the nearest line, on its path up to the place, as they queue behind it."""
    city, rng = scene.city, scene.rng
    at = np.concatenate(
        [_stretch(scene).nearest(some)[0] for some in np.array_split(points, len(points) // 50 + 1)]
    )
    back = np.minimum(rng.exponential(3.0, len(at)).astype(np.int64), at)
    before = np.where(city.line_of[at - back] == city.line_of[at], at - back, at)
    xy = city.line_xy[before] + rng.normal(0, 8, points.shape)
    lines = city.line_of[at].tolist()
    ids = [
        f"bus/{line + 1:02d}/{k}" for line, k in zip(lines, rng.integers(1, 7, len(at)).tolist(), strict=True)
    ]
    return Said(xy, ids, [""] * len(ids))


def _line(scene: Scene, points: Floats) -> Said:
    at, _ = _stretch(scene).nearest(points)
    lines = [f"line/{k + 1:02d}" for k in scene.city.line_of[at].tolist()]
    return Said(scene.city.line_xy[at], lines, [""] * len(lines))


def _street(scene: Scene, points: Floats) -> Said:
    """A computed place without an asset, rounded to about a block."""
    return Said(points + scene.rng.normal(0, 15, points.shape), [""] * len(points), [""] * len(points))


def _fed_lamp(scene: Scene, points: Floats) -> Said:
    """Each lamp of the outage once, then some again."""
    assert scene.lamps is not None
    return registered(scene.city.lamps, np.resize(scene.rng.permutation(scene.lamps), len(points)))


def _fed_cabinet(scene: Scene, points: Floats) -> Said:
    assert scene.cabinets is not None
    return registered(scene.city.cabinets, np.resize(scene.rng.permutation(scene.cabinets), len(points)))


def _cut(kind: str) -> Source:
    """Any asset of a kind behind the switches that the cut link carried."""

    def things(scene: Scene) -> Things:
        return _only(getattr(scene.city, kind), scene.switches)

    def speak(scene: Scene, points: Floats) -> Said:
        lost = things(scene)
        return registered(lost, np.resize(scene.rng.permutation(len(lost.ids)), len(points)))

    return Source(speak, things)


def _cut_link(scene: Scene, points: Floats) -> Said:
    return registered(scene.city.links, np.full(len(points), scene.link))


SOURCES: dict[str, Source] = {
    "lamp": _fixed("lamps", 60),
    "cabinet": _fixed("cabinets", 250),
    "gateway": _fixed("gateways", 1_500),
    "camera": _fixed("cameras", 1_500),
    "junction": _fixed("junctions", 1_500),
    "detector": _fixed("detectors", 450),
    "underpass": _fixed("underpasses", 60),
    "station": _fixed("stations", 1_500),
    "exit": _part("exit", 150, few=1),
    "fire": _part("fire", 120),
    "gas": _part("gas", 150),
    "door": _part("door", 150),
    "seen": Source(_seen, lambda scene: scene.city.cameras, 300),
    "phone": _person(30, 80),
    "call_112": _person(15, 70, wild=0.06),
    "app": _person(5, 45),
    "patrol": _mobile("patrol", 40, 35),
    "officer": _mobile("radio", 130, 10),
    "crew": _mobile("crew", 60, 12),
    "crew_water": _mobile("crew", 60, 12),
    "gritter": _mobile("gritter", 25, 5),
    "street": Source(_street),
    "bus": Source(_bus, _stretch, 350),
    "line": Source(_line, _stretch, 350),
    "fed_lamp": Source(_fed_lamp),
    "fed_cabinet": Source(_fed_cabinet),
    "cut_link": Source(_cut_link),
    "cut_camera": _cut("cameras"),
    "cut_gateway": _cut("gateways"),
    "cut_junction": _cut("junctions"),
}


def outage(rng: np.random.Generator, city: City, spot: Floats, lamps: int) -> Scene:
    """The scene of a feeder that fails at `spot` (m): its nearest cabinets, with about `lamps` lamps."""
    hit = int(distance_m(city.cabinets.xy, spot).argmin())
    same = np.flatnonzero(city.cabinet_feeder == city.cabinet_feeder[hit])
    order = same[np.argsort(distance_m(city.cabinets.xy[same], spot), kind="stable")]
    per_cabinet = len(city.lamps.ids) / len(city.cabinets.ids)
    cabinets = order[: max(2, int(np.ceil(lamps / per_cabinet / 0.92)))]
    return Scene(rng, city, lamps=np.flatnonzero(np.isin(city.lamp_cabinet, cabinets)), cabinets=cabinets)


def cut(rng: np.random.Generator, city: City, spot: Floats) -> Scene:
    """The scene of the fibre link nearest to `spot` (m) that is cut: the switches it carried are lost."""
    link = int(distance_m(city.links.xy, spot).argmin())
    lost = zip(city.switches.ids, city.switches.behind, strict=True)
    return Scene(rng, city, link=link, switches=frozenset(i for i, b in lost if b == city.links.ids[link]))


def served_by(city: City, gathers: str, spot: Floats) -> str:
    """The id of the feeder or link that a failure at `spot` (m) takes down; "" for a story without one."""
    if gathers == "feeder":
        return feeder_id(int(city.cabinet_feeder[distance_m(city.cabinets.xy, spot).argmin()]))
    if gathers == "link":
        return city.links.ids[int(distance_m(city.links.xy, spot).argmin())]
    return ""
