"""What is known of lamps, sensors and cabinets, as a trade declares it."""

from __future__ import annotations

import msgspec


class Lamp(msgspec.Struct):
    """A lamp."""

    power_w: float
    old_power_w: float
    old_hours: float
    lighting_class: str
    conflict: bool


class Sensor(msgspec.Struct):
    """A presence sensor."""

    range_m: float


class Cabinet(msgspec.Struct):
    """A cabinet."""

    meter_class_pct: float
