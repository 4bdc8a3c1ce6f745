"""One city from its parts: streets, communes, positions of things; the rest is synthesis.

Order of the register: cabinets, lamps (those of one cabinet together, in street order), presence
sensors in the order of their lamps, junctions, cameras.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from adapters.cityimport import placement, synthesis
from adapters.cityimport.boundary import commune_of
from core.assets import NONE, Assets
from core.city import City, Communes, Description, Streets
from ondijon.streets import StreetMap

KINDS = ("cabinet", "lamp", "presence_sensor", "junction", "camera")

#: Who wants to know how far the work is is told in a sentence.
Progress = Callable[[str], None]


def _nothing() -> np.ndarray:
    return np.empty((0, 2))


@dataclass(frozen=True)
class Parts:
    """What is known of a city before synthesis: positions are (lon, lat) f64[n, 2].

    ``lanterns`` and ``old_power_w`` (NaN: unknown) belong to ``lamps``. ``crossings`` are signals that
    guard no junction; they only mark conflict areas.
    """

    description: Description
    streets: Streets
    communes: Communes
    lamps: np.ndarray
    lanterns: Sequence[str] = ()
    old_power_w: np.ndarray | None = None
    junctions: np.ndarray = field(default_factory=_nothing)
    junction_names: Sequence[str] = ()
    crossings: np.ndarray = field(default_factory=_nothing)
    cameras: np.ndarray = field(default_factory=_nothing)
    camera_names: Sequence[str] = ()


@dataclass(frozen=True)
class _Placed:
    """Things of one kind, on the streets and in the communes. All arrays are [n]."""

    lon: np.ndarray
    lat: np.ndarray
    edge: np.ndarray
    offset_m: np.ndarray
    commune: np.ndarray
    outside: int = 0

    def __len__(self) -> int:
        return len(self.lon)

    def take(self, order: np.ndarray) -> _Placed:
        """These things in another order."""
        return _Placed(
            self.lon[order], self.lat[order], self.edge[order], self.offset_m[order], self.commune[order]
        )


@dataclass(frozen=True)
class Register:
    """The city, and what the report wants to know of its making."""

    city: City
    far_from_street: dict[str, int]
    outside_communes: dict[str, int]


def assemble(parts: Parts, seed: int, progress: Progress) -> Register:
    """Place all things, make up by ``seed`` what is not known, and number the register."""
    rng = np.random.default_rng(seed)
    bare = City(parts.description, parts.communes, parts.streets, _no_assets())
    street_map = StreetMap(bare)
    progress(f"placing {len(parts.lamps):,} lamps on {parts.streets.edges:,} street sections")
    things = {
        "lamp": _place(street_map, parts.lamps),
        "junction": _place(street_map, parts.junctions),
        "camera": _place(street_map, parts.cameras),
    }
    progress("grouping lamps into cabinets")
    lamps = things["lamp"]
    x, y = bare.project(lamps.lon, lamps.lat)
    cabinet = synthesis.cabinets(x, y, lamps.commune, lamps.edge, lamps.offset_m)
    order = np.lexsort((lamps.offset_m, lamps.edge, cabinet))
    things["lamp"], cabinet = lamps.take(order), cabinet[order]
    city = bare.with_assets(_Numbering(parts, things, cabinet, order, rng, bare).assets())
    return Register(
        city,
        {kind: int(np.count_nonzero(of.edge == NONE)) for kind, of in things.items()},
        {"lamp": lamps.outside, "junction": things["junction"].outside, "camera": things["camera"].outside},
    )


def _place(street_map: StreetMap, positions: np.ndarray) -> _Placed:
    lon, lat = np.ascontiguousarray(positions[:, 0]), np.ascontiguousarray(positions[:, 1])
    places = street_map.nearest(lon, lat, within_m=placement.REACH_M)
    commune, outside = commune_of(street_map.city.communes, lon, lat)
    return _Placed(lon, lat, places.edge, places.offset_m.astype(np.float32), commune, outside)


class _Numbering:
    """The columns of the register, kind after kind. Lamps come sorted by ``cabinet``."""

    def __init__(
        self,
        parts: Parts,
        things: Mapping[str, _Placed],
        cabinet: np.ndarray,
        order: np.ndarray,
        rng: np.random.Generator,
        city: City,
    ) -> None:
        self._parts = parts
        self._things = dict(things)
        self._cabinet = cabinet
        self._order = order
        self._rng = rng
        self._city = city
        self._cabinets = int(cabinet.max()) + 1 if len(cabinet) else 0

    def assets(self) -> Assets:
        """The whole register."""
        streets, lamps = self._parts.streets, self._things["lamp"]
        carriers, range_m = synthesis.sensors(self._rng, lamps.edge, lamps.offset_m, streets.edge_class)
        self._things["presence_sensor"] = lamps.take(carriers)
        self._things["cabinet"] = self._beside_their_lamps()
        count = {kind: len(self._things[kind]) for kind in KINDS}
        ids = {kind: _ids(letter, n) for letter, (kind, n) in zip("ALSJC", count.items(), strict=True)}
        first_lamp = self._cabinets
        none = {kind: np.full(n, NONE, np.uint32) for kind, n in count.items()}
        own = np.arange(self._cabinets)
        names = self._names(carriers, ids)
        return Assets(
            ids=[id for kind in KINDS for id in ids[kind]],
            names=[name for kind in KINDS for name in names[kind]],
            kinds=KINDS,
            gateways=[f"gw-{id}" for id in ids["cabinet"]],
            columns={
                "kind": np.repeat(np.arange(len(KINDS)), list(count.values())),
                "parent": self._column(
                    none | {"lamp": self._cabinet, "presence_sensor": first_lamp + carriers}
                ),
                "gateway": self._column(
                    none | {"cabinet": own, "lamp": self._cabinet, "presence_sensor": self._cabinet[carriers]}
                ),
                "since": np.zeros(sum(count.values())),
                "until": np.zeros(sum(count.values())),
            }
            | {
                name: self._column({kind: getattr(of, name) for kind, of in self._things.items()})
                for name in ("lon", "lat", "edge", "offset_m", "commune")
            },
            attributes={
                "cabinet": {"meter_class_pct": [synthesis.METER_CLASS_PCT] * self._cabinets},
                "lamp": self._lamp_attributes(),
                "presence_sensor": {"range_m": range_m.tolist()},
                "junction": {"arms": placement.arms(streets, self._parts.junctions).tolist()},
                "camera": {},
            },
        )

    def _column(self, of: Mapping[str, np.ndarray]) -> np.ndarray:
        return np.concatenate([of[kind] for kind in KINDS])

    def _beside_their_lamps(self) -> _Placed:
        """Each cabinet beside the lamp nearest to the middle of its lamps, two metres to the east."""
        lamps = self._things["lamp"]
        x, y = self._city.project(lamps.lon, lamps.lat)
        size = np.bincount(self._cabinet, minlength=self._cabinets)
        middle = [np.bincount(self._cabinet, axis, self._cabinets) / size for axis in (x, y)]
        away = np.hypot(x - middle[0][self._cabinet], y - middle[1][self._cabinet])
        order = np.lexsort((away, self._cabinet))
        _, first = np.unique(self._cabinet[order], return_index=True)
        beside = lamps.take(order[first])
        east, _ = self._city.project(np.array(self._city.centre[0] + 1.0), np.array(self._city.centre[1]))
        return _Placed(beside.lon + 2.0 / east, beside.lat, beside.edge, beside.offset_m, beside.commune)

    def _lamp_attributes(self) -> dict[str, Sequence[Any]]:
        parts, lamps = self._parts, self._things["lamp"]
        signals = np.vstack([parts.junctions, parts.crossings])
        conflict = placement.in_conflict_area(self._city, lamps.lon, lamps.lat, signals)
        lanterns = [parts.lanterns[i] for i in self._order] if len(parts.lanterns) else [""] * len(lamps)
        lit = synthesis.lighting(self._rng, lamps.edge, parts.streets.edge_class, conflict, lanterns)
        old = lit.old_power_w
        if parts.old_power_w is not None:
            known = parts.old_power_w[self._order]
            old = np.where(np.isfinite(known), known, old)
        return {
            "power_w": lit.power_w.tolist(),
            "old_power_w": old.tolist(),
            "old_hours": [synthesis.OLD_HOURS] * len(lamps),
            "lighting_class": lit.lighting_class,
            "conflict": conflict.tolist(),
        }

    def _names(self, carriers: np.ndarray, ids: Mapping[str, list[str]]) -> dict[str, Sequence[str]]:
        lamps = _lamp_names(self._parts.streets, self._things["lamp"])
        street = _street_names(self._parts.streets, self._things["cabinet"].edge)
        return {
            "cabinet": [f"Armoire {id}, {of}" for id, of in zip(ids["cabinet"], street, strict=True)],
            "lamp": lamps,
            "presence_sensor": [f"Détecteur, {lamps[i]}" for i in carriers],
            "junction": [a or b for a, b in zip(self._parts.junction_names, ids["junction"], strict=True)],
            "camera": [a or b for a, b in zip(self._parts.camera_names, ids["camera"], strict=True)],
        }


def _ids(letter: str, n: int) -> list[str]:
    width = 5 if letter in "LS" else 4
    return [f"{letter}{i:0{width}d}" for i in range(1, n + 1)]


def _street_names(streets: Streets, edge: np.ndarray) -> list[str]:
    return ["Hors voirie" if e == NONE else streets.names[streets.edge_name[e]] for e in edge.tolist()]


def _lamp_names(streets: Streets, lamps: _Placed) -> list[str]:
    """``Rue Monge, 12``: numbered along each street, section after section."""
    street = _street_names(streets, lamps.edge)
    last: dict[str, int] = {}
    names = [""] * len(lamps)
    for i in np.lexsort((lamps.offset_m, lamps.edge)).tolist():
        last[street[i]] = last.get(street[i], 0) + 1
        names[i] = f"{street[i]}, {last[street[i]]}"
    return names


def _no_assets() -> Assets:
    return Assets(
        ids=(),
        names=(),
        kinds=(),
        gateways=(),
        columns={c: np.empty(0) for c in Assets.COLUMNS},
        attributes={},
    )
