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
)
from ondijon.closures import ClosureDeclared
from plugins.police.settings import Settings
from plugins.police.state import State
from plugins.police.vocabulary import (
    AlarmRaised,
    CallReceived,
    Patrol,
    SummaryRow,
    UnitArrived,
    UnitFreed,
    UnitRow,
    UnitSent,
)

#: Not kept, and not drawn: where an officer is shows only while they are called to something.
METRICS = tuple(
    Metric(
        name=name, kind="patrol", unit="°", low=low, high=-low, stale_after_s=300.0, text=Text(fr=fr, en=en)
    )
    for name, low, fr, en in (
        ("patrol.lon", -180.0, "Longitude de l'unité", "Unit's longitude"),
        ("patrol.lat", -90.0, "Latitude de l'unité", "Unit's latitude"),
    )
)

CALLER, WORDS = "police.caller", "police.words"

EVENTS = (
    EventKind(
        name="police.call.received",
        data=CallReceived,
        from_field=True,
        from_persons=True,
        personal={"caller": CALLER, "words": WORDS},
        subject="caller",
        text=Text(fr="Appel reçu", en="Call received"),
    ),
    EventKind(
        name="police.alarm.raised",
        data=AlarmRaised,
        from_field=True,
        text=Text(fr="Alarme d'un agent", en="Officer's alarm"),
    ),
    EventKind(
        name="police.unit.arrived",
        data=UnitArrived,
        from_field=True,
        from_persons=True,
        text=Text(fr="Unité sur place", en="Unit on site"),
    ),
    EventKind(
        name="police.unit.freed",
        data=UnitFreed,
        from_field=True,
        from_persons=True,
        text=Text(fr="Unité disponible", en="Unit free again"),
    ),
    EventKind(name="police.unit.sent", data=UnitSent, text=Text(fr="Unité envoyée", en="Unit sent")),
)

DECLARATION = Declaration(
    name="police",
    text=Text(fr="Police municipale", en="Municipal police"),
    config=Settings,
    state=State,
    ticks={"look": 2.0, "show": 10.0},
    reads=Reads(
        events={
            "police.call.received": CallReceived,
            "police.alarm.raised": AlarmRaised,
            "police.unit.arrived": UnitArrived,
            "police.unit.freed": UnitFreed,
            "post.unit.wanted": requests.UnitWanted,
            "post.closure.declared": ClosureDeclared,
        },
    ),
    assets=(AssetKind(name="patrol", attributes=Patrol, text=Text(fr="Unité de police", en="Police unit")),),
    metrics=METRICS,
    events=EVENTS,
    alarms=(
        AlarmKind(
            code="officer_alarm",
            priority=1,
            text=Text(fr="Un agent demande de l'aide", en="An officer calls for help"),
        ),
    ),
    views=(View(name="police.unit", row=UnitRow), View(name="police.summary", row=SummaryRow)),
    retention=(
        Retention(
            name=CALLER,
            days=30,
            basis="CSI art. L511-1 ff., public task: to call back",
            text=Text(fr="Appelants", en="Callers"),
        ),
        Retention(
            name=WORDS,
            days=365,
            basis="CSI art. L511-1 ff., main courante: public task, a year",
            text=Text(fr="Propos des appelants", en="What callers said"),
        ),
    ),
)
