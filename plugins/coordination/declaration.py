"""What the trade says of itself."""

from __future__ import annotations

from ondijon import AlarmKind, AssetKind, Declaration, EventKind, Metric, Reads, Text, View, requests
from plugins.coordination.settings import Settings
from plugins.coordination.state import State
from plugins.coordination.vocabulary import (
    BoardRow,
    JobChanged,
    JobRow,
    MissionPlanned,
    MissionRow,
    PlanMade,
    SiteChanged,
    Team,
    TeamChanged,
    VisitBegun,
    VisitEnded,
)

ASSETS = (AssetKind(name="team", attributes=Team, text=Text(fr="Équipe d'intervention", en="Team")),)

#: Not kept: where somebody was at work, and for how long, is nobody's business once the day is over.
METRICS = tuple(
    Metric(name=name, kind="team", unit="°", low=low, high=-low, stale_after_s=300.0, text=Text(fr=fr, en=en))
    for name, low, fr, en in (
        ("team.lon", -180.0, "Longitude de l'équipe", "Team's longitude"),
        ("team.lat", -90.0, "Latitude de l'équipe", "Team's latitude"),
    )
)

EVENTS = (
    EventKind(
        name="coordination.job.changed", data=JobChanged, text=Text(fr="Suivi de travail", en="Job changed")
    ),
    EventKind(
        name="coordination.site.changed",
        data=SiteChanged,
        text=Text(fr="Suivi de chantier", en="Site changed"),
    ),
    EventKind(
        name="coordination.visit.begun",
        data=VisitBegun,
        from_field=True,
        from_persons=True,
        text=Text(fr="Équipe sur place", en="Team on site"),
    ),
    EventKind(
        name="coordination.visit.ended",
        data=VisitEnded,
        from_field=True,
        from_persons=True,
        text=Text(fr="Fin d'intervention", en="Visit ended"),
    ),
    EventKind(
        name="coordination.team.changed",
        data=TeamChanged,
        from_field=True,
        from_persons=True,
        text=Text(fr="Disponibilité d'une équipe", en="A team's duty changed"),
    ),
)

ALARMS = (
    AlarmKind(
        code="plan_late",
        priority=2,
        text=Text(fr="Pas de plan de tournées à jour", en="No plan of tours in time"),
    ),
    AlarmKind(
        code="jobs_left_out",
        priority=2,
        text=Text(fr="Travaux sans équipe", en="Jobs without a team"),
        delay_on_s=60.0,
    ),
    AlarmKind(
        code="jobs_held",
        priority=3,
        text=Text(fr="Travaux à débloquer", en="Jobs that a person must help on"),
    ),
    AlarmKind(
        code="visit_overdue",
        priority=2,
        text=Text(fr="Intervention anormalement longue", en="A visit lasts much too long"),
    ),
)

VIEWS = (
    View(name="coordination.job", row=JobRow),
    View(name="coordination.mission", row=MissionRow),
    View(name="coordination.board", row=BoardRow),
)

DECLARATION = Declaration(
    name="coordination",
    text=Text(fr="Coordination", en="Coordination"),
    config=Settings,
    state=State,
    ticks={"watch": 1.0},
    reads=Reads(
        events={
            "post.job.wanted": requests.JobWanted,
            "post.job.withdrawn": requests.JobWithdrawn,
            "coordination.visit.begun": VisitBegun,
            "coordination.visit.ended": VisitEnded,
            "coordination.team.changed": TeamChanged,
            "tours.mission.planned": MissionPlanned,
            "tours.plan.made": PlanMade,
        },
    ),
    assets=ASSETS,
    metrics=METRICS,
    events=EVENTS,
    alarms=ALARMS,
    views=VIEWS,
)
