"""How much each sign counts that two reports tell of one problem: part of ``[plugins.allo_mairie]``.

All weights are points: natural logarithms of how much likelier the sign is if the two are the same.  They were
rounded from a fit to the labelled sets 101 to 106; README.md tells how.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

import msgspec

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Positive = Annotated[float, msgspec.Meta(gt=0)]

#: Points over metres or hours: straight between the corners, level beyond the last one.
Curve = tuple[tuple[float, float], ...]


class Matching(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a report is called a duplicate, when it is shown to an agent, and what counts how much.

    What is decided:

    - ``sure``: from this score (0 to 1) on a report is a duplicate without an agent;
    - ``worth``: below this score a candidate is not shown;
    - ``most``: so many candidates are shown;
    - ``again``: from this score on a report names the fixed request that it reopens;
    - ``again_h``: hours for which a fixed request may be reopened.

    What counts (points):

    - ``base``: before anything is known of the two;
    - ``same_asset``, ``other_asset``: both name a thing of the register;
    - ``same_house``, ``facing_house``: house numbers equal, or one apart;
    - ``beside_house``: one apart from a request of which two different numbers are known already;
    - ``other_house``: two apart or more; ``other_street``: names of streets that have little in common;
    - ``mixed_subject``: category and words of the two agree only crosswise; ``related_subject``: they are of
      categories that are mistaken for each other;
    - ``like_words``: for the same words, in proportion to their likeness (0 to 1);
    - ``reports``: for requests told once, twice, and more often;
    - ``quiet``: over hours since the request was last told.

    How the distance counts, over metres from the middle of what was told:

    - ``exact_m``: where a thing of the register gives one of the two places;
    - ``housed_m``: where the house numbers agree, so that a bad coordinate matters less;
    - ``once_m``: where the request was told once; ``often_m``: where its place is the middle of several;
    - ``closest_m``: over metres from the nearest of several places that were told, besides ``often_m``.
    """

    sure: Share = 0.94
    worth: Share = 0.02
    most: Annotated[int, msgspec.Meta(ge=1, le=20)] = 5
    again: Share = 0.5
    again_h: Positive = 720.0

    base: float = 0.1
    same_asset: float = 4.8
    other_asset: float = -2.2
    same_house: float = 2.7
    facing_house: float = 1.9
    beside_house: float = -4.9
    other_house: float = -6.0
    other_street: float = -3.3
    mixed_subject: float = -0.7
    related_subject: float = -2.5
    like_words: float = 0.1
    reports: tuple[float, float, float] = (-0.7, 0.3, 0.5)
    quiet: Curve = ((0, 1.4), (2, 1.2), (7, 0.7), (15, 0.5), (31, -0.5), (63, -1.5), (127, -3.2))

    exact_m: Curve = ((0, 3.2), (10, 3.2), (20, 2.4), (30, 0.6), (55, -1.7))
    housed_m: Curve = ((0, 0.0), (20, -0.1), (40, -0.7))
    once_m: Curve = ((0, 1.6), (10, 1.6), (30, 0.7), (40, -0.5), (55, -1.7), (70, -2.2))
    often_m: Curve = ((0, 1.0), (20, 0.6), (40, -0.6), (60, -0.8))
    closest_m: Curve = ((0, 1.4), (10, 0.9), (30, 0.6), (40, -0.5), (55, -1.6), (70, -2.0))

    def __post_init__(self) -> None:
        for name in ("quiet", "exact_m", "housed_m", "once_m", "often_m", "closest_m"):
            curve = getattr(self, name)
            if not curve or any(a[0] >= b[0] for a, b in pairwise(curve)):
                raise ValueError(f"{name}: corners with growing first figures")


def points(curve: Curve, at: float) -> float:
    """The height of ``curve`` at ``at``: straight between its corners, level outside."""
    before = curve[0]
    for corner in curve:
        if at < corner[0]:
            wide = corner[0] - before[0]
            return before[1] + (corner[1] - before[1]) * (at - before[0]) / wide if wide else corner[1]
        before = corner
    return before[1]
