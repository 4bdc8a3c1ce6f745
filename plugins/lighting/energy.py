"""The ledger of energy: what was, what could be, what is modelled, and what the meters say.

Four accounts are kept for each cabinet from the same clock, so that their differences mean something.
Where a meter is read, they are compared over exactly the time between its readings.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from plugins.lighting.calendar import Night, year_hours
from plugins.lighting.vocabulary import EnergyRow

if TYPE_CHECKING:
    from ondijon import Batch, Now
    from plugins.lighting import settings
    from plugins.lighting.park import Lamps, Park
    from plugins.lighting.settings import Calendar
    from plugins.lighting.state import State

#: A pause of the post longer than this (s) is in the meters but not in the model: the meters begin anew.
PAUSE_S = 60.0

#: A register that runs faster than this many times the installed power (and a little) was exchanged.
PLAUSIBLE = 2.0
PLAUSIBLE_KWH = 1.0


class Account(enum.IntEnum):
    """The rows of ``State.account_kwh``."""

    REFERENCE = 0
    ALWAYS_ON = 1
    CALENDAR = 2
    MODELLED = 3


class Year(NamedTuple):
    """What the lamps alone mean over a year, those in service only.

    ``night_h`` hours from dusk to dawn; ``power_w`` at 100 %; ``lux_m2`` the sum of illuminance times lit area
    (lx·m²); ``area_m2``.
    """

    night_h: float
    power_w: float
    lux_m2: float
    area_m2: float


def power_w(level_pct: np.ndarray, full_w: np.ndarray, standby_pct: float) -> np.ndarray:
    """What lamps draw (W) at ``level_pct``: a part that does not dim and one that does; nothing when out."""
    part = standby_pct / 100 + (1 - standby_pct / 100) * level_pct / 100
    return np.where(level_pct > 0, full_w * part, 0.0)


def year(lamps: Lamps, nights: Sequence[Night], assumed: settings.Energy) -> Year:
    """Sum up the lamps, and a year of which ``nights`` stand for all."""
    works = lamps.in_service
    area = assumed.lit_area_m2 * int(works.sum())
    return Year(
        night_h=sum(night.dawn - night.dusk for night in nights) / 3.6e9 * 365 / len(nights),
        power_w=float(lamps.power_w[works].sum()),
        lux_m2=float(lamps.illuminance_lx[works].sum()) * assumed.lit_area_m2,
        area_m2=area,
    )


def calendar_kwh(park: Park, calendars: Sequence[Calendar]) -> float:
    """kWh a year of the ``calendars`` [communes + 1] alone, lamps in service only."""
    lamps, standby = park.lamps, park.settings.energy.standby_pct
    watt_hours = 0.0
    # In their order: sums of floats depend on it, and a replay must find the same.
    for each in dict.fromkeys(calendars):
        mine = (
            np.isin(lamps.commune, [i for i, other in enumerate(calendars) if other == each])
            & lamps.in_service
        )
        for level, lasting in year_hours(each, park.nights, park.place.zone).items():
            watt_hours += lasting * float(power_w(lamps.held_pct(level), lamps.power_w, standby)[mine].sum())
    return watt_hours / 1000


def accrue(park: Park, state: State, now: Now) -> None:
    """Book the time since the last call at the present levels."""
    before, state.ledger.accrued_mono = state.ledger.accrued_mono, now.mono
    seconds = (now.mono - before) / 1e6
    if before < 0 or not 0 <= seconds <= PAUSE_S:
        _begin_anew(state)
        return
    state.ledger.accrued_s += seconds
    state.ledger.account_kwh += drawn_w(park, state) * seconds / 3.6e6


def steady_w(lamps: Lamps, yearly: Year, cabinets: int) -> np.ndarray:
    """f64[2, cabinets + 1]: what the accounts REFERENCE and ALWAYS_ON draw by night, in W.

    The old lamps burned ``old_hours`` a year; that is spread over today's nights. A point that did not exist
    counts in the reference with today's power, so it neither earns nor costs.
    """
    old_w = lamps.old_power_w * lamps.old_hours / max(yearly.night_h, 1.0)
    reference = np.where(lamps.old_power_w > 0, old_w, lamps.power_w)
    return np.stack([by_cabinet(lamps, watts, cabinets) for watts in (reference, lamps.power_w)])


def drawn_w(park: Park, state: State) -> np.ndarray:
    """f64[4, cabinets + 1]: what each account draws at this instant, in W; the last is of lamps without cabinet."""
    lamps, cabinets = park.lamps, len(park.cabinets)
    standby = park.settings.energy.standby_pct
    out = np.empty((len(Account), cabinets + 1))
    out[: Account.CALENDAR] = park.steady_w * state.schedule.night
    out[Account.CALENDAR] = by_cabinet(
        lamps, power_w(state.schedule.base_pct, lamps.power_w, standby), cabinets
    )
    out[Account.MODELLED] = by_cabinet(lamps, modelled_w(park, state), cabinets)
    return out


def by_cabinet(lamps: Lamps, watts: np.ndarray, cabinets: int) -> np.ndarray:
    """f64[cabinets + 1]: the sum of f64[lamps] that are in service; the last is of lamps without cabinet."""
    return np.bincount(lamps.cabinet, watts * lamps.in_service, cabinets + 1)


def modelled_w(park: Park, state: State) -> np.ndarray:
    """f64[lamps]: what the lamps in service are thought to draw at this instant, in W."""
    lamps, standby = park.lamps, park.settings.energy.standby_pct
    return power_w(state.people.level / 256, lamps.power_w, standby) * lamps.in_service


def read(park: Park, state: State, readings: Batch) -> None:
    """Take the samples of ``cabinet.energy``: registers that only go up, in kWh.

    The first reading of a register, and one that cannot be (lower than before, faster than the lamps can
    draw), is where measuring begins anew: what lies between is neither measured nor compared.
    """
    at = park.cabinets.position[readings.asset]
    known = state.ledger.register_kwh[at] >= 0
    used = readings.value - state.ledger.register_kwh[at]
    seconds = (readings.time - state.ledger.read_utc[at]) / 1e6
    can_be = PLAUSIBLE * park.cabinets.power_w[at] * np.maximum(seconds, 0.0) / 3.6e6 + PLAUSIBLE_KWH
    right = known & (used >= 0) & (used <= can_be)
    booked = state.ledger.account_kwh[:, :-1]
    good = at[right]
    state.ledger.metered_kwh[good] += used[right]
    state.ledger.matched_kwh[:, good] += booked[:, good] - state.ledger.read_kwh[:, good]
    state.ledger.meter_restarts += int((known & ~right).sum())
    state.ledger.register_kwh[at] = readings.value
    state.ledger.read_utc[at] = readings.time
    state.ledger.read_kwh[:, at] = booked[:, at]


def row(park: Park, state: State) -> EnergyRow:
    """The ledger as the console shows it."""
    total = state.ledger.account_kwh.sum(axis=1)
    matched = state.ledger.matched_kwh.sum(axis=1)
    metered = float(state.ledger.metered_kwh.sum())
    reference, always_on = float(matched[Account.REFERENCE]), float(matched[Account.ALWAYS_ON])
    measured = state.ledger.metered_kwh > 0
    return EnergyRow(
        hours=state.ledger.accrued_s / 3600,
        reference_kwh=float(total[Account.REFERENCE]),
        always_on_kwh=float(total[Account.ALWAYS_ON]),
        calendar_kwh=float(total[Account.CALENDAR]),
        modelled_kwh=float(total[Account.MODELLED]),
        metered_kwh=metered,
        metered_reference_kwh=reference,
        metered_share_pct=_pct(float(park.cabinets.power_w[measured].sum()), park.yearly.power_w) or 0.0,
        meter_restarts=state.ledger.meter_restarts,
        saving_pct=_pct(reference - metered, reference),
        swap_pct=_pct(reference - always_on, reference),
        control_pct=_pct(always_on - metered, reference),
        gap_pct=_pct(float(matched[Account.MODELLED]) - metered, metered),
        gap_uncertainty_pct=_pct(
            uncertainty_kwh(state.ledger.metered_kwh, park.cabinets.meter_class_pct), metered
        ),
        d_p=power_density(park.yearly),
        d_e=annual_energy(
            park.yearly.area_m2,
            state.schedule.year_kwh,
            float(total[Account.MODELLED]),
            float(total[Account.CALENDAR]),
        ),
        assumed_lit_area_m2=park.settings.energy.lit_area_m2,
        assumed_luminance_coefficient=park.settings.energy.luminance_coefficient,
    )


def uncertainty_kwh(metered_kwh: np.ndarray, class_pct: np.ndarray) -> float:
    """Expanded uncertainty (k = 2) of the sum of meters, in kWh.

    The class bounds each meter's error, evenly likely within it (GUM, JCGM 100:2008, 4.3.7: divide by √3);
    meters err independently, so their errors add as squares.
    """
    standard = metered_kwh * class_pct / 100 / math.sqrt(3)
    return 2 * math.sqrt(float((standard**2).sum()))


def power_density(yearly: Year) -> float:
    """D_P = P / Σ(E·A) in W/(lx·m²), EN 13201-5:2015; 0 without lamps."""
    return yearly.power_w / yearly.lux_m2 if yearly.lux_m2 else 0.0


def annual_energy(area_m2: float, year_kwh: float, modelled_kwh: float, calendar_kwh: float) -> float:
    """D_E = Σ(P·t) / A in kWh/(m²·year), EN 13201-5:2015: the calendars' year, times what presence adds."""
    presence = modelled_kwh / calendar_kwh if calendar_kwh > 0 else 1.0
    return year_kwh * presence / area_m2 if area_m2 else 0.0


def _begin_anew(state: State) -> None:
    """Forget the registers: the next reading of each is a first one."""
    state.ledger.register_kwh[:] = -1.0


def _pct(part: float, whole: float) -> float | None:
    return 100 * part / whole if whole > 0 else None
