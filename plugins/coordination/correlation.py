"""Signs of all trades become incidents, one sign after the other: pure, from rules, state and sign alone.

A sign joins the open incident that explains it best. Otherwise it waits in a watch of its own, until signs that wait
near it weigh enough together to open an incident, or an incident takes it when its time is over.
"""

from __future__ import annotations

import msgspec

from plugins.coordination.clusters import (
    INCIDENTS_MAX,
    SECOND,
    WATCHES_MAX,
    Ended,
    Incident,
    Sign,
    State,
    Verdict,
    Watch,
)
from plugins.coordination.fitting import JOIN, best, close, is_over, join, united
from plugins.coordination.opening import open_case
from plugins.coordination.rules import Rules
from plugins.coordination.waiting import QUIET_S, chatters, forget, heard_alone, there, wait

__all__ = [
    "INCIDENTS_MAX",
    "SECOND",
    "WATCHES_MAX",
    "Ended",
    "Incident",
    "Sign",
    "State",
    "Verdict",
    "Watch",
    "adopt",
    "correlate",
    "expire",
]

#: A sign waits so long for others (s), one whose caller named a case longer; then it is forgotten, or an incident that
#: it fits poorly takes it.
PATIENCE_S = 600.0
PATIENCE_NAMED_S = 1_500.0

#: How well a sign must fit an incident to be taken when its time is over.
SETTLE = 0.16


def correlate(rules: Rules, state: State, sign: Sign) -> Verdict:
    """Take one sign into ``state``. Signs must come in the order of ``at``, equal ones in that of ``seq``."""
    key = f"{sign.topic}@{sign.asset}" if sign.asset >= 0 else ""
    if key and chatters(state.voices.get(key), sign):
        heard_alone(state, key, sign)
        return Verdict(cluster=-1)
    number, fit = best(rules, state, sign)
    if fit >= JOIN:
        join(rules, state, number, sign)
        number, merged = united(rules, state, number, sign)
        return Verdict(cluster=number, rule=state.incidents[number].rule, merged=merged)
    if key:
        heard_alone(state, key, sign)
        if (waiting := state.said.get(key)) is not None:
            watch = state.watches[waiting]
            if sign.at - watch.last <= PATIENCE_S * SECOND and there(watch.sign, sign.x, sign.y):
                return _repeated(rules, state, waiting, sign)
            forget(state, waiting)
    wait(state, sign, key)
    return open_case(rules, state, sign, sign.at)


def expire(rules: Rules, state: State, now: int) -> list[Ended]:
    """End what is over at ``now`` (µs): watches that waited long enough, incidents that have been silent."""
    ended = []
    for number in list(state.watches):
        watch = state.watches[number]
        named = watch.sign.category in rules.names
        if now - watch.last <= (PATIENCE_NAMED_S if named else PATIENCE_S) * SECOND:
            continue
        forget(state, number)
        into, fit = best(rules, state, watch.sign, late=True, times=watch.times)
        if fit < SETTLE:
            ended.append(Ended(cluster=number))
            continue
        join(rules, state, into, watch.sign)
        ended.append(Ended(cluster=number, rule=state.incidents[into].rule, into=into))
    for number in list(state.incidents):
        incident = state.incidents[number]
        if is_over(rules.rule[incident.rule], incident, now):
            close(state, number)
            ended.append(Ended(cluster=number, rule=incident.rule))
    for key in [k for k, voice in state.voices.items() if now - voice.last > QUIET_S * SECOND]:
        del state.voices[key]
    return ended


def adopt(rules: Rules, state: State) -> list[Ended]:
    """Make a state fit for other rules than it grew with: incidents of cases that are no more take no more signs."""
    ended = []
    for number, incident in list(state.incidents.items()):
        if incident.rule not in rules.rule:
            close(state, number)
            ended.append(Ended(cluster=number, rule=incident.rule))
    return ended


def _repeated(rules: Rules, state: State, number: int, sign: Sign) -> Verdict:
    """The same from the same asset that waits: what it told of lasts, and is believed sooner."""
    watch = state.watches[number]
    state.watches[number] = msgspec.structs.replace(watch, times=watch.times + 1, last=sign.at)
    into, fit = best(rules, state, sign, times=watch.times + 1)
    if fit < JOIN:
        return open_case(rules, state, watch.sign, sign.at)
    join(rules, state, into, forget(state, number))
    join(rules, state, into, sign)
    return Verdict(cluster=into, rule=state.incidents[into].rule, merged=(number,))
