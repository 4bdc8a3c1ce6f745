"""The lighting park: all that follows from the city and the settings, and stands still until they change."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from ondijon import NONE, City, dimming
from plugins.lighting import calendar, classes, energy
from plugins.lighting.graph import lamp_graph
from plugins.lighting.settings import Calendar, Settings

#: The year whose nights stand for all: dusk and dawn move by seconds from one year to the next.
YEAR = 2026


@dataclass(frozen=True)
class Lamps:
    """Columns over all lamps, in the order of ``asset``; retired ones keep their place.

    ``asset`` u32 ascending; ``position`` u32[all assets] leads back (NONE: not a lamp). ``cabinet`` u32
    positions (the number of cabinets: none feeds it); ``commune`` u16 (the number of communes: it lies in none);
    ``x``, ``y`` f64 metres of the city's plane; ``power_w``, ``old_power_w``, ``old_hours``, ``illuminance_lx`` f64;
    ``floor_pct`` u8; ``conflict``, ``in_service`` bool.
    """

    asset: np.ndarray
    position: np.ndarray
    cabinet: np.ndarray
    commune: np.ndarray
    x: np.ndarray
    y: np.ndarray
    power_w: np.ndarray
    old_power_w: np.ndarray
    old_hours: np.ndarray
    illuminance_lx: np.ndarray
    floor_pct: np.ndarray
    conflict: np.ndarray
    in_service: np.ndarray

    def __len__(self) -> int:
        return len(self.asset)

    def held_pct(self, level_pct: np.ndarray | int) -> np.ndarray:
        """[lamps]: what each lamp holds by night where its calendar says ``level_pct``.

        A dimmed lamp keeps its class floor. One that is put out goes dark, unless it lights a conflict area.
        """
        put_out = (level_pct == 0) & ~self.conflict
        return np.where(put_out, 0, np.maximum(level_pct, self.floor_pct))


@dataclass(frozen=True)
class Sensors:
    """Columns over all presence sensors. ``row`` u32: a sensor's row in ``reach`` (NONE: out of service)."""

    asset: np.ndarray
    position: np.ndarray
    row: np.ndarray
    reach: dimming.Reach

    def __len__(self) -> int:
        return len(self.asset)


@dataclass(frozen=True)
class Cabinets:
    """Columns over all cabinets: ``meter_class_pct`` f64, ``in_service`` bool, ``power_w`` f64 they feed."""

    asset: np.ndarray
    position: np.ndarray
    meter_class_pct: np.ndarray
    in_service: np.ndarray
    power_w: np.ndarray

    def __len__(self) -> int:
        return len(self.asset)


@dataclass(frozen=True)
class Park:
    """What the hooks get as ``fixed``. ``delivered`` [communes + 1]: the calendar that the devices of each commune, and
    those in none, were delivered with; ``nights`` stand for a year, ``yearly`` is what follows from them;
    ``steady_w`` as in ``energy``.
    """

    city: City
    settings: Settings
    place: calendar.Place
    communes: tuple[str, ...]
    delivered: tuple[Calendar, ...]
    nights: tuple[calendar.Night, ...]
    lamps: Lamps
    sensors: Sensors
    cabinets: Cabinets
    yearly: energy.Year
    steady_w: np.ndarray


def build(city: City, settings: Settings) -> Park:
    """Derive the park. Raises ValueError for a commune or lighting class that does not exist."""
    zone = ZoneInfo(city.description.timezone)
    place = calendar.Place(*city.centre, zone, settings.depression_deg)
    lamps = _lamps(city, settings)
    nights = calendar.year_nights(place, YEAR)
    yearly = energy.year(lamps, nights, settings.energy)
    cabinets = _cabinets(city, lamps)
    return Park(
        city=city,
        settings=settings,
        place=place,
        communes=tuple(city.communes.names),
        delivered=_delivered(city, settings),
        nights=nights,
        lamps=lamps,
        sensors=_sensors(city, settings, lamps),
        cabinets=cabinets,
        yearly=yearly,
        steady_w=energy.steady_w(lamps, yearly, len(cabinets)),
    )


