"""How well a sign fits an open incident, how that grows by it, and when two incidents are one."""

from __future__ import annotations

import math

import msgspec

from plugins.coordination.clusters import ASSETS_MAX, PLACES_MAX, SECOND, STEP_M, Incident, Place, Sign, State
from plugins.coordination.rules import Entry, Rule, Rules
from plugins.coordination.waiting import drop

#: How well a sign must fit an incident to join it at once.
JOIN = 0.30

#: What a case only explains, and cannot open it, speaks so much more faintly.
EXPLAINED = 0.6

#: A case is a consequence only of what began so shortly before or after it (s).
CAUSED_S = 300.0

#: A caller's word for the case, for another case, and one that is no case's.
_RIGHT, _WRONG, _VAGUE = 1.8, 0.25, 0.7

#: A caller who names the case right is believed so much farther off: his telephone is placed badly, not he.
_FARTHER = 1.5

#: The same asset again, in one incident or while it waits (a detector, a bus that stands there still): what it tells of
#: lasts, so it counts so many times as much, and so much farther off.
_AGAIN, _AGAIN_FARTHER = 2.0, 1.3

#: Two cases at one place are one if the signs of either speak for the other nearly as well (share).
ALIKE = 0.7

#: Two cases whose middles are so near, and nearer by their extents, are at one place (m).
AT_ONE_M = 150.0

#: A procession is no longer where it was so long ago (s).
_STALE_S = 900.0


def best(rules: Rules, state: State, sign: Sign, late: bool = False, times: int = 1) -> tuple[int, float]:
    """The open incident that explains the sign best, and how well; (-1, 0) for none. Older ones win a tie."""
    heard = rules.heard.get(sign.topic)
    if heard is None:
        return -1, 0.0
    followed = _followed(rules, state, sign, heard)
    if followed >= 0:
        return followed, 9.0
    best, most = -1, 0.0
    for number, incident in state.incidents.items():
        entry = heard.get(incident.rule)
        if entry is None:
            continue
        rule = rules.rule[incident.rule]
        if is_over(rule, incident, sign.at):
            continue
        fit = _fit(rules, rule, entry, incident, sign, late, times)
        if fit > most:
            best, most = number, fit
    return best, most


def _followed(rules: Rules, state: State, sign: Sign, heard: dict[str, Entry]) -> int:
    """The open incident of a network whose failed asset is this one or feeds it; -1 for none."""
    if sign.asset < 0 or not state.carried:
        return -1
    for asset in sign.chain:
        for number in state.carried.get(asset, ()):
            incident = state.incidents[number]
            entry = heard.get(incident.rule)
            if entry and entry.opens and not is_over(rules.rule[incident.rule], incident, sign.at):
                return number
    return -1


def _fit(
    rules: Rules, rule: Rule, entry: Entry, incident: Incident, sign: Sign, late: bool, times: int = 1
) -> float:
    """How well a sign fits an incident: weight of its topic x how near x how soon x what the caller says.

    ``late``: it waited in vain, so that a mistaken word or place is likelier than a case of its own.
    """
    if entry.opens and rule.spread == "network" and sign.behind:
        return 0.0  # what hangs on another part of the network is not of this failure, however near
    word = word_for(rules, rule, sign.category)
    if late and word == _WRONG:
        word = 0.5 if rule.spread == "network" else 1.0  # a dark quarter is wide: much happens in it
    again = times > 1 or sign.asset in incident.assets
    reach = entry.reach_m
    if word > 1 or (late and entry.opens):
        reach *= _FARTHER
    elif again:
        reach *= _AGAIN_FARTHER
    if incident.grain_m > STEP_M:
        reach += incident.grain_m * (1.0 if word > 1 or late else 0.5)
    apart2 = square_apart(rule, incident, sign, reach)
    if apart2 >= reach * reach:
        return 0.0
    near = 1 - apart2 / (reach * reach)
    # What is dark stays dark, and has no more to say: only elsewhere is silence a sign of the end.
    quiet = 0.0 if rule.spread == "network" else max(sign.at - incident.last, 0) / (rule.silence_s * SECOND)
    if entry.opens:
        fit = near * near * (1 - 0.5 * quiet)
    else:
        # Jams and late buses are everywhere: one is believed only while the case itself is told of, and is young.
        fit = EXPLAINED * near * (1 - quiet) * _young(rule, sign.at - incident.first)
    return entry.weight * fit * word * (_AGAIN if again else 1.0)


