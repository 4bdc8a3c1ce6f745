"""Procedures (*fiches réflexes*): what to do, step by step, and what the post does by itself meanwhile.

A procedure is data: a TOML file, checked before it is used. Ours lie in ``procedures/``; a city adds its own, or
replaces ours, in ``[[plugins.coordination.procedures]]``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources
from typing import Annotated, Literal

import msgspec

from ondijon import Text

Id = Annotated[str, msgspec.Meta(pattern=r"\A[a-z][a-z0-9_]{0,39}\Z")]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of a procedure: unknown keys are errors."""


class Light(Strict, frozen=True, tag="light", tag_field="request"):
    """Ask for light around the case."""

    level_pct: Annotated[float, msgspec.Meta(ge=0, le=100)] = 100.0
    radius_m: Annotated[float, msgspec.Meta(gt=0, le=2000)] = 80.0
    seconds: Seconds = 1800.0


class Look(Strict, frozen=True, tag="look", tag_field="request"):
    """Ask for cameras to be turned to the case."""

    radius_m: Annotated[float, msgspec.Meta(gt=0, le=2000)] = 150.0


class Unit(Strict, frozen=True, tag="unit", tag_field="request"):
    """Ask for a unit with all ``skills`` at once."""

    skills: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    title: Text


class Work(Strict, frozen=True, tag="job", tag_field="request"):
    """Ask for a job of the teams: its ``name`` is unique within the procedure."""

    name: Id
    title: Text
    skills: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    duration_s: Annotated[int, msgspec.Meta(ge=60, le=86_400)] = 1800
    priority: Annotated[int, msgspec.Meta(ge=1, le=3)] | None = None
    crews: Annotated[int, msgspec.Meta(ge=1, le=9)] = 1


Action = Light | Look | Unit | Work


class Answer(Strict, frozen=True):
    """One answer to a step, and the step that it leads to."""

    id: Id
    text: Text
    next: Id


class Step(Strict, frozen=True):
    """One step. What ``do`` says is asked for when it begins. Then the first of these leads on:

    a person's answer, of ``answers``; with ``awaits`` that all it asked for is done; after ``wait_s``; or, where there
    is none of them, at once: ``next``. ``within_s``: nobody moved it on, so it goes to the step ``late``, or stays and
    is told. ``evidence``: the answer needs words or a picture. ``end``: the case is that from then on.
    """

    id: Id
    text: Text
    do: tuple[Action, ...] = ()
    answers: tuple[Answer, ...] = ()
    awaits: bool = False
    wait_s: Seconds | None = None
    next: Id | None = None
    within_s: Seconds | None = None
    late: Id | None = None
    evidence: bool = False
    end: Literal["resolved", "closed"] | None = None

    def leads_to(self) -> Iterator[str]:
        """Every step that may come next."""
        for each in (self.next, self.late, *(answer.next for answer in self.answers)):
            if each is not None:
                yield each

    @property
    def stays(self) -> bool:
        """Whether it takes time: it waits for somebody, for something, or for a while."""
        return bool(self.answers) or self.awaits or self.wait_s is not None or self.end is not None


class Procedure(Strict, frozen=True):
    """A whole one, begun at its first step, for cases of these ``categories``. A change makes a higher ``version``."""

    name: Id
    version: Annotated[int, msgspec.Meta(ge=1)]
    title: Text
    categories: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    steps: Annotated[tuple[Step, ...], msgspec.Meta(min_length=1, max_length=100)]

    def __post_init__(self) -> None:
        wrong = list(faults(self))
        if wrong:
            raise ValueError(f"procedure {self.name!r}: " + "; ".join(wrong))

    def step(self, id: str) -> Step | None:
        """One step by its name."""
        return next((step for step in self.steps if step.id == id), None)


def faults(procedure: Procedure) -> Iterator[str]:
    """What is wrong with it, in sentences."""
    ids = [step.id for step in procedure.steps]
    for id in sorted({each for each in ids if ids.count(each) > 1}):
        yield f"step {id!r} is there twice"
    known = {step.id: step for step in procedure.steps}
    for step in procedure.steps:
        yield from _faults(step, known)
    missing = any(each not in known for step in procedure.steps for each in step.leads_to())
    if missing or len(known) < len(ids):
        return
    reached = _reached(ids[0], {id: tuple(step.leads_to()) for id, step in known.items()})
    for id in ids:
        if id not in reached:
            yield f"no step leads to {id!r}"
    back = {id: tuple(one.id for one in procedure.steps if id in one.leads_to()) for id in known}
    ends = [step.id for step in procedure.steps if step.end]
    if not ends:
        yield "no step has an `end`"
        return
    to_an_end = set().union(*(_reached(end, back) for end in ends))
    for id in ids:
        if id not in to_an_end:
            yield f"from step {id!r} there is no way to an end"
    yield from _loops(known)


def _faults(step: Step, known: Mapping[str, Step]) -> Iterator[str]:
    for each in step.leads_to():
        if each not in known:
            yield f"step {step.id!r} leads to {each!r}, which is missing"
    if not any(step.leads_to()) and not step.end:
        yield f"step {step.id!r} leads nowhere and is no `end`"
    if step.answers and (step.awaits or step.wait_s or step.next):
        yield f"step {step.id!r} has `answers`: they alone lead on, so leave out `next`, `awaits` and `wait_s`"
    if (step.awaits or step.wait_s) and not step.next:
        yield f"step {step.id!r} waits, and has no `next`"
    if step.awaits and not step.do:
        yield f"step {step.id!r} awaits what it asks for, and asks for nothing in `do`"
    if step.late and not step.within_s:
        yield f"step {step.id!r} has `late`, and no `within_s`"
    if step.evidence and not step.answers:
        yield f"step {step.id!r} wants evidence, and has no `answers` to give it with"
    if step.end and any(step.leads_to()):
        yield f"step {step.id!r} is an `end` and leads on"


def _reached(start: str, leads: Mapping[str, Sequence[str]]) -> set[str]:
    found, waiting = {start}, [start]
    while waiting:
        for each in leads[waiting.pop()]:
            if each not in found:
                found.add(each)
                waiting.append(each)
    return found


def _loops(known: Mapping[str, Step]) -> Iterator[str]:
    """Rings of steps that none stays at: they would go round for ever in an instant."""
    for id, step in known.items():
        seen = [id]
        while not step.stays and step.next:
            if step.next in seen:
                yield f"steps {', '.join(map(repr, seen))} lead round in a ring, and none of them waits"
                return
            seen.append(step.next)
            step = known[step.next]


def parse(text: str) -> Procedure:
    """A procedure from its TOML. Raises ValueError, in a sentence."""
    try:
        return msgspec.convert(tomllib.loads(text), Procedure)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error


def delivered() -> tuple[Procedure, ...]:
    """The procedures that come with this trade, by name."""
    folder = resources.files("plugins.coordination") / "procedures"
    files = sorted(
        (file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda each: each.name
    )
    return tuple(parse(file.read_text("utf-8")) for file in files)


def by_category(own: Iterable[Procedure], others: Iterable[Procedure]) -> dict[str, Procedure]:
    """Which procedure each category of case begins: a city's own goes before one that was delivered."""
    found: dict[str, Procedure] = {}
    for procedure in (*own, *others):
        for category in procedure.categories:
            found.setdefault(category, procedure)
    return found
