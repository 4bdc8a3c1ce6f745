"""A process as /proc shows it: what it used, and what it holds."""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec

from core.supervisor import Supervisor


class Sight(msgspec.Struct, frozen=True):
    """One process at one moment: CPU s since its start, resident MiB."""

    at: float
    cpu_s: float
    rss_mib: float


def look(pid: int) -> Sight:
    """Read /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    pages = int(fields[21])
    return Sight(
        time.monotonic(),
        ticks / os.sysconf("SC_CLK_TCK"),
        pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
    )


def look_at_all(supervisor: Supervisor) -> dict[str, Sight]:
    """Every process of a post that runs, by its name."""
    return {process.name: look(process.pid) for process in supervisor.processes if process.pid is not None}
