"""What stands in the streets of an invented city: lamps, signalised junctions, cameras."""

from __future__ import annotations

import numpy as np
import shapely

from adapters.cityimport.streetplan import Plan
from core.city import STREET_CLASSES

_COLLECTOR, _PATH = STREET_CLASSES.index("collector"), STREET_CLASSES.index("path")

#: Lamps: metres between two along a street of the class, and from its middle.
_SPACING_M = (27.0, 27.0, 28.0, 30.0, 26.0)
_ASIDE_M = (8.0, 6.5, 5.5, 4.5, 2.5)


def lamps(plan: Plan, street_class: np.ndarray, shapes: list[np.ndarray], wanted: int) -> np.ndarray:
    """Exactly ``wanted`` lamps f64[n, 2] beside the lit streets, wide ones on both sides."""
    lines = shapely.linestrings(
        np.vstack(shapes), indices=np.repeat(np.arange(len(shapes)), [len(s) for s in shapes])
    )
    length = shapely.length(lines)
    share = np.where(plan.lit, length / np.array(_SPACING_M)[street_class], 0.0)
    exact = share * wanted / share.sum()
    count = np.floor(exact).astype(np.int64)
    rest = np.argsort(count - exact, kind="stable")[: wanted - count.sum()]
    count[rest] += 1
    edge = np.repeat(np.arange(len(lines)), count)
    rank = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count)
    at = (rank + 0.5) / count[edge] * length[edge]
    here = shapely.get_coordinates(shapely.line_interpolate_point(lines[edge], at))
    ahead = shapely.get_coordinates(
        shapely.line_interpolate_point(lines[edge], np.minimum(at + 1.0, length[edge]))
    )
    way = ahead - here
    left = np.column_stack([-way[:, 1], way[:, 0]]) / np.maximum(np.hypot(*way.T), 1e-9)[:, None]
    both = street_class[edge] <= _COLLECTOR
    side = np.where(both & (rank % 2 == 1), -1.0, 1.0) * np.where(edge % 2 == 0, 1.0, -1.0)
    return here + left * (side * np.array(_ASIDE_M)[street_class[edge]])[:, None]


def signals(plan: Plan, street_class: np.ndarray, wanted: int) -> np.ndarray:
    """Nodes i64[wanted]: the junctions of the largest streets, not two at one place."""
    weight = np.array([9.0, 5.0, 2.0, 0.4, 0.0])[street_class] * plan.lit
    busy = np.bincount(plan.edges[:, 0], weight, len(plan.xy)) + np.bincount(
        plan.edges[:, 1], weight, len(plan.xy)
    )
    driven = np.bincount(plan.edges[street_class != _PATH].ravel(), minlength=len(plan.xy))
    central = np.hypot(*plan.xy.T) / np.hypot(*plan.xy.T).max()
    order = np.lexsort((np.where(driven >= 3, -busy + 12 * central, np.inf),))
    chosen: list[int] = []
    for apart in (150.0, 60.0, 0.0):  # a very small city has to take neighbours
        for node in order.tolist():
            if len(chosen) == wanted:
                return np.array(chosen)
            near = np.hypot(*(plan.xy[chosen] - plan.xy[node]).T) if chosen else np.array([np.inf])
            if driven[node] >= 3 and near.min() > apart:
                chosen.append(node)
    return np.array(chosen)


def crossing_name(plan: Plan, names: list[str], node: int) -> str:
    """A junction is called by its streets: ``Rue Monge / Avenue de Talant``."""
    at = np.flatnonzero((plan.edges == node).any(axis=1))
    return " / ".join(list(dict.fromkeys(names[e] for e in at))[:3])


def cameras(
    rng: np.random.Generator, plan: Plan, street_class: np.ndarray, wanted: int
) -> tuple[np.ndarray, np.ndarray]:
    """Positions f64[wanted, 2] beside street corners, most in the centre, and the street of each."""
    middle = plan.xy[plan.edges].mean(axis=1)
    weight = np.exp(-np.hypot(*middle.T) / 2_200.0) * np.array([2.5, 2.0, 1.5, 1.0, 0.7])[street_class]
    edge = rng.choice(len(weight), size=wanted, replace=wanted > len(weight), p=weight / weight.sum())
    edge.sort()
    return plan.xy[plan.edges[edge, 0]] + rng.uniform(-7.0, 7.0, size=(wanted, 2)), edge
