"""The work of one trade in one step: what it is shown, and what it answers. The same in the kernel and in a worker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from core import proposals, state
from core.batch import Batch
from core.clock import Now
from core.event import Event
from core.plugins import Plugin
from core.table import TableView

#: What a trade proposes, with the event that led to it.
Proposed = list[tuple[Event | None, proposals.Proposal]]


class Failed(msgspec.Struct, frozen=True):
    """The hook that raised, what it raised, and what was done about it."""

    hook: str
    error: str
    what: str


class Done(msgspec.Struct):
    """What a trade answered. ``unread`` says of each event that does not fit what the trade reads; ``dropped`` counts
    proposals beyond the limit."""

    proposed: Proposed = []
    unread: list[str] = []
    failed: Failed | None = None
    dropped: int = 0


def do(
    plugin: Plugin,
    now: Now,
    events: Sequence[Event],
    batch: Batch | None,
    ticks: Sequence[str],
    view: TableView,
    fatal: tuple[type[Exception], ...] = (),
) -> Done:
    """Call the hooks for what came of the kinds and metrics that the plugin reads.

    Of one that raises nothing is left, neither proposals nor what it did to its state; what is ``fatal`` is raised.
    """
    done = Done()
    calls = _calls(plugin, _read(plugin, events, done), batch, ticks)
    if not calls:
        return done
    try:
        before = state.copy(plugin.state)
    except Exception as error:
        # Nothing could be put back, so nothing is asked.
        what = f"is not called, its state cannot be copied: {error!r}"
        done.failed = Failed(calls[0][0], repr(error), what)
        return done
    dropped = plugin.dropped
    for hook, cause, arguments in calls:
        try:
            proposed = plugin.call(hook, now=now, table=view, **arguments)
            done.proposed += [(_cause(each, cause, arguments.get("events", ())), each) for each in proposed]
        except fatal:
            raise
        except Exception as error:
            plugin.state = before
            done.proposed = []
            done.failed = Failed(hook, repr(error), f"raised {error!r}; its state was put back")
            break
    done.dropped = plugin.dropped - dropped
    return done


def see_again(plugin: Plugin, then: Now, events: Sequence[Event], view: TableView) -> Done:
    """Show what was consumed before a crash once more; of what is proposed only views count."""
    done = Done()
    mine = _read(plugin, events, done)
    if not mine:
        return done
    before = state.copy(plugin.state)
    try:
        proposed = plugin.call("on_events", now=then, events=mine, table=view)
    except Exception as error:
        plugin.state = before
        done.failed = Failed("on_events", repr(error), f"raised {error!r} on what it saw before")
        return done
    done.proposed = [(None, each) for each in proposed if isinstance(each, proposals.Publish)]
    return done


def _calls(
    plugin: Plugin, mine: tuple[Event, ...], batch: Batch | None, ticks: Sequence[str]
) -> list[tuple[str, Event | None, dict[str, Any]]]:
    calls: list[tuple[str, Event | None, dict[str, Any]]] = []
    if mine:
        # Of several events the longest chain counts, unless a proposal names another: chains end all the same.
        calls.append(("on_events", max(mine, key=lambda event: event.chain), {"events": mine}))
    if "on_batch" in plugin.hooks and batch is not None and len(batch):
        calls.append(("on_batch", None, {"batch": batch}))
    calls += [("on_tick", None, {"name": name}) for name in ticks]
    return calls


def _cause(proposal: proposals.Proposal, longest: Event | None, events: Sequence[Event]) -> Event | None:
    """What led to a proposal: the event that it names, of those of this call."""
    if isinstance(proposal, proposals.Emit) and proposal.cause:
        return next((event for event in events if event.seq == proposal.cause), longest)
    return longest


def _read(plugin: Plugin, events: Sequence[Event], done: Done) -> tuple[Event, ...]:
    """Events, each with its data in the plugin's own Struct."""
    reads = plugin.declaration.reads.events
    mine = []
    for event in events:
        try:
            data = msgspec.convert(event.data, reads[event.kind], from_attributes=True)
        except Exception as error:
            # Of any kind: a Struct may run the plugin's own code to check itself, and a gateway may say anything.
            done.unread.append(f"event {event.kind} does not fit what {plugin.name} reads: {error}.")
        else:
            mine.append(msgspec.structs.replace(event, data=data))
    return tuple(mine)
