"""A trial: a plugin is loaded as the kernel would, driven for some city hours, and watched.

It runs in a process of its own, so a plugin that hangs, exits or hashes otherwise takes nothing with it:
``python -m adapters.cli.plugin.trial SPEC REPORT``.
"""

from __future__ import annotations

import faulthandler
import hashlib
import resource
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from adapters.cli.plugin import memory, source, texts
from adapters.cli.plugin.companions import companions
from adapters.cli.plugin.grade import RULES, check
from adapters.cli.plugin.report import HookTimes, Report, Step, difference
from adapters.cli.plugin.stimulus import Stimulus, peopled
from core import city as cities
from core import plugins as plugin_host
from core import state as states
from core.errors import CityError, OndijonError
from core.plugins import Call, Plugin
from core.proposals import Proposal
from core.step import Outputs
from core.trace import line_of, refusals
from ondijon.testing import City, Post

#: What a batch may take (µs) if steps of 50 ms are to keep their pace beside other trades.
BUDGET_US = 5_000.0

#: No file of a trial becomes larger (bytes).
_FILE_MAX = 256 << 20

#: Devices of a city up to so many things also report what they were asked to do.
_FOLLOWING_MAX = 5_000

#: The state is stored and put back after every second step, until that has taken so long (s): `prepare` may be slow.
_RELOADING_S = 15.0

#: Refusals of the gate that a right trade may meet; any other tells of a mistake in it.
_MET = ("interlock", "interlock_unknown", "needs_two_persons", "not_approved", "person_holds", "rate")

_HOOKS = ("on_events", "on_batch", "on_tick")


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """What to try: ``name`` in ``folder`` or installed, beside the plugins ``beside``; ``tables`` are their settings.

    ``whole`` False drives it once, for its steps alone. ``old_state`` is a file with a state to begin with,
    ``keep_state`` where the last one is left. It ends by itself after ``patience_s``.
    """

    name: str
    folder: Path | None = None
    beside: list[str] = []
    city: Path | None = None
    tables: dict[str, dict[str, Any]] = {}
    seed: int = 0
    hours: float = 6.0
    whole: bool = True
    old_state: Path | None = None
    keep_state: Path | None = None
    patience_s: float = 120.0


def try_out(spec: Spec) -> Report:
    """Drive the plugin; whatever it does, there is a report."""
    try:
        return _Trial(spec).report()
    except OndijonError as error:
        return Report(name=spec.name, error=str(error))
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(frame.filename).name}:{frame.lineno}"
        return Report(name=spec.name, error=f"plugin {spec.name}: it cannot be driven: {error!r} at {where}.")


