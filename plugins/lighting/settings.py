"""``[plugins.lighting]``: what a city decides. Every field has a default; README.md tells what each means."""

from __future__ import annotations

from typing import Annotated

import msgspec

from plugins.lighting import classes

Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=3000)]
Metres = Annotated[float, msgspec.Meta(gt=0)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
HourMinute = Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]

#: The longest lease that the verb ``lamp.dim`` allows, in seconds.
LEASE_MAX_S = 900.0


def after_noon(clock: str) -> int:
    """Minutes from noon to the local time ``HH:MM``: the order of times within one night."""
    hour, minute = clock.split(":")
    return (int(hour) * 60 + int(minute) - 720) % 1440


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the configuration: unknown keys are errors."""


class Rule(Strict, frozen=True):
    """The level from one local time of the night to another; a night runs from noon to noon.

    A level of 0 puts a street out. Only the mayor may decide that: ``order`` then names the decision.
    """

    start: HourMinute
    end: HourMinute
    level_pct: Percent
    order: str = ""

    def __post_init__(self) -> None:
        if after_noon(self.start) >= after_noon(self.end):
            raise ValueError(
                f"the rule from {self.start} must end later in the same night, not at {self.end}"
            )
        if self.level_pct == 0 and not self.order:
            raise ValueError("a level of 0 needs the mayor's decision: give its reference as `order`")


class Calendar(Strict, frozen=True):
    """A programme of the kind ``lighting.calendar``. From dusk to dawn lamps burn at ``level_pct``; where rules hold,
    at the lowest of theirs. As for a rule, a level of 0 needs the mayor's ``order``.
    """

    level_pct: Percent = 100
    rules: tuple[Rule, ...] = ()
    order: str = ""

    def __post_init__(self) -> None:
        if self.level_pct == 0 and not self.order:
            raise ValueError("a level of 0 needs the mayor's decision: give its reference as `order`")


class Delivered(Calendar, frozen=True):
    """What the devices of some communes held when they were installed; without ``communes``, of all the others."""

    communes: tuple[str, ...] = ()


class Presence(Strict, frozen=True):
    """How people are followed with light."""

    boost_pct: Percent = 100
    decay_pct: Percent = 10
    hops: Annotated[int, msgspec.Meta(ge=0, le=20)] = 3
    link_m: Metres = 80.0
    hold_s: Annotated[float, msgspec.Meta(ge=1, le=600)] = 30.0
    renew_s: Annotated[float, msgspec.Meta(ge=1, le=60)] = 5.0
    rise_s: Positive = 1.0
    fade_s: Positive = 60.0
    silent_lease_s: Annotated[float, msgspec.Meta(ge=120, le=LEASE_MAX_S)] = 300.0

    def levels(self) -> list[int]:
        """The level (%) asked of the sensor's own lamp, of its neighbours, of theirs ..."""
        return [max(self.boost_pct - self.decay_pct * hop, 0) for hop in range(self.hops + 1)]


class Floors(Strict, frozen=True):
    """How many EN 13201-2 classes a street may be dimmed; ``lowest`` names exceptions, class by class."""

    classes_down: Annotated[int, msgspec.Meta(ge=0, le=5)] = 2
    classes_down_conflict: Annotated[int, msgspec.Meta(ge=0, le=5)] = 1
    lowest: dict[str, str] = {}

    def __post_init__(self) -> None:
        if self.classes_down_conflict > self.classes_down:
            raise ValueError(
                "classes_down_conflict may not exceed classes_down: conflict areas are dimmed less"
            )
        for installed, lowest in self.lowest.items():
            classes.floor_pct(installed, lowest)


class Faults(Strict, frozen=True):
    """When a deviation becomes a fault."""

    tolerance_pct: Percent = 20
    tolerance_w: Positive = 5.0
    settle_s: Seconds = 15.0
    lamp_delay_s: Seconds = 60.0
    cabinet_delay_s: Seconds = 10.0
    sensor_delay_s: Seconds = 120.0
    dark_share_pct: Annotated[int, msgspec.Meta(ge=1, le=100)] = 80
    found_max: Annotated[int, msgspec.Meta(ge=1, le=400)] = 200

    def __post_init__(self) -> None:
        if self.cabinet_delay_s >= self.lamp_delay_s:
            raise ValueError(
                "cabinet_delay_s must be shorter than lamp_delay_s: one fault, not one for each lamp"
            )


class Energy(Strict, frozen=True):
    """What the register does not say of the lamps: assumptions, shown with the figures they lead to."""

    standby_pct: Percent = 5
    lit_area_m2: Metres = 240.0
    luminance_coefficient: Positive = 0.07


class Repairs(Strict, frozen=True):
    """Jobs for faults. ``wanted``: faults become jobs of the post; ``lamp_s``, ``cabinet_s``: what each takes (s)."""

    wanted: bool = False
    skills: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] = ("lamp",)
    lamp_s: Annotated[int, msgspec.Meta(ge=60, le=86_400)] = 1800
    cabinet_s: Annotated[int, msgspec.Meta(ge=60, le=86_400)] = 3600


class Settings(Strict, frozen=True):
    """The whole table. ``depression_deg``: how far below the horizon the sun stands at dusk and dawn."""

    depression_deg: Annotated[float, msgspec.Meta(ge=0, le=12)] = 3.0
    calendars: tuple[Delivered, ...] = (Delivered(rules=(Rule(start="22:00", end="05:00", level_pct=70),)),)
    presence: Presence = Presence()
    floors: Floors = Floors()
    faults: Faults = Faults()
    energy: Energy = Energy()
    repairs: Repairs = Repairs()

    def __post_init__(self) -> None:
        named = [name for calendar in self.calendars for name in calendar.communes]
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice:
            raise ValueError(f"two calendars name the communes {twice}")
        if sum(not calendar.communes for calendar in self.calendars) != 1:
            raise ValueError("exactly one calendar must name no communes: it serves all the others")
