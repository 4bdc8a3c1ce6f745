"""The park at a glance, for the console's first line."""

from __future__ import annotations

import numpy as np

from plugins.lighting import calendar, energy
from plugins.lighting.park import Park
from plugins.lighting.state import State
from plugins.lighting.vocabulary import SummaryRow

#: 100 % in the modelled level's unit, 1/256 %.
FULL = 100 * 256


def row(park: Park, state: State, utc: int) -> SummaryRow:
    """Count, at ``utc`` µs."""
    works = park.lamps.in_service
    level = state.people.level[works]
    night = calendar.night_at(utc, park.place)
    modelled = energy.modelled_w(park, state)
    return SummaryRow(
        night=state.schedule.night,
        dusk_utc=night.dusk,
        dawn_utc=night.dawn,
        lamps=int(works.sum()),
        lit=int(np.count_nonzero(level)),
        dimmed=int(np.count_nonzero((level > 0) & (level < FULL))),
        raised=int(np.count_nonzero(level > state.schedule.base_pct[works].astype(np.int16) * 256)),
        mean_level_pct=float(level.mean()) / 256 if len(level) else 0.0,
        power_kw=float(modelled.sum()) / 1000,
        sightings=state.people.sightings,
        commands=state.people.commands,
        leases=state.people.leases,
        lamp_faults=int(state.health.lamp_fault.found.sum()),
        day_burners=int(state.health.day_burner.found.sum()),
        cabinet_faults=int(state.health.cabinet_fault.found.sum()),
        silent_lamps=int(state.health.lamp_silent.found.sum()),
        silent_sensors=int(state.health.sensor_silent.found.sum()),
    )
