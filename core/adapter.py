"""An adapter: a door to the world that runs as its own process(es), found by entry point ``ondijon.adapters``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import msgspec
import structlog

from core import config
from core import run as runs
from core.errors import ConfigError, OndijonError
from core.person import Role
from core.run import Run

log = structlog.get_logger()

GROUP = "ondijon.adapters"


def _one(_: Any) -> int:
    return 1


class Adapter(msgspec.Struct, frozen=True):
    """``main(run, config, part)`` runs until SIGTERM; ``parts(config)`` says how many processes it wants.

    Where it plays gateways it ``speaks_for`` them (ANY: for all): then each of its processes has a key of its own,
    ``run.keys("NAME-PART")``. Where it is a partner, its first process ``follows`` as far as these roles go.
    """

    name: str
    config: type[msgspec.Struct]
    main: Callable[[Run, Any, int], None]
    parts: Callable[[Any], int] = _one
    speaks_for: tuple[str, ...] = ()
    follows: tuple[Role, ...] = ()

    def configure(self, table: dict[str, Any]) -> Any:
        """Decode ``[adapters.NAME]`` strictly. Raises ConfigError."""
        return config.decode(table, self.config, f"[adapters.{self.name}]")


def load(name: str) -> Adapter:
    """The installed adapter ``name``. Raises ConfigError."""
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name not in found:
        raise ConfigError(
            f"no adapter {name!r} is installed.",
            where=f"[adapters.{name}]",
            next=f"Installed are: {', '.join(sorted(found))}.",
        )
    adapter: Adapter = found[name].load()
    return adapter


def main() -> None:
    """Entry of an adapter's process; the supervisor starts it."""
    parser = argparse.ArgumentParser(prog="python -m core.adapter", description=__doc__)
    parser.add_argument("adapter")
    parser.add_argument("part", type=int)
    parser.add_argument("folder", type=Path, help="the run's folder, made by `ondijon run`")
    arguments = parser.parse_args()
    try:
        run = runs.load(arguments.folder)
        adapter = load(arguments.adapter)
        adapter.main(run, adapter.configure(run.adapter_config.get(adapter.name, {})), arguments.part)
    except OndijonError as error:
        log.critical("adapter stopped", adapter=arguments.adapter, why=str(error))
        raise SystemExit(error.exit_status) from None


if __name__ == "__main__":
    main()
