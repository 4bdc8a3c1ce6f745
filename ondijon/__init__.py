"""The public door: what plugins, gateways and tools may import. Everything behind it may move.

A plugin writes ``from ondijon import hookimpl, Declaration, Emit, ...`` and nothing else of the house.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def _check_neighbours() -> None:
    # core, plugins and adapters are plain folder names: another project's could shadow them.
    home = Path(__file__).resolve().parent.parent
    for name in ("core", "plugins", "adapters"):
        spec = find_spec(name)
        found = Path(spec.origin).resolve().parent if spec and spec.origin else None
        if found != home / name:
            raise ImportError(
                f"ondijon needs its own {name!r} beside it in {home}, but Python finds {found}. "
                "Run it in an environment of its own, or put its folder first on sys.path."
            )


_check_neighbours()

from core import requests, vocabulary  # noqa: E402
from core._fast import dimming  # noqa: E402
from core.assets import NONE, Assets  # noqa: E402
from core.batch import Batch  # noqa: E402
from core.city import STREET_CLASSES, City, Streets  # noqa: E402
from core.clock import SECOND, Now  # noqa: E402
from core.declaration import (  # noqa: E402
    API_VERSION,
    AlarmKind,
    AssetKind,
    Authorisation,
    Declaration,
    EventKind,
    Interlock,
    Kpi,
    Layer,
    Merge,
    Metric,
    ProgrammeKind,
    Reads,
    Retention,
    Text,
    Verb,
    View,
)
from core.errors import OndijonError, PluginError  # noqa: E402
from core.event import Event, Source  # noqa: E402
from core.hookspecs import hookimpl  # noqa: E402
from core.imagined import Imagined  # noqa: E402
from core.inventory import AssetChange  # noqa: E402
from core.proposals import (  # noqa: E402
    Clear,
    Clock,
    Command,
    Emit,
    Proposal,
    Publish,
    Raise,
    Release,
    Serves,
    caused,
)
from core.sealed import Sealed  # noqa: E402
from core.table import Column, TableView  # noqa: E402

__version__ = "0.1.0"

__all__ = [
    "API_VERSION",
    "NONE",
    "SECOND",
    "STREET_CLASSES",
    "AlarmKind",
    "AssetChange",
    "AssetKind",
    "Assets",
    "Authorisation",
    "Batch",
    "City",
    "Clear",
    "Clock",
    "Column",
    "Command",
    "Declaration",
    "Emit",
    "Event",
    "EventKind",
    "Imagined",
    "Interlock",
    "Kpi",
    "Layer",
    "Merge",
    "Metric",
    "Now",
    "OndijonError",
    "PluginError",
    "ProgrammeKind",
    "Proposal",
    "Publish",
    "Raise",
    "Reads",
    "Release",
    "Retention",
    "Sealed",
    "Serves",
    "Source",
    "Streets",
    "TableView",
    "Text",
    "Verb",
    "View",
    "caused",
    "dimming",
    "hookimpl",
    "requests",
    "vocabulary",
]
