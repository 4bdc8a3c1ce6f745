"""What every seeded world has: a post that crashes and starts again, a clock, and wires that nobody can rely on."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, TypeVar

import msgspec

from core import snapshot as snapshots
from core.clock import Now
from core.field import Place
from core.kernel import Kernel
from core.plugins import load as load_plugins
from core.reactor import Reactor
from ondijon import Declaration, Text, hookimpl
from ondijon.testing import City
from tests.simulation.disk import Disk

STEP_US = 50_000

T = Text("essai", "trial")


class Nothing(msgspec.Struct):
    """The configuration of a trade that has none."""


def trade(state: type[msgspec.Struct], on_events: Callable[..., Any], **declared: Any) -> ModuleType:
    """A module of hooks that keeps a ``state`` and hears events."""
    module = ModuleType("trial")
    declaration = Declaration(name="trial", text=T, config=Nothing, state=state, **declared)

    @hookimpl
    def declare():
        return declaration

    @hookimpl
    def start(state):
        return state or declaration.state()

    module.declare, module.start, module.on_events = declare, start, hookimpl(on_events)
    return module


class BrokenPromiseError(AssertionError):
    """The world saw what must never be."""


class Seeded:
    """One seed's world. ``run`` raises BrokenPromiseError; ``digest`` is the same for the same seed."""

    def __init__(self, seed: int, trade: ModuleType, disk: Disk) -> None:
        self.seed = seed
        self.rng = random.Random(seed)
        self.disk = disk
        self.city = City.small()
        self.trade = trade
        self.mono = self.utc_jump = 0
        self.faulty = True

    def boot(self, **kernel: Any) -> Mapping[str, Place]:
        """Start kernel and reactor as `core/service.py` does; how far each gateway's events came."""
        self.disk.generation += 1
        plugins = load_plugins(["trial"], modules={"trial": self.trade})
        snapshot = snapshots.newest(self.disk)
        for plugin in plugins:
            plugin.configure({})
            plugin.begin(self.city, snapshot.plugins.get(plugin.name) if snapshot else None)
        self.plugin = plugins[0]
        if snapshot is not None:
            self.mono = max(self.mono, snapshot.mono)
        self.kernel = Kernel(self.city, plugins, self.disk.generation, **kernel)
        self.reactor = Reactor(self.kernel, self.disk, snapshot)
        return self.reactor.resume(self.now())[1]

    def now(self) -> Now:
        """The moment of the next step."""
        step = self.mono // STEP_US
        return Now(step, 1_700_000_000_000_000 + self.mono + self.utc_jump, step * STEP_US)

    def arrived(self, wires: list[Any], *, in_order: bool = False) -> list[Any]:
        """What comes through: some never does, some twice, in whatever order; all when nothing goes wrong any more."""
        if not self.faulty:
            through, wires[:] = wires[:], []
            return through
        if not in_order:
            self.rng.shuffle(wires)
        n = self.rng.randint(0, len(wires))
        through, wires[:] = wires[:n], wires[n:]
        return [each for each in through for _ in range(self.rng.choice((0, 1, 1, 1, 1, 2)))]

    def run(self) -> None:
        """All goes wrong for a while, then nothing more; then everything must have arrived."""
        raise NotImplementedError

    def digest(self) -> str:
        """All that was journaled."""
        return hashlib.sha256(msgspec.msgpack.encode(self.disk.records)).hexdigest()


Lived = TypeVar("Lived", bound=Seeded)


def lived(world: Lived) -> Lived:
    """The world after its run; what it finds broken names the seed."""
    try:
        world.run()
    except BrokenPromiseError as error:
        raise BrokenPromiseError(f"seed {world.seed}: {error}") from error
    return world


def finds(live: Callable[[int], object], seeds: int) -> bool:
    """Whether one of so many seeds finds a promise broken."""
    for seed in range(seeds):
        try:
            live(seed)
        except BrokenPromiseError:
            return True
    return False
