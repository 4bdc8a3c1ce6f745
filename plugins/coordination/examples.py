"""Examples: what signs should become. A city writes its own beside its rules; `ondijon check --test` plays them all."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from importlib import resources
from typing import Annotated

import msgspec

from plugins.coordination.clusters import SECOND, Sign, State
from plugins.coordination.correlation import correlate, expire
from plugins.coordination.rules import Rules, Strict


class Seen(Strict, frozen=True, kw_only=True):
    """One sign: ``topic`` at ``at_s`` s from the example's begin, ``x`` and ``y`` m from its middle.

    ``asset`` and ``behind`` are numbers of things that the example makes up; ``times``: so many alike.
    """

    topic: str
    at_s: float = 0.0
    x: float = 0.0
    y: float = 0.0
    category: str = ""
    asset: int = -1
    behind: tuple[int, ...] = ()
    times: Annotated[int, msgspec.Meta(ge=1)] = 1


class Example(Strict, frozen=True, kw_only=True):
    """A ``name`` for people, signs in their order of time, and the ``cases`` that they are: none, one, several."""

    name: Annotated[str, msgspec.Meta(min_length=1)]
    signs: Annotated[tuple[Seen, ...], msgspec.Meta(min_length=1)]
    cases: tuple[str, ...] = ()


class _File(Strict, frozen=True, kw_only=True):
    example: tuple[Example, ...]


def delivered() -> tuple[Example, ...]:
    """The examples that come with this trade."""
    text = (resources.files("plugins.coordination") / "examples.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), _File).example


def wrong(rules: Rules, examples: Iterable[Example]) -> Iterator[str]:
    """For each example that comes out otherwise, a sentence."""
    for example in examples:
        unknown = sorted({each for each in example.cases if each not in rules.rule})
        if unknown:
            yield f"example {example.name!r}: no rule makes a case of {', '.join(unknown)}"
            continue
        found = sorted(play(rules, example))
        if found != sorted(example.cases):
            yield f"example {example.name!r}: the signs become {_named(found)}, expected {_named(example.cases)}"


def play(rules: Rules, example: Example) -> list[str]:
    """The cases that the signs become, by category."""
    state, open_ = State(), dict[int, str]()
    for seq, seen in enumerate(sorted(example.signs, key=lambda each: each.at_s), 1):
        sign = Sign(
            seq=seq,
            at=int(seen.at_s * SECOND),
            topic=seen.topic,
            x=seen.x,
            y=seen.y,
            asset=seen.asset,
            behind=seen.behind,
            category=seen.category,
            count=seen.times,
        )
        expire(rules, state, sign.at)
        verdict = correlate(rules, state, sign)
        for merged in verdict.merged:
            open_.pop(merged, None)
        if verdict.rule:
            open_[verdict.cluster] = verdict.rule
    return list(open_.values())


def _named(cases: Iterable[str]) -> str:
    return ", ".join(sorted(cases)) or "no case"
