"""The samples of a run: one stream, in the frames that each contender reads. Written once, sent to all."""

from __future__ import annotations

import random
import time
from pathlib import Path

import msgpack
import msgspec
import numpy as np

from core import wire

#: City time of CLOCK_MONOTONIC 0, in µs.
ORIGIN_UTC = 1_700_000_000_000_000

SESSIONS, ASSETS, METRICS = 4, 16_384, 4
SLOTS = SESSIONS * ASSETS * METRICS
LOW, HIGH, DEADBAND = -1e9, 1e9, 0.01

#: Stamps begin so far (µs) before now: no lap may run into the future.
AGE_US = 60_000_000


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """A ring of frames in ``path`` with their ``bounds``; it may be sent again and again.

    ``per_frame`` samples a frame; ``gateways`` sessions of ``assets`` each; ``kind`` "wire" or "msgpack".
    At each lap a wire frame's sequence grows by ``sequence_step`` and its time by ``time_step`` µs.
    """

    path: str
    bounds: str
    kind: str
    per_frame: int
    frames: int
    gateways: int = SESSIONS
    assets: int = ASSETS
    sequence_step: int = 0
    time_step: int = 0

    @property
    def slots(self) -> int:
        """Slots that the samples fall on."""
        return self.gateways * self.assets * METRICS

    def ids(self) -> list[int]:
        """The sessions' numbers: fixed and scattered, as random ones would be."""
        draw = random.Random(7)
        return [draw.getrandbits(32) for _ in range(self.gateways)]

    def first_slot(self) -> np.ndarray:
        """u32[gateways, assets]: the first slot of each asset."""
        return np.arange(0, self.slots, METRICS, dtype=np.uint32).reshape(self.gateways, self.assets)

    def known(self) -> dict[tuple[int, int], tuple[float, float]]:
        """The idiom's table when every slot has been seen once: what a post looks like after a minute."""
        return {
            (device, metric): (0.0, 0.0)
            for device in range(self.gateways * self.assets)
            for metric in range(METRICS)
        }

    def map(self) -> tuple[np.ndarray, np.ndarray]:
        """(frames u8[], bounds i64[frames + 1])."""
        return np.fromfile(self.path, np.uint8), np.fromfile(self.bounds, np.int64)


def make(
    folder: Path,
    *,
    per_frame: int,
    samples: int,
    kind: str = "wire",
    gateways: int = SESSIONS,
    assets: int = ASSETS,
    spread: bool = False,
) -> Load:
    """Write a ring of ``samples``; with ``spread`` no slot comes twice in ``slots`` samples, else slots are random.

    Every gateway's samples are random over its own assets, values always change. A frame of one sample is
    a single; a columnar frame is of one metric, as a cabinet's levels are.
    """
    frames = max(samples // per_frame // gateways, 1) * gateways
    rng = np.random.default_rng(42)
    # The second half of the ring goes to the places of the first: else a lap would tell each slot what it knows.
    frames += frames // gateways % 2 * gateways
    shape, half = (frames, per_frame), frames // 2
    index = np.tile(rng.integers(0, assets, (half, per_frame)), (2, 1)).astype(np.uint16)
    metric = np.tile(rng.integers(0, METRICS, half), 2).astype(np.uint16)
    if spread:
        position = np.arange(frames) // gateways
        index = ((position[:, None] * per_frame + np.arange(per_frame)) % assets).astype(np.uint16)
        metric = (position * per_frame // assets % METRICS).astype(np.uint16)
    value = np.round(rng.normal(50, 20, shape), 3)
    stamp = time.monotonic_ns() // 1000 + ORIGIN_UTC - AGE_US + np.arange(frames)
    name = f"{kind}-{per_frame}-{gateways}-{assets}{'-spread' if spread else ''}"
    load = Load(
        path=str(folder / f"{name}.bin"),
        bounds=str(folder / f"{name}.bounds"),
        kind=kind,
        per_frame=per_frame,
        frames=frames,
        gateways=gateways,
        assets=assets,
        sequence_step=frames // gateways * per_frame if kind == "wire" else 0,
        time_step=frames if kind == "wire" else 0,
    )
    write = _wire if kind == "wire" else _msgpack
    parts = write(load, index, metric, value, stamp)
    Path(load.path).write_bytes(b"".join(parts))
    np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64).tofile(load.bounds)
    return load


def _wire(
    load: Load, index: np.ndarray, metric: np.ndarray, value: np.ndarray, stamp: np.ndarray
) -> list[bytes]:
    single = load.per_frame == 1
    ids, parts = load.ids(), []
    for i in range(load.frames):
        session = ids[i % load.gateways]
        sequence = i // load.gateways * load.per_frame
        if single:
            place = int(index[i, 0]), int(metric[i])
            parts.append(wire.single(session, sequence, *place, int(stamp[i]), float(value[i, 0])))
        else:
            times = np.full(load.per_frame, stamp[i])
            parts.append(wire.columns(session, sequence, index[i], int(metric[i]), times, value[i]))
    return parts


def _msgpack(
    load: Load, index: np.ndarray, metric: np.ndarray, value: np.ndarray, stamp: np.ndarray
) -> list[bytes]:
    """``[device, seconds, metric, value]``, or a list of such rows: the idiom."""
    parts = []
    for i in range(load.frames):
        device = (i % load.gateways) * load.assets
        rows = [
            [device + int(a), float(stamp[i]) / 1e6, int(metric[i]), float(v)]
            for a, v in zip(index[i], value[i], strict=True)
        ]
        parts.append(msgpack.packb(rows[0] if load.per_frame == 1 else rows))
    return parts
