"""Naive rules to stand beside the ones that are judged: what place and time alone can do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from tests.labelled.city import Floats, Ints, metres
from tests.labelled.incidents import LONGEST_S, Incident, Sign
from tests.labelled.requests import Report
from tests.labelled.stories import STORIES, Story

_DAY_S = 86_400.0
_Cell = tuple[int, int]


def near_in_time(signs: Sequence[Sign], metres: float = 200, seconds: float = 600) -> Ints:
    """Single linkage in order of time: each sign joins the cluster of the newest sign that is near.

    Near is at most `metres` (m) and `seconds` (s) away.  Clusters never merge afterwards.  Returns one
    label a sign, -1 for a sign that stayed alone.  `signs` must be sorted by time.
    """
    xy = _places(signs).tolist()
    grid: dict[_Cell, list[int]] = defaultdict(list)
    label = np.arange(len(signs))
    for i, sign in enumerate(signs):
        cell = (int(xy[i][0] // metres), int(xy[i][1] // metres))
        newest = max(_newest(signs, xy, grid, cell, i, metres, seconds), default=-1)
        if newest >= 0:
            label[i] = label[newest]
        grid[cell].append(i)
        if sign.at_s - signs[grid[cell][0]].at_s > 4 * seconds:
            grid[cell] = [k for k in grid[cell] if sign.at_s - signs[k].at_s <= seconds]
    return _numbered(label)


def same_category_near(reports: Sequence[Report], metres: float = 50, days: float = 7) -> Ints:
    """For each report the nearest earlier one of its category within `metres` and `days`, or -1: its index.

    `reports` must be sorted by time.
    """
    xy = _places(reports)
    at = np.array([report.at_s for report in reports])
    said = np.full(len(reports), -1)
    earlier: dict[str, list[int]] = defaultdict(list)
    for i, report in enumerate(reports):
        if before := earlier[report.category]:
            apart = np.hypot(*(xy[before] - xy[i]).T)
            apart[at[i] - at[before] > days * _DAY_S] = np.inf
            best = int(apart.argmin())
            said[i] = before[best] if apart[best] <= metres else -1
        before.append(i)
    return said


def knowing_the_incidents(signs: Sequence[Sign], incidents: Sequence[Incident]) -> Ints:
    """No rule but a mark to compare with: it is told each incident's place, begin and story, not the labels.

    A sign goes to the incident that is nearest, in proportion to the reach of its story, of those that run
    and that make somebody say this topic; to none (-1) beyond that reach.
    """
    xy = _places(signs)
    at = np.array([sign.at_s for sign in signs])
    topic = np.array([sign.topic for sign in signs])
    ratio = np.full((len(incidents), len(signs)), np.inf)
    for row, incident in zip(ratio, incidents, strict=True):
        story = STORIES[incident.story]
        apart = np.hypot(*(xy - metres((incident.lon, incident.lat))).T) / _reach_m(story)
        runs = (at >= incident.at_s) & (at <= incident.at_s + LONGEST_S)
        fits = runs & np.isin(topic, [emission.topic for emission in story.says]) & (apart <= 1)
        row[fits] = apart[fits]
    numbers = np.array([incident.number for incident in incidents])
    return np.where(ratio.min(axis=0) <= 1, numbers[ratio.argmin(axis=0)], -1)


def clusters(said: Ints) -> Ints:
    """Labels of the groups that duplicate links make: each report carries the number of its first one."""
    label = np.arange(len(said))
    for i, to in enumerate(said.tolist()):
        if to >= 0:
            label[i] = label[to]
    return label


def _reach_m(story: Story) -> float:
    return 3_000.0 if story.gathers else 350.0 + story.walk_m


def _newest(
    signs: Sequence[Sign],
    xy: list[list[float]],
    grid: dict[_Cell, list[int]],
    cell: _Cell,
    i: int,
    metres: float,
    seconds: float,
) -> Iterator[int]:
    """The newest near sign of each of the nine cells around, where there is one."""
    x, y = xy[i]
    oldest = signs[i].at_s - seconds
    for around in ((cell[0] + dx, cell[1] + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)):
        for k in reversed(grid.get(around, ())):
            if signs[k].at_s < oldest:
                break
            if (xy[k][0] - x) ** 2 + (xy[k][1] - y) ** 2 <= metres * metres:
                yield k
                break


def _places(items: Sequence[Sign] | Sequence[Report]) -> Floats:
    return metres(np.array([(item.lon, item.lat) for item in items]).reshape(-1, 2))


def _numbered(label: Ints) -> Ints:
    """Clusters numbered from 0; those of one sign become -1."""
    _, number, count = np.unique(label, return_inverse=True, return_counts=True)
    many = count > 1
    return np.where(many, np.cumsum(many) - 1, -1)[number]
