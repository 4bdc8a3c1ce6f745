"""The kernel frozen between two steps, and thawed: what follows is the same, bit for bit.

A snapshot holds what a restart needs, by name, and outlives versions; this holds everything, as it lies in memory,
for the same build only. What the kernel was made from (city, plugins, declarations, configuration) is named in it,
not stored. It is unpickled, so only what the journal vouches for may be thawed.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np

from core import vocabulary
from core.errors import RecordError
from core.kernel import Kernel

#: What a frozen kernel may be made of, beside the kernel's own classes.
_MADE_OF = {
    "builtins": {"set", "frozenset"},
    "collections": {"deque", "OrderedDict", "defaultdict"},
    "msgspec._utils": {"rebuild"},
    "numpy": {"dtype", "ndarray"},
    "numpy._core.multiarray": {"_reconstruct", "scalar"},
    "numpy._core.numeric": {"_frombuffer"},
}


def freeze(kernel: Kernel) -> tuple[bytes, bytes]:
    """The kernel as it is after a step, and the records of its table."""
    stream = io.BytesIO()
    pickler = _Pickler(stream, protocol=5)
    pickler.names = {id(thing): name for name, thing in _given(kernel)}
    state = dict(vars(kernel))
    pickler.dump(state)
    return stream.getvalue(), kernel.table.slots.records_array().tobytes()


def thaw(kernel: Kernel, frozen: bytes, table: bytes) -> None:
    """Put a kernel that was just made of the same things into that state. Raises RecordError."""
    unpickler = _Unpickler(io.BytesIO(frozen))
    unpickler.things = dict(_given(kernel))
    try:
        state = unpickler.load()
        records = kernel.table.slots.records_array()
        records[:] = np.frombuffer(table, records.dtype)
    except Exception as error:  # pickle answers what it cannot read with errors of a dozen kinds
        raise RecordError(
            f"a keyframe cannot be thawed: {error!r}.", next="Replay it with the build that wrote it."
        ) from error
    vars(kernel).update(state)


def _given(kernel: Kernel) -> Iterator[tuple[tuple[str, ...], Any]]:
    """What the kernel was made from, each by a name that another kernel made from the same gives it too."""
    yield ("city",), kernel.city
    yield ("streets",), kernel.city.streets
    yield ("communes",), kernel.city.communes
    yield ("assets",), kernel.city.assets
    yield ("numbering",), kernel.numbering
    yield ("register",), kernel.register
    yield ("slots",), kernel.table.slots
    yield ("login",), kernel.login
    yield ("gate",), kernel.gate.config
    own = (*vocabulary.ASSETS, *vocabulary.EVENTS, *vocabulary.ALARMS, *vocabulary.NETWORK.values())
    for n, kind in enumerate(own):
        yield ("post", str(n)), kind
    for plugin in kernel.plugins:
        yield ("plugin", plugin.name), plugin
        yield ("declaration", plugin.name), plugin.declaration
        for part, items in plugin.declaration.parts().items():
            for n, item in enumerate(items):
                yield (plugin.name, part, str(n)), item


class _Pickler(pickle.Pickler):
    names: dict[int, tuple[str, ...]]

    def persistent_id(self, thing: Any) -> tuple[str, ...] | None:
        return self.names.get(id(thing))


class _Unpickler(pickle.Unpickler):
    things: dict[tuple[str, ...], Any]

    def persistent_load(self, name: Any) -> Any:
        return self.things[name]

    def find_class(self, module: str, name: str) -> Any:
        ours = module.startswith("core.")
        if ours or name in _MADE_OF.get(module, ()):
            found = super().find_class(module, name)
            if isinstance(found, type) or not ours:
                return found
        raise RecordError(f"a keyframe names {module}.{name}.")
