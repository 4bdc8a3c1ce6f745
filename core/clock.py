"""City time: one origin and one speed for every process of a run."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable

import msgspec
import numpy as np

MICROSECOND = 1
SECOND = 1_000_000


class Now(msgspec.Struct, frozen=True):
    """The instant a step runs at, as it is handed to every hook.

    ``utc`` (µs since 1970) may jump: calendars and stamps. ``mono`` (µs of city time since the run
    began) never jumps: leases, deadlines, periods.
    """

    step: int
    utc: int
    mono: int
    seed: int = 0
    plugin: str = ""

    def rng(self, name: str) -> np.random.Generator:
        """A generator seeded from (run seed, plugin, step, ``name``): the same on every replay."""
        key = zlib.crc32(f"{self.plugin}/{name}".encode())
        return np.random.Generator(np.random.Philox(key=[self.seed, key << 32 | (self.step & 0xFFFFFFFF)]))


class Origin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where city time begins and how fast it runs; the same in every process of a run.

    ``utc`` is the city's µs at the machine's monotonic ``mono_ns``. CLOCK_MONOTONIC is one for the host.
    ``real``: it was the system's time, and runs as fast.
    """

    utc: int
    mono_ns: int
    speed: float = 1.0
    real: bool = False


class Clock:
    """Reads city time. Tests hand in a fake ``monotonic_ns`` and ``system_ns``.

    ``before`` µs of ``mono`` had passed when this run began: a kernel that goes on from a snapshot sets it.
    """

    def __init__(
        self,
        origin: Origin,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        system_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.origin = origin
        self.before = 0
        self._monotonic_ns = monotonic_ns
        self._system_ns = system_ns

    def _since_origin(self) -> int:
        return int((self._monotonic_ns() - self.origin.mono_ns) * self.origin.speed) // 1000

    def mono(self) -> int:
        """City µs since the origin, and what had passed before."""
        return self.before + self._since_origin()

    def utc(self) -> int:
        """City µs since 1970."""
        return self.origin.utc + self._since_origin()

    def utc_at(self, mono: int) -> int:
        """City µs since 1970 when ``mono`` is so much."""
        return self.origin.utc + mono - self.before

    def real_at(self, mono: int) -> float:
        """CLOCK_MONOTONIC seconds when ``mono`` is so much."""
        return self.origin.mono_ns / 1e9 + (mono - self.before) / 1e6 / self.origin.speed

    def system_ahead_s(self) -> float:
        """By how many seconds the system's clock was set since the origin; 0 where city time is another by intent."""
        if not self.origin.real:
            return 0.0
        return (self._system_ns() // 1000 - self.utc()) / SECOND

    def wall_seconds(self, city_us: int) -> float:
        """How many real seconds ``city_us`` of city time last."""
        return city_us / SECOND / self.origin.speed


def origin_now(speed: float = 1.0, utc: int | None = None) -> Origin:
    """An origin at this very moment; ``utc`` µs moves the city to another date."""
    real = utc is None and speed == 1.0
    return Origin(time.time_ns() // 1000 if utc is None else utc, time.monotonic_ns(), speed, real)
