"""Ours: the telemetry edge's loop. Poll, drain into the staging table, hand the dirty set over at each step."""

from __future__ import annotations

import time

import numpy as np
import zmq

from bench.contest import Task
from bench.load import DEADBAND, HIGH, LOW, METRICS, ORIGIN_UTC
from bench.peers.zeromq import SILENCE_MS, ZmqPeer, send
from core._fast.ingest import Ingest
from core._fast.slots import Slots

__all__ = ["Peer", "send"]

#: The kernel's grid of steps (s): so often it asks for the dirty set.
STEP_S = 0.05


class Peer(ZmqPeer):
    """``TelemetryEdge.serve`` without the handshake: the same poll, drain and collect, each counter and check on."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        load = task.load
        slots = Slots(
            load.slots,
            deadband=np.full(METRICS, DEADBAND),
            low=np.full(METRICS, LOW),
            high=np.full(METRICS, HIGH),
            merge=np.zeros(METRICS, np.uint8),
            refresh_s=np.full(METRICS, 60.0),
        )
        slots.extend(np.tile(np.arange(METRICS, dtype=np.uint16), load.slots // METRICS))
        offsets = np.arange(METRICS, dtype=np.int16)[None, :]
        self.ingest = Ingest(slots, offsets, origin_utc=ORIGIN_UTC, origin_mono=0)
        kind = np.zeros(load.assets, np.uint16)
        for id, first in zip(load.ids(), load.first_slot(), strict=True):
            self.ingest.open(id, first, kind)
        n = load.slots
        self.columns = (np.empty(n, np.uint32), np.empty(n), np.empty(n, np.int64), np.empty(n, np.uint32))
        self.handed = 0
        self.poller = zmq.Poller()
        self.poller.register(self.socket, zmq.POLLIN)

    def receive(self, frames: int) -> int:
        """The edge's loop, until ``frames`` frames came."""
        came, ingest, ages = 0, self.ingest, self.task.ages
        step = time.monotonic()
        while came < frames:
            if not self.poller.poll(SILENCE_MS):
                break
            came += ingest.drain(self.socket, min(65_536, frames - came))
            if ages:
                self._note_ages()
            elif time.monotonic() - step >= STEP_S:
                step = time.monotonic()
                self.handed += ingest.slots.collect(*self.columns)
        return came

    def _note_ages(self) -> None:
        # Every sample has a slot of its own for a while: what is dirty now came with this drain.
        n = self.ingest.slots.collect(*self.columns)
        now = ORIGIN_UTC + time.monotonic_ns() // 1000
        self.ages.append(now - self.columns[2][:n])

    def counts(self) -> dict[str, int]:
        """The edge's own counters, and how many changed slots were handed over."""
        return {name: n for name, n in self.ingest.counters().items() if n} | {"handed_over": self.handed}
