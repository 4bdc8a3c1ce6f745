"""``[adapters.simulator]``: every field has a default; README.md tells what each means."""

from __future__ import annotations

from typing import Annotated

import msgspec

Percent = Annotated[float, msgspec.Meta(ge=0, le=100)]
Level = Annotated[int, msgspec.Meta(ge=0, le=100)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[float, msgspec.Meta(ge=0)]
Seconds = Annotated[float, msgspec.Meta(ge=1, le=1800)]
HourMinute = Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the configuration: unknown keys are errors."""


class Rule(Strict):
    """The level from one local time of the night to another, as in ``[plugins.lighting]``."""

    start: HourMinute
    end: HourMinute
    level_pct: Level
    order: str = ""

    def __post_init__(self) -> None:
        if _after_noon(self.start) >= _after_noon(self.end):
            raise ValueError(
                f"the rule from {self.start} must end later in the same night, not at {self.end}"
            )
        _check_order(self.level_pct, self.order)


class Calendar(Strict):
    """A programme of lamps, as a device takes it; a level of 0 needs an ``order``."""

    level_pct: Level = 100
    rules: tuple[Rule, ...] = ()
    order: str = ""

    def __post_init__(self) -> None:
        _check_order(self.level_pct, self.order)


class Delivered(Calendar):
    """The programme that the lamps of some communes were delivered with; without ``communes``, all the others."""

    communes: tuple[str, ...] = ()


def _after_noon(clock: str) -> int:
    hour, minute = clock.split(":")
    return (int(hour) * 60 + int(minute) - 720) % 1440


def _check_order(level_pct: int, order: str) -> None:
    if level_pct == 0 and not order:
        raise ValueError("a level of 0 needs an order")


class Floors(Strict):
    """How many EN 13201-2 classes the approved programme may dim, as in ``[plugins.lighting.floors]``."""

    classes_down: Annotated[int, msgspec.Meta(ge=0, le=5)] = 2
    classes_down_conflict: Annotated[int, msgspec.Meta(ge=0, le=5)] = 1
    lowest: dict[str, str] = {}


class Movers(Strict):
    """Who is out at the busiest hour, for each km of street; ``activity`` scales all three."""

    walkers: Count = 9.0
    cyclists: Count = 2.0
    cars: Count = 7.0
    activity: Count = 1.0


class Faults(Strict):
    """What does not work: a share from the start for good, and a chance a day for each thing.

    ``lamp_share``, ``sensor_share``: broken for good. ``lamp_a_day``, ``sensor_a_day``: the chance to break
    on a day, for up to three days. ``gateway_a_day``: to fall silent for 3 to 15 minutes while its lamps go
    on. ``feeder_a_day``: to lose power for 10 to 90 minutes, with all its lamps.
    """

    lamp_share: Share = 0.003
    sensor_share: Share = 0.005
    lamp_a_day: Share = 0.0003
    sensor_a_day: Share = 0.0005
    gateway_a_day: Share = 0.02
    feeder_a_day: Share = 0.005


class Settings(Strict):
    """The whole table.

    ``processes`` share the gateways; ``linger_ms`` is a gateway's patience before it sends a frame;
    ``calendars``, ``floors`` and ``depression_deg`` are the programme that the lamps were delivered with: give them
    what ``[plugins.lighting]`` says. ``rise_s`` and ``fade_s`` last from 0 to 100 % and back. ``standby_pct`` of a
    lamp's power does not dim; ``standby_w`` is drawn when it is out. ``report_s`` is how often a lamp
    reports without a change, ``meter_s`` a cabinet, ``alive_s`` a sensor; ``repeat_s`` how often a sensor
    repeats that somebody is there; ``welcome_s`` how long all reports after a handshake are spread.
    ``visits_a_day``: the chance that somebody opens a cabinet's door on a day, for 5 minutes to an hour.
    """

    processes: Annotated[int, msgspec.Meta(ge=1, le=64)] = 2
    linger_ms: Annotated[float, msgspec.Meta(ge=0, le=5000)] = 50.0
    movers: Movers = Movers()
    faults: Faults = Faults()
    calendars: tuple[Delivered, ...] = (Delivered(rules=(Rule(start="22:00", end="05:00", level_pct=70),)),)
    floors: Floors = Floors()
    depression_deg: Annotated[float, msgspec.Meta(ge=0, le=12)] = 3.0
    rise_s: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    fade_s: Annotated[float, msgspec.Meta(gt=0)] = 60.0
    standby_pct: Percent = 5.0
    standby_w: Count = 0.3
    report_s: Seconds = 900.0
    meter_s: Seconds = 60.0
    alive_s: Seconds = 60.0
    repeat_s: Seconds = 3.0
    welcome_s: Seconds = 5.0
    visits_a_day: Share = 0.1

    def __post_init__(self) -> None:
        if sum(not calendar.communes for calendar in self.calendars) != 1:
            raise ValueError("exactly one calendar must name no communes: it serves all the others")
