"""A plugin as it runs in a worker, without the process: all that it is asked and answers crosses as bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import msgspec

from core import plugins as plugin_host
from core import worker_wire
from core.kernel import Kernel
from core.plugins import Plugin
from core.remote import Answered, Came, Gone, Said
from core.worker import Worker
from core.worker_wire import Begin, Post, Stop, Turn, Words


class Apart:
    """One worker after the other. ``busy`` holds its answers back, as long as it is set."""

    def __init__(
        self, name: str, module: ModuleType | None, config: Mapping[str, Any], kernel: Callable[[], Kernel]
    ) -> None:
        self._name = name
        self._module = module
        self._config = config
        self._kernel = kernel
        self._generation = 0
        self._worker: Worker | None = None
        self._said: list[Said] = []
        self._asked: list[Begin | Turn] = []
        self.busy = False

    def come(self) -> None:
        """A worker comes."""
        self._generation += 1
        slots = self._kernel().table.slots.capacity
        self._memory = bytearray(slots * worker_wire.SLOT_BYTES)
        metrics = list(self._kernel().numbering.metrics)
        words = worker_wire.decode_to_worker(worker_wire.encode(Words(metrics)))
        assert isinstance(words, Words)
        self._worker = Worker(
            self._name, words, memoryview(self._memory), self._load, lambda _: self._kernel().city
        )
        self._said.append(Came(self._name, self._generation))

    def die(self, why: str = "it died") -> None:
        """It dies, and what it was asked is not answered; the next one comes at once."""
        self._asked.clear()
        self._worker = None
        self._said.append(Gone(self._name, self._generation, why))

    def leave(self) -> None:
        """The kernel died, and it with it."""
        self._worker = None
        self._asked, self._said = [], []

    def ask(self, generation: int, message: Post) -> None:
        """The kernel asks it something."""
        if generation != self._generation or self._worker is None:
            return
        if isinstance(message, Stop):
            self.die(message.why)
        else:
            self._asked.append(message)

    def said(self) -> list[Said]:
        """What it says for the next step."""
        if self._worker is None:
            self.come()
        while self._asked and not self.busy:
            self._answer(self._asked.pop(0))
        said, self._said = self._said, []
        return said

    def _answer(self, message: Begin | Turn) -> None:
        assert self._worker is not None
        if isinstance(message, Turn):
            worker_wire.fill(memoryview(self._memory), message)
            message = worker_wire.without_columns(message)
        asked = worker_wire.decode_to_worker(worker_wire.encode(message))
        try:
            done = self._worker.begin(asked) if isinstance(asked, Begin) else self._worker.turn(asked)
        except Exception as error:
            self.die(repr(error))
            return
        answered = Answered(self._name, self._generation, message.number, done)
        self._said.append(msgspec.msgpack.decode(worker_wire.encode(answered), type=Answered))

    def _load(self) -> Plugin:
        plugin = plugin_host.hooked(self._name, self._module or plugin_host.find(self._name))
        plugin.configure(self._config)
        return plugin
