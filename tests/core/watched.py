"""The trial trade, with lamps that may not be dimmed while somebody works at their cabinet."""

from __future__ import annotations

import msgspec
import numpy as np

from core.config import GateConfig
from ondijon import Authorisation, Command, Interlock, Metric, Text, Verb
from tests.attributes import Cabinet
from tests.core.conftest import T, trial

LAMPS = [f"L{i + 1:04}" for i in range(30)]
GATE = GateConfig(danger_targets=5, person_targets=40, approve_s=300)


def watched(**changes):
    """The trade; ``changes`` replace parts of its declaration."""
    base = trial().declare()
    lock = Metric(name="cabinet.open", kind="cabinet", unit="1", low=0, high=1, stale_after_s=120, text=T)
    declared = {
        "assets": (
            *(a for a in base.assets if a.name != "lamp"),
            msgspec.structs.replace(base.assets[0], parent="cabinet"),
            msgspec.structs.replace(base.assets[0], name="cabinet", attributes=Cabinet, parent=None),
        ),
        "metrics": (*base.metrics, lock),
        "verbs": (
            Verb(name="lamp.dim", targets="lamp", low=0, high=100, unit="%", lease_max_s=900, text=T),
            Verb(
                name="lamp.kill", targets="lamp", low=0, high=1, unit="1", lease_max_s=60, danger=True, text=T
            ),
        ),
        "interlocks": (
            Interlock(
                verb="lamp.kill",
                metric="cabinet.open",
                comparison="==",
                value=0,
                text=Text("armoire ouverte", "cabinet open"),
            ),
        ),
    } | changes
    return trial(**declared)


def by_itself(verb: str = "lamp.dim", targets=(3,), value: float = 50, lease_s: float = 30) -> Command:
    """What the trade asks without a person."""
    return Command(
        verb=verb,
        targets=np.array(targets, np.uint32),
        values=np.full(len(targets), float(value)),
        lease_s=lease_s,
        reason="",
    )


def rule_(**changes) -> Authorisation:
    """What the trade may ask by itself."""
    given = {"name": "light", "verb": "lamp.dim", "low": 10, "high": 90, "lease_max_s": 60, "rate": 2}
    return Authorisation(**given | changes)
