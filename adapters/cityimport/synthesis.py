"""What no inventory says, made up by rule and seed, and named as made up in ``city.toml``.

Powers and classes are typical of French street lighting [K: general knowledge, not a survey]; lighting
classes follow the logic of EN 13201-1: M for motor traffic, C for its conflict areas, P for people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from adapters.cityimport.rows import plain
from core.assets import NONE
from core.city import STREET_CLASSES

#: Lamps a cabinet feeds: about, and never more than.
CABINET_LAMPS = 85
CABINET_LIMIT = 120

#: Lamps of one street section that stay together in a cabinet.
_RUN = 24

#: Hours a year that the old park burned, and the accuracy of a class B meter (MID, EN 50470-3), per cent.
OLD_HOURS = 4100.0
METER_CLASS_PCT = 1.0

#: Watts of high-pressure sodium lamps with their ballast: the classes of 70, 100, 150 and 250 W [K].
HPS_70, HPS_100, HPS_150, HPS_250 = 83.0, 114.0, 169.0, 276.0

#: Presence sensors stand on one lamp in so many of these street classes, and see so far.
SENSOR_EVERY = 5
_SENSOR_RANGE_M = {STREET_CLASSES.index("collector"): 15.0, STREET_CLASSES.index("local"): 12.0}


@dataclass(frozen=True)
class _Rule:
    """Of a street class: the LED powers a street may have, the old ones, the lighting classes."""

    led_w: tuple[float, ...]
    old_w: tuple[float, ...]
    plain_road: str
    conflict_area: str


_RULES = (
    _Rule((90.0, 104.0, 118.0), (HPS_250,), "M3", "C2"),
    _Rule((62.0, 70.0, 78.0), (HPS_150, HPS_150, HPS_250), "M4", "C3"),
    _Rule((43.0, 50.0, 56.0), (HPS_100, HPS_150), "M5", "C4"),
    _Rule((28.0, 33.0, 38.0), (HPS_70, HPS_70, HPS_100), "P4", "C5"),
    _Rule((19.0, 24.0), (HPS_70,), "P5", "C5"),
)

#: Lanterns that do not take their power from the street, by a word of their type: LED and old watts.
_LANTERNS = {
    "projecteur": (72.0, HPS_150),
    "encastre": (12.0, HPS_70),
    "borne": (15.0, HPS_70),
    "ambiance": (27.0, HPS_70),
}


@dataclass(frozen=True)
class Lighting:
    """Attribute columns of the lamps, in the order given: arrays f64[n] and classes str[n]."""

    power_w: np.ndarray
    old_power_w: np.ndarray
    lighting_class: list[str]


def lighting(
    rng: np.random.Generator,
    edge: np.ndarray,
    edge_class: np.ndarray,
    conflict: np.ndarray,
    lanterns: Sequence[str],
) -> Lighting:
    """Powers and classes. A street section has one power: it was equipped in one go.

    ``edge`` u32[n] (NONE: as on a path), ``edge_class`` u8[edges], ``lanterns`` the known types or blank.
    """
    draw = rng.integers(0, 6, size=(len(edge_class) + 1, 2))  # 6: every list of powers divides it
    at = np.where(edge == NONE, len(edge_class), edge).astype(np.int64)
    classes = np.append(edge_class, STREET_CLASSES.index("path"))[at]
    power, old = np.zeros(len(edge)), np.zeros(len(edge))
    lighting_class = np.empty(len(edge), object)
    for code, rule in enumerate(_RULES):
        of = classes == code
        power[of] = np.array(rule.led_w)[draw[at[of], 0] % len(rule.led_w)]
        old[of] = np.array(rule.old_w)[draw[at[of], 1] % len(rule.old_w)]
        lighting_class[of] = np.where(conflict[of], rule.conflict_area, rule.plain_road)
    for kind in set(lanterns):
        for word, (led_w, old_w) in _LANTERNS.items():
            if word in plain(kind):
                of = np.array([each == kind for each in lanterns])
                power[of], old[of] = led_w, old_w
    return Lighting(power, old, lighting_class.tolist())


def cabinets(
    x: np.ndarray, y: np.ndarray, commune: np.ndarray, edge: np.ndarray, offset_m: np.ndarray
) -> np.ndarray:
    """The cabinet i64[n] of each lamp, numbered from 0: neighbours of one commune, street by street.

    Runs of up to 24 lamps of one street section stay together; the runs of a commune are halved along
    their wider side until each part is about CABINET_LAMPS. Nothing is drawn by lot.
    """
    run = _runs(commune, edge, offset_m)
    size = np.bincount(run)
    centre = np.column_stack([np.bincount(run, x), np.bincount(run, y)]) / size[:, None]
    commune_of = np.zeros(len(size), np.int64)
    commune_of[run] = commune
    part = np.zeros(len(size), np.int64)
    parts = 0
    for each in np.unique(commune_of):
        runs = np.flatnonzero(commune_of == each)
        lamps = size[runs].sum()
        # Halving is uneven by up to a run, so the average keeps that far from the limit.
        wanted = max(round(lamps / CABINET_LAMPS), -(-lamps // (CABINET_LIMIT - _RUN - 4)))
        for group in _halve(runs, centre, size, int(wanted)):
            part[group] = parts
            parts += 1
    return part[run]


def _runs(commune: np.ndarray, edge: np.ndarray, offset_m: np.ndarray) -> np.ndarray:
    n = len(edge)
    order = np.lexsort((offset_m, edge, commune))
    key = np.column_stack([commune[order].astype(np.int64), edge[order].astype(np.int64)])
    new = np.ones(n, bool)
    new[1:] = (np.diff(key, axis=0) != 0).any(axis=1)
    first_of = np.maximum.accumulate(np.where(new, np.arange(n), 0))
    # A lamp on no street is a run of its own: what stands far apart is not fed together for that.
    new |= ((np.arange(n) - first_of) % _RUN == 0) | (key[:, 1] == NONE)
    run = np.empty(n, np.int64)
    run[order] = np.cumsum(new) - 1
    return run


def _halve(runs: np.ndarray, centre: np.ndarray, size: np.ndarray, parts: int) -> list[np.ndarray]:
    if parts <= 1 or len(runs) <= 1:
        return [runs]
    wide = np.argmax(np.ptp(centre[runs], axis=0))
    order = runs[np.argsort(centre[runs, wide], kind="stable")]
    lamps = np.cumsum(size[order])
    left = parts // 2
    cut = int(np.argmin(np.abs(lamps - lamps[-1] * left / parts))) + 1
    cut = min(max(cut, 1), len(order) - 1)
    return _halve(order[:cut], centre, size, left) + _halve(order[cut:], centre, size, parts - left)


def sensors(
    rng: np.random.Generator, edge: np.ndarray, offset_m: np.ndarray, edge_class: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Lamps i64[m] (ascending) that carry a presence sensor and its range f64[m] in metres.

    Every fifth lamp along a collector or local street section, from a first one drawn for the section.
    """
    start = rng.integers(0, SENSOR_EVERY, size=len(edge_class))
    on_street = np.flatnonzero(edge != NONE)
    order = on_street[np.lexsort((offset_m[on_street], edge[on_street]))]
    section = edge[order].astype(np.int64)
    rank = np.arange(len(order)) - np.searchsorted(section, section)
    ranges = np.array([_SENSOR_RANGE_M.get(code, 0.0) for code in range(len(STREET_CLASSES))])
    range_m = ranges[edge_class[section]]
    chosen = (range_m > 0) & ((rank + start[section]) % SENSOR_EVERY == 0)
    lamps = order[chosen]
    by_lamp = np.argsort(lamps)
    return lamps[by_lamp], range_m[chosen][by_lamp]
