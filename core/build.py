"""What computes: the build of the software, and the kind of machine. Bit for bit holds for one of each."""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path

from core.plugins import Plugin

#: Libraries whose arithmetic or encoding a step's result rests on.
LIBRARIES = ("msgspec", "numpy")


def build(plugins: Iterable[Plugin]) -> str:
    """The versions that matter and a digest over the kernel's and the trades' files, in one line."""
    sum = hashlib.sha256()
    for path in sorted({*_files(Path(__file__).parent), *_of(plugins)}):
        sum.update(path.name.encode() + b"\0" + path.read_bytes())
    libraries = " ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return f"ondijon {version('ondijon')} {sum.hexdigest()[:16]}, Python {platform.python_version()}, {libraries}"


def machine() -> str:
    """The kind of CPU: its arithmetic may round otherwise than another's."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, "") or platform.processor() or platform.machine()


def _of(plugins: Iterable[Plugin]) -> Iterator[Path]:
    for plugin in plugins:
        for function, _ in plugin.hooks.values():
            file = sys.modules[function.__module__].__file__
            if file is not None:
                path = Path(file)
                # A package's hooks stand for all of it, a one-file trade for itself.
                yield from _files(path.parent) if (path.parent / "__init__.py").exists() else [path]


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.suffix in (".py", ".so"))
