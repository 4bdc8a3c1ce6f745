"""A small file that is there whole or not at all, also when the power goes."""

from __future__ import annotations

import os
from pathlib import Path


def write(path: Path, content: bytes, mode: int) -> None:
    """Put ``content`` at ``path``; whoever reads meanwhile reads the old file or the new one. Raises OSError."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Have what a file, or a folder, holds by now outlive a power cut. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
