"""What the trade says of itself."""

from __future__ import annotations

from ondijon import (
    AlarmKind,
    AssetKind,
    Declaration,
    EventKind,
    Metric,
    Reads,
    Retention,
    Text,
    View,
    requests,
    vocabulary,
)
from plugins.coordination.settings import Settings
from plugins.coordination.state import State
from plugins.coordination.vocabulary import (
    ActRefused,
    BoardRow,
    EntryNoted,
    IncidentActed,
    IncidentChanged,
    IncidentReported,
    IncidentRow,
    JobChanged,
    JobRow,
    MissionPlanned,
    MissionRow,
    PlanMade,
    RequestExpired,
    SiteChanged,
    StepAnswered,
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

NOTES = "coordination.words"

EVENTS += (
    EventKind(
        name="coordination.incident.reported",
        data=IncidentReported,
        from_persons=True,
        personal={"words": NOTES, "concerns": NOTES},
        subject="concerns",
        text=Text(fr="Cas ouvert par une personne", en="Case opened by a person"),
    ),
    EventKind(
        name="coordination.incident.acted",
        data=IncidentActed,
        from_persons=True,
        personal={"words": NOTES, "concerns": NOTES},
        subject="concerns",
        text=Text(fr="Action sur un cas", en="Act on a case"),
    ),
    EventKind(
        name="coordination.step.answered",
        data=StepAnswered,
        from_persons=True,
        personal={"words": NOTES, "concerns": NOTES},
        subject="concerns",
        text=Text(fr="Réponse à une étape", en="Step answered"),
    ),
    EventKind(
        name="coordination.act.refused", data=ActRefused, text=Text(fr="Action refusée", en="Act refused")
    ),
    EventKind(
        name="coordination.incident.changed",
        data=IncidentChanged,
        text=Text(fr="Suivi de cas", en="Case changed"),
    ),
    EventKind(
        name="coordination.entry.noted", data=EntryNoted, text=Text(fr="Main courante", en="Shift log")
    ),
)

RETENTION = (
    Retention(
        name=NOTES,
        days=365,
        basis="CSI art. L251-1 ff., main courante: public task, a year",
        text=Text(fr="Écrits de la main courante", en="Words of the shift log"),
    ),
)

ALARMS = (
    AlarmKind(
        code="cases_unattended",
        priority=1,
        text=Text(fr="Cas que personne n'a pris", en="Cases that nobody has taken"),
    ),
    AlarmKind(
        code="steps_late",
        priority=2,
        text=Text(fr="Étapes de fiche en retard", en="Steps of procedures are late"),
    ),
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
    View(name="coordination.incident", row=IncidentRow),
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
            "coordination.incident.reported": IncidentReported,
            "coordination.incident.acted": IncidentActed,
            "coordination.step.answered": StepAnswered,
            "post.alarm.changed": vocabulary.AlarmChanged,
            "post.sign.noted": requests.SignNoted,
            "post.incident.suggested": requests.IncidentSuggested,
            "post.unit.wanted": requests.UnitWanted,
            "post.corridor.wanted": requests.CorridorWanted,
            "post.light.wanted": requests.LightWanted,
            "post.look.wanted": requests.LookWanted,
            "post.request.answered": requests.RequestAnswered,
            "post.request.expired": RequestExpired,
        },
    ),
    assets=ASSETS,
    metrics=METRICS,
    events=EVENTS,
    alarms=ALARMS,
    views=VIEWS,
    retention=RETENTION,
)
