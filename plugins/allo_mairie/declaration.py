"""What the trade says of itself."""

from __future__ import annotations

from ondijon import AlarmKind, Declaration, EventKind, Kpi, Reads, Retention, Text, View
from plugins.allo_mairie.settings import Settings
from plugins.allo_mairie.state import State
from plugins.allo_mairie.vocabulary import (
    READS,
    ActRefused,
    CommuneRow,
    ReportFiled,
    RequestChanged,
    RequestClosed,
    RequestCorrected,
    RequestJudged,
    RequestNoted,
    RequestPaused,
    RequestReceived,
    RequestReopened,
    RequestResumed,
    RequestRow,
    RequestsAged,
    SummaryRow,
)

CONTACT, WORDS = "allo_mairie.contact", "allo_mairie.words"

EVENTS = (
    EventKind(
        name="allo_mairie.request.received",
        data=RequestReceived,
        from_field=True,
        from_persons=True,
        personal={"caller": CONTACT, "words": WORDS, "photo": WORDS},
        subject="caller",
        text=Text(fr="Signalement d'un citoyen", en="Citizen's report"),
    ),
    EventKind(
        name="allo_mairie.request.reopened",
        data=RequestReopened,
        from_field=True,
        from_persons=True,
        personal={"caller": CONTACT, "words": WORDS},
        subject="caller",
        text=Text(fr="Demande rouverte", en="Request reopened"),
    ),
    EventKind(
        name="allo_mairie.request.judged",
        data=RequestJudged,
        from_persons=True,
        text=Text(fr="Doublon jugé par un agent", en="Duplicate judged by an agent"),
    ),
    EventKind(
        name="allo_mairie.request.closed",
        data=RequestClosed,
        from_persons=True,
        personal={"caller": CONTACT, "words": WORDS},
        subject="caller",
        text=Text(fr="Demande close par un agent", en="Request closed by an agent"),
    ),
    EventKind(
        name="allo_mairie.request.corrected",
        data=RequestCorrected,
        from_persons=True,
        text=Text(fr="Demande corrigée", en="Request corrected"),
    ),
    EventKind(
        name="allo_mairie.request.noted",
        data=RequestNoted,
        from_persons=True,
        personal={"caller": CONTACT, "words": WORDS},
        subject="caller",
        text=Text(fr="Note sur une demande", en="Note on a request"),
    ),
    EventKind(
        name="allo_mairie.request.paused",
        data=RequestPaused,
        from_persons=True,
        text=Text(fr="Demande en attente", en="Request paused"),
    ),
    EventKind(
        name="allo_mairie.request.resumed",
        data=RequestResumed,
        from_persons=True,
        text=Text(fr="Demande reprise", en="Request resumed"),
    ),
    EventKind(
        name="allo_mairie.report.filed",
        data=ReportFiled,
        text=Text(fr="Signalement classé", en="Report filed"),
    ),
    EventKind(
        name="allo_mairie.request.changed",
        data=RequestChanged,
        text=Text(fr="Suivi de demande", en="Request changed"),
    ),
    EventKind(
        name="allo_mairie.requests.aged",
        data=RequestsAged,
        text=Text(fr="Délais des demandes", en="Requests grown old"),
    ),
    EventKind(
        name="allo_mairie.act.refused",
        data=ActRefused,
        text=Text(fr="Action sur une demande refusée", en="Act on a request refused"),
    ),
)

RETENTION = (
    Retention(
        name=CONTACT,
        days=90,
        basis="GDPR art. 6(1)(e), relation with citizens: to answer who reported, three months",
        text=Text(fr="Coordonnées de citoyens", en="Citizens' contacts"),
    ),
    Retention(
        name=WORDS,
        days=365,
        basis="GDPR art. 6(1)(e), upkeep of public space: to mend it and to account for it, a year",
        text=Text(fr="Écrits et photos de citoyens", en="Citizens' words and photos"),
    ),
)

ALARMS = (
    AlarmKind(
        code="requests_late",
        priority=3,
        text=Text(fr="Demandes de citoyens en retard", en="Citizens' requests are late"),
    ),
    AlarmKind(
        code="requests_full",
        priority=2,
        text=Text(fr="Ligne des citoyens saturée", en="The citizens' line is full"),
    ),
)

VIEWS = (
    View(name="allo_mairie.request", row=RequestRow),
    View(name="allo_mairie.commune", row=CommuneRow),
    View(name="allo_mairie.summary", row=SummaryRow),
)

KPIS = tuple(
    Kpi(name=f"allo_mairie.{field}", view="allo_mairie.summary", field=field, unit="", text=Text(fr, en))
    for field, fr, en in (
        ("received", "Signalements reçus", "Reports received"),
        ("resolved", "Demandes résolues", "Requests resolved"),
        ("late", "Demandes qui ont été en retard", "Requests that were late"),
        ("reopened", "Demandes rouvertes", "Requests reopened"),
        ("duplicates", "Doublons réunis", "Duplicates joined"),
    )
)

DECLARATION = Declaration(
    name="allo_mairie",
    text=Text(fr="Allo Mairie", en="Citizens' line"),
    config=Settings,
    state=State,
    ticks={"watch": 1.0},
    reads=Reads(events=READS),
    events=EVENTS,
    alarms=ALARMS,
    views=VIEWS,
    kpis=KPIS,
    retention=RETENTION,
)
