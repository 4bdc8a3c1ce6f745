"""The questions the kernel asks a plugin. All are synchronous and pure; each may be left out but ``declare``.

The kernel calls plugins one at a time, in the order of ``[post] plugins``. A hook may take any subset
of the arguments named here. It returns an iterable of proposals, or None. A hook that raises loses its
proposals of that step, and its state is put back to what it was when the step began; the other plugins
go on, and the fault is counted and raised as an alarm of the post.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pluggy

from core.batch import Batch
from core.city import City
from core.clock import Now
from core.declaration import Declaration
from core.event import Event
from core.imagined import Imagined
from core.proposals import Proposal
from core.table import TableView

#: The name under which hooks are marked and found.
PROJECT = "ondijon"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def declare() -> Declaration:  # type: ignore[empty-body]
    """Say what the trade is: kinds, metrics, events, verbs, alarms, views, state, periods.

    Called once a process, before any city is loaded, also by ``ondijon check``. Must return the same
    Declaration each time. If it raises, the plugin is not loaded and the post does not start.
    """


@hookspec
def prepare(city: City, config: Any) -> Any:
    """Derive from the city and the configuration all that does not change while they do not.

    Called before ``start`` and again whenever the register of assets changes. What it returns is handed
    to the other hooks as ``fixed``: read-only, never stored, never hashed, so it may be large.
    ``config`` is an instance of the declared config Struct.
    """


@hookspec
def start(city: City, config: Any, fixed: Any, state: Any) -> Any:
    """Return the state to begin with: an instance of the declared state Struct.

    ``state`` is None at first, the restored state after a restart, and the present state after the
    register of assets changed (fit its arrays to the new ``fixed``).
    """


@hookspec
def migrate(state: Mapping[str, Any], version: int) -> Mapping[str, Any]:  # type: ignore[empty-body]
    """Turn the stored fields of an older ``version`` of the state into the fields of today's.

    Called once when a stored state is older than ``Declaration.state_version``. If it raises, the post
    does not start and says whose state it was: nothing is thrown away.
    """


@hookspec
def on_events(
    now: Now, events: tuple[Event, ...], table: TableView, fixed: Any, state: Any
) -> Iterable[Proposal] | None:
    """Events of the kinds in ``reads.events`` arrived; ``event.data`` has the Struct named there."""


@hookspec
def on_batch(now: Now, batch: Batch, table: TableView, fixed: Any, state: Any) -> Iterable[Proposal] | None:
    """Slots of the metrics in ``reads.metrics`` changed. Never called with an empty batch."""


@hookspec
def on_tick(now: Now, name: str, table: TableView, fixed: Any, state: Any) -> Iterable[Proposal] | None:
    """The period ``name`` of ``Declaration.ticks`` is due, by ``now.mono``. Missed periods are not repeated."""


@hookspec
def imagine(now: Now, fixed: Any, state: Any) -> Iterable[Imagined] | None:
    """Say what devices would tell of the metrics that ``answers``, if they did as they were told.

    Asked each minute in a fork of the past (``ondijon replay --set``), never in a city: a fork tells devices
    something else than was recorded, so what was recorded of their answers is left out.
    """


@hookspec
def examine(fixed: Any) -> Iterable[str] | None:
    """Say what of the trade's own data does not do what it should, a sentence each: rules that get an example wrong.

    Asked by ``ondijon check --test`` with what ``prepare`` made of city and configuration; never in a running post.
    What makes no sense at all belongs into the config Struct, or ``prepare``: it stops the start.
    """
