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


class Check(msgspec.Struct):
    """One thing that was looked at: ``found`` is what is wrong with it, ``next`` what to do."""

    name: str
    weight: Weight
    found: list[str]
    next: str = ""


def check(name: str, weight: Weight, found: Iterable[str], next: str = "") -> Check:
    """A check with as many of its findings as somebody reads."""
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
