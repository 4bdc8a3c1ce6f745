"""What the fuzzer and the normal suite both run: one decoder, what must hold for any bytes, and valid inputs."""

from __future__ import annotations

import atexit
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Target:
    """``check`` returns for any bytes, or raises: then a promise of the decoder is broken.

    ``seeds`` builds the inputs to begin from; ``longest`` bytes are tried; ``share`` of the time is its own.
    """

    name: str
    check: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    longest: int = 4096
    share: int = 1


_scratch: list[Path] = []


def scratch() -> Path:
    """A folder of this process, gone at its end."""
    if not _scratch:
        folder = tempfile.TemporaryDirectory(prefix="ondijon-fuzz-")
        atexit.register(folder.cleanup)
        _scratch.append(Path(folder.name))
    return _scratch[0]


def written(name: str, data: bytes) -> Path:
    """A file with ``data``, for decoders that read files."""
    path = scratch() / name
    path.write_bytes(data)
    return path


def cases(target: str) -> list[Path]:
    """Inputs that once broke a target."""
    return sorted((Path(__file__).parent / "cases").glob(f"{target}-*"))
