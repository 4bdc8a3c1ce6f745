"""The kernel as a process: three threads (intake, journal, reactor) around one pure step."""

from __future__ import annotations

import argparse
import contextlib
import gc
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue

import msgspec
import numpy as np
import structlog

from core import build, inventory, recorder, status, trace
from core import city as cities
from core import plugins as plugin_host
from core import run as runs
from core import snapshot as snapshots
from core.clock import Now
from core.errors import JournalError, OndijonError, VaultError
from core.expiring import Expiring
from core.feed import Feed
from core.field import FieldEvents, Place
from core.histogram import Histogram
from core.intake import Intake
from core.journal import Journal, Record, SqliteJournal
from core.kernel import Kernel
from core.operators import Asked, Tell
from core.person import Login, load_login
from core.privacy import Privacy
from core.reactor import Reactor
from core.recorder import Recorder
from core.remote import Remote, Said
from core.run import Run
from core.segment import Head
from core.snapshot import Snapshot
from core.statements import Sealing
from core.status import WorkerFigures
from core.step import Inputs, Outputs
from core.trace import Trace
from core.truncation import Truncation
from core.vault import Vault
from core.wire import Refused
from core.workers import Workers

log = structlog.get_logger()

#: A snapshot is stored this often (s), and at an orderly stop.
SAVE_S = 60.0

#: A sleep is no longer (s): a step may be a minute, a stop may not.
NAP_S = 0.1

#: A system's clock that was set by more than this (s) is an alarm: gateways judge deadlines by their own clocks.
CLOCK_S = 2.0

#: Workers have so long (s) to tell their states when the post stops.
CLOSE_S = 2.0

#: Samples of a batch whose age is counted each step: enough for a percentile, cheap at any size.
AGES_MAX = 256


