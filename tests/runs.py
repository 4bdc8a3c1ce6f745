"""A run without a supervisor, for a test that starts a process of the post, or a part of one, alone."""

from __future__ import annotations

from pathlib import Path

from core.clock import origin_now
from core.config import EdgesConfig
from core.run import Endpoints, Run


def alone(
    folder: Path,
    *,
    data: Path | None = None,
    city: Path | None = None,
    plugins: tuple[str, ...] = (),
    partners: str = "",
    memory_fd: int = -1,
) -> Run:
    """A run in ``folder``, which is also its data and its city where none are named; nothing is written."""
    return Run(
        folder=folder,
        city=city or folder,
        data=data or folder,
        plugins=list(plugins),
        plugin_folder=None,
        plugin_config={},
        adapter_config={},
        edges=EdgesConfig(),
        origin=origin_now(),
        step_us=50_000,
        seed=0,
        endpoints=Endpoints("", "", "", partners),
        memory_fd=memory_fd,
    )
