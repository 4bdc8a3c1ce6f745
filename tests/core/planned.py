"""The trial trade, with a kind of programme for its lamps and a dangerous one for its sensors."""

from __future__ import annotations

from typing import Any

import msgspec

from core.config import GateConfig
from ondijon import ProgrammeKind
from tests.core.conftest import T, trial

GATE = GateConfig(danger_targets=12, approve_s=300)
PLAN, ALARM = "trial.plan", "trial.siren"


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    level: int
    note: str = ""

    def __post_init__(self) -> None:
        if self.level > 100:
            raise ValueError("above 100 %")
        if self.level == 13:
            raise KeyError("no ValueError")


def planned(**changes: Any) -> Any:
    """The trade; ``changes`` replace parts of its declaration."""
    kinds = (
        ProgrammeKind(name=PLAN, targets="lamp", content=Plan, text=T),
        ProgrammeKind(name=ALARM, targets="presence_sensor", content=Plan, danger=True, text=T),
    )
    return trial(**{"programmes": kinds} | changes)


def level(content: bytes) -> int:
    """The level that a plan sets."""
    return msgspec.msgpack.decode(content, type=Plan).level
