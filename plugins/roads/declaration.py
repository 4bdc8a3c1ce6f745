"""What the trade says of itself."""

from __future__ import annotations

from ondijon import AlarmKind, AssetKind, Declaration, EventKind, Kpi, Metric, Reads, Text, View
from plugins.roads.settings import Settings
from plugins.roads.state import State
from plugins.roads.vocabulary import (
    Access,
    DefectChanged,
    DefectReported,
    DefectRow,
    DelayRow,
    JobChanged,
    WorksChanged,
    WorksDeclared,
    WorksEnded,
    WorksRow,
)

EVENTS = (
    EventKind(
        name="roads.works.declared",
        data=WorksDeclared,
        from_persons=True,
        from_field=True,
        text=Text(fr="Travaux déclarés", en="Works declared"),
    ),
    EventKind(
        name="roads.works.ended",
        data=WorksEnded,
        from_persons=True,
        from_field=True,
        text=Text(fr="Fin de travaux déclarée", en="Works said to be over"),
    ),
    EventKind(
        name="roads.defect.reported",
        data=DefectReported,
        from_persons=True,
        from_field=True,
        text=Text(fr="Désordre signalé", en="Defect reported"),
    ),
    EventKind(
        name="roads.works.changed", data=WorksChanged, text=Text(fr="Suivi de travaux", en="Works changed")
    ),
    EventKind(
        name="roads.defect.changed",
        data=DefectChanged,
        text=Text(fr="Suivi de désordre", en="Defect changed"),
    ),
)

DECLARATION = Declaration(
    name="roads",
    text=Text(fr="Voirie", en="Roads"),
    config=Settings,
    state=State,
    ticks={"look": 1.0, "show": 30.0},
    reads=Reads(
        events={
            "roads.works.declared": WorksDeclared,
            "roads.works.ended": WorksEnded,
            "roads.defect.reported": DefectReported,
            "coordination.job.changed": JobChanged,
        },
    ),
    assets=(
        AssetKind(name="access", attributes=Access, text=Text(fr="Accès réservé", en="Reserved access")),
    ),
    metrics=(
        Metric(
            name="access.blocked",
            kind="access",
            unit="1",
            low=0.0,
            high=1.0,
            stale_after_s=900.0,
            labels=(Text("libre", "free"), Text("bloqué", "blocked")),
            text=Text(fr="Accès bloqué", en="Access blocked"),
        ),
    ),
    events=EVENTS,
    alarms=(
        AlarmKind(
            code="access_blocked",
            priority=1,
            text=Text(fr="Accès réservé bloqué", en="Reserved access blocked"),
        ),
        AlarmKind(
            code="defects_late",
            priority=3,
            text=Text(fr="Désordres hors délai", en="Defects beyond their time"),
        ),
    ),
    views=(
        View(name="roads.works", row=WorksRow),
        View(name="roads.defect", row=DefectRow),
        View(name="roads.delay", row=DelayRow),
    ),
    kpis=(
        Kpi(
            name="roads.in_time",
            view="roads.delay",
            field="in_time",
            unit="",
            text=Text(fr="Interventions dans le délai", en="Interventions in time"),
        ),
        Kpi(
            name="roads.begun",
            view="roads.delay",
            field="begun",
            unit="",
            text=Text(fr="Interventions", en="Interventions"),
        ),
    ),
)
