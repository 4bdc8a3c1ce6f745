"""The host of the trades: each has its turn in a step, and whatever goes wrong there stays there.

A trade runs in the kernel, and reacts in the step itself; or in a worker (core/remote.py), and what that answers is an
input of a later step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from core import mail_tail, proposals, vocabulary, work, worker_wire
from core.batch import Batch
from core.clock import Now
from core.event import Again, Event
from core.mailbox import Mailbox, Rows, Work, joined
from core.plugins import Plugin
from core.register import Numbering
from core.remote import Answered, Came, Gone, Mail, Remote, Said, StoredMail
from core.step import Outputs
from core.table import HandOver, Table, TableView
from core.troubles import Troubles
from core.work import Done, Proposed
from core.worker_wire import Stop


class Host:
    """Gives one plugin at a time its turn. ``counts`` are the kernel's."""

    def __init__(
        self, plugins: Sequence[Plugin], numbering: Numbering, troubles: Troubles, counts: dict[str, int]
    ) -> None:
        self._numbering = numbering
        self._troubles = troubles
        self._counts = counts
        counts["events_unread"] = 0
        #: What each worker is owed, by plugin.
        self.mailboxes = {plugin.name: Mailbox(plugin) for plugin in plugins if isinstance(plugin, Remote)}
        counts |= {"workers_late": 0, "workers_ended": 0, "workers_put_aside": 0}
        self._answered: dict[str, Proposed] = {}
        #: What a worker did not answer before its trade moved into the kernel.
        self._owed: dict[str, list[Event]] = {}
        self._metrics = {
            plugin.name: np.array(
                [metric.name in plugin.declaration.reads.metrics for metric in numbering.metrics], bool
            )
            for plugin in plugins
        }

    # -- a trade in the kernel

    def react(
        self,
        plugin: Plugin,
        now: Now,
        batch: Batch,
        events: Sequence[Event],
        view: TableView,
        taken: Sequence[HandOver],
        outputs: Outputs,
    ) -> Proposed:
        """A plugin's turn: what it proposes in this step. The table merged ``taken``, and ``batch`` came of it."""
        mine = self._read(plugin, events)
        if owed := self._owed.pop(plugin.name, None):
            mine = [*owed, *mine]
            outputs.records.append(mail_tail.worked(plugin.name, now, owed, now))
        ticks = plugin.ticks_due(now.mono) if "on_tick" in plugin.hooks else []
        mailbox = self.mailboxes.get(plugin.name)
        if mailbox is not None:
            changed = len(self._wanted(plugin, batch)) > 0
            aside = mailbox.put(now, mine, self._rows(plugin, taken), changed, ticks)
            if aside:
                self._put_aside(mailbox, Work(now, aside), "too many events wait", now, outputs)
            return self._answered.pop(plugin.name, [])
        wanted = self._wanted(plugin, batch) if "on_batch" in plugin.hooks else None
        done = work.do(plugin, now, mine, wanted, ticks, view)
        self._note(plugin, done, now, outputs)
        return done.proposed

    def see_again(
        self, plugin: Plugin, again: Again, now: Now, view: TableView, outputs: Outputs
    ) -> list[proposals.Publish]:
        """What a step consumed before a crash, shown once more; of what is proposed only views count."""
        if plugin.name in self.mailboxes:
            # Its worker sees it, when it is here.
            return []
        mono = now.mono - (now.utc - again.utc)
        then = Now(again.step, again.utc, mono, now.seed, plugin.name)
        done = work.see_again(plugin, then, self._read(plugin, again.events), view)
        if done.failed is not None:
            plugin.errors += 1
            outputs.faults.append(f"plugin {plugin.name}: {done.failed.hook} {done.failed.what}.")
        return [each for _, each in done.proposed if isinstance(each, proposals.Publish)]

    def _read(self, plugin: Plugin, events: Sequence[Event]) -> list[Event]:
        if "on_events" not in plugin.hooks:
            return []
        reads = plugin.declaration.reads.events
        return [event for event in events if event.kind in reads]

    def _wanted(self, plugin: Plugin, batch: Batch) -> Batch:
        reads = self._metrics[plugin.name]
        return batch if reads.all() or not len(batch) else batch.where(reads[batch.metric])

    def _rows(self, plugin: Plugin, taken: Sequence[HandOver]) -> Rows:
        """Of what the table merged, that of the metrics the plugin reads; copied, the rest is the next step's."""
        parts = []
        for each in taken:
            mine = self._metrics[plugin.name][self._numbering.slot_metric[each.slot]]
            parts.append(Rows(each.slot[mine], each.value[mine], each.time[mine], each.count[mine]))
        return joined(parts)

    def _note(self, plugin: Plugin, done: Done, now: Now, outputs: Outputs) -> None:
        """Count and tell what went wrong in a turn."""
        self._counts["events_unread"] += len(done.unread)
        outputs.faults += done.unread
        if done.dropped:
            self._troubles.say("limit_reached", now, plugin=plugin.name, what="proposals")
        if done.failed is not None:
            plugin.errors += 1
            hook, error = done.failed.hook, done.failed.error
            outputs.faults.append(f"plugin {plugin.name}: {hook} {done.failed.what}.")
            self._troubles.say("plugin_failed", now, plugin=plugin.name, hook=hook)
            outputs.emit("post.plugin.failed", vocabulary.PluginFailed(plugin.name, hook, error[:500]), now)

    # -- a trade in a worker

    def hear(self, said: Iterable[Said], now: Now, outputs: Outputs) -> None:
        """What workers answered, and who of them came or is gone."""
        for each in said:
            mailbox = self.mailboxes[each.plugin]
            match each:
                case Came():
                    mailbox.came(each.generation)
                case Gone():
                    self._gone(mailbox, each, now, outputs)
                case Answered():
                    self._take(mailbox, each, now, outputs)

    def send(self, now: Now, table: Table, store: bool, outputs: Outputs) -> None:
        """Give each worker that is here and waits its next work. With ``store`` each tells its state."""
        for name, mailbox in self.mailboxes.items():
            if mailbox.held:
                self._troubles.say("worker_held", now, plugin=name)
            post = mailbox.send(now, table, mailbox.plugin.declaration.reads.metrics, store)
            if post is not None:
                outputs.post.append((name, mailbox.generation, post))

    def _take(self, mailbox: Mailbox, said: Answered, now: Now, outputs: Outputs) -> None:
        plugin = mailbox.plugin
        asked = mailbox.answered(said.generation, said.number)
        if asked is None:
            # Of one that was ended meanwhile, or to what nobody asked.
            self._counts["workers_late"] += 1
            outputs.faults.append(
                f"plugin {plugin.name}: an answer of its worker came too late, and is refused."
            )
            return
        events, done_of = asked
        try:
            done, us, state = worker_wire.unpack(said.done, events, plugin.declaration)
        except Exception as error:
            # A process may answer anything at all, and what it was asked is asked of the next one.
            mailbox.unanswered(done_of)
            outputs.faults.append(f"plugin {plugin.name}: its worker answered nonsense: {error!r}.")
            outputs.post.append((plugin.name, said.generation, Stop("it answered nonsense")))
            return
        plugin.told(us, done.dropped)
        self._note(plugin, done, now, outputs)
        self._answered.setdefault(plugin.name, []).extend(done.proposed)
        if done_of is None:
            return
        mailbox.saw(done_of, state, now)
        if done_of.events:
            outputs.records.append(mail_tail.worked(plugin.name, done_of.now, done_of.events, now))

    def _gone(self, mailbox: Mailbox, gone: Gone, now: Now, outputs: Outputs) -> None:
        self._counts["workers_ended"] += 1
        held = mailbox.held
        aside = mailbox.gone(gone.generation, now)
        outputs.emit("post.worker.ended", vocabulary.WorkerEnded(gone.plugin, gone.why, mailbox.held), now)
        outputs.faults.append(f"plugin {gone.plugin}: its worker ended: {gone.why}.")
        if mailbox.held and not held:
            outputs.faults.append(
                f"plugin {gone.plugin}: its worker ends again and again; a person must release it."
            )
        if aside is not None:
            self._put_aside(mailbox, aside, "its worker ended of it twice", now, outputs)

    def _put_aside(self, mailbox: Mailbox, aside: Work, why: str, now: Now, outputs: Outputs) -> None:
        self._counts["workers_put_aside"] += len(aside.events) + len(aside.rows)
        name = mailbox.plugin.name
        seqs = tuple(event.seq for event in aside.events)
        data = vocabulary.WorkPutAside(name, why, seqs, aside.rows.slot.tobytes(), aside.now.utc)
        outputs.emit("post.worker.put_aside", data, now)
        outputs.faults.append(
            f"plugin {name}: {len(seqs)} events and {len(aside.rows)} values are put aside: {why}."
        )
        self._troubles.say("work_put_aside", now, plugin=name, why=why)
        if seqs:
            outputs.records.append(mail_tail.worked(name, aside.now, aside.events, now))

    def busy(self) -> bool:
        """A worker has something to answer, or is still to be asked for its state."""
        return any(mailbox.busy for mailbox in self.mailboxes.values())

    def renumber(self, numbering: Numbering) -> None:
        """The city changed: workers begin anew with it."""
        self._numbering = numbering
        for mailbox in self.mailboxes.values():
            mailbox.renumber()

    # -- a restart of the kernel

    def stored(self) -> dict[str, StoredMail]:
        """What each worker is owed, for a snapshot."""
        return {name: mailbox.stored() for name, mailbox in self.mailboxes.items()}

    def restore(self, mail: Mapping[str, Mail], now: Now) -> dict[str, list[Again]]:
        """Go on where the journal ends. Returns what trades have seen that are in no worker any more."""
        moved = {}
        for name, each in mail.items():
            if name in self.mailboxes:
                self.mailboxes[name].restore(each, now)
            else:
                self._owed[name], moved[name] = each.owed, each.seen
        return moved
