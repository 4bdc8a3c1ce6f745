"""An invented city: Dijon's size, names and rough places of communes; all else drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from adapters.cityimport import furniture, streetnames, streetplan
from adapters.cityimport.network import Lines
from adapters.cityimport.town import CENTRE, FULL_CAMERAS, FULL_JUNCTIONS, FULL_LAMPS, outlines, town_of
from core.city import Communes


@dataclass(frozen=True)
class Invented:
    """What an inventory of this city would hold; positions are (lon, lat) f64[n, 2]."""

    name: str
    lines: Lines
    communes: Communes
    lamps: np.ndarray
    junctions: np.ndarray
    junction_names: list[str]
    cameras: np.ndarray
    camera_names: list[str]


def generate(seed: int, lamps: int = FULL_LAMPS) -> Invented:
    """The invented city with that many lamps; junctions, cameras and communes are scaled with them."""
    rng = np.random.default_rng(seed)
    town = town_of(lamps)
    plan = streetplan.plan_of(rng, town)
    stroke = streetplan.strokes(plan)
    street_class = streetplan.classes(rng, plan, stroke, town)
    oneway = streetplan.oneways(rng, plan, stroke, street_class, town)
    names = streetnames.draw(rng, stroke, plan.avenue, street_class, town.names[1:])
    shapes = streetplan.shapes(rng, plan)
    share = lamps / FULL_LAMPS
    junctions = furniture.signals(plan, street_class, max(2, round(FULL_JUNCTIONS * share)))
    cameras, along = furniture.cameras(rng, plan, street_class, max(2, round(FULL_CAMERAS * share)))
    return Invented(
        name="Dijon (invented)",
        lines=Lines(
            np.array([shapely.LineString(CENTRE.degrees(xy)) for xy in shapes]),
            street_class.astype(np.uint8),
            oneway.astype(np.int8),
            names,
            np.arange(len(shapes)),
        ),
        communes=outlines(rng, town, plan.xy),
        lamps=CENTRE.degrees(furniture.lamps(plan, street_class, shapes, lamps)),
        junctions=CENTRE.degrees(plan.xy[junctions]),
        junction_names=[furniture.crossing_name(plan, names, node) for node in junctions],
        cameras=CENTRE.degrees(cameras),
        camera_names=[f"Caméra, {names[edge]}" for edge in along],
    )
