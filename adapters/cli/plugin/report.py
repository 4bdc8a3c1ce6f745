"""What a trial saw of a plugin."""

from __future__ import annotations

import msgspec

from adapters.cli.plugin.grade import Check


class Step(msgspec.Struct, frozen=True, array_like=True):
    """What a plugin was after a step, and what it had proposed in it: digests, and the hooks that were called."""

    step: int
    going_on: str
    state: str
    proposed: str
    hooks: str


class HookTimes(msgspec.Struct, frozen=True):
    """Calls of a hook and their µs."""

    calls: int
    p50_us: float
    p99_us: float
    max_us: float


class Report(msgspec.Struct, kw_only=True):
    """All of one trial; ``error`` is the sentence why there was none."""

    name: str
    error: str = ""
    checks: list[Check] = []
    steps: list[Step] = []
    times: dict[str, HookTimes] = {}
    city_s: float = 0.0
    companions: list[str] = []


def difference(one: list[Step], other: list[Step]) -> str:
    """Where two runs that should be the same part; empty where they are."""
    for a, b in zip(one, other, strict=False):
        if (a.state, a.proposed) != (b.state, b.proposed):
            what = "its state" if a.proposed == b.proposed else "what it proposed"
            return f"{what} differs from step {a.step} on ({a.going_on}; called: {a.hooks or 'nothing'})"
    return "" if len(one) == len(other) else "one run is longer than the other"
