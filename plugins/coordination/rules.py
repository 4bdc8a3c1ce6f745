"""Rules of correlation as data: what speaks for each kind of case, how near and how soon; see README.md."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Annotated, Literal, NamedTuple

import msgspec

from ondijon import Text

#: A topic without a table of its own is trusted to lie so near to what it tells of (m).
REACH_M = 150.0

#: The widest reach that a topic or a case may have (m): beyond it, nearness tells nothing in a city.
REACH_MAX_M = 2_000.0

_KINDS_MAX = 20


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file: unknown keys are errors."""


class Topic(Strict, frozen=True, kw_only=True):
    """How far (m) a sign of this topic may lie from what it tells of: the error of its place, the length of a jam."""

    reach_m: float = REACH_M

    def __post_init__(self) -> None:
        if not 0 < self.reach_m <= REACH_MAX_M:
            raise ValueError(f"reach_m must be above 0 and at most {REACH_MAX_M:.0f} m, not {self.reach_m}")


class Rule(Strict, frozen=True, kw_only=True):
    """One kind of case.

    ``speaks``: topic -> weight, for what can open it; ``explains``: topic -> weight, for what joins it once it is
    open and never opens it. ``named``: what callers call it. It opens when signs of at least ``kinds`` different
    topics, none older than ``within_s`` (s), weigh ``opens`` together; after ``silence_s`` (s) without a sign, or
    ``longest_s`` (s) after its begin, it takes no more; ``lasts_s`` (s) is how long such a case usually lasts, after
    which it explains less and less.

    ``spread``: a ``spot`` stays where it is, a ``trail`` moves, a ``network`` fails with all that one asset feeds or
    carries; ``extent_m`` (m) is its own size, which adds to the reach of each topic. In a network, at least
    ``branches`` different things below the failing one must be silent; what it explains lies near what is silent, or
    near the failed ``carrier`` itself (``told_at``). ``consequence_of``: cases that bring this one about; beside one
    of them, it opens no case of its own.
    """

    title: Text
    priority: int
    speaks: dict[str, float]
    explains: dict[str, float] = {}
    named: tuple[str, ...] = ()
    opens: float = 4.0
    kinds: int = 2
    within_s: float = 900.0
    lasts_s: float = 2_400.0
    silence_s: float = 1_800.0
    longest_s: float = 7_200.0
    extent_m: float = 0.0
    spread: Literal["spot", "trail", "network"] = "spot"
    branches: int = 1
    told_at: Literal["all", "carrier"] = "all"
    consequence_of: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.title.fr or not self.title.en:
            raise ValueError("title must say what the case is called in both languages, fr and en")
        if self.priority not in (1, 2, 3):
            raise ValueError(f"priority must be 1 (life in danger), 2 or 3, not {self.priority}")
        if not self.speaks:
            raise ValueError("speaks must name one topic at least: nothing could open the case")
        if both := sorted(self.speaks.keys() & self.explains.keys()):
            raise ValueError(f"{both} stand under speaks and under explains: a topic does one or the other")
        for topic, weight in (*self.speaks.items(), *self.explains.items()):
            if not 0 < weight < float("inf"):
                raise ValueError(f"the weight of {topic!r} must be above 0, not {weight}")
        for name in ("opens", "within_s", "lasts_s", "silence_s"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be above 0, not {getattr(self, name)}")
        if self.longest_s < self.silence_s:
            raise ValueError(
                "longest_s may not be shorter than silence_s: the case would end while it is told of"
            )
        if not 0 <= self.extent_m <= REACH_MAX_M:
            raise ValueError(f"extent_m must be 0 to {REACH_MAX_M:.0f} m, not {self.extent_m}")
        if not 1 <= self.kinds <= min(len(self.speaks), _KINDS_MAX):
            raise ValueError(f"kinds must be 1 to the number of topics under speaks ({len(self.speaks)})")
        if self.branches < 1:
            raise ValueError(f"branches must be 1 at least, not {self.branches}")
        if self.told_at == "carrier" and self.spread != "network":
            raise ValueError('told_at = "carrier" needs a network: say spread = "network"')
        if self.branches > 1 and self.spread != "network":
            raise ValueError('branches are counted in a network only: say spread = "network"')


class File(Strict, frozen=True, kw_only=True):
    """A whole file: tables ``topics.<topic>`` and ``category.<name>``."""

    topics: dict[str, Topic] = {}
    category: dict[Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]*$")], Rule] = {}


class Entry(NamedTuple):
    """What one topic is to one rule: its weight, its reach (m) with the extent of the case, whether it may open it."""

    rule: str
    weight: float
    reach_m: float
    opens: bool


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What correlation reads: the rules by name, and what follows from them alone.

    ``heard``: topic -> rule -> what the topic is to it; ``names``: all that any rule is called by callers.
    """

    rule: dict[str, Rule]
    heard: dict[str, dict[str, Entry]]
    names: frozenset[str]


def delivered() -> File:
    """The tables that come with this trade."""
    return decode((resources.files("plugins.coordination") / "rules.toml").read_text("utf-8"))


def with_own(own: File) -> Rules:
    """The rules that come with this trade and a city's own, which replace those of the same name. Raises ValueError."""
    house = delivered()
    return compiled(house.topics | own.topics, house.category | own.category)


def decode(text: bytes | str) -> File:
    """One file's tables. Raises ValueError that says what is wrong, and where."""
    try:
        return msgspec.toml.decode(text, type=File)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error


def compiled(topics: Mapping[str, Topic], category: Mapping[str, Rule]) -> Rules:
    """The rules made ready. Raises ValueError for a consequence of a case that no table describes."""
    for name, rule in category.items():
        if unknown := sorted(set(rule.consequence_of) - category.keys()):
            raise ValueError(f"category.{name}: consequence_of names {unknown}, which no table describes")
        if name in rule.consequence_of:
            raise ValueError(f"category.{name}: a case cannot be a consequence of itself")
    # Who knows a case by its own name says that.
    category = {
        name: msgspec.structs.replace(rule, named=tuple(dict.fromkeys((*rule.named, name))))
        for name, rule in category.items()
    }
    heard: dict[str, dict[str, Entry]] = {}
    for name, rule in category.items():
        for said, opens in ((rule.speaks, True), (rule.explains, False)):
            for topic, weight in said.items():
                reach = topics.get(topic, Topic()).reach_m + rule.extent_m
                heard.setdefault(topic, {})[name] = Entry(name, weight, reach, opens)
    names = frozenset(said for rule in category.values() for said in rule.named)
    return Rules(rule=dict(category), heard=heard, names=names)
