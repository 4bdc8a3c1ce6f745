"""A stream of signs over six hours of an evening: true incidents that overlap in place and time, and noise.

The set was written without knowledge of the rules that it judges.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import TypeVar

import msgspec
import numpy as np

from tests.labelled import sources, stories
from tests.labelled.city import LAMPS, City, Floats, Ints, build, degrees, distance_m, generator
from tests.labelled.sources import SOURCES, Said, Scene
from tests.labelled.stories import CATEGORIES, NOISE, PEOPLE, STORIES, TOPICS, Emission, Story

__all__ = ["CATEGORIES", "TOPICS", "Incident", "Sign", "feeder_storm", "incident_set", "signs", "supply"]

_T = TypeVar("_T")

SPAN_S = 6 * 3600.0
LONGEST_S = 90 * 60.0
_RUSH_S = (5_400.0, 3_300.0)
_LEAST = 3
_FIXED = ("lighting", "network", "traffic", "cctv", "security")


class Sign(msgspec.Struct, frozen=True):
    """What one device or person says.

    `at_s`: seconds from begin; `topic`: a key of `TOPICS`; `lon`, `lat`: degrees, with the error of the
    source; `asset`: "" when a place only; `behind`: "" or the asset that feeds or carries this one;
    `category`: "" or what a person says it is about, one of `CATEGORIES`, sometimes wrong or missing;
    `truth`: number of the true incident, -1 for noise.
    """

    at_s: float
    topic: str
    lon: float
    lat: float
    asset: str
    behind: str
    category: str
    truth: int


class Incident(msgspec.Struct, frozen=True):
    """A true incident: number, kind of story, begin and end (seconds), place of its cause (degrees)."""

    number: int
    story: str
    at_s: float
    end_s: float
    lon: float
    lat: float


class _Case(msgspec.Struct, frozen=True):
    story: Story
    at_s: float
    lasts_s: float
    xy: Floats
    heading: Floats


class _Batch(msgspec.Struct, frozen=True):
    topic: str
    at_s: Floats
    said: Said
    category: list[str]
    truth: int


def signs(seed: int, events: int = 10_000, incidents: int = 40, noise: float = 0.3) -> list[Sign]:
    """`events` signs by time: `round(noise * events)` of noise, the others of `incidents` incidents."""
    return incident_set(seed, events, incidents, noise)[0]


def incident_set(
    seed: int, events: int = 10_000, incidents: int = 40, noise: float = 0.3
) -> tuple[list[Sign], list[Incident]]:
    """The signs as `signs` gives them, and the true incidents that they come from, by number."""
    unrelated = round(noise * events)
    if incidents < 1 or events - unrelated < _LEAST * incidents:
        raise ValueError(
            f"{events - unrelated} signs are too few for {incidents} incidents: {_LEAST} each at least"
        )
    rng = generator(seed)
    city = build(rng)
    cases = _plan(rng, city, incidents)
    sizes = _sizes(rng, [case.story for case in cases], events - unrelated)
    batches = [
        b for number, case in enumerate(cases) for b in _tell(rng, city, case, int(sizes[number]), number)
    ]
    return _merge(batches + _unrelated(rng, city, cases, unrelated)), [
        Incident(number, case.story.name, case.at_s, case.at_s + case.lasts_s, *degrees(case.xy).tolist())
        for number, case in enumerate(cases)
    ]


def supply(seed: int, lamps: int = LAMPS) -> dict[str, str]:
    """What the register knows of the city of a seed: asset -> the asset that feeds or carries it.

    Lamp, cabinet, feeder, the one substation; camera, gateway and junction, switch, link; detector, junction.
    `lamps` must be 34,000 for the city of `signs`, and that of the call for the city of `feeder_storm`.
    """
    return build(generator(seed), lamps).supply()


def feeder_storm(seed: int, lamps: int = LAMPS, calls: int = 20) -> list[Sign]:
    """The city's supply fails: each lamp silent within 10 s, `calls` calls within 15 minutes; truth 0."""
    rng = generator(seed)
    city = build(rng, lamps)
    every = sources.registered(city.lamps, np.arange(lamps))
    dark = [_Batch("lighting.lamp_silent", rng.uniform(0, 10, lamps), every, [""] * lamps, 0)]
    for topic, source, n in (
        ("police.call", "phone", calls - calls // 2),
        ("citizens.report", "app", calls // 2),
    ):
        where = city.streets.points(rng, n)[0]
        at = 10 + 890 * rng.beta(1, 2, n)
        said = SOURCES[source].speak(Scene(rng, city), where)
        dark.append(_Batch(topic, at, said, _words(rng, STORIES["feeder_down"], n), 0))
    return _merge(dark)


def _merge(batches: list[_Batch]) -> list[Sign]:
    at = np.round(np.concatenate([b.at_s for b in batches]), 3)
    place = degrees(np.concatenate([b.said.xy for b in batches]))
    rows = [
        (b.topic, asset, behind, category, b.truth)
        for b in batches
        for asset, behind, category in zip(b.said.asset, b.said.behind, b.category, strict=True)
    ]
    times, places = at.tolist(), place.tolist()
    return [_sign(times[k], places[k], *rows[k]) for k in np.argsort(at, kind="stable").tolist()]


def _sign(
    at_s: float, place: list[float], topic: str, asset: str, behind: str, category: str, truth: int
) -> Sign:
    return Sign(at_s, topic, place[0], place[1], asset, behind, category, truth)


# --- which incidents, where and when ---


def _plan(rng: np.random.Generator, city: City, incidents: int) -> list[_Case]:
    """Knots, twins and repetitions up to seven of ten, then single incidents, the missing kinds first."""
    cases: list[_Case] = []
    groups = _groups(rng, city, cases)
    rare = rng.permutation(list(STORIES)).tolist()
    while len(cases) < incidents:
        if len(cases) < 0.7 * incidents:
            cases += next(groups)
        else:
            seen = Counter(case.story.name for case in cases)
            name = min(rare, key=lambda kind: seen[kind])
            cases.append(_free(rng, city, cases, STORIES[name], rng.uniform(300, 15_500)))
    return cases[:incidents]


def _groups(rng: np.random.Generator, city: City, cases: list[_Case]) -> Iterator[list[_Case]]:
    """Overlaps without end: two knots of different causes, a pair of twins, a repetition, and so on."""
    knots = _shuffled(rng, stories.KNOTS)
    twins = _shuffled(rng, stories.TWINS)
    agains = _shuffled(rng, stories.AGAINS)
    while True:
        yield _knot(rng, city, cases, next(knots))
        yield _knot(rng, city, cases, next(knots))
        yield _twins(rng, city, cases, STORIES[next(twins)])
        yield _again(rng, city, cases, STORIES[next(agains)])


def _shuffled(rng: np.random.Generator, kinds: Sequence[_T]) -> Iterator[_T]:
    """The first one, the others in random order, and round again."""
    return cycle([kinds[0], *(kinds[k] for k in (1 + rng.permutation(len(kinds) - 1)).tolist())])


def _knot(rng: np.random.Generator, city: City, cases: list[_Case], names: tuple[str, ...]) -> list[_Case]:
    first = _free(rng, city, cases, STORIES[names[0]], rng.uniform(600, 14_500))
    knot = [first]
    for name in names[1:]:
        across = np.array([-first.heading[1], first.heading[0]])
        xy = first.xy + first.heading * rng.uniform(-130, 130) + across * rng.uniform(-40, 40)
        knot.append(_case(rng, STORIES[name], first.at_s + rng.uniform(0, 480), xy, first.heading))
    return knot


def _twins(rng: np.random.Generator, city: City, cases: list[_Case], story: Story) -> list[_Case]:
    first = _free(rng, city, cases, story, rng.uniform(600, 14_500))
    while True:
        second = _free(rng, city, [*cases, first], story, first.at_s + rng.uniform(0, 420))
        if 2_000 <= distance_m(second.xy, first.xy) <= 7_000:
            return [first, second]


def _again(rng: np.random.Generator, city: City, cases: list[_Case], story: Story) -> list[_Case]:
    first = _free(rng, city, cases, story, rng.uniform(300, 5_000))
    later = first.at_s + LONGEST_S + rng.uniform(900, 5_000)
    return [first, _case(rng, story, later, sources.off(rng, first.xy[None], 0, 30)[0], first.heading)]


def _free(rng: np.random.Generator, city: City, cases: list[_Case], story: Story, at_s: float) -> _Case:
    """An incident of a kind, away from the earlier ones and behind no feeder or link that failed already.

    Where a large set leaves no such place, the distance shrinks until there is one.
    """
    taken = {sources.served_by(city, case.story.gathers, case.xy) for case in cases} - {""}
    apart = 500.0
    while True:
        xy, heading = _site(rng, city, story)
        clear = all(distance_m(xy, case.xy) > apart for case in cases)
        if clear and (apart < 5 or sources.served_by(city, story.gathers, xy) not in taken):
            return _case(rng, story, at_s, xy, heading)
        apart *= 0.98


def _site(rng: np.random.Generator, city: City, story: Story) -> tuple[Floats, Floats]:
    xy, street = city.streets.points(rng, 1)
    heading = city.streets.heading[street[0]]
    if not story.site:
        return xy[0], heading
    site = {
        "building": city.buildings,
        "underpass": city.underpasses,
        "junction": city.junctions,
        "link": city.links,
    }[story.site]
    return site.xy[rng.integers(len(site.ids))] + rng.normal(0, 6, 2), heading


def _case(rng: np.random.Generator, story: Story, at_s: float, xy: Floats, heading: Floats) -> _Case:
    return _Case(story, float(at_s), float(rng.uniform(*story.lasts_min) * 60), xy, heading)


def _sizes(rng: np.random.Generator, kinds: list[Story], total: int) -> Ints:
    """Heavy-tailed sizes that sum to `total`: outages take what the others leave, if that is likely."""
    drawn = np.array([story.size[0] * np.exp(story.size[1] * rng.normal()) for story in kinds])
    outage = np.array([story.gathers == "feeder" for story in kinds])
    left = total - np.ceil(np.maximum(drawn[~outage], _LEAST)).sum()
    if outage.any() and 150 * outage.sum() < left < 2_500 * outage.sum():
        drawn[outage] *= left / drawn[outage].sum()
    else:
        drawn *= total / drawn.sum()
    return _whole(np.maximum(drawn, _LEAST), total)


def _whole(wanted: Floats, total: int) -> Ints:
    """Whole numbers of at least `_LEAST` near `wanted` that sum to `total`."""
    spare = wanted - _LEAST
    share = spare * ((total - _LEAST * len(wanted)) / spare.sum() if spare.any() else 0.0)
    size = np.floor(share).astype(np.int64) + _LEAST
    rest = total - int(size.sum())
    size[np.argsort(-(share % 1), kind="stable")[: rest % len(size)]] += 1
    return size + rest // len(size)


# --- what an incident makes devices and people say ---


def _tell(rng: np.random.Generator, city: City, case: _Case, size: int, number: int) -> list[_Batch]:
    scene = _scene(rng, city, case, size)
    able = [e for e in case.story.says if SOURCES[e.source].hears(scene, case.xy)]
    share = np.array([e.share for e in able])
    sure = np.arange(len(able)) < _LEAST
    counts = (sure + rng.multinomial(size - int(sure.sum()), share / share.sum())).tolist()
    return [_say(scene, case, e, n, number) for e, n in zip(able, counts, strict=True) if n]


def _scene(rng: np.random.Generator, city: City, case: _Case, size: int) -> Scene:
    if case.story.gathers == "feeder":
        return sources.outage(rng, city, case.xy, int(0.8 * size))
    if case.story.gathers == "link":
        return sources.cut(rng, city, case.xy)
    return Scene(rng, city)


def _say(scene: Scene, case: _Case, emission: Emission, n: int, number: int) -> _Batch:
    after = _delays(scene.rng, case, emission, n)
    said = SOURCES[emission.source].speak(scene, _points(scene, case, emission, after))
    category = _words(scene.rng, case.story, n) if emission.topic in PEOPLE else [""] * n
    return _Batch(emission.topic, case.at_s + after, said, category, number)


def _delays(rng: np.random.Generator, case: _Case, emission: Emission, n: int) -> Floats:
    """Seconds after the begin: a burst, then a thinning tail; one person of six is late besides."""
    lag = min(emission.lag_s, 0.5 * case.lasts_s)
    burst = rng.random(n) < emission.first
    after = lag + np.where(burst, rng.exponential(emission.burst_s, n), case.lasts_s * rng.beta(1, 2.2, n))
    beyond = after > case.lasts_s
    after[beyond] = rng.uniform(lag, case.lasts_s, int(beyond.sum()))
    if emission.topic in PEOPLE:
        after += np.where(rng.random(n) < 0.16, rng.lognormal(np.log(360), 0.8, n), 0.0)
    return np.minimum(after, LONGEST_S)


def _points(scene: Scene, case: _Case, emission: Emission, after: Floats) -> Floats:
    """Where (m) each sign is about: along the street, with the procession, or in the dark."""
    rng, n = scene.rng, len(after)
    if scene.lamps is not None:
        lit: Floats = scene.city.lamps.xy[rng.choice(scene.lamps, n)]
        return lit
    walk = case.story.walk_m
    along = rng.normal(0, emission.spread_m, n)
    if walk:
        along += walk - np.abs((0.6 * after) % (2 * walk) - walk)
    across = rng.normal(0, emission.spread_m / 3, n)[:, None] * (-case.heading[1], case.heading[0])
    points: Floats = case.xy + along[:, None] * case.heading + across
    return points


def _words(rng: np.random.Generator, story: Story, n: int) -> list[str]:
    """What callers say it is about: missing in 15 %, mistaken in 10 %."""
    luck, wrong = rng.random(n).tolist(), rng.choice(np.array(story.confused), n).tolist()
    return [
        "" if p < 0.15 else mistake if p < 0.25 else story.category
        for p, mistake in zip(luck, wrong, strict=True)
    ]


# --- noise ---


def _unrelated(rng: np.random.Generator, city: City, cases: list[_Case], n: int) -> list[_Batch]:
    """Noise: seven of eight signs on their own, the eighth from the few devices that chatter all the time."""
    share = np.array([u.share for u in NOISE])
    chatter = n // 8
    counts = rng.multinomial(n - chatter, share / share.sum()).tolist()
    scene = Scene(rng, city, unrelated=True)
    batches = [_noise(scene, cases, what, count) for what, count in zip(NOISE, counts, strict=True) if count]
    return batches + (_chatter(rng, batches, chatter) if chatter else [])


def _noise(scene: Scene, cases: list[_Case], what: stories.Unrelated, n: int) -> _Batch:
    rng = scene.rng
    at = rng.uniform(0, SPAN_S, n)
    if what.rush:
        rush = rng.normal(*_RUSH_S, n)
        at = np.where((rush > 0) & (rush < SPAN_S), rush, at)
    said = SOURCES[what.source].speak(scene, _elsewhere(rng, scene.city, cases, n))
    category = rng.choice(np.array(("", "", "", "other", "parking", "noise", *CATEGORIES)), n).tolist()
    return _Batch(what.topic, at, said, category if what.topic in PEOPLE else [""] * n, -1)


def _elsewhere(rng: np.random.Generator, city: City, cases: list[_Case], n: int) -> Floats:
    """Points (m) on any street, and three of ten along the streets of the incidents."""
    points = city.streets.points(rng, n)[0]
    near = np.flatnonzero(rng.random(n) < 0.3)
    which = rng.integers(len(cases), size=len(near)).tolist()
    spot = np.array([cases[k].xy for k in which]).reshape(-1, 2)
    heading = np.array([cases[k].heading for k in which]).reshape(-1, 2)
    points[near] = spot + heading * rng.normal(0, 450, len(near))[:, None] + rng.normal(0, 12, (len(near), 2))
    return points


def _chatter(rng: np.random.Generator, batches: list[_Batch], n: int) -> list[_Batch]:
    """The same few devices again and again, ten at most: a worn door contact, a doubtful camera."""
    said = [(b, k) for b in batches for k in range(len(b.said.asset))]
    devices = [(b, k) for b, k in said if b.topic.split(".")[0] in _FIXED and b.said.asset[k]] or said
    worn = rng.choice(len(devices), min(10, len(devices)), replace=False).tolist()
    counts = rng.multinomial(n, rng.dirichlet(np.full(len(worn), 0.8))).tolist()
    return [
        _repeat(rng, devices[k][0], devices[k][1], count)
        for k, count in zip(worn, counts, strict=True)
        if count
    ]


def _repeat(rng: np.random.Generator, batch: _Batch, k: int, n: int) -> _Batch:
    said = Said(
        np.repeat(batch.said.xy[k : k + 1], n, axis=0), [batch.said.asset[k]] * n, [batch.said.behind[k]] * n
    )
    return _Batch(batch.topic, rng.uniform(0, SPAN_S, n), said, [batch.category[k]] * n, -1)


def counts(items: list[Sign], by: str = "topic") -> dict[str, int]:
    """How often each value of a field of the signs occurs, most frequent first."""
    return dict(Counter(str(getattr(sign, by)) for sign in items).most_common())