def _young(rule: Rule, age: int) -> float:
    lasts = rule.lasts_s * SECOND
    return 1.0 if age <= lasts else (lasts / age) ** 2


def square_apart(rule: Rule, incident: Incident, sign: Sign, reach: float) -> float:
    """Square of the distance (m²) from the incident to the sign."""
    x, y = sign.x, sign.y
    if rule.spread == "spot" or (rule.told_at == "carrier" and incident.mass):
        return (incident.x - x) ** 2 + (incident.y - y) ** 2
    oldest = sign.at - _STALE_S * SECOND if rule.spread == "trail" else 0
    least = math.inf
    for place in incident.places:
        dx = place.x - x
        if -reach < dx < reach and place.at >= oldest:
            apart2 = dx * dx + (place.y - y) ** 2
            if apart2 < least:
                least = apart2
    return least


def word_for(rules: Rules, rule: Rule, category: str) -> float:
    """What a caller's word is worth for a rule: 1 if nothing is said."""
    if not category:
        return 1.0
    if category in rule.named:
        return _RIGHT
    return _WRONG if category in rules.names else _VAGUE


def is_over(rule: Rule, incident: Incident, now: int) -> bool:
    return now - incident.last > rule.silence_s * SECOND or now - incident.first > rule.longest_s * SECOND


def join(rules: Rules, state: State, number: int, sign: Sign) -> None:
    incident = state.incidents[number]
    state.incidents[number] = grown(rules, incident, sign)


def grown(rules: Rules, incident: Incident, sign: Sign) -> Incident:
    """The incident with one more sign."""
    rule = rules.rule[incident.rule]
    heard = rules.heard[sign.topic]
    entry = heard.get(incident.rule)
    x, y, mass, places, votes = incident.x, incident.y, incident.mass, incident.places, incident.votes
    grain = incident.grain_m
    if entry is not None and entry.opens:
        if rule.spread == "spot":
            more = (100.0 / entry.reach_m) ** 2
            mass += more
            x += (sign.x - x) * more / mass
            y += (sign.y - y) * more / mass
        else:
            places = _placed(places, grain, sign)
            while len(places) > PLACES_MAX:
                # A network fails everywhere at once, and is remembered coarsely; a trail forgets where it began.
                grain *= 2 if rule.spread == "network" else 1
                places = _thinned(places, grain) if rule.spread == "network" else places[-PLACES_MAX:]
            if sign.asset >= 0 and sign.asset == incident.carrier:
                x, y, mass = sign.x, sign.y, 1.0
    if rule.spread != "network":
        votes = dict(votes)
        for name, other in heard.items():
            votes[name] = votes.get(name, 0.0) + other.weight * word_for(
                rules, rules.rule[name], sign.category
            )
    return Incident(
        number=incident.number,
        rule=incident.rule,
        first=incident.first,
        last=max(incident.last, sign.at) if entry is not None and entry.opens else incident.last,
        signs=incident.signs + sign.count,
        x=x,
        y=y,
        mass=mass,
        places=places,
        grain_m=grain,
        assets=_noted(incident.assets, sign, rule),
        carrier=incident.carrier,
        above=incident.above,
        votes=votes,
    )


def _placed(places: tuple[Place, ...], grain: float, sign: Sign) -> tuple[Place, ...]:
    """The places with that of the sign; one that is hardly elsewhere (``grain``, m) renews the old one."""
    for k, place in enumerate(places):
        if abs(place.x - sign.x) < grain and abs(place.y - sign.y) < grain:
            if sign.at - place.at < 60 * SECOND:
                return places
            return (*places[:k], *places[k + 1 :], Place(place.x, place.y, sign.at))
    return (*places, Place(sign.x, sign.y, sign.at))


