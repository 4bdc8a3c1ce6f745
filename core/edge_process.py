"""An edge as a process: ``python -m core.edge_process telemetry|events|partners FOLDER``."""

from __future__ import annotations

import argparse
from pathlib import Path

import structlog

from core import run as runs
from core.edge import Edge
from core.errors import OndijonError
from core.events_edge import EventsEdge
from core.partners_edge import PartnersEdge
from core.telemetry_edge import TelemetryEdge

log = structlog.get_logger()

EDGES: dict[str, type[Edge]] = {edge.name: edge for edge in (TelemetryEdge, EventsEdge, PartnersEdge)}


def main() -> None:
    """Entry of the process; the supervisor starts it."""
    parser = argparse.ArgumentParser(prog="python -m core.edge_process", description=__doc__)
    parser.add_argument("edge", choices=sorted(EDGES))
    parser.add_argument("folder", type=Path, help="the run's folder, made by `ondijon run`")
    arguments = parser.parse_args()
    try:
        EDGES[arguments.edge](runs.load(arguments.folder)).main()
    except OndijonError as error:
        log.critical("edge stopped", edge=arguments.edge, why=str(error))
        raise SystemExit(error.exit_status) from None


if __name__ == "__main__":
    main()
