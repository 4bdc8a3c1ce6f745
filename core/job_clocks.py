"""How long jobs take: their clocks start, stop with a reason, run on and end. Contracts and penalties rest on it.

Only changes are journaled, one record each. A clock runs on while the post is down: a job does not know of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from core.availability import Interval
from core.errors import PluginError
from core.journal import Record

#: The states. One that ended is forgotten here; the journal knows it.
RUNNING, STOPPED, ENDED = STATES = ("running", "stopped", "ended")

#: The journal's kind of record.
JOB = "job"

#: Clocks that have not ended.
CLOCKS_MAX = 100_000


class ClockChanged(msgspec.Struct, frozen=True):
    """What the journal keeps: the clock of ``job``, as the trade ``by`` names it, is in ``state`` from now on."""

    by: str
    job: str
    state: str
    reason: str = ""


class JobClocks:
    """The clocks that have not ended: trade to job to state."""

    def __init__(self) -> None:
        self.states: dict[str, dict[str, str]] = {}

    def set(self, changed: ClockChanged) -> bool:
        """Put a clock into a state; whether it was in another. Raises PluginError."""
        jobs = self.states.setdefault(changed.by, {})
        if changed.state not in STATES:
            raise PluginError(
                f"no state {changed.state!r} of a job's clock.", next=f"One of {', '.join(STATES)}."
            )
        if jobs.get(changed.job, ENDED) == changed.state:
            return False
        if changed.job not in jobs and sum(map(len, self.states.values())) >= CLOCKS_MAX:
            raise PluginError(
                f"{CLOCKS_MAX} clocks of jobs have not ended.", next="End those of jobs that are done."
            )
        self.again(changed)
        return True

    def again(self, changed: ClockChanged) -> None:
        """A change that was journaled."""
        jobs = self.states.setdefault(changed.by, {})
        if changed.state == ENDED:
            jobs.pop(changed.job, None)
        else:
            jobs[changed.job] = changed.state

    def stored(self) -> dict[str, dict[str, str]]:
        """For a snapshot."""
        return {by: dict(jobs) for by, jobs in self.states.items() if jobs}

    def restore(self, stored: dict[str, dict[str, str]]) -> None:
        """Take up those of a snapshot."""
        self.states = {by: dict(jobs) for by, jobs in stored.items()}


def record(step: int, utc: int, changed: ClockChanged) -> Record:
    """The journal's record of a change."""
    return Record(JOB, step, utc, msgspec.msgpack.encode(changed))


decode = msgspec.msgpack.Decoder(ClockChanged).decode


def intervals(records: Iterable[Record], by: str, job: str) -> Iterator[Interval]:
    """How a job's clock ran and stood, in order (end 0: still); from its end on nothing, until it starts anew."""
    begun: tuple[int, str, str] | None = None
    for each in records:
        if each.kind != JOB:
            continue
        changed = decode(each.data)
        if (changed.by, changed.job) != (by, job):
            continue
        if begun is not None:
            yield Interval(begun[0], each.utc, *begun[1:])
        begun = None if changed.state == ENDED else (each.utc, changed.state, changed.reason)
    if begun is not None:
        yield Interval(begun[0], 0, *begun[1:])