class _Trial:
    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.module = plugin_host.find(spec.name, spec.folder)
        alone = plugin_host.hooked(spec.name, self.module)
        self.declaration = alone.declaration
        self.hooks = alone.hooks
        beside = [*spec.beside]
        beside += companions(self.declaration, beside)
        self.beside = [name for name in beside if name != spec.name]
        self.modules = {name: plugin_host.find(name, spec.folder) for name in self.beside}
        self.modules[spec.name] = self.module
        self.files, self.package = memory.own_files(self.module)
        self.watched = _Watched(self.files)
        self.untold: list[str] = []

    def report(self) -> Report:
        """Look at the plugin, drive it, say what was seen."""
        before = memory.held(self.module)
        post = self._post()
        steps = list(self._drive(post, self.watched))
        report = Report(name=self.spec.name, steps=steps, companions=self.beside)
        if not self.spec.whole:
            return report
        report.city_s = post.mono / 1e6
        report.times = self.watched.figures()
        last = _plugin(post, self.spec.name)
        if self.spec.keep_state is not None:
            self.spec.keep_state.write_bytes(last.stored())
        repeated = difference(steps, list(self._drive(self._post(), None)))
        kept = [f"{name} changed" for name in memory.changed(before, memory.held(self.module))]
        text = source.look(self.files, self.package)
        found: dict[str, Iterable[str]] = {
            "events": self._unheard(post),
            "texts": texts.lacking(self.declaration),
            "documented": text.silent,
            "imports": text.foreign,
            "pure": text.impure,
            "memory": [*text.memory, *kept],
            "reload": self._reloaded(steps),
            "same again": [repeated] if repeated else [],
            "raises": self.watched.raised(),
            "proposals": self.watched.refused(),
            "limit": [f"{last.dropped:,} proposals were dropped"] if last.dropped else [],
            "migrate": self._migrated(),
            "order": text.chance,
            "reached": [*self._uncalled(), *self.untold],
            "listeners": self._unread(post),
            "gate": self.watched.at_the_gate,
            "old state": self._untried(),
            "time": self.watched.slow(),
        }
        report.checks = [check(name, found.get(name, ())) for name in RULES]
        return report

    def _post(self) -> Post:
        declared = [plugin_host.hooked(name, module).declaration for name, module in self.modules.items()]
        made, untold = peopled(_city(self.spec), declared, self.spec.seed)
        self.untold += untold
        # In a large city it would cost more than the whole rest that devices report what they were asked.
        follows = len(made.assets) <= _FOLLOWING_MAX
        post = Post(
            made, list(self.modules.values()), config=self.spec.tables, seed=self.spec.seed, follows=follows
        )
        for table in self.spec.tables.keys() - {plugin.name for plugin in post.plugins}:
            raise OndijonError(f"[plugins.{table}] is for no plugin of this trial.")
        return post

    def _drive(self, post: Post, watched: _Watched | None, reload: bool = False) -> Iterator[Step]:
        """Feed the post and yield what the plugin was after each step."""
        plugin = _plugin(post, self.spec.name)
        said = hashlib.sha256()
        called: list[str] = []
        reloading_s = 0.0

        def watch(call: Call) -> None:
            said.update(_told(call.proposals))
            called.append(call.hook)
            if watched is not None:
                watched.take(call)

        plugin.watch = watch
        stimulus = Stimulus(post, self.declaration, self.spec.seed)
        for n, going_on in enumerate(stimulus.hours(self.spec.hours)):
            called.clear()
            outputs = post.step()
            if watched is not None:
                watched.look(plugin, outputs)
            if reload and n % 2 == 0 and reloading_s < _RELOADING_S:
                began = time.perf_counter()
                _reload(plugin, post)
                reloading_s += time.perf_counter() - began
            yield Step(
                post.mono // 50_000,
                going_on,
                _digest(plugin),
                said.hexdigest()[:12],
                ", ".join(sorted(set(called))),
            )
        if watched is not None:
            self.untold += stimulus.untold

    def _reloaded(self, steps: Sequence[Step]) -> list[str]:
        """Drive it again, and store and put back the state between steps."""
        try:
            away = difference(list(steps), list(self._drive(self._post(), None, reload=True)))
        except _LostError as lost:
            return [str(lost)]
        return [f"stored and put back, {away}"] if away else []

    def _migrated(self) -> list[str]:
        version = self.declaration.state_version
        if version > 1 and "migrate" not in self.hooks:
            return [f"the state has version {version}, and no migrate() leads there from older ones"]
        if self.spec.old_state is None:
            return []
        try:
            stored = self.spec.old_state.read_bytes()
        except OSError as error:
            raise CityError(f"cannot be read: {error.strerror}.", where=str(self.spec.old_state)) from error
        plugin = _plugin(self._post(), self.spec.name)
        try:
            plugin.begin(self._post().kernel.city, stored)
            _reload(plugin, self._post())
        except (OndijonError, _LostError) as error:
            return [str(error)]
        return []

    def _unheard(self, post: Post) -> list[str]:
        warnings = plugin_host.check_declarations(post.declared)
        return [warning for warning in warnings if warning.startswith(f"plugin {self.spec.name} ")]

    def _unread(self, post: Post) -> list[str]:
        read = {kind for declared in post.declared for kind in declared.reads.events}
        return [f"nobody here reads {kind.name}" for kind in self.declaration.events if kind.name not in read]

    def _uncalled(self) -> list[str]:
        return [
            f"{hook} was never called: nothing that it reads came"
            for hook in _HOOKS
            if hook in self.hooks and hook not in self.watched.us
        ]

    def _untried(self) -> list[str]:
        older = self.declaration.state_version > 1 and "migrate" in self.hooks
        return ["migrate() was not tried"] if older and self.spec.old_state is None else []


