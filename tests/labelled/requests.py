"""Citizens' reports over days, many of them about a problem that somebody else reported already.

The set was written without knowledge of the rules that it judges.
"""

from __future__ import annotations

import msgspec
import numpy as np

from tests.labelled.city import City, Floats, Things, build, degrees, distance_m, generator
from tests.labelled.sources import off
from tests.labelled.words import sentence

_DAY_S = 86_400.0
_HOUR_S = 3_600.0
_PLOT_M = 24.0


class Report(msgspec.Struct, frozen=True):
    """What one citizen reports.

    `at_s`: seconds from begin (a midnight); `category`: one of `CATEGORIES`, wrong in 5 %; `lon`, `lat`:
    degrees, 5 to 40 m off, up to 150 m where only the street is known; `asset`: "" or the number that the
    citizen gave; `words`: a short French sentence; `truth`: number of the true problem.
    """

    at_s: float
    category: str
    lon: float
    lat: float
    asset: str
    words: str
    truth: int


class Problem(msgspec.Struct, frozen=True):
    """A true problem: where it is (degrees), from when until when (seconds) it is there in the field.

    `asset`: the id of the thing, known to the register even if no citizen gave it, or "".  `again_of`: the
    number of the fixed problem that this one repeats at the same place, or -1.
    """

    number: int
    category: str
    lon: float
    lat: float
    asset: str
    opened_s: float
    fixed_s: float
    again_of: int


class Category(msgspec.Struct, frozen=True):
    """Relative number, median hours until fixed, what it is taken for, how often the asset is given."""

    share: float
    fixed_h: float
    confused: tuple[str, ...]
    asset: str = ""
    known: float = 0.0


CATEGORIES: dict[str, Category] = {
    "lamp_out": Category(0.13, 70, ("signal_out", "bus_shelter"), "lamp", 0.6),
    "pothole": Category(
        0.11,
        120,
        ("manhole", "sign_damaged"),
    ),
    "graffiti": Category(0.07, 140, ("tag_removal", "street_cleaning")),
    "waste_dumped": Category(0.14, 50, ("street_cleaning", "rats")),
    "fallen_tree": Category(0.03, 20, ("street_cleaning", "sign_damaged")),
    "water_leak": Category(0.04, 24, ("manhole", "pothole")),
    "noise": Category(0.05, 60, ("abandoned_car", "dog_mess")),
    "abandoned_car": Category(0.05, 190, ("noise", "waste_dumped")),
    "signal_out": Category(0.02, 10, ("lamp_out", "sign_damaged"), "junction", 0.4),
    "bench_broken": Category(0.03, 160, ("bus_shelter", "playground")),
    "dead_animal": Category(0.02, 16, ("street_cleaning", "rats")),
    "playground": Category(0.02, 100, ("bench_broken",), "playground", 0.5),
    "dog_mess": Category(0.04, 60, ("street_cleaning",)),
    "snow_path": Category(0.03, 20, ("street_cleaning", "pothole")),
    "tag_removal": Category(0.05, 120, ("graffiti",)),
    "sign_damaged": Category(0.04, 90, ("signal_out", "pothole")),
    "manhole": Category(0.03, 40, ("pothole", "water_leak")),
    "bus_shelter": Category(0.03, 80, ("bench_broken", "lamp_out"), "shelter", 0.7),
    "rats": Category(0.03, 150, ("waste_dumped",)),
    "street_cleaning": Category(0.07, 50, ("waste_dumped", "dog_mess")),
}
_NAMES = tuple(CATEGORIES)


class _Site(msgspec.Struct, frozen=True):
    """A place (m), its asset's index of the kind (-1: none), its street's number, heading and middle (m)."""

    xy: Floats
    index: int
    street: int
    heading: Floats
    middle: Floats


class _Case(msgspec.Struct, frozen=True):
    category: str
    site: _Site
    opened_s: float
    fixed_s: float
    again_of: int = -1


class _World(msgspec.Struct, frozen=True):
    rng: np.random.Generator
    city: City
    kinds: dict[str, Things]
    end_s: float


def reports(seed: int, days: int = 14, problems: int = 2000) -> tuple[list[Report], list[Problem]]:
    """Reports of `days` days by time, and the `problems` true problems by number.

    Seven problems of ten are reported once, three two to twelve times while they are open.  About three of
    ten lie 15 to 120 m from another of their category that is open at the same time; about one of twelve
    repeats a fixed one at the same place and is a problem of its own.
    """
    rng = generator(seed)
    city = build(rng)
    world = _World(rng, city, _kinds(rng, city), days * _DAY_S)
    cases = _cases(world, problems)
    told = [report for number, case in enumerate(cases) for report in _told(world, case, number)]
    told.sort(key=lambda report: (report.at_s, report.truth))
    return told, [_problem(world, case, number) for number, case in enumerate(cases)]


