"""From the labelled sets to the signs that correlation takes, and from its verdicts to one label a sign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from plugins.coordination import correlation
from plugins.coordination.correlation import SECOND, State
from plugins.coordination.rules import Rules
from tests.labelled.city import Ints, metres
from tests.labelled.incidents import Sign

#: The post looks so often at what is over (s).
LOOK_S = 10


def adapted(signs: Sequence[Sign], supply: Mapping[str, str]) -> list[correlation.Sign]:
    """The signs in metres of the plane, with numbers for assets and the whole chain behind each.

    A part of a building is not in `supply`: what its sign says is behind it stands for the chain's begin.
    """
    places = metres(np.array([(sign.lon, sign.lat) for sign in signs]).reshape(-1, 2)).tolist()
    numbers: dict[str, int] = {}
    chains: dict[str, tuple[int, ...]] = {"": ()}

    def number(asset: str) -> int:
        return numbers.setdefault(asset, len(numbers)) if asset else -1

    def chain(behind: str) -> tuple[int, ...]:
        if behind not in chains:
            chains[behind] = (number(behind), *chain(supply.get(behind, "")))
        return chains[behind]

    return [
        correlation.Sign(
            seq=seq,
            at=round(sign.at_s * SECOND),
            topic=sign.topic,
            x=places[seq][0],
            y=places[seq][1],
            asset=number(sign.asset),
            behind=chain(sign.behind),
            category=sign.category,
        )
        for seq, sign in enumerate(signs)
    ]


def labels(rules: Rules, signs: Sequence[correlation.Sign], state: State | None = None) -> Ints:
    """One label a sign: the incident that it is of in the end, -1 for none."""
    state = State() if state is None else state
    into: dict[int, int] = {}
    cluster = np.full(len(signs), -1)
    opened: set[int] = set()
    look = 0
    for k, sign in enumerate(signs):
        if sign.at >= look:
            look = sign.at + LOOK_S * SECOND
            _note(into, correlation.expire(rules, state, sign.at))
        verdict = correlation.correlate(rules, state, sign)
        cluster[k] = verdict.cluster
        for merged in verdict.merged:
            if merged != verdict.cluster:
                into[merged] = verdict.cluster
        if verdict.rule:
            opened.add(verdict.cluster)
    if signs:
        _note(into, correlation.expire(rules, state, signs[-1].at + 24 * 3600 * SECOND))
    return np.array([_last(into, opened, label) for label in cluster.tolist()], dtype=np.int64)


def _note(into: dict[int, int], ended: Sequence[correlation.Ended]) -> None:
    into.update({end.cluster: end.into for end in ended if end.into >= 0})


def _last(into: Mapping[int, int], opened: set[int], label: int) -> int:
    while label in into:
        label = into[label]
    return label if label in opened else -1
