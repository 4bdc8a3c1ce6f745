"""What the trade says of itself."""

from __future__ import annotations

from ondijon import AlarmKind, Declaration, EventKind, Reads, Text, View
from ondijon_crowds.settings import Settings
from ondijon_crowds.state import State
from ondijon_crowds.vocabulary import Emptied, Filled, Row

#: The sensors and what they say are the lighting's, so `lighting` runs beside this trade.
SENSOR, PRESENCE, ALIVE = "presence_sensor", "presence_sensor.presence", "presence_sensor.alive"

#: How often (s) the places are looked at.
LOOK_S = 5.0

FULL = "crowds_full"
FILLED, EMPTIED = "crowds.place.filled", "crowds.place.emptied"
COMMUNES = "crowds.communes"

DECLARATION = Declaration(
    name="crowds",
    text=Text(fr="Affluence", en="Crowds"),
    config=Settings,
    state=State,
    ticks={"look": LOOK_S},
    reads=Reads(metrics=(PRESENCE,)),
    events=(
        EventKind(name=FILLED, data=Filled, text=Text(fr="Affluence à un endroit", en="Place filled")),
        EventKind(name=EMPTIED, data=Emptied, text=Text(fr="Fin d'affluence", en="Place emptied")),
    ),
    alarms=(AlarmKind(code=FULL, priority=3, text=Text(fr="Forte affluence", en="Crowded place")),),
    views=(View(name=COMMUNES, row=Row),),
)
