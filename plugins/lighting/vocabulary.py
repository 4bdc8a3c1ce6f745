"""The words this trade adds: what its assets are, what its events say, the rows of its views."""

from __future__ import annotations

from typing import Any

import msgspec


class Lamp(msgspec.Struct, frozen=True):
    """A light point. ``power_w`` at 100 %; ``old_power_w`` and ``old_hours`` (a year) of what it replaced.

    An ``old_power_w`` of 0 says that nothing stood there before. ``lighting_class`` (EN 13201-2) is what it
    was installed for. ``conflict``: a junction, a crossing. Parent: the cabinet that feeds it.
    """

    power_w: float
    old_power_w: float
    old_hours: float
    lighting_class: str
    conflict: bool


class PresenceSensor(msgspec.Struct, frozen=True):
    """Sees people within ``range_m`` metres. Parent: the lamp it hangs on."""

    range_m: float


class Cabinet(msgspec.Struct, frozen=True):
    """Feeds and meters lamps. ``meter_class_pct``: the meter's maximum permissible error (EN 50470-3)."""

    meter_class_pct: float


class CalendarChanged(msgspec.Struct, frozen=True):
    """The calendar of some communes (none named: of what lies in none) went to another level; by day 0 %."""

    communes: list[str]
    level_pct: int
    night: bool


class ProgrammeChanged(msgspec.Struct, frozen=True):
    """What this trade reads of ``post.programme.changed``."""

    kind: str
    zone: str
    content: dict[str, Any]


class FaultFound(msgspec.Struct, frozen=True):
    """An asset does not do what it should. ``cause``: deviates, silent, unpowered or dark.

    For lamps ``expected`` and ``measured`` are watts; for a cabinet's fault ``affected`` counts its lamps.
    """

    code: str
    cause: str
    expected: float = 0.0
    measured: float = 0.0
    affected: int = 1


class DoorOpened(msgspec.Struct, frozen=True):
    """A cabinet's door was opened: its contact says so."""


class DoorClosed(msgspec.Struct, frozen=True):
    """A cabinet's door was closed."""


class FaultCleared(msgspec.Struct, frozen=True):
    """The asset does what it should again, or a fault of its cabinet now stands for it."""

    code: str


class EnergyRow(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger since it was opened; README.md tells how each figure comes about.

    kWh of the whole park: ``reference`` (the old lamps), ``always_on`` (today's at 100 % all night),
    ``calendar`` (the programmes alone), ``modelled`` (what the commands imply). The ``metered_*`` figures and
    all percentages cover only what meters have measured: ``metered_share_pct`` of the installed power.
    ``saving_pct`` = ``swap_pct`` + ``control_pct``, in % of the reference. ``gap_pct`` is the model against
    the meters; it means something where it exceeds ``gap_uncertainty_pct`` (k = 2). ``d_p`` in W/(lx·m²) and
    ``d_e`` in kWh/(m²·year) follow EN 13201-5, with the assumptions beside them.
    """

    hours: float
    reference_kwh: float
    always_on_kwh: float
    calendar_kwh: float
    modelled_kwh: float
    metered_kwh: float
    metered_reference_kwh: float
    metered_share_pct: float
    meter_restarts: int
    saving_pct: float | None
    swap_pct: float | None
    control_pct: float | None
    gap_pct: float | None
    gap_uncertainty_pct: float | None
    d_p: float
    d_e: float
    assumed_lit_area_m2: float
    assumed_luminance_coefficient: float


class SummaryRow(msgspec.Struct, frozen=True, kw_only=True):
    """The park at a glance, by modelled levels: ``dimmed`` lamps burn below 100 %, ``raised`` above their programme."""

    night: bool
    dusk_utc: int
    dawn_utc: int
    lamps: int
    lit: int
    dimmed: int
    raised: int
    mean_level_pct: float
    power_kw: float
    sightings: int
    commands: int
    leases: int
    lamp_faults: int
    day_burners: int
    cabinet_faults: int
    silent_lamps: int
    silent_sensors: int
