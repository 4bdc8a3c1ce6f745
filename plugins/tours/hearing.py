"""What others say, and what of it asks for another plan."""

from __future__ import annotations

import numpy as np

from ondijon import NONE, Event, closures
from ondijon.closures import ClosureDeclared
from ondijon.whereabouts import OFF_STREET_M
from plugins.tours.crews import Crews
from plugins.tours.state import Site, State
from plugins.tours.vocabulary import SiteChanged, TeamChanged


def hear(crews: Crews, state: State, event: Event) -> None:
    """Take note of one event."""
    match event.data:
        case SiteChanged():
            _site(crews, state, event, event.data)
        case TeamChanged() if event.asset is not None:
            team = crews.city.assets.ids[event.asset]
            (state.off.discard if event.data.duty else state.off.add)(team)
            state.changed = True
        case ClosureDeclared():
            closures.hear(state.closures, event)
            state.changed = True


def _site(crews: Crews, state: State, event: Event, said: SiteChanged) -> None:
    known = state.sites.get(said.site)
    state.changed = True
    if said.state == "ended":
        state.sites.pop(said.site, None)
        return
    edge, offset_m = (known.edge, known.offset_m) if known else (NONE, 0.0)
    if event.lon is not None and event.lat is not None:
        place = crews.street_map.nearest(np.array([event.lon]), np.array([event.lat]), within_m=OFF_STREET_M)
        edge, offset_m = int(place.edge[0]), float(place.offset_m[0])
    state.sites[said.site] = Site(
        edge=edge,
        offset_m=offset_m,
        skills=frozenset(said.skills),
        service_s=said.service_s,
        priority=said.priority,
        crews=said.crews,
        earliest_utc=said.earliest_utc,
        latest_utc=said.latest_utc,
        teams=said.teams if said.state == "begun" else (),
        until_utc=said.until_utc,
    )