def _thinned(places: tuple[Place, ...], grain: float) -> tuple[Place, ...]:
    """So few of the places that each is at most a ``grain`` (m) east and north of one that is kept."""
    kept: list[Place] = []
    for place in places:
        if not any(abs(k.x - place.x) < grain and abs(k.y - place.y) < grain for k in kept):
            kept.append(place)
    return tuple(kept)


def _noted(assets: dict[int, int], sign: Sign, rule: Rule) -> dict[int, int]:
    # A network's own assets are found by what they hang on: only the others need be known by name.
    if sign.asset < 0 or sign.asset in assets or len(assets) >= ASSETS_MAX or rule.spread == "network":
        return assets
    return assets | {sign.asset: sign.at}


def united(rules: Rules, state: State, number: int, sign: Sign) -> tuple[int, tuple[int, ...]]:
    """Make one of the incident that a sign joined and of those that now turn out to be the same: which stays, which go.

    The one stays that more speaks for.
    """
    incident = state.incidents[number]
    entry = rules.heard[sign.topic].get(incident.rule)
    if rules.rule[incident.rule].spread == "network" or entry is None or not entry.opens:
        return number, ()
    merged = []
    for other in list(state.incidents.values()):
        if other.number == number or other.number in merged or other.number not in state.incidents:
            continue
        if other.carrier >= 0 or is_over(rules.rule[other.rule], other, sign.at):
            continue
        incident = state.incidents[number]
        if touches(rules, incident, other) and _is_one(incident, other):
            stays, goes = (number, other.number) if _own(incident) >= _own(other) else (other.number, number)
            absorb(state, stays, goes)
            merged.append(goes)
            number = stays
    return number, tuple(merged)


def _own(incident: Incident) -> float:
    return incident.votes.get(incident.rule, 0.0)


def _is_one(a: Incident, b: Incident) -> bool:
    """Whether two incidents at one place are the same case: by name, or because what speaks for one fits the other."""
    if a.rule == b.rule:
        return True
    less, more = (a, b) if _own(a) < _own(b) else (b, a)
    return less.votes.get(more.rule, 0.0) >= ALIKE * _own(less)


def touches(rules: Rules, incident: Incident, other: Incident) -> bool:
    rule = rules.rule[incident.rule]
    reach = AT_ONE_M + rule.extent_m + rules.rule[other.rule].extent_m
    here = Sign(seq=0, at=other.last, topic="", x=other.x, y=other.y)
    return square_apart(rule, incident, here, reach) <= reach * reach


def caused(rules: Rules, cause: Incident, rule: str, first: int) -> bool:
    """Whether an incident brings about a case of this rule that began at ``first`` (µs)."""
    return cause.rule in rules.rule[rule].consequence_of and abs(first - cause.first) <= CAUSED_S * SECOND


def absorb(state: State, number: int, other: int) -> None:
    """Make the second incident part of the first."""
    a, b = state.incidents[number], state.incidents[other]
    close(state, other)
    mass = a.mass + b.mass or 1.0
    grain = max(a.grain_m, b.grain_m)
    places = tuple(sorted((*a.places, *b.places), key=lambda place: place.at))
    votes = dict(a.votes)
    for name, weight in b.votes.items():
        votes[name] = votes.get(name, 0.0) + weight
    state.incidents[number] = msgspec.structs.replace(
        a,
        first=min(a.first, b.first),
        last=max(a.last, b.last),
        signs=a.signs + b.signs,
        x=(a.x * a.mass + b.x * b.mass) / mass,
        y=(a.y * a.mass + b.y * b.mass) / mass,
        mass=mass,
        places=_thinned(places, grain)[-PLACES_MAX:],
        grain_m=grain,
        assets=dict(list((b.assets | a.assets).items())[:ASSETS_MAX]),
        votes=votes,
    )


def close(state: State, number: int) -> None:
    incident = state.incidents.pop(number)
    if incident.carrier >= 0:
        drop(state.carried, incident.carrier, number)
