"""When signs that wait open an incident, and what it takes with it."""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec

from plugins.coordination.clusters import INCIDENTS_MAX, SECOND, Incident, Sign, State, Verdict, Watch
from plugins.coordination.fitting import (
    ALIKE,
    AT_ONE_M,
    JOIN,
    absorb,
    best,
    caused,
    close,
    grown,
    is_over,
    join,
    square_apart,
    touches,
    word_for,
)
from plugins.coordination.rules import Entry, Rule, Rules
from plugins.coordination.waiting import around, drop, forget

#: The same from the same asset while it waits: it speaks as the root of so many voices at most.
TIMES_MAX = 3


class _Found(msgspec.Struct, frozen=True):
    """A case that could open: how much more than needed speaks for it, with which signs, behind what."""

    rule: str
    ratio: float
    signs: tuple[Sign, ...]
    carrier: int = -1
    above: tuple[int, ...] = ()


def open_case(rules: Rules, state: State, sign: Sign, now: int) -> Verdict:
    """Open the case that the waiting signs speak for most, if any speaks loud enough; `sign` waits, too."""
    heard = rules.heard.get(sign.topic, {})
    found = [
        case for entry in heard.values() if entry.opens and (case := _case(rules, state, entry, sign, now))
    ]
    if not found:
        return Verdict(cluster=sign.seq)
    best = max(found, key=lambda case: case.ratio)
    same = _same(rules, state, best, now)
    if same >= 0:
        return _taken(rules, state, same, best)
    return _opened(rules, state, best, now)


def _case(rules: Rules, state: State, entry: Entry, sign: Sign, now: int) -> _Found | None:
    rule = rules.rule[entry.rule]
    if rule.spread == "network":
        return _behind(state, entry.rule, rule, sign, now)
    near = _near(rules, state, entry, rule, sign, now)
    weight = math.fsum(w for _, w in near)
    if weight < rule.opens or len({other.topic for other, _ in near}) < rule.kinds:
        return None
    return _Found(entry.rule, weight / rule.opens, tuple(other for other, _ in near))


def _near(
    rules: Rules, state: State, entry: Entry, rule: Rule, sign: Sign, now: int
) -> list[tuple[Sign, float]]:
    """The waiting signs that speak for the rule near this one, and how strongly each does."""
    near = []
    oldest = now - rule.within_s * SECOND
    for watch in around(state, sign.x, sign.y, entry.reach_m):
        if watch.last < oldest:
            continue
        other = watch.sign
        theirs = rules.heard.get(other.topic, {}).get(entry.rule)
        if theirs is None or not theirs.opens:
            continue
        reach = 1.2 * min(entry.reach_m, theirs.reach_m)
        apart2 = (other.x - sign.x) ** 2 + (other.y - sign.y) ** 2
        if apart2 < reach * reach:
            loud = math.sqrt(min(watch.times, TIMES_MAX))
            near.append((other, theirs.weight * word_for(rules, rule, other.category) * loud))
    return near


def _behind(state: State, name: str, rule: Rule, sign: Sign, now: int) -> _Found | None:
    """What failed, if enough waits behind it: the highest asset with enough different things below it."""
    best = None
    chain = sign.chain
    oldest = now - rule.within_s * SECOND
    for level, carrier in enumerate(chain):
        by_branch: dict[int, float] = {}
        leaves: set[int] = set()
        signs = []
        for number in reversed(state.below.get(carrier, ())):
            other = state.watches[number].sign
            if other.at < oldest:
                continue
            weight = rule.speaks.get(other.topic)
            if weight is None:
                continue
            signs.append(other)
            branch = _branch(carrier, other)
            if branch == other.asset:
                leaves.add(branch)
            by_branch[branch] = by_branch.get(branch, 0.0) + weight * other.count
        if _speaking(rule, carrier, by_branch, leaves):
            weight = math.fsum(by_branch.values())
            best = _Found(name, weight / rule.opens, tuple(reversed(signs)), carrier, chain[level + 1 :])
    return best


def _speaking(rule: Rule, carrier: int, by_branch: dict[int, float], leaves: set[int]) -> bool:
    """Whether what waits behind a carrier says that the carrier itself failed, not one of the things below it.

    A branch with others behind it counts only when it is loud by itself, and then for its part alone.
    """
    part = rule.opens / rule.branches
    heard = (w if b == carrier or b in leaves else part if w >= part else 0.0 for b, w in by_branch.items())
    return math.fsum(heard) >= rule.opens - 1e-9


def _branch(carrier: int, sign: Sign) -> int:
    """What stands between a carrier and a sign behind it: the thing directly below the carrier."""
    if sign.asset == carrier:
        return carrier
    at = sign.behind.index(carrier)
    return sign.behind[at - 1] if at else sign.asset


def _same(rules: Rules, state: State, case: _Found, now: int) -> int:
    """The open incident that the case is of: the same by another name, or what brings it about; -1 for none."""
    if case.carrier >= 0:
        return -1
    rule = rules.rule[case.rule]
    x, y = _middle(case.signs)
    for number, incident in state.incidents.items():
        theirs = rules.rule[incident.rule]
        if is_over(theirs, incident, now):
            continue
        reach = AT_ONE_M + rule.extent_m + theirs.extent_m
        here = Sign(seq=0, at=now, topic="", x=x, y=y)
        if square_apart(theirs, incident, here, reach) > reach * reach:
            continue
        if (
            incident.rule == case.rule
            or caused(rules, incident, case.rule, min(s.at for s in case.signs))
            or _alike(rules, incident, case)
        ):
            return number
    return -1


