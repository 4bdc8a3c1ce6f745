"""The post's own figures, as the kernel publishes them once a second and leaves them at the end."""

from __future__ import annotations

from typing import Any

import msgspec

from core import proposals
from core.alarm_load import AlarmLoad
from core.deliveries import Figures
from core.kernel import Kernel

TOPIC = b"status"
LAYER = b"layer "

#: Rows of all views together at most; further keys are left out, and counted.
ROWS_MAX = 100_000


class HookFigures(msgspec.Struct, frozen=True):
    """Calls of a plugin's hooks and their times in µs."""

    calls: int
    p50_us: float | None
    p99_us: float | None
    errors: int


class WorkerFigures(msgspec.Struct, frozen=True):
    """A plugin's worker: ``running``, ``away`` or ``held``; what it uses, and events that wait for it."""

    state: str
    rss_mib: float
    core_percent: float
    waiting: int


class Status(msgspec.Struct, kw_only=True):
    """One status. ``utc`` µs of city time; ``views`` view → key → row; ``edges`` edge → counter → n.

    ``revision`` counts the changes of the inventory; ``programmes`` are those in force, and how far each came.
    """

    generation: int
    utc: int
    step: int
    steps: int
    skipped: int
    ready: bool
    revision: int
    journal: int
    counts: dict[str, int]
    hooks: dict[str, HookFigures]
    workers: dict[str, WorkerFigures] = {}
    edges: dict[str, dict[str, int]]
    alarms: AlarmLoad
    programmes: list[Figures] = []
    views: dict[str, dict[str, Any]]
    latency_us: dict[str, dict[str, float | None]]
    faults: list[str]


decode = msgspec.msgpack.Decoder(Status).decode
encode = msgspec.msgpack.Encoder().encode


class Views:
    """The rows that plugins published, newest by view and key."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, msgspec.Struct]] = {}
        self.refused = self._n = 0

    def take(self, published: proposals.Publish) -> None:
        """Put or take away a row."""
        view = self.rows.setdefault(published.view, {})
        before = len(view)
        if published.row is None:
            view.pop(published.key, None)
        elif published.key in view or self._n < ROWS_MAX:
            view[published.key] = published.row
        else:
            self.refused += 1
        self._n += len(view) - before


def hook_figures(kernel: Kernel) -> dict[str, HookFigures]:
    """The hook figures of each plugin."""
    return {
        plugin.name: HookFigures(
            plugin.calls,
            plugin.times.percentile(50),
            plugin.times.percentile(99),
            plugin.errors + plugin.dropped,
        )
        for plugin in kernel.plugins
    }


def alarm_counts(kernel: Kernel) -> AlarmLoad:
    """How many alarms there are, of which kinds, and what load they are."""
    return kernel.alarms.load(kernel.city.assets.ids)
