"""The host of the trades: each has its turn in a step, and whatever goes wrong there stays there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from core import proposals, state, vocabulary
from core.batch import Batch
from core.clock import Now
from core.event import Event
from core.plugins import Plugin
from core.register import Numbering
from core.step import Outputs
from core.table import TableView
from core.tail import Again
from core.troubles import Troubles

#: What a trade proposes, with the event that led to it.
Proposed = list[tuple[Event | None, proposals.Proposal]]


class Host:
    """Calls the hooks of one plugin at a time. ``counts`` are the kernel's."""

    def __init__(
        self, plugins: Sequence[Plugin], numbering: Numbering, troubles: Troubles, counts: dict[str, int]
    ) -> None:
        self._troubles = troubles
        self._counts = counts
        counts["events_unread"] = 0
        self._metrics = {
            plugin.name: np.array(
                [metric.name in plugin.declaration.reads.metrics for metric in numbering.metrics], bool
            )
            for plugin in plugins
        }

    def react(
        self,
        plugin: Plugin,
        now: Now,
        batch: Batch,
        events: Sequence[Event],
        view: TableView,
        outputs: Outputs,
    ) -> Proposed:
        """A plugin's turn; of one that raises nothing is left, neither proposals nor what it did to its state."""
        calls = self._calls(plugin, now, batch, self._read(plugin, events, outputs))
        if not calls:
            return []
        try:
            before = state.copy(plugin.state)
        except Exception as error:
            # Nothing could be put back, so nothing is asked.
            what = f"is not called, its state cannot be copied: {error!r}"
            self._failed(plugin, calls[0][0], error, what, now, outputs)
            return []
        dropped = plugin.dropped
        proposed: Proposed = []
        for hook, cause, arguments in calls:
            try:
                proposed += [
                    (cause, proposal) for proposal in plugin.call(hook, now=now, table=view, **arguments)
                ]
            except Exception as error:
                plugin.state = before
                what = f"raised {error!r}; its state was put back"
                self._failed(plugin, hook, error, what, now, outputs)
                proposed = []
                break
        if plugin.dropped > dropped:
            self._troubles.say("limit_reached", now, plugin=plugin.name, what="proposals")
        return proposed

    def see_again(
        self, plugin: Plugin, again: Again, now: Now, view: TableView, outputs: Outputs
    ) -> list[proposals.Publish]:
        """What a step consumed before a crash, shown once more; of what is proposed only views count."""
        mine = self._read(plugin, again.events, outputs)
        if not mine:
            return []
        mono = now.mono - (now.utc - again.utc)
        then = Now(again.step, again.utc, mono, now.seed, plugin.name)
        before = state.copy(plugin.state)
        try:
            proposed = plugin.call("on_events", now=then, events=mine, table=view)
        except Exception as error:
            plugin.state = before
            plugin.errors += 1
            outputs.faults.append(f"plugin {plugin.name}: on_events raised {error!r} on what it saw before.")
            return []
        return [each for each in proposed if isinstance(each, proposals.Publish)]

    def _calls(
        self, plugin: Plugin, now: Now, batch: Batch, mine: tuple[Event, ...]
    ) -> list[tuple[str, Event | None, dict[str, Any]]]:
        calls: list[tuple[str, Event | None, dict[str, Any]]] = []
        if mine:
            # Of several events the longest chain counts: no plugin can outrun the limit.
            calls.append(("on_events", max(mine, key=lambda event: event.chain), {"events": mine}))
        if "on_batch" in plugin.hooks and len(batch):
            wanted = self._wanted(plugin, batch)
            if len(wanted):
                calls.append(("on_batch", None, {"batch": wanted}))
        if "on_tick" in plugin.hooks:
            calls += [("on_tick", None, {"name": name}) for name in plugin.ticks_due(now.mono)]
        return calls

    def _read(self, plugin: Plugin, events: Sequence[Event], outputs: Outputs) -> tuple[Event, ...]:
        """The events of the kinds a plugin reads, each with its data in the plugin's own Struct."""
        reads = plugin.declaration.reads.events
        if "on_events" not in plugin.hooks:
            return ()
        mine = []
        for event in events:
            if event.kind not in reads:
                continue
            try:
                data = msgspec.convert(event.data, reads[event.kind], from_attributes=True)
            except Exception as error:
                # Of any kind: a Struct may run the plugin's own code to check itself, and a gateway may say anything.
                self._counts["events_unread"] += 1
                outputs.faults.append(f"event {event.kind} does not fit what {plugin.name} reads: {error}.")
            else:
                mine.append(msgspec.structs.replace(event, data=data))
        return tuple(mine)

    def _wanted(self, plugin: Plugin, batch: Batch) -> Batch:
        reads = self._metrics[plugin.name]
        return batch if reads.all() else batch.where(reads[batch.metric])

    def _failed(
        self, plugin: Plugin, hook: str, error: Exception, what: str, now: Now, outputs: Outputs
    ) -> None:
        plugin.errors += 1
        outputs.faults.append(f"plugin {plugin.name}: {hook} {what}.")
        self._troubles.say("plugin_failed", now, plugin=plugin.name, hook=hook)
        data = vocabulary.PluginFailed(plugin.name, hook, repr(error)[:500])
        outputs.emit("post.plugin.failed", data, now)