def _problem(world: _World, case: _Case, number: int) -> Problem:
    lon, lat = degrees(case.site.xy).tolist()
    asset = _asset_id(world, case.category, case.site.index)
    return Problem(number, case.category, lon, lat, asset, case.opened_s, case.fixed_s, case.again_of)


def _kinds(rng: np.random.Generator, city: City) -> dict[str, Things]:
    shelters = city.line_xy[rng.choice(len(city.line_xy), 600, replace=False)] + rng.normal(0, 4, (600, 2))
    playgrounds = city.streets.points(rng, 140)[0] + rng.normal(0, 25, (140, 2))
    return {
        "lamp": city.lamps,
        "junction": city.junctions,
        "shelter": Things([f"shelter/{k:03d}" for k in range(1, 601)], shelters, [""] * 600),
        "playground": Things([f"playground/{k:03d}" for k in range(1, 141)], playgrounds, [""] * 140),
    }


def _asset_id(world: _World, category: str, index: int) -> str:
    return world.kinds[CATEGORIES[category].asset].ids[index] if index >= 0 else ""


# --- which problems ---


def _cases(world: _World, problems: int) -> list[_Case]:
    rng = world.rng
    share = np.array([CATEGORIES[name].share for name in _NAMES])
    names = [_NAMES[k] for k in rng.choice(len(_NAMES), problems, p=share / share.sum()).tolist()]
    cases: list[_Case] = []
    taken: set[tuple[str, int]] = set()
    repeated: set[int] = set()
    for name, luck in zip(names, rng.random(problems).tolist(), strict=True):
        case = None
        if cases and luck < 0.09:
            case = _again(world, cases, repeated)
        elif cases and luck < 0.41:
            case = _neighbour(world, cases, taken)
        cases.append(case or _alone(world, name, taken))
    return cases


def _alone(world: _World, name: str, taken: set[tuple[str, int]]) -> _Case:
    """A problem anywhere on the streets; of an asset without a problem while there is one."""
    rng, kind = world.rng, CATEGORIES[name].asset
    point, street = world.city.streets.points(rng, 1)
    xy, index = point[0] + rng.normal(0, 4, 2), -1
    if kind:
        things = world.kinds[kind]
        index = next(
            (k for k in rng.integers(len(things.ids), size=50).tolist() if (kind, k) not in taken), -1
        )
        xy = things.xy[index] if index >= 0 else xy
    if kind and index >= 0:
        taken.add((kind, index))
    return _Case(name, _site(world, xy, index, kind, int(street[0])), *_open(world, name))


def _site(world: _World, xy: Floats, index: int, kind: str, street: int) -> _Site:
    """The place with its street; a thing away from the drawn street has one of its own, through itself."""
    streets = world.city.streets
    if kind == "lamp" and index >= 0:
        street = int(world.city.lamp_street[index])
    own = index >= 0 and kind != "lamp"
    heading = streets.heading[street]
    middle = xy + heading * world.rng.uniform(-250, 250) if own else streets.middle[street]
    return _Site(xy, index, street, heading, middle)


def _neighbour(world: _World, cases: list[_Case], taken: set[tuple[str, int]]) -> _Case | None:
    """A different problem of the same category 15 to 120 m away, begun while the first one is open."""
    rng = world.rng
    first = cases[int(rng.integers(len(cases)))]
    kind = CATEGORIES[first.category].asset
    until = min(first.fixed_s, world.end_s * 0.99)
    if until - first.opened_s < _HOUR_S:
        return None
    site = (
        _thing_beside(world, first.site, kind, taken)
        if first.site.index >= 0
        else _place_beside(rng, first.site)
    )
    if site is None:
        return None
    opened = float(rng.uniform(first.opened_s, until))
    return _Case(first.category, site, opened, opened + _lasts(rng, first.category))


def _thing_beside(world: _World, site: _Site, kind: str, taken: set[tuple[str, int]]) -> _Site | None:
    things = world.kinds[kind]
    apart = distance_m(things.xy, site.xy)
    near = [k for k in np.flatnonzero((apart >= 15) & (apart <= 120)).tolist() if (kind, k) not in taken]
    if not near:
        return None
    index = near[int(world.rng.integers(len(near)))]
    taken.add((kind, index))
    return _site(world, things.xy[index], index, kind, site.street)


def _place_beside(rng: np.random.Generator, site: _Site) -> _Site:
    step = rng.uniform(15, 120) * rng.choice((-1.0, 1.0))
    return msgspec.structs.replace(site, xy=site.xy + site.heading * step)


