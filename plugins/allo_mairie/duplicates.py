"""Is this report about a problem that somebody told already?

Each open request near a report gets points for what speaks for and against it.  The points of all candidates
and of "a new problem" (0 points) then share one score of 1, so that two requests that fit equally well leave
neither of them sure.  A sure one is the answer; otherwise an agent is shown the best.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from statistics import median
from typing import TypeVar

import msgspec

from plugins.allo_mairie.categories import CATEGORIES
from plugins.allo_mairie.matching import Matching, points
from plugins.allo_mairie.words import address, alike, subject, tokens

_HOUR_US = 3_600_000_000
#: Side of a cell of the index (m): no category reaches further.
_CELL_M = 250.0
#: Cells are numbered by column, with room for more of them than a city has from south to north.
_COLUMN = 1 << 24
#: So many places and sentences of one request are remembered.
_PLACES, _SENTENCES = 9, 3
#: Names of streets that are less alike (0 to 1) are two streets.
_ONE_STREET = 0.25

Place = tuple[float, float]
_T = TypeVar("_T")
_K = TypeVar("_K")


class Report(msgspec.Struct, frozen=True):
    """What a citizen tells now.

    ``at``: time (µs); ``x``, ``y``: metres, east and north; ``asset``: number of a thing of the register, or "";
    with one, the place is the register's.
    """

    key: str
    at: int
    category: str
    x: float
    y: float
    asset: str = ""
    words: str = ""


class Known(msgspec.Struct, frozen=True):
    """An open or lately fixed request, and what was told of it (see `opened`, `joined`, `closed`).

    ``x``, ``y``: the middle (m) of ``places``, of which only the register's are kept once there is one;
    ``opened``, ``last``, ``fixed``: times (µs) of the first report, of the last one, and of the mending, 0 while
    open; ``count``: reports; ``subject``: the category of which its words speak; ``suspects``: requests that it
    may repeat, with the scores that they had.
    """

    key: str
    category: str
    subject: str
    x: float
    y: float
    opened: int
    last: int
    fixed: int = 0
    count: int = 1
    assets: tuple[str, ...] = ()
    houses: tuple[int, ...] = ()
    street: str = ""
    words: tuple[str, ...] = ()
    places: tuple[Place, ...] = ()
    suspects: tuple[tuple[str, float], ...] = ()


class Reason(msgspec.Struct, frozen=True):
    """One thing that speaks for (``points`` above 0) or against; ``reasons.text`` puts it in words."""

    code: str
    points: float
    args: tuple[str | float, ...] = ()


class Candidate(msgspec.Struct, frozen=True):
    """A request that the report may repeat; ``score``: 0 to 1; ``why``: the strongest reason first."""

    key: str
    score: float
    why: tuple[Reason, ...]


class Judgement(msgspec.Struct, frozen=True):
    """``duplicate_of``: the key of the request, or "" where it is unsure: then an agent sees ``candidates``.

    ``reopens``: the key of a fixed request that seems to be broken again, only where there is no duplicate.
    """

    duplicate_of: str = ""
    reopens: str = ""
    candidates: tuple[Candidate, ...] = ()


class Index(msgspec.Struct):
    """The requests by key, and their keys by cell and by asset.  Plain data: it may be kept or built anew."""

    known: dict[str, Known] = {}
    cells: dict[int, list[str]] = {}
    assets: dict[str, list[str]] = {}

    @classmethod
    def of(cls, known: Iterable[Known]) -> Index:
        """An index of these requests."""
        index = cls()
        for request in known:
            index.put(request)
        return index

    def put(self, request: Known) -> None:
        """Add a request, or replace the one of its key."""
        self.drop(request.key)
        self.known[request.key] = request
        self.cells.setdefault(_cell(request.x, request.y), []).append(request.key)
        for asset in request.assets:
            self.assets.setdefault(asset, []).append(request.key)

    def drop(self, key: str) -> None:
        """Forget a request; one that is not known is none to forget."""
        request = self.known.pop(key, None)
        if request is None:
            return
        _take(self.cells, _cell(request.x, request.y), key)
        for asset in request.assets:
            _take(self.assets, asset, key)

    def near(self, report: Report) -> Iterator[Known]:
        """The requests of the nine cells around a report and of its asset, each once."""
        middle = _cell(report.x, report.y)
        around = (middle + dx * _COLUMN + dy for dx in (-1, 0, 1) for dy in (-1, 0, 1))
        keys = [key for cell in around for key in self.cells.get(cell, ())]
        if report.asset:
            keys += self.assets.get(report.asset, ())
        return (self.known[key] for key in dict.fromkeys(keys))


class _Read(msgspec.Struct, frozen=True):
    """A report with what its words say."""

    report: Report
    subject: str
    house: int
    street: str
    words: str


# --- a request over its life ---


def opened(report: Report, suspects: Iterable[Candidate] = ()) -> Known:
    """The request that a report opens; ``suspects``: the candidates that it was not surely a duplicate of."""
    read = _read(report)
    return Known(
        key=report.key,
        category=report.category,
        subject=read.subject,
        x=report.x,
        y=report.y,
        opened=report.at,
        last=report.at,
        assets=(report.asset,) if report.asset else (),
        houses=(read.house,) if read.house else (),
        street=read.street,
        words=(read.words,) if read.words else (),
        places=((report.x, report.y),),
        suspects=tuple((suspect.key, suspect.score) for suspect in suspects),
    )


def joined(known: Known, report: Report) -> Known:
    """The request with one more report: its place grows exacter with each."""
    read = _read(report)
    places = _places(known, report)
    return msgspec.structs.replace(
        known,
        x=median(x for x, _ in places),
        y=median(y for _, y in places),
        last=max(known.last, report.at),
        opened=min(known.opened, report.at),
        count=known.count + 1,
        assets=_added(known.assets, report.asset),
        houses=_added(known.houses, read.house),
        street=known.street or read.street,
        words=_added(known.words, read.words)[-_SENTENCES:],
        places=places,
    )


def closed(known: Known, at: int) -> Known:
    """The request mended at ``at`` (µs)."""
    return msgspec.structs.replace(known, fixed=at)


# --- the judgement ---


def judge(rules: Matching, known: Index | Iterable[Known], report: Report) -> Judgement:
    """Which request, if any, ``report`` repeats or reopens; the order of ``known`` changes nothing."""
    read = _read(report)
    near = known.near(report) if isinstance(known, Index) else known
    open_: list[tuple[Known, list[Reason]]] = []
    fixed: list[tuple[Known, list[Reason]]] = []
    for request in near:
        mended = 0 < request.fixed <= report.at
        if mended and report.at - request.fixed > rules.again_h * _HOUR_US:
            continue
        why = _reasons(rules, request, read, mended)
        if why:
            (fixed if mended else open_).append((request, why))
    candidates = _scored(rules, open_)
    best = candidates[0] if candidates else None
    if best and _with_doubles(best, candidates, open_) >= rules.sure:
        return Judgement(best.key, "", candidates[: rules.most])
    again = _scored(rules, fixed)
    reopens = again[0].key if again and again[0].score >= rules.again else ""
    shown = tuple(candidate for candidate in candidates if candidate.score >= rules.worth)
    return Judgement("", reopens, shown[: rules.most])


def _scored(rules: Matching, fits: list[tuple[Known, list[Reason]]]) -> tuple[Candidate, ...]:
    """The candidates, best first.  All of them and the chance that it is none share a score of 1."""
    weights = [math.exp(rules.base + sum(reason.points for reason in why)) for _, why in fits]
    # Summed exactly, so that the order of the requests does not show in the last digit.
    total = math.fsum([1.0, *weights])
    found = [
        Candidate(request.key, weight / total, tuple(sorted(why, key=lambda reason: -reason.points)))
        for (request, why), weight in zip(fits, weights, strict=True)
    ]
    return tuple(sorted(found, key=lambda candidate: (-candidate.score, candidate.key)))


def _with_doubles(
    best: Candidate, candidates: tuple[Candidate, ...], fits: list[tuple[Known, list[Reason]]]
) -> float:
    """The score of the best with its part of those that were once taken for its doubles.

    Two requests for one problem, which nobody put together, would otherwise halve each other's score.
    """
    suspects = {request.key: dict(request.suspects) for request, _ in fits}
    return best.score + sum(
        other.score * max(suspects[other.key].get(best.key, 0.0), suspects[best.key].get(other.key, 0.0))
        for other in candidates[1:]
    )


def _reasons(rules: Matching, known: Known, read: _Read, mended: bool) -> list[Reason]:
    """All that speaks for and against; nothing where the two cannot be the same."""
    about = _subject(rules, known, read)
    if about is None:
        return []
    same_asset = bool(read.report.asset) and read.report.asset in known.assets
    away = math.hypot(read.report.x - known.x, read.report.y - known.y)
    if not same_asset and away > _reach_m(known, read):
        return []
    why = [about, *_address(rules, known, read)]
    if same_asset:
        why.append(Reason("same_asset", rules.same_asset, (known.subject, read.report.asset)))
    else:
        why.append(_distance(rules, known, read, away, housed=why[-1].code in ("same_house", "facing_house")))
        if read.report.asset and known.assets:
            why.append(Reason("other_asset", rules.other_asset, (known.subject, known.assets[0])))
        if not mended:
            # A thing that is broken stays broken, however long nobody speaks of it; a place does not tell.
            why.append(_quiet(rules, known, read.report.at))
    why.append(Reason("reports", rules.reports[min(known.count, 3) - 1], (known.count,)))
    likeness = max((alike(read.words, words) for words in known.words), default=0.0)
    why.append(Reason("like_words", rules.like_words * likeness, (round(likeness, 2),)))
    return why


def _subject(rules: Matching, known: Known, read: _Read) -> Reason | None:
    """What words speak of goes before what was chosen from a list; nothing where they have nothing in common."""
    if read.subject == known.subject:
        return Reason("same_subject", 0.0, (known.subject,))
    if {read.report.category, read.subject} & {known.category, known.subject}:
        return Reason("mixed_subject", rules.mixed_subject, (known.category,))
    mine, other = CATEGORIES.get(read.subject), CATEGORIES.get(known.subject)
    if (mine and known.subject in mine.related) or (other and read.subject in other.related):
        return Reason("related_subject", rules.related_subject, (known.category,))
    return None


def _address(rules: Matching, known: Known, read: _Read) -> list[Reason]:
    """House numbers are compared unless the streets are two."""
    if read.street and known.street and alike(read.street, known.street) < _ONE_STREET:
        return [Reason("other_street", rules.other_street, (known.street,))]
    if not read.house or not known.houses:
        return []
    apart = min(abs(read.house - house) for house in known.houses)
    if apart == 0:
        return [Reason("same_house", rules.same_house, (read.house,))]
    if apart > 1:
        return [Reason("other_house", rules.other_house, (known.houses[0],))]
    if len(known.houses) > 1:
        return [Reason("beside_house", rules.beside_house, (known.houses[0],))]
    return [Reason("facing_house", rules.facing_house, (known.houses[0],))]


def _distance(rules: Matching, known: Known, read: _Read, away: float, housed: bool) -> Reason:
    if read.report.asset or known.assets:
        return Reason("away", points(rules.exact_m, away), (away,))
    if housed:
        return Reason("away", points(rules.housed_m, away), (away,))
    if known.count == 1:
        return Reason("away", points(rules.once_m, away), (away,))
    x, y = read.report.x, read.report.y
    closest = min(math.hypot(x - px, y - py) for px, py in known.places)
    return Reason("away", points(rules.often_m, away) + points(rules.closest_m, closest), (away,))


def _quiet(rules: Matching, known: Known, at: int) -> Reason:
    hours = max(0, at - known.last) / _HOUR_US
    return Reason("earlier", points(rules.quiet, hours), (hours,))


def _reach_m(known: Known, read: _Read) -> float:
    """The longer reach of the two categories, for one of them may be wrong."""
    found = (CATEGORIES.get(name) for name in (known.category, known.subject, read.subject))
    return max((category.reach_m for category in found if category), default=50.0)


def _read(report: Report) -> _Read:
    words = tokens(report.words)
    where = address(report.words)
    return _Read(report, subject(words) or report.category, where.house, where.street, " ".join(words))


def _places(known: Known, report: Report) -> tuple[Place, ...]:
    """The places of a request: once the register knows the thing, what people guessed counts no more."""
    here = (report.x, report.y)
    if report.asset and not known.assets:
        return (here,)
    if known.assets and not report.asset:
        return known.places
    return (*known.places, here)[-_PLACES:]


def _added(have: tuple[_T, ...], new: _T) -> tuple[_T, ...]:
    return have if not new or new in have else (*have, new)


def _cell(x: float, y: float) -> int:
    return math.floor(x / _CELL_M) * _COLUMN + math.floor(y / _CELL_M)


def _take(keys: dict[_K, list[str]], at: _K, key: str) -> None:
    """Take one key out of a list, and the list away when it is empty."""
    keys[at].remove(key)
    if not keys[at]:
        del keys[at]
