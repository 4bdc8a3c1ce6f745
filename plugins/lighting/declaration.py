"""What the trade says of itself."""

from __future__ import annotations

from ondijon import (
    AlarmKind,
    AssetKind,
    Authorisation,
    Declaration,
    EventKind,
    Kpi,
    Layer,
    Merge,
    Metric,
    ProgrammeKind,
    Reads,
    Text,
    Verb,
    View,
    requests,
)
from plugins.lighting.schedule import CALENDAR
from plugins.lighting.settings import LEASE_MAX_S, Calendar, Settings
from plugins.lighting.state import State
from plugins.lighting.vocabulary import (
    Cabinet,
    CalendarChanged,
    DoorClosed,
    DoorOpened,
    EnergyRow,
    FaultCleared,
    FaultFound,
    Lamp,
    PresenceSensor,
    ProgrammeChanged,
    SummaryRow,
)

ASSETS = (
    AssetKind(
        name="lamp", attributes=Lamp, parent="cabinet", text=Text(fr="Point lumineux", en="Light point")
    ),
    AssetKind(
        name="presence_sensor",
        attributes=PresenceSensor,
        parent="lamp",
        text=Text(fr="Détecteur de présence", en="Presence sensor"),
    ),
    AssetKind(name="cabinet", attributes=Cabinet, text=Text(fr="Armoire d'éclairage", en="Lighting cabinet")),
)

METRICS = (
    Metric(
        name="lamp.level",
        kind="lamp",
        unit="%",
        kept=True,
        deadband=0.5,
        low=0.0,
        high=100.0,
        answers=True,
        text=Text(fr="Niveau d'éclairage", en="Light level"),
    ),
    Metric(
        name="lamp.power",
        kind="lamp",
        unit="W",
        kept=True,
        deadband=1.0,
        low=0.0,
        high=2_000.0,
        # Lamps report at least each 15 minutes; two missed reports and a little.
        stale_after_s=2_000.0,
        answers=True,
        text=Text(fr="Puissance du point lumineux", en="Light point's power"),
    ),
    Metric(
        name="presence_sensor.presence",
        kind="presence_sensor",
        # Not kept: minute by minute it would tell who walks home when, in a street where one person does.
        unit="1",
        merge=Merge.SUM,
        low=0.0,
        high=1_000.0,
        text=Text(fr="Passages détectés", en="People seen"),
    ),
    Metric(
        name="presence_sensor.alive",
        kind="presence_sensor",
        unit="1",
        merge=Merge.ANY,
        low=0.0,
        high=1.0,
        # A heartbeat each minute: three missed.
        stale_after_s=180.0,
        text=Text(fr="Détecteur en vie", en="Sensor alive"),
    ),
    Metric(
        name="cabinet.energy",
        kind="cabinet",
        unit="kWh",
        kept=True,
        low=0.0,
        high=1e9,
        stale_after_s=300.0,
        answers=True,
        text=Text(fr="Index du compteur", en="Meter register"),
    ),
    Metric(
        name="cabinet.power",
        kind="cabinet",
        unit="W",
        kept=True,
        deadband=10.0,
        low=0.0,
        high=1e6,
        stale_after_s=300.0,
        answers=True,
        text=Text(fr="Puissance de l'armoire", en="Cabinet's power"),
    ),
)

EVENTS = (
    EventKind(
        name="lighting.calendar.changed",
        data=CalendarChanged,
        text=Text(fr="Changement de régime d'éclairage", en="Lighting level of the calendar changed"),
    ),
    EventKind(
        name="lighting.fault.found", data=FaultFound, text=Text(fr="Défaut d'éclairage", en="Lighting fault")
    ),
    EventKind(
        name="lighting.door.opened",
        data=DoorOpened,
        from_field=True,
        text=Text(fr="Porte d'armoire ouverte", en="Cabinet door opened"),
    ),
    EventKind(
        name="lighting.door.closed",
        data=DoorClosed,
        from_field=True,
        text=Text(fr="Porte d'armoire fermée", en="Cabinet door closed"),
    ),
    EventKind(
        name="lighting.fault.cleared",
        data=FaultCleared,
        text=Text(fr="Fin de défaut d'éclairage", en="Lighting fault over"),
    ),
)