def _alike(rules: Rules, incident: Incident, case: _Found) -> bool:
    """Whether what speaks for either speaks for the other nearly as well."""
    if rules.rule[incident.rule].spread == "network":
        return False
    own = incident.votes.get(incident.rule, 0.0)
    theirs = _votes(rules, case.signs)
    return (
        incident.votes.get(case.rule, 0.0) >= ALIKE * own
        or theirs.get(incident.rule, 0.0) >= ALIKE * theirs[case.rule]
    )


def _votes(rules: Rules, signs: Iterable[Sign]) -> dict[str, float]:
    votes: dict[str, float] = {}
    for sign in signs:
        for name, entry in rules.heard[sign.topic].items():
            votes[name] = votes.get(name, 0.0) + entry.weight * word_for(
                rules, rules.rule[name], sign.category
            )
    return votes


def _middle(signs: tuple[Sign, ...]) -> tuple[float, float]:
    return math.fsum(s.x for s in signs) / len(signs), math.fsum(s.y for s in signs) / len(signs)


def _taken(rules: Rules, state: State, number: int, case: _Found) -> Verdict:
    """Give the signs of a case to an open incident, and its better name with them."""
    for sign in case.signs:
        forget(state, sign.seq)
        join(rules, state, number, sign)
    incident = state.incidents[number]
    if incident.votes.get(case.rule, 0.0) > incident.votes.get(incident.rule, 0.0) and incident.carrier < 0:
        state.incidents[number] = incident = msgspec.structs.replace(incident, rule=case.rule)
    return Verdict(cluster=number, rule=incident.rule, merged=tuple(s.seq for s in case.signs))


def _opened(rules: Rules, state: State, case: _Found, now: int) -> Verdict:
    for other in case.signs:
        forget(state, other.seq)
    first = min(case.signs, key=lambda other: other.seq)
    number = first.seq
    x, y = _middle(case.signs)
    incident = Incident(
        number=number,
        rule=case.rule,
        first=max(first.at, now - round(rules.rule[case.rule].within_s * SECOND)),
        last=now,
        signs=0,
        x=x,
        y=y,
        mass=0.0,
        carrier=case.carrier,
        above=case.above,
    )
    for other in case.signs:
        incident = grown(rules, incident, other)
    if len(state.incidents) >= INCIDENTS_MAX:
        close(state, min(state.incidents, key=lambda n: (state.incidents[n].last, n)))
    state.incidents[number] = incident
    if case.carrier >= 0:
        state.carried[case.carrier] = (*state.carried.get(case.carrier, ()), number)
    merged = [s.seq for s in case.signs if s.seq != number]
    stays, gone = _climbed(rules, state, number, now)
    merged += [*gone, *_gathered(rules, state, stays)]
    return Verdict(cluster=stays, rule=case.rule, opened=stays == number, merged=tuple(merged))


def _climbed(rules: Rules, state: State, number: int, now: int) -> tuple[int, list[int]]:
    """Where enough neighbours failed at the same time, what feeds them all failed: they are one, the oldest stays."""
    gone: list[int] = []
    incident = state.incidents[number]
    rule = rules.rule[incident.rule]
    oldest = now - rule.within_s * SECOND
    while incident.above:
        parent = incident.above[0]
        siblings = [
            other.number
            for other in state.incidents.values()
            if other.rule == incident.rule and other.above[:1] == (parent,) and other.first >= oldest
        ]
        if len(siblings) < max(rule.branches, 2):
            break
        number = min(siblings)
        gone += [other for other in siblings if other != number]
        for other in siblings:
            if other != number:
                absorb(state, number, other)
        incident = _lifted(state, number)
    return number, gone


def _lifted(state: State, number: int) -> Incident:
    """The incident with what feeds its carrier as the carrier."""
    incident = state.incidents[number]
    drop(state.carried, incident.carrier, number)
    carrier, *above = incident.above
    state.carried[carrier] = (*state.carried.get(carrier, ()), number)
    incident = msgspec.structs.replace(incident, carrier=carrier, above=tuple(above))
    state.incidents[number] = incident
    return incident


def _gathered(rules: Rules, state: State, number: int) -> list[int]:
    """What a new incident explains of what was there before it: waiting signs, and incidents below or after it."""
    gathered = []
    incident = state.incidents[number]
    rule = rules.rule[incident.rule]
    for other in list(state.incidents.values()):
        if other.number == number:
            continue
        below = incident.carrier >= 0 and other.rule == incident.rule and incident.carrier in other.above
        after = caused(rules, incident, other.rule, other.first) and touches(rules, incident, other)
        if below or after:
            absorb(state, number, other.number)
            gathered.append(other.number)
    for watch in _waiting(state, incident, rule):
        fitting, fit = best(rules, state, watch.sign, times=watch.times)
        if fitting == number and fit >= JOIN:
            join(rules, state, number, forget(state, watch.number))
            gathered.append(watch.number)
    return gathered


def _waiting(state: State, incident: Incident, rule: Rule) -> list[Watch]:
    if rule.spread != "spot":
        return list(state.watches.values())
    return list(around(state, incident.x, incident.y, 600.0))
