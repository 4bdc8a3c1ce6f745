"""What was found of a plugin, and the grade that follows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

#: A grave finding breaks a promise of the post: replay, restart, or that nothing is lost. Advice never counts.
Weight = Literal["grave", "small", "advice"]

GRADES = "ABCDEF"

#: How many sentences of one check are told; the rest is counted.
TOLD_MAX = 5

#: The check without which there is no other.
STARTS = "starts"

#: Every check in the order they are told: its weight, and what to do where it finds something.
RULES: dict[str, tuple[Weight, str]] = {
    STARTS: ("grave", "Nothing else was checked."),
    "events": ("small", "Name the kind as the other trade declares it."),
    "texts": ("small", "Give each Text its French and its English."),
    "documented": ("small", "One sentence each; for a class, what its fields are."),
    "imports": ("small", "Import `ondijon` and your own modules; talk to other trades through events."),
    "pure": ("grave", "Time is now.utc and now.mono, chance is now.rng(name), all else is an adapter's."),
    "memory": ("grave", "Keep what evolves in the state: the kernel owns it."),
    "reload": ("grave", "Keep all in the state, as its Struct declares it."),
    "same again": ("grave", "Clock, chance or memory: see what the checks above found."),
    "same elsewhere": ("grave", "Go through lists and sorted(...), not through sets; no hash(), no id()."),
    "raises": ("grave", "Mend the line; until then the step is lost."),
    "proposals": ("grave", "Propose only what the declarations and the city know."),
    "limit": ("grave", "One Command or Raise may name a whole street: use that."),
    "migrate": ("grave", "See migrate() in docs/hooks.md."),
    "order": ("advice", "Sort it, or go through a list."),
    "reached": ("advice", "Try it in a city of its own: --city."),
    "listeners": ("advice", "Fine, if people or partners are who should know."),
    "gate": ("advice", "docs/commands.md tells every refusal; a flood may meet them."),
    "old state": (
        "advice",
        "Keep a state with --keep-state before you change it, and give it as --old-state after.",
    ),
    "time": ("advice", "Columns instead of loops; on a busy machine, measure again."),
}


class Check(msgspec.Struct):
    """One thing that was looked at: ``found`` is what is wrong with it, ``next`` what to do."""

    name: str
    weight: Weight
    found: list[str]
    next: str = ""


def check(name: str, found: Iterable[str] = ()) -> Check:
    """A check with as many of its findings as somebody reads."""
    weight, next = RULES[name]
    all_found = list(dict.fromkeys(found))
    told = all_found[:TOLD_MAX]
    if len(all_found) > TOLD_MAX:
        told.append(f"and {len(all_found) - TOLD_MAX} more")
    return Check(name, weight, told, next if told else "")


def grade(checks: Iterable[Check]) -> str:
    """One letter. The rule stands in ``ondijon plugin check --help``."""
    failed = [each for each in checks if each.found]
    grave = sum(each.weight == "grave" for each in failed)
    small = sum(each.weight == "small" for each in failed)
    if any(each.name == STARTS for each in failed):
        return "F"
    if grave:
        return "D" if grave == 1 else "E"
    return "A" if not small else "B" if small <= 2 else "C"
