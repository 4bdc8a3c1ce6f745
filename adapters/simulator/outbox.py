"""Samples that wait for their gateways' patience to end; each gateway then sends one frame."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from adapters.simulator.district import Members

#: The metrics that the simulator speaks of; a sample names one by its place here.
METRICS = (
    "lamp.level",
    "lamp.power",
    "presence_sensor.presence",
    "presence_sensor.alive",
    "cabinet.energy",
    "cabinet.power",
)


class Frame(NamedTuple):
    """Samples of one gateway (own number): ``wire``, ``metric`` u16[n], ``value`` f64[n], ``time`` i64[n] µs."""

    gateway: int
    wire: np.ndarray
    metric: np.ndarray
    value: np.ndarray
    time: np.ndarray


class Outbox:
    """What was measured and not yet sent, in the order of time."""

    def __init__(self) -> None:
        self._rows: list[tuple[np.ndarray, ...]] = []
        self.samples = 0

    def put(self, members: Members, rows: np.ndarray, metric: str, value: np.ndarray, utc: int) -> None:
        """``value`` f64[n] of ``metric`` for the members at ``rows``, measured at ``utc`` µs."""
        n = len(rows)
        if not n:
            return
        self.samples += n
        number = np.full(n, METRICS.index(metric), np.uint16)
        self._rows.append((members.gateway[rows], members.wire[rows], number, value, np.full(n, utc)))

    def take(self) -> Iterator[Frame]:
        """All that waits, gateway by gateway."""
        if not self._rows:
            return
        columns = [np.concatenate(column) for column in zip(*self._rows, strict=True)]
        self._rows.clear()
        self.samples = 0
        order = np.argsort(columns[0], kind="stable")
        gateway, wire, metric, value, time = (column[order] for column in columns)
        bounds = np.flatnonzero(np.diff(gateway, prepend=-1, append=-1))
        for start, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            part = slice(start, end)
            yield Frame(int(gateway[start]), wire[part], metric[part], value[part], time[part])
