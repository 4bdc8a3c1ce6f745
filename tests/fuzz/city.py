"""A small city and a trade with one metric of each merge, for the targets that need a register."""

from __future__ import annotations

from functools import cache

import msgspec

from core.city import City
from core.declaration import Declaration, Merge, Metric, Text, Verb
from core.register import Numbering
from ondijon.testing import City as TestCity

_TEXT = Text("essai", "trial")


class _Nothing(msgspec.Struct):
    pass


def _metric(name: str, kind: str, merge: Merge, high: float, **more: float) -> Metric:
    return Metric(name=name, kind=kind, unit="1", merge=merge, low=-high, high=high, text=_TEXT, **more)


TRADE = Declaration(
    name="trial",
    text=_TEXT,
    config=_Nothing,
    state=_Nothing,
    metrics=(
        _metric("lamp.level", "lamp", Merge.LAST, 100.0, deadband=1.0, stale_after_s=600.0),
        _metric("lamp.peak", "lamp", Merge.MAX, 100.0),
        _metric("lamp.energy", "lamp", Merge.SUM, 1.7e308),
        _metric("presence_sensor.presence", "presence_sensor", Merge.ANY, 1.0),
    ),
    verbs=(Verb(name="lamp.dim", targets="lamp", low=0, high=100, unit="%", lease_max_s=900, text=_TEXT),),
)


@cache
def small() -> City:
    """The city; made once."""
    return TestCity.small()


@cache
def numbering() -> Numbering:
    """Its slots; made once."""
    return Numbering.of(small().assets, [TRADE])
