"""What others say, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterator

from ondijon import Emit, Event, Proposal, Text, closures, requests
from ondijon.closures import ClosureDeclared
from plugins.police.dispatch import Dispatch
from plugins.police.fleet import Fleet
from plugins.police.state import State
from plugins.police.vocabulary import AlarmRaised, CallReceived, UnitArrived, UnitFreed

CALL = Text("Appel à la police municipale", "Call to the municipal police")
HELP = Text("Un agent demande de l'aide", "An officer calls for help")


def hear(fleet: Fleet, state: State, desk: Dispatch, event: Event) -> Iterator[Proposal]:
    """Take note of one event; what is to be said of it."""
    unit = "" if event.asset is None else fleet.city.assets.ids[event.asset]
    match event.data:
        case requests.UnitWanted() as asked:
            desk.wanted(event, asked)
        case CallReceived() as call:
            state.calls += 1
            yield from _call(event, call)
        case AlarmRaised() if unit in fleet.ids:
            if unit not in state.alarmed:
                yield from _help(event)
            desk.alarmed(unit)
        case UnitArrived() if unit in fleet.ids:
            desk.arrived(unit)
        case UnitFreed() if unit in fleet.ids:
            desk.freed(unit)
        case ClosureDeclared():
            closures.hear(state.closures, event)


def _call(event: Event, call: CallReceived) -> Iterator[Proposal]:
    """A call is a sign; one that is surely a case is that."""
    place = {"asset": event.asset, "lon": event.lon, "lat": event.lat}
    if call.urgent and call.category:
        data = requests.IncidentSuggested(category=call.category, title=CALL, priority=1)
        yield Emit(kind="post.incident.suggested", data=data, **place)
    else:
        note = requests.SignNoted(topic="police.call", title=CALL, category=call.category)
        yield Emit(kind="post.sign.noted", data=note, **place)


def _help(event: Event) -> Iterator[Proposal]:
    """An officer's call is a case at once, and the nearest other unit goes."""
    case = requests.IncidentSuggested(category="aggression", title=HELP, priority=1)
    yield Emit(kind="post.incident.suggested", data=case, asset=event.asset)
    unit = requests.UnitWanted(skills=("patrol",), title=HELP, priority=1)
    yield Emit(kind="post.unit.wanted", data=unit, asset=event.asset)
