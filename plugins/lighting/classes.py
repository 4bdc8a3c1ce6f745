"""The lighting classes of EN 13201-2:2015 and how far a street may be dimmed within them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

#: Maintained average of each class: luminance in cd/m² for M (motor traffic), horizontal illuminance in lx
#: for C (conflict areas) and P (pedestrians). EN 13201-2:2015, tables 1 to 3.
MAINTAINED: Mapping[str, float] = MappingProxyType(
    {"M1": 2.0, "M2": 1.5, "M3": 1.0, "M4": 0.75, "M5": 0.5, "M6": 0.3}
    | {"C0": 50.0, "C1": 30.0, "C2": 20.0, "C3": 15.0, "C4": 10.0, "C5": 7.5}
    | {"P1": 15.0, "P2": 10.0, "P3": 7.5, "P4": 5.0, "P5": 3.0, "P6": 2.0}
)

#: Maintained minimum of the P classes, lx. EN 13201-2:2015, table 3.
MINIMUM: Mapping[str, float] = MappingProxyType(
    {"P1": 3.0, "P2": 2.0, "P3": 1.5, "P4": 1.0, "P5": 0.6, "P6": 0.4}
)


def lower(installed: str, steps: int) -> str:
    """The class ``steps`` below ``installed`` in its family, or the family's last. Raises ValueError."""
    check(installed)
    family = [name for name in MAINTAINED if name[0] == installed[0]]
    return family[min(family.index(installed) + steps, len(family) - 1)]


def floor_pct(installed: str, lowest: str) -> int:
    """The least level (%) at which lamps installed for one class still give the ``lowest`` one.

    Flux is taken to follow the level, as LED drivers do; rounded up, so the class is kept. Raises
    ValueError where the classes are unknown, of two families, or ``lowest`` is the brighter one.
    """
    check(installed)
    check(lowest)
    if installed[0] != lowest[0]:
        raise ValueError(f"{lowest} cannot stand for {installed}: they measure different things.")
    if MAINTAINED[lowest] > MAINTAINED[installed]:
        raise ValueError(f"{lowest} asks for more light than {installed} was installed for.")
    return math.ceil(100 * MAINTAINED[lowest] / MAINTAINED[installed])


def illuminance_lx(name: str, luminance_coefficient: float) -> float:
    """Maintained average illuminance (lx) of a class; M classes by ``luminance_coefficient`` cd/(m²·lx)."""
    check(name)
    return MAINTAINED[name] / luminance_coefficient if name[0] == "M" else MAINTAINED[name]


def check(name: str) -> None:
    """Raise ValueError, saying which classes exist, if ``name`` is none of them."""
    if name not in MAINTAINED:
        raise ValueError(f"there is no lighting class {name!r}: EN 13201-2 has M1-M6, C0-C5 and P1-P6.")