def _again(world: _World, cases: list[_Case], repeated: set[int]) -> _Case | None:
    """The same thing at the same place, half a day to weeks after it was fixed."""
    rng = world.rng
    for number in rng.integers(len(cases), size=30).tolist():
        case = cases[number]
        opened = case.fixed_s + float(rng.lognormal(np.log(3 * _DAY_S), 0.8))
        if number not in repeated and opened < world.end_s * 0.97:
            repeated.add(number)
            return _Case(case.category, case.site, opened, opened + _lasts(rng, case.category), number)
    return None


def _open(world: _World, name: str) -> tuple[float, float]:
    opened = float(world.rng.uniform(0, world.end_s * 0.97))
    return opened, opened + _lasts(world.rng, name)


def _lasts(rng: np.random.Generator, name: str) -> float:
    return float(max(3 * _HOUR_S, rng.lognormal(np.log(CATEGORIES[name].fixed_h * _HOUR_S), 0.6)))


# --- who reports them, when and how ---


def _told(world: _World, case: _Case, number: int) -> list[Report]:
    return [_report(world, case, at, number) for at in _times(world, case)]


def _times(world: _World, case: _Case) -> list[float]:
    """Seconds of the reports: the first within hours, the others over hours to days while open."""
    rng = world.rng
    until = min(case.fixed_s, world.end_s)
    first = case.opened_s + min(rng.exponential(3 * _HOUR_S), 0.4 * (until - case.opened_s))
    later = first + np.cumsum(rng.lognormal(np.log(9 * _HOUR_S), 1.2, _how_often(rng) - 1))
    late = later >= until
    later[late] = rng.uniform(first, until, int(late.sum()))
    return [_by_day(rng, at, first, until) for at in sorted([first, *later.tolist()])]


def _by_day(rng: np.random.Generator, at: float, first: float, until: float) -> float:
    """The time itself; for seven of ten reports of the night a waking hour of that day, if in time."""
    hour = at % _DAY_S / _HOUR_S
    if 7 <= hour < 23 or rng.random() > 0.7:
        return round(at, 1)
    awake = at - hour * _HOUR_S + rng.uniform(7, 22) * _HOUR_S
    return round(float(awake if first <= awake < until else at), 1)


def _how_often(rng: np.random.Generator) -> int:
    if rng.random() < 0.7:
        return 1
    times = np.arange(2, 13)
    weight = times**-1.5
    return int(rng.choice(times, p=weight / weight.sum()))


def _report(world: _World, case: _Case, at_s: float, number: int) -> Report:
    rng, kind = world.rng, CATEGORIES[case.category]
    index = _given(world, case) if case.site.index >= 0 and rng.random() < kind.known else -1
    xy = world.kinds[kind.asset].xy[index] if index >= 0 else _geocoded(rng, case.site)
    asset = _asset_id(world, case.category, index)
    house = 2 * round(float(case.site.xy @ case.site.heading) / _PLOT_M) % 180 + int(rng.random() < 0.5)
    words = sentence(rng, case.category, case.site.street, max(1, house), asset)
    category = str(rng.choice(np.array(kind.confused))) if rng.random() < 0.05 else case.category
    lon, lat = degrees(xy).tolist()
    return Report(at_s, category, lon, lat, asset, words, number)


def _given(world: _World, case: _Case) -> int:
    """The number that a citizen reads: in 3 % that of the nearest other thing of the kind."""
    if world.rng.random() >= 0.03:
        return case.site.index
    apart = distance_m(world.kinds[CATEGORIES[case.category].asset].xy, case.site.xy)
    apart[case.site.index] = np.inf
    return int(apart.argmin())


def _geocoded(rng: np.random.Generator, site: _Site) -> Floats:
    """Where (m) a report is put: satellite fix, house number, pin on the map, or the street's middle."""
    how = rng.random()
    if 0.42 <= how < 0.72:
        return _house(rng, site)
    if how < 0.91:
        pinned: Floats = off(rng, site.xy[None], 5, 20 if how < 0.42 else 40)[0]
        return pinned
    way = site.middle - site.xy
    middle: Floats = site.xy + way * min(1.0, 150 / max(1.0, float(np.hypot(*way))))
    return middle


def _house(rng: np.random.Generator, site: _Site) -> Floats:
    """The coordinate of the nearest house number, of the next one in a quarter of the cases."""
    run = float(site.xy @ site.heading)
    plot = round(run / _PLOT_M) + int(rng.choice((0, 0, 0, 1)))
    across = np.array([-site.heading[1], site.heading[0]])
    front: Floats = site.xy + site.heading * (plot * _PLOT_M - run) + across * 9.0
    return front