def _lamps(city: City, settings: Settings) -> Lamps:
    assets = city.assets
    asset = assets.of_kind("lamp")
    in_service = assets.in_service()[asset]
    conflict = _attribute(city, "lamp", "conflict", bool)
    installed = _attribute(city, "lamp", "lighting_class", object)
    cabinets = assets.of_kind("cabinet")
    cabinet = _look_up(_position(cabinets, len(assets)), assets.parent[asset])
    lux = {
        name: classes.illuminance_lx(name, settings.energy.luminance_coefficient) for name in set(installed)
    }
    x, y = city.project(assets.lon[asset], assets.lat[asset])
    return Lamps(
        asset=asset,
        position=_position(asset, len(assets)),
        cabinet=np.where(cabinet == NONE, len(cabinets), cabinet).astype(np.uint32),
        commune=np.minimum(assets.commune[asset], len(city.communes.names)),
        x=x,
        y=y,
        power_w=_attribute(city, "lamp", "power_w", np.float64),
        old_power_w=_attribute(city, "lamp", "old_power_w", np.float64),
        old_hours=_attribute(city, "lamp", "old_hours", np.float64),
        illuminance_lx=np.array([lux[name] for name in installed], np.float64),
        floor_pct=_floors(installed, conflict, settings),
        conflict=conflict,
        in_service=in_service,
    )


def _sensors(city: City, settings: Settings, lamps: Lamps) -> Sensors:
    """Only sensors in service on a lamp in service see anybody, and only such lamps are linked."""
    assets = city.assets
    asset = assets.of_kind("presence_sensor")
    lamp = _look_up(lamps.position, assets.parent[asset])
    works = assets.in_service()[asset] & (lamp != NONE)
    works[works] &= lamps.in_service[lamp[works]]
    row = np.full(len(asset), NONE, np.uint32)
    row[works] = np.arange(works.sum())
    start, to = _between_working(city, lamps, settings.presence.link_m)
    boost = np.array(settings.presence.levels(), np.uint8)
    return Sensors(asset, _position(asset, len(assets)), row, dimming.Reach(start, to, lamp[works], boost))


def _between_working(city: City, lamps: Lamps, link_m: float) -> tuple[np.ndarray, np.ndarray]:
    """The lamp graph over the positions of all lamps, with links only between those in service."""
    working = np.flatnonzero(lamps.in_service)
    start, to = lamp_graph(city, lamps.asset[working], link_m)
    degree = np.zeros(len(lamps), np.int64)
    degree[working] = np.diff(start)
    return np.concatenate([[0], np.cumsum(degree)]).astype(np.uint32), working[to].astype(np.uint32)


def _cabinets(city: City, lamps: Lamps) -> Cabinets:
    asset = city.assets.of_kind("cabinet")
    fed = energy.by_cabinet(lamps, lamps.power_w, len(asset))[:-1]
    return Cabinets(
        asset=asset,
        position=_position(asset, len(city.assets)),
        meter_class_pct=_attribute(city, "cabinet", "meter_class_pct", np.float64),
        in_service=city.assets.in_service()[asset],
        power_w=fed,
    )


def _delivered(city: City, settings: Settings) -> tuple[Calendar, ...]:
    """[communes + 1]: the calendar that the settings give each commune, and what lies in none."""
    names = city.communes.names
    others = next(each for each in settings.calendars if not each.communes)
    out: list[Calendar] = [others] * (len(names) + 1)
    for each in settings.calendars:
        for name in each.communes:
            if name not in names:
                raise ValueError(f"a calendar names the commune {name!r}; the city has {', '.join(names)}.")
            out[names.index(name)] = each
    return tuple(out)


def _floors(installed: np.ndarray, conflict: np.ndarray, settings: Settings) -> np.ndarray:
    """u8[lamps]: the level (%) below which a lamp leaves the lowest class its street accepts."""
    known: dict[tuple[str, bool], int] = {}
    for name, is_conflict in set(zip(installed.tolist(), conflict.tolist(), strict=True)):
        floors = settings.floors
        lowest = classes.lower(name, floors.classes_down_conflict if is_conflict else floors.classes_down)
        if not is_conflict:
            lowest = floors.lowest.get(name, lowest)
        known[name, is_conflict] = classes.floor_pct(name, lowest)
    pairs = zip(installed.tolist(), conflict.tolist(), strict=True)
    return np.array([known[pair] for pair in pairs], np.uint8)


def _attribute(city: City, kind: str, name: str, dtype: type) -> np.ndarray:
    """An attribute column; empty where the city has no asset of the kind."""
    if not len(city.assets.of_kind(kind)):
        return np.empty(0, dtype)
    return city.assets.attribute(kind, name, dtype)


def _position(asset: np.ndarray, assets: int) -> np.ndarray:
    """u32[assets]: where each asset stands in ``asset``; NONE for the others."""
    out = np.full(assets, NONE, np.uint32)
    out[asset] = np.arange(len(asset))
    return out


def _look_up(position: np.ndarray, asset: np.ndarray) -> np.ndarray:
    """``position`` of each asset, where the asset may be nothing (beyond the register)."""
    known = asset < len(position)
    return np.where(known, position[np.where(known, asset, 0)], NONE).astype(np.uint32)
