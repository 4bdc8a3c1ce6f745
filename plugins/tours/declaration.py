"""What the trade says of itself."""

from __future__ import annotations

from ondijon import Declaration, EventKind, Reads, Text
from ondijon.closures import ClosureDeclared
from plugins.tours.settings import Settings
from plugins.tours.state import State
from plugins.tours.vocabulary import MissionPlanned, PlanMade, SiteChanged, TeamChanged

DECLARATION = Declaration(
    name="tours",
    text=Text(fr="Tournées des équipes", en="Teams' tours"),
    config=Settings,
    state=State,
    ticks={"plan": 1.0},
    reads=Reads(
        events={
            "coordination.site.changed": SiteChanged,
            "coordination.team.changed": TeamChanged,
            "post.closure.declared": ClosureDeclared,
        },
        metrics=("team.lon", "team.lat"),
    ),
    events=(
        EventKind(
            name="tours.mission.planned",
            data=MissionPlanned,
            text=Text(fr="Mission planifiée", en="Mission planned"),
        ),
        EventKind(
            name="tours.plan.made", data=PlanMade, text=Text(fr="Plan des tournées", en="Plan of tours")
        ),
    ),
)
