"""``[plugins.roads]``: what a city decides. Every field has a default; README.md tells what each means."""

from __future__ import annotations

from typing import Annotated

import msgspec

from ondijon import Text

Hours = Annotated[float, msgspec.Meta(gt=0, le=10_000)]


class Kind(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A kind of defect: what it is called, the work that it asks for, and the sign that it is (``topic``; "": none)."""

    text: Text
    skills: tuple[str, ...] = ("road",)
    duration_s: Annotated[int, msgspec.Meta(ge=60, le=86_400)] = 1800
    priority: Annotated[int, msgspec.Meta(ge=1, le=3)] = 3
    topic: Annotated[str, msgspec.Meta(max_length=80)] = "roads.defect"


def _kinds() -> dict[str, Kind]:
    return {
        "hole": Kind(text=Text("Nid-de-poule", "Pothole"), priority=2),
        "spill": Kind(
            text=Text("Produit répandu sur la chaussée", "Spill on the road"),
            priority=1,
            topic="roads.obstacle",
        ),
        "obstacle": Kind(
            text=Text("Obstacle sur la chaussée", "Obstacle on the road"),
            duration_s=900,
            priority=1,
            topic="roads.obstacle",
        ),
        "fallen_tree": Kind(
            text=Text("Arbre sur la chaussée", "Tree on the road"),
            skills=("green",),
            duration_s=5400,
            priority=1,
            topic="roads.obstacle",
        ),
        "water": Kind(
            text=Text("Eau sur la chaussée", "Water on the road"), priority=1, topic="roads.water_on_road"
        ),
        "sign": Kind(text=Text("Panneau abîmé", "Damaged sign")),
        "manhole": Kind(text=Text("Tampon descellé", "Loose manhole cover"), priority=1),
    }


def _delays() -> dict[str, tuple[float, float, float]]:
    return {
        "structuring": (1.0, 12.0, 72.0),
        "distributor": (1.0, 24.0, 120.0),
        "collector": (2.0, 48.0, 240.0),
        "local": (4.0, 72.0, 480.0),
        "path": (8.0, 120.0, 720.0),
    }


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``kinds`` of defects by name. ``delay_h``: within how many hours, by street class, the service is on a defect of
    priority 1, 2, 3; what the contract says. ``blocked_s``: an access that is blocked for so long is a case.
    ``kept_s``: defects that are mended stay in sight for so long.
    """

    kinds: dict[str, Kind] = msgspec.field(default_factory=_kinds)
    delay_h: dict[str, tuple[Hours, Hours, Hours]] = msgspec.field(default_factory=_delays)
    blocked_s: Annotated[float, msgspec.Meta(ge=0)] = 60.0
    kept_s: Annotated[float, msgspec.Meta(ge=0)] = 86_400.0