VERBS = (
    Verb(
        name="lamp.dim",
        targets="lamp",
        low=0.0,
        high=100.0,
        unit="%",
        lease_max_s=LEASE_MAX_S,
        verify_metric="lamp.level",
        tolerance=3.0,
        # A lamp fades slowly and reports each second: this covers all but the longest way down.
        verify_s=30.0,
        text=Text(fr="Régler le niveau", en="Set the level"),
    ),
)

#: Light for people, everywhere: the floor and the ceiling of the settings stand within.
AUTHORISATIONS = (
    Authorisation(
        name="presence",
        verb="lamp.dim",
        low=0.0,
        high=100.0,
        lease_max_s=LEASE_MAX_S,
        # A lamp under traffic is renewed at most each second.
        rate=60.0,
    ),
)

#: What persons set, and devices then run by themselves.
PROGRAMMES = (
    ProgrammeKind(
        name=CALENDAR,
        targets="lamp",
        content=Calendar,
        text=Text(fr="Calendrier d'éclairage", en="Lighting calendar"),
    ),
)

#: What is silent may be so because nothing comes through.
NETWORK = ("gateway_silent", "link_cut", "switch_down")

#: Delays stand in the settings: they are counted in time with evidence, which only the trade knows.
ALARMS = (
    AlarmKind(
        code="cabinet_fault",
        priority=1,
        text=Text(fr="Armoire en défaut", en="Cabinet fault"),
        suppressed_by=NETWORK,
    ),
    AlarmKind(
        code="lamp_fault",
        priority=3,
        text=Text(fr="Point lumineux en défaut", en="Light point fault"),
        suppressed_by=("cabinet_fault",),
    ),
    AlarmKind(code="day_burner", priority=3, text=Text(fr="Allumé en plein jour", en="Burning by day")),
    AlarmKind(
        code="lamp_silent",
        priority=3,
        text=Text(fr="Point lumineux muet", en="Light point silent"),
        suppressed_by=("cabinet_fault", *NETWORK),
    ),
    AlarmKind(
        code="sensor_silent",
        priority=3,
        text=Text(fr="Détecteur muet", en="Sensor silent"),
        suppressed_by=("cabinet_fault", *NETWORK),
    ),
)

KPIS = tuple(
    Kpi(name=f"lighting.{field}", view=view, field=field, unit=unit, text=Text(fr=fr, en=en))
    for view, field, unit, fr, en in (
        ("lighting.energy", "modelled_kwh", "kWh", "Énergie modélisée", "Energy, modelled"),
        (
            "lighting.energy",
            "calendar_kwh",
            "kWh",
            "Énergie des calendriers seuls",
            "Energy of the calendars alone",
        ),
        ("lighting.energy", "always_on_kwh", "kWh", "Énergie sans gradation", "Energy without dimming"),
        ("lighting.summary", "sightings", "", "Passages détectés", "People seen"),
        ("lighting.summary", "commands", "", "Commandes de gradation", "Dimming commands"),
    )
)

DECLARATION = Declaration(
    name="lighting",
    text=Text(fr="Éclairage public", en="Street lighting"),
    config=Settings,
    state=State,
    state_version=2,
    ticks={"calendar": 10.0, "dim": 0.2, "energy": 5.0, "faults": 10.0},
    # Only what must be noticed at once comes in batches; power and heartbeats are looked up in the table.
    reads=Reads(
        events={"post.programme.changed": ProgrammeChanged, "post.light.wanted": requests.LightWanted},
        metrics=("presence_sensor.presence", "cabinet.energy"),
    ),
    assets=ASSETS,
    metrics=METRICS,
    events=EVENTS,
    verbs=VERBS,
    authorisations=AUTHORISATIONS,
    programmes=PROGRAMMES,
    alarms=ALARMS,
    views=(View(name="lighting.summary", row=SummaryRow), View(name="lighting.energy", row=EnergyRow)),
    layers=(Layer(metric="lamp.level", text=Text(fr="Éclairage", en="Lighting")),),
    kpis=KPIS,
)