class _LostError(Exception):
    """A state that does not come back."""


class _Watched:
    """What the calls of a plugin's hooks were like."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._home = str(files[0].parent)
        self.us: dict[str, list[float]] = {}
        self._raised: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self.at_the_gate: Counter[str] = Counter()

    def take(self, call: Call) -> None:
        """A hook was called."""
        self.us.setdefault(call.hook, []).append(call.us)
        if call.error is not None:
            self._raised[f"{call.hook} raised {_brief(call.error)}{line_of(call.error, self._home)}"] += 1

    def look(self, plugin: Plugin, outputs: Outputs) -> None:
        """A step has settled what was proposed."""
        for what, code in refusals(plugin.name, outputs):
            (self.at_the_gate if code in _MET else self._refused)[what] += 1

    def raised(self) -> list[str]:
        """Each way in which a hook raised, the most frequent first."""
        return [f"{what} ({n} times)" for what, n in self._raised.most_common()]

    def refused(self) -> list[str]:
        """Each way in which a proposal was refused, the most frequent first."""
        return [f"{what[:300]} ({n} times)" for what, n in self._refused.most_common()]

    def slow(self) -> list[str]:
        """The hooks that take longer than their share of a step."""
        return [
            f"{hook}: p99 is {times.p99_us / 1000:.1f} ms, {100 * times.p99_us / BUDGET_US:.0f} % of a batch's budget"
            for hook, times in self.figures().items()
            if times.p99_us > BUDGET_US
        ]

    def figures(self) -> dict[str, HookTimes]:
        """What the hooks took; the first call of each is left out, because much is done there once."""
        return {
            hook: HookTimes(len(us), *np.percentile(us[1:] or us, [50, 99, 100]).round(1).tolist())
            for hook, us in sorted(self.us.items())
        }


def _brief(error: BaseException) -> str:
    text = str(error) if isinstance(error, OndijonError) else repr(error)
    return text[:300]


def _reload(plugin: Plugin, post: Post) -> None:
    try:
        before = plugin.digest()
        plugin.begin(post.kernel.city, plugin.stored())
        after = plugin.digest()
    except OndijonError as error:
        raise _LostError(str(error)) from error
    if before != after:
        raise _LostError("the state that was stored is not the one that comes back")


def _digest(plugin: Plugin) -> str:
    try:
        return plugin.digest().hex()[:12]
    except OndijonError as error:
        return str(error)


def _told(proposals: Sequence[Proposal]) -> bytes:
    """Proposals as bytes; what cannot be stored is refused later, by the kernel."""
    told = []
    for proposal in proposals:
        try:
            told.append(states.encode(proposal, 0))
        except Exception:
            told.append(type(proposal).__name__.encode())
    return b"".join(told)


def _city(spec: Spec) -> City:
    if spec.city is None:
        return City.small(spec.seed)
    city = cities.load(spec.city)
    return City(city.description, city.communes, city.streets, city.assets)


def _plugin(post: Post, name: str) -> Plugin:
    return next(plugin for plugin in post.plugins if plugin.name == name)


def main() -> None:
    """Entry of the process."""
    spec = msgspec.json.decode(
        Path(sys.argv[1]).read_bytes(), type=Spec, dec_hook=lambda type, value: type(value)
    )
    # One that prints at each call would fill the disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_MAX, _FILE_MAX))
    # A hook that never returns would hold this process for ever: say where it stands.
    faulthandler.dump_traceback_later(spec.patience_s, exit=True)
    report = try_out(spec)
    Path(sys.argv[2]).write_bytes(msgspec.json.encode(report))


if __name__ == "__main__":
    main()
