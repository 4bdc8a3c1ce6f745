"""What the modules of a plugin hold beside its state: none of it may evolve."""

from __future__ import annotations

import hashlib
import pickle
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any


def own_files(module: ModuleType) -> tuple[list[Path], str]:
    """The source files of a plugin, and what the names of its modules begin with."""
    file = Path(module.__file__ or "")
    package = module.__spec__.parent if module.__spec__ else ""
    if not package:
        return [file], module.__name__
    return sorted(file.parent.rglob("*.py")), package


def held(module: ModuleType) -> dict[str, bytes]:
    """What the modules of a plugin hold besides functions: each name with a fingerprint of its value."""
    _, package = own_files(module)
    return {
        f"{name}.{key}": mark
        for name, each in sorted(sys.modules.items())
        if name == package or name.startswith(f"{package}.")
        for key, value in _values(each)
        if (mark := _mark(value)) is not None
    }


def _values(module: ModuleType) -> Iterator[tuple[str, Any]]:
    for key, value in list(vars(module).items()):
        if key.startswith("__") or isinstance(value, ModuleType):
            continue
        if isinstance(value, FunctionType):
            if value.__module__ == module.__name__:
                yield (
                    f"{key} (its attributes and defaults)",
                    (value.__dict__, value.__defaults__, value.__kwdefaults__),
                )
        elif not isinstance(value, type):
            yield key, value
        elif value.__module__ == module.__name__:
            plain = {k: v for k, v in vars(value).items() if not k.startswith("__") and not callable(v)}
            yield from ((f"{key}.{k}", v) for k, v in plain.items())


def _mark(value: Any) -> bytes | None:
    try:
        return hashlib.sha256(pickle.dumps(value)).digest()
    except Exception:
        # What cannot be written down is compiled, or a handle: no memory of a trade.
        return None


def changed(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> list[str]:
    """The names whose value is another, or that are new."""
    return [name for name, mark in after.items() if before.get(name) != mark]