class Service:
    """Turns the kernel on the grid of steps, in city time."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.clock = run.clock()
        city = cities.load(run.city)
        plugins = plugin_host.load(
            run.plugins, run.plugin_folder, kinds=dict.fromkeys(run.in_workers, Remote)
        )
        journal = SqliteJournal(run.data, self._on_durable, run.journal.name, run.journal.witness)
        self.journal: Journal = journal
        self.truncation = Truncation(journal, run.journal.keep_days, run.journal.ledger_days)
        declarations = [plugin.declaration for plugin in plugins]
        kinds = {kind.name: kind for declaration in declarations for kind in declaration.assets}
        city = inventory.resume(city, self.journal, kinds)
        snapshot = snapshots.newest(self.journal)
        for plugin in plugins:
            plugin.configure(run.plugin_config.get(plugin.name, {}))
            plugin.begin(city, snapshot.plugins.get(plugin.name) if snapshot else None)
        login = load_login(run.gate.login_key)
        self.kernel = Kernel(city, plugins, self.journal.generation, run.seed, gate=run.gate, login=login)
        self.kernel.register.check_room(run.edges.slots)
        self.recorder = self._recorder(login) if run.record.enabled else None
        self.reactor = Reactor(self.kernel, self.journal, snapshot, self.recorder)
        self.traces = [Trace(plugin) for plugin in plugins if plugin.name == run.trace]
        self.expiring = Expiring(run.data, run.security)
        self.views = status.Views()
        self.faults: list[str] = []
        self.ages, self.step_times = Histogram(), Histogram()
        self.steps = 0
        self.skipped = 0
        self._stopping = False
        self._told, self._saved = time.monotonic(), 0.0
        self._told_ready = False
        self.feed = Feed(self.kernel)
        places = self._resume(snapshot)
        vault = Vault(run.vault, run.privacy.classes(declarations))
        self._note_faults(vault.faults)
        self.sealing = Sealing(declarations, vault, login)
        self.privacy = Privacy(vault, self.journal, login, lambda: self.kernel.city.communes.names)
        assets = self.kernel.city.assets
        field = FieldEvents(declarations, self.kernel.city, places, vault)
        self.intake = Intake(run, self.clock, self.journal, self.kernel.register, assets, field)
        self.workers = self._workers() if run.in_workers else None
        self._said: SimpleQueue[Said] = SimpleQueue()
        # City, plugins and tables stay for good: a collection that looked through them took tens of ms out of a step.
        gc.collect()
        gc.freeze()

    def _workers(self) -> Workers:
        table = self.kernel.table
        return Workers(
            self.run.workers_path,
            self.run.in_workers,
            self.run.workers,
            table.numbering.metrics,
            table.slots.capacity,
            lambda said: self._said.put(said),
        )

    def _recorder(self, login: Login) -> Recorder:
        run, folder = self.run, self.run.data / recorder.FOLDER
        head = Head(
            run=self.journal.generation,
            build=build.build(self.kernel.plugins),
            machine=build.machine(),
            city=recorder.keep_city(folder, run.city),
            step_us=run.step_us,
            seed=run.seed,
            plugins=run.plugins,
            metrics=[(metric.name, metric.kind) for metric in self.kernel.numbering.metrics],
            in_workers=run.in_workers,
            plugin_config=msgspec.msgpack.encode(run.plugin_config),
            gate=msgspec.msgpack.encode(run.gate, enc_hook=str),
            login=login.public_keys(),
        )
        return Recorder(folder, run.record, head)

    def _resume(self, snapshot: Snapshot | None) -> Mapping[str, Place]:
        """Go on where the journal ends; return how far each gateway's events came. City time goes on too."""
        if snapshot is not None:
            # Down or not, time passed: by the only clock that outlives a machine.
            passed = max(0, self.clock.utc() - snapshot.utc)
            self.clock.before = snapshot.mono + passed - self.clock.mono()
        self._step = max(self.clock.mono() // self.run.step_us, snapshot.step + 1 if snapshot else 0)
        now = self._now(self._step)
        started = inventory.started(
            self.kernel.city, self.run.plugins, self.run.in_workers, now.step, now.utc
        )
        outputs, places = self.reactor.resume(now, [started])
        self._note(outputs)
        # Nobody follows yet: it only remembers the views.
        self.feed.step(now, (), (), outputs, 0)
        return places

    def _now(self, step: int) -> Now:
        mono = step * self.run.step_us
        return Now(step, self.clock.utc_at(mono), mono)

    def _on_durable(self) -> None:
        if hasattr(self, "intake"):
            self.intake.wake()

    def _next_step_at(self) -> float:
        """CLOCK_MONOTONIC seconds of the first step that has not taken its inputs."""
        return self.clock.real_at((self._step + 1) * self.run.step_us)

    def main(self) -> None:
        """Step until asked to stop, then store the states and leave the final figures."""
        signal.signal(signal.SIGTERM, self._ask_to_stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.intake.start()
        self.truncation.start()
        if self.workers is not None:
            self.workers.start()
        log.info("kernel ready", generation=self.journal.generation, slots=self.kernel.numbering.slots)
        while (step := self._wait_for_grid()) is not None:
            self._check_threads()
            self.turn(step)
        self._finish()

    def _ask_to_stop(self, *_: object) -> None:
        # A plain flag: a handler that takes a lock waits for ever where it interrupted its holder.
        self._stopping = True

    def _check_threads(self) -> None:
        # A kernel that steps on deaf, or with nothing durable, would look alive and command nothing.
        if self.journal.failed is not None:
            self.journal.append([])
        if not self.intake.is_alive():
            raise OndijonError("the intake thread ended.", where="kernel", next="See the traceback above.")

    def _wait_for_grid(self) -> int | None:
        """Sleep until the next step is due; return its number, or None when asked to stop."""
        while not self._stopping and (wait := self._next_step_at() - time.monotonic()) > 0:
            time.sleep(min(wait, NAP_S))
        if self._stopping:
            return None
        grid = self.clock.mono() // self.run.step_us
        # Behind the grid: one step for all that was missed, and say how much that was.
        self.skipped += max(0, grid - self._step - 1)
        return max(grid, self._step + 1)

    def turn(self, step: int, closing: bool = False) -> None:
        """One step: take, think, journal, let out. ``closing``: workers are to tell their states."""
        began = time.perf_counter_ns()
        taken = self.intake.take()
        inputs = msgspec.structs.replace(
            taken,
            asked=self._sealed(taken.asked),
            troubles=self._troubles(),
            workers=self._heard(),
            closing=closing,
        )
        self._step = step
        now = self._now(step)
        self._look_after_persons(now)
        self._count_ages(inputs)
        try:
            outputs, last = self.reactor.turn(now, inputs)
        except JournalError as error:
            log.critical("journal", why=str(error))
            raise
        self.steps += 1
        self._let_out(outputs, last)
        self._tell_partners(now, inputs, outputs)
        self._note(outputs)
        for traced in self.traces:
            if told := traced.step(now, outputs):
                self.intake.publish(trace.TOPIC, told)
        self._periodically()
        self.step_times.add((time.perf_counter_ns() - began) / 1000)

    def _sealed(self, asked: Sequence[tuple[bytes, Asked]]) -> list[tuple[bytes, Asked]]:
        """What persons ask, with nothing personal in clear: the step and its record never see that."""
        out: list[tuple[bytes, Asked]] = []
        for asker, each in asked:
            closed = self.sealing.close(each, self.clock.utc()) if isinstance(each, Tell) else each
            if isinstance(closed, Refused):
                self.intake.answer(asker, closed, 0)
            else:
                out.append((asker, closed))
        return out

    def _heard(self) -> list[Said]:
        """What workers said since the last step."""
        said = []
        with contextlib.suppress(Empty):
            while True:
                said.append(self._said.get_nowait())
        return said

    def _troubles(self) -> list[tuple[str, dict[str, str]]]:
        """The alarms of the post that this process sees."""
        out = [
            ("witness_away", {"witness": where, "why": why}) for where, why in self.journal.witnesses_away()
        ]
        ahead_s = self.clock.system_ahead_s()
        if abs(ahead_s) > CLOCK_S:
            out.append(("clock_differs", {"ahead_s": f"{ahead_s:.0f}"}))
        if self.recorder is not None:
            out += self.recorder.troubles()
        return [*out, *self.privacy.troubles(), *self.intake.troubles(), *self.expiring.troubles()]

    def _look_after_persons(self, now: Now) -> None:
        for asker, asked in self.intake.take_personal():
            if said := self.privacy.take(asker, asked, now):
                self.intake.answer(asker, *said)
        try:
            for asker, answer, seq in self.privacy.turn(now):
                self.intake.answer(asker, answer, seq)
        except VaultError as error:
            self._note_faults([str(error)])

    def _note(self, outputs: Outputs) -> None:
        for published in outputs.views:
            self.views.take(published)
        self._note_faults(outputs.faults)

    def _note_faults(self, faults: Sequence[str]) -> None:
        for fault in faults:
            # One that repeats at each step would fill the disk with itself.
            if fault not in self.faults:
                log.error("fault", what=fault)
        self.faults = [*self.faults, *faults][-20:]

    def _let_out(self, outputs: Outputs, last: int) -> None:
        if outputs.renumbered:
            self.intake.renumber(self.kernel.register, self.kernel.city.assets, last)
        self.intake.put(outputs, last)
        if self.workers is not None:
            self.workers.put(outputs.post)

    def _tell_partners(self, now: Now, inputs: Inputs, outputs: Outputs) -> None:
        journal = self.journal.last()
        told = self.feed.step(now, inputs.events, self.reactor.emitted, outputs, journal)
        if self.intake.outlet.wanted:
            self.intake.outlet.wanted = False
            self.intake.tell_partners(self.feed.present(now, journal), journal)
        elif told is not None:
            self.intake.tell_partners(told, journal)

    def _count_ages(self, inputs: Inputs) -> None:
        utc = self.clock.utc()
        for hand_over in inputs.hand_overs:
            stride = max(1, len(hand_over.time) // AGES_MAX)
            self.ages.add_all((utc - hand_over.time[::stride]) / self.run.origin.speed)

    def _periodically(self) -> None:
        now = time.monotonic()
        # Each second; and at once that the post is ready: who starts it waits for that.
        if now - self._told >= 1.0 or self.ready != self._told_ready:
            self._told = now
            figures = self.status()
            self._told_ready = figures.ready
            self.intake.publish(status.TOPIC, status.encode(figures))
            metrics = [layer.metric for p in self.kernel.plugins for layer in p.declaration.layers]
            layers = [(metric, self._layer(metric)) for metric in metrics]
            for metric, levels in layers:
                self.intake.publish(status.LAYER + metric.encode(), levels)
            # The views go to partners row by row: all of them in one message might be too much for it.
            alone = status.encode(msgspec.structs.replace(figures, views={}))
            journal = self.journal.last()
            told = self.feed.figures(self._now(self._step), journal, layers, alone)
            self.intake.tell_partners(told, journal)
        if now - self._saved >= SAVE_S:
            self._saved = now
            self._save()

    def _save(self) -> None:
        self._note_faults(self.reactor.save(self._now(self._step), *self.intake.settled()))

    def _layer(self, metric: str) -> bytes:
        number = self.kernel.numbering.metric_index[metric]
        low, high = self.kernel.numbering.metrics[number].low, self.kernel.numbering.metrics[number].high
        column = self.kernel.table.column(metric)
        scaled = np.clip((column.value - low) / (high - low) * 254, 0, 254).astype(np.uint8)
        # 255 says that nothing is known: never shown as if it were dark.
        scaled[~column.valid | column.stale] = 255
        return scaled.tobytes()

    @property
    def ready(self) -> bool:
        """All edges are there."""
        return {"telemetry", "events", "partners"} <= self.intake.edges.keys()

    def status(self) -> status.Status:
        """The figures of this moment."""
        edge_ages = {
            edge: Histogram(counts).summary()
            for edge, counts in self.intake.edge_latency.items()
            if edge == "telemetry"
        }
        return status.Status(
            generation=self.journal.generation,
            utc=self.clock.utc(),
            step=self._step,
            steps=self.steps,
            skipped=self.skipped,
            ready=self.ready,
            revision=self.kernel.city.assets.revision,
            journal=self.journal.durable().local,
            counts=self._counts(),
            hooks=status.hook_figures(self.kernel),
            workers=self._worker_figures(),
            edges=self.intake.edges,
            alarms=status.alarm_counts(self.kernel),
            programmes=self.kernel.deliveries.figures(),
            views={view: dict(rows) for view, rows in self.views.rows.items()},
            latency_us={
                "sample_to_dirty": edge_ages.get("telemetry", {}),
                "sample_to_hook": self.ages.summary(),
                "step": self.step_times.summary(),
            },
            faults=self.faults,
        )

    def _worker_figures(self) -> dict[str, WorkerFigures]:
        here = self.workers.figures() if self.workers is not None else {}
        out = {}
        for name, mailbox in self.kernel.host.mailboxes.items():
            uses = here.get(name)
            state = "held" if mailbox.held else "running" if uses and mailbox.begun else "away"
            rss_mib, percent = (uses.rss_mib, uses.core_percent) if uses else (0.0, 0.0)
            out[name] = WorkerFigures(state, round(rss_mib, 1), round(percent, 1), mailbox.waiting)
        return out

    def _counts(self) -> dict[str, int]:
        recorded = self.recorder.counts if self.recorder is not None else {}
        return self.kernel.counts | self.intake.counts | recorded | {"view_rows_refused": self.views.refused}

    def _close_workers(self) -> None:
        """Take what the workers still answer: they were asked for their states."""
        if self.workers is None:
            return
        until = time.monotonic() + CLOSE_S
        while self.kernel.host.busy() and time.monotonic() < until:
            time.sleep(0.01)
            self.turn(self._step + 1, closing=True)
        self.workers.stop()

    def _finish(self) -> None:
        # The edges were stopped first: one more step takes what they handed over last.
        self.turn(self._step + 1, closing=True)
        self._close_workers()
        self._save()
        self.journal.append([Record("stop", self._step, self.clock.utc(), b"\xc0")])
        final = self.status()
        self.truncation.close()
        if self.recorder is not None:
            self.recorder.close()
        self.journal.close()
        self.privacy.vault.close()
        self.intake.stop()
        self.run.report("kernel").write_bytes(msgspec.json.encode(final))


def main() -> None:
    """Entry of the process; the supervisor starts it."""
    parser = argparse.ArgumentParser(prog="python -m core.service", description=__doc__)
    parser.add_argument("folder", type=Path, help="the run's folder, made by `ondijon run`")
    try:
        Service(runs.load(parser.parse_args().folder)).main()
    except OndijonError as error:
        log.critical("kernel stopped", why=str(error))
        raise SystemExit(error.exit_status) from None


if __name__ == "__main__":
    main()
