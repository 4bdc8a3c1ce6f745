"""Finding, checking, ordering and containing plugins.

pluggy finds the hooks and checks their arguments; the kernel calls them itself, one plugin at a time and
in the order of the allow-list, because pluggy alone would call the last registered first and stop at the
first that raises.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import entry_points
from itertools import islice
from pathlib import Path
from time import perf_counter_ns
from types import ModuleType
from typing import Any, NamedTuple

import msgspec
import pluggy

from core import hookspecs, sealed, state, vocabulary
from core.city import City
from core.clock import Now
from core.declaration import API_VERSION, Declaration
from core.errors import ConfigError, OndijonError, PluginError, StateError
from core.histogram import Histogram
from core.imagined import Imagined
from core.proposals import Proposal

GROUP = "ondijon.plugins"

#: Proposals one plugin may make in one step; the rest is dropped and counted.
PROPOSALS_MAX = 1000

#: A hook that goes on proposing is asked no further than this: it might have no end.
_ASKED_MAX = 10 * PROPOSALS_MAX

_PROPOSALS = Proposal.__args__


class Call(NamedTuple):
    """One call of a hook, for whoever watches a plugin: what it was given, its µs, and what came of it."""

    hook: str
    arguments: Mapping[str, Any]
    us: float
    proposals: Sequence[Proposal]
    error: Exception | None


class Plugin:
    """One loaded plugin: its hooks, its declaration, and the state that the kernel keeps for it."""

    def __init__(self, name: str, hooks: Mapping[str, tuple[Callable[..., Any], tuple[str, ...]]]) -> None:
        self.name = name
        self.hooks = hooks
        self.declaration: Declaration = self._declare()
        self.config: Any = None
        self.fixed: Any = None
        self.state: Any = None
        self.due: dict[str, int] = {}
        self.calls = 0
        self.errors = 0
        self.dropped = 0
        self.times = Histogram()
        #: Told of each call of `on_events`, `on_batch` and `on_tick`; the tools of plugin authors set it.
        self.watch: Callable[[Call], None] | None = None

    def _declare(self) -> Declaration:
        if "declare" not in self.hooks:
            raise PluginError(
                "has no `declare` hook.", where=f"plugin {self.name}", next="Write declare() in hooks.py."
            )
        try:
            declaration = self.hooks["declare"][0]()
        except Exception as error:
            raise PluginError(f"declare() raised {error!r}.", where=f"plugin {self.name}") from error
        if not isinstance(declaration, Declaration):
            raise PluginError("declare() did not return a Declaration.", where=f"plugin {self.name}")
        if declaration.api != API_VERSION:
            raise PluginError(
                f"is written for plugin API {declaration.api}, this post speaks {API_VERSION}.",
                where=f"plugin {self.name}",
                next="Install the version of the plugin made for this post, or update the post.",
            )
        if declaration.name != self.name:
            raise PluginError(f"declares itself as {declaration.name!r}.", where=f"plugin {self.name}")
        return declaration

    def configure(self, table: Mapping[str, Any]) -> None:
        """Decode ``[plugins.NAME]`` strictly. Raises ConfigError with the key."""
        try:
            self.config = msgspec.convert(table, self.declaration.config)
        except msgspec.ValidationError as error:
            raise ConfigError(
                f"{error}.", where=f"[plugins.{self.name}]", next=expected(self.declaration.config)
            ) from error

    def begin(self, city: City, stored: bytes | None = None) -> None:
        """Start in a city: new, or with the state that was ``stored``. Raises PluginError."""
        before = None
        # Nothing in it: a worker that ran the plugin had not told its state yet.
        if stored:
            declared = self.declaration
            with self._starting():
                before = state.decode(
                    stored,
                    declared.state,
                    declared.state_version,
                    self._migrate if "migrate" in self.hooks else None,
                )
        self.fixed, self.state = self.derive(city, before)

    def _migrate(self, stored: Mapping[str, Any], version: int) -> Any:
        try:
            return self._ask("migrate", state=stored, version=version)
        except Exception as error:
            raise PluginError(
                f"migrate() raised {error!r} on a state of version {version}.",
                where=f"plugin {self.name}",
                next="Mend it: the stored state waits untouched.",
            ) from error

    def derive(self, city: City, before: Any) -> tuple[Any, Any]:
        """``fixed`` and the state that follow from a city and the state ``before``, which may be changed in place.

        Raises PluginError, with the plugin as it was, for a city that it cannot serve.
        """
        with self._starting():
            fixed = self._ask("prepare", city=city, config=self.config)
            begun = self._ask("start", city=city, config=self.config, fixed=fixed, state=before)
        if not isinstance(begun, self.declaration.state):
            raise PluginError(
                f"start() returned {type(begun).__name__}, declared is {self.declaration.state.__name__}.",
                where=f"plugin {self.name}",
            )
        return fixed, begun

    @contextmanager
    def _starting(self) -> Iterator[None]:
        try:
            yield
        except StateError as error:
            raise StateError(error.what, where=f"plugin {self.name}", next=error.next) from error
        except OndijonError:
            raise
        except Exception as error:
            raise PluginError(f"cannot start: {error!r}.", where=f"plugin {self.name}") from error

    def stored(self) -> bytes:
        """The state as bytes, with its version."""
        return state.encode(self.state, self.declaration.state_version)

    def digest(self) -> bytes:
        """SHA-256 of the state."""
        return state.digest(self.state)

    def ticks_due(self, mono: int) -> list[str]:
        """The declared periods that are due at ``mono`` µs, and when they are next. Missed ones are not repeated."""
        due = []
        for name, period_s in self.declaration.ticks.items():
            period = int(period_s * 1e6)
            if mono >= self.due.get(name, 0):
                due.append(name)
                self.due[name] = (mono // period + 1) * period
        return due

    def call(self, hook: str, **arguments: Any) -> list[Proposal]:
        """Ask one hook and check what it answers. Raises whatever the hook raises, or PluginError."""
        if hook not in self.hooks:
            return []
        began = perf_counter_ns()
        proposed: list[Proposal] = []
        error: Exception | None = None
        try:
            answer = self._ask(hook, **arguments, fixed=self.fixed, state=self.state)
            proposed = self._checked(hook, answer)
            return proposed
        except Exception as raised:
            error = raised
            raise
        except SystemExit as raised:
            error = PluginError(f"{hook} tried to end the process.", where=f"plugin {self.name}")
            raise error from raised
        finally:
            us = (perf_counter_ns() - began) / 1000
            self.calls += 1
            self.times.add(us)
            if self.watch is not None:
                self.watch(Call(hook, arguments, us, proposed, error))

    def imagine(self, now: Now) -> list[Imagined]:
        """What the trade's devices would tell of their metrics that answer. Raises whatever the hook raises."""
        return list(self._ask("imagine", now=now, fixed=self.fixed, state=self.state) or ())

    def examine(self) -> list[str]:
        """What of the trade's own data does not do what it should. Raises whatever the hook raises."""
        return list(self._ask("examine", fixed=self.fixed) or ())

    def _ask(self, hook: str, **arguments: Any) -> Any:
        if hook not in self.hooks:
            return None
        function, names = self.hooks[hook]
        return function(*[arguments[name] for name in names])

    def _checked(self, hook: str, answer: Any) -> list[Proposal]:
        if answer is None:
            return []
        if not isinstance(answer, Iterable):
            raise PluginError(
                f"{hook} returned {type(answer).__name__}, not an iterable of proposals.",
                where=f"plugin {self.name}",
            )
        proposals = list(islice(answer, _ASKED_MAX))
        for proposal in proposals:
            if not isinstance(proposal, _PROPOSALS):
                raise PluginError(
                    f"{hook} returned {type(proposal).__name__}, not a proposal.",
                    where=f"plugin {self.name}",
                    next="Return Emit, Command, Release, Raise, Clear, Publish, Serves or Clock.",
                )
        if len(proposals) > PROPOSALS_MAX:
            self.dropped += len(proposals) - PROPOSALS_MAX
        return proposals[:PROPOSALS_MAX]


def stored(plugins: Iterable[Plugin]) -> tuple[list[tuple[str, bytes]], list[str]]:
    """Each plugin's state as bytes, by name; and a sentence for each that cannot be stored, whose last one stays."""
    states, faults = [], []
    for plugin in plugins:
        try:
            states.append((plugin.name, plugin.stored()))
        except StateError as error:
            plugin.errors += 1
            faults.append(f"plugin {plugin.name}: its state cannot be stored: {error}")
    return states, faults


def expected(struct: type[msgspec.Struct]) -> str:
    """One sentence that names the keys a table may have."""
    return f"Known keys: {', '.join(field.encode_name for field in msgspec.structs.fields(struct))}."


def load(
    names: Sequence[str],
    folder: Path | None = None,
    modules: Mapping[str, ModuleType] | None = None,
    kinds: Mapping[str, type[Plugin]] | None = None,
) -> list[Plugin]:
    """Load the allowed plugins, in this order.

    A plugin is an entry point ``ondijon.plugins``, or ``NAME.py`` in ``folder``; ``modules`` hands some in
    directly (tests); ``kinds`` names those that are held as another kind of Plugin. Raises PluginError for one that
    cannot be found, imported or that does not fit.
    """
    modules, kinds = modules or {}, kinds or {}
    plugins = [
        hooked(name, modules.get(name) or find(name, folder), kinds.get(name, Plugin)) for name in names
    ]
    check_declarations([plugin.declaration for plugin in plugins])
    return plugins


def hooked(name: str, module: ModuleType, kind: type[Plugin] = Plugin) -> Plugin:
    """A module of hooks as the plugin ``name``, whose declaration is looked at alone. Raises PluginError."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(module, name)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise PluginError(
            f"{' '.join(str(error).split())}.",
            where=f"plugin {name}",
            next="A hook takes a subset of the arguments that core/hookspecs.py names.",
        ) from error
    hooks = {
        caller.name: (implementation.function, implementation.argnames)
        for caller in manager.get_hookcallers(module) or ()
        for implementation in caller.get_hookimpls()
    }
    return kind(name, hooks)


def find(name: str, folder: Path | None = None) -> ModuleType:
    """The module of a plugin's hooks, imported. Raises PluginError."""
    try:
        if folder is not None and (folder / f"{name}.py").is_file():
            return _import_file(name, folder / f"{name}.py")
        found = [entry for entry in entry_points(group=GROUP) if entry.name == name]
        if found:
            module: ModuleType = found[0].load()
            return module
    except SyntaxError as error:
        raise PluginError(
            f"cannot be imported: {error.msg}.", where=f"plugin {name}, {error.filename}:{error.lineno}"
        ) from error
    except Exception as error:
        raise PluginError(f"cannot be imported: {error!r}.", where=f"plugin {name}") from error
    known = sorted(entry.name for entry in entry_points(group=GROUP))
    raise PluginError(
        f"is neither installed nor {name}.py in the plugin folder {folder or '(none configured)'}.",
        where=f"plugin {name}",
        next=f"Installed are: {', '.join(known) or 'none'}.",
    )


def _import_file(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"ondijon_plugin_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Known by its name, as an imported one is: Structs and dataclasses look their annotations up there.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def in_workers(
    names: Sequence[str], folder: Path | None, trusted: Sequence[str], isolated: Sequence[str]
) -> list[str]:
    """Which plugins run in workers: third parties' that are not ``trusted``, and of ondijon's own the ``isolated``."""
    return [
        name
        for name in names
        if (name in isolated if _comes_with_ondijon(name, folder) else name not in trusted)
    ]


def _comes_with_ondijon(name: str, folder: Path | None) -> bool:
    if folder is not None and (folder / f"{name}.py").is_file():
        return False
    return any(
        entry.name == name and entry.dist is not None and entry.dist.name == "ondijon"
        for entry in entry_points(group=GROUP)
    )


def check_declarations(declarations: Sequence[Declaration]) -> list[str]:
    """Match the declarations with one another; return warnings: consumed kinds that nobody emits.

    Raises PluginError where two declare the same name, or one names a kind that nobody declares.
    """
    taken: dict[tuple[str, str], str] = {
        **{("assets", kind.name): vocabulary.POST for kind in vocabulary.ASSETS},
        **{("events", event.name): vocabulary.POST for event in vocabulary.EVENTS},
        **{
            ("alarms", alarm.code): vocabulary.POST
            for alarm in (*vocabulary.ALARMS, *vocabulary.NETWORK.values())
        },
    }
    for declaration in declarations:
        for part, items in declaration.parts().items():
            for item in items:
                key = (part, getattr(item, "code", None) or item.name)
                if key in taken:
                    raise PluginError(
                        f"{declaration.name} and {taken[key]} both declare {part.removesuffix('s')} {key[1]!r}.",
                        next="Rename one.",
                    )
                taken[key] = declaration.name
    for declaration in declarations:
        _check_ticks(declaration)
        _check_references(declaration, taken)
        _check_programmes(declaration)
    _check_gate(declarations)
    for declaration in declarations:
        _check_personal(declaration)
    emitted = {name for part, name in taken if part == "events"}
    return [
        f"plugin {declaration.name} reads {kind!r}, which no plugin emits."
        for declaration in declarations
        for kind in declaration.reads.events
        if kind not in emitted
    ]


def _check_ticks(declaration: Declaration) -> None:
    for name, period_s in declaration.ticks.items():
        # Shorter than a µs is none at all.
        if not 1e-6 <= period_s < float("inf"):
            raise PluginError(
                f"tick {name!r} comes every {period_s} s.",
                where=f"plugin {declaration.name}",
                next="Give it a period above 0.",
            )


def _check_references(declaration: Declaration, taken: Mapping[tuple[str, str], str]) -> None:
    wanted = [("assets", metric.kind, f"metric {metric.name!r}") for metric in declaration.metrics]
    wanted += [("assets", verb.targets, f"verb {verb.name!r}") for verb in declaration.verbs]
    wanted += [
        ("metrics", verb.verify_metric, f"verb {verb.name!r}")
        for verb in declaration.verbs
        if verb.verify_metric
    ]
    wanted += [("metrics", name, "reads") for name in declaration.reads.metrics]
    wanted += [
        ("assets", kind.parent, f"asset kind {kind.name!r}") for kind in declaration.assets if kind.parent
    ]
    wanted += [("metrics", layer.metric, "layer") for layer in declaration.layers]
    wanted += [("views", kpi.view, f"KPI {kpi.name!r}") for kpi in declaration.kpis]
    wanted += [("assets", kind.targets, f"programme {kind.name!r}") for kind in declaration.programmes]
    wanted += [
        ("retention", kept, f"event {kind.name!r}")
        for kind in declaration.events
        for kept in kind.personal.values()
    ]
    for interlock in declaration.interlocks:
        wanted += [("verbs", interlock.verb, "interlock"), ("metrics", interlock.metric, "interlock")]
    wanted += [
        ("alarms", code, f"alarm {alarm.code!r}")
        for alarm in declaration.alarms
        for code in alarm.suppressed_by
    ]
    for part, name, where in wanted:
        if (part, name) not in taken:
            raise PluginError(
                f"{where} names {part.removesuffix('s')} {name!r}, which no allowed plugin declares.",
                where=f"plugin {declaration.name}",
            )


def _check_programmes(declaration: Declaration) -> None:
    """A right names a verb or a programme, so they share their names; two persons agree to all of a content."""
    verbs = {verb.name for verb in declaration.verbs}
    for kind in declaration.programmes:
        where = f"plugin {declaration.name}, programme {kind.name!r}"
        if kind.name in verbs:
            raise PluginError("a verb has that name.", where=where, next="Rename one.")
        config = kind.content.__struct_config__
        if not (config.frozen and config.forbid_unknown_fields):
            raise PluginError(
                f"{kind.content.__name__} may change, or passes over what it does not know.",
                where=where,
                next="Declare it with frozen=True and forbid_unknown_fields=True.",
            )


def _check_personal(declaration: Declaration) -> None:
    """What comes from the field and is personal is sealed: each such field must say for how long, and about whom."""
    for each in declaration.retention:
        if each.days < 1:
            raise PluginError(
                f"retention {each.name!r} is for {each.days} days, at least 1.",
                where=f"plugin {declaration.name}",
            )
    for kind in declaration.events:
        outside = kind.from_field or kind.from_persons
        fields = set(sealed.clear_types(kind.data)) if outside else set()
        if fields != set(kind.personal) or kind.subject not in (fields or {""}):
            raise PluginError(
                f"event {kind.name!r} has the sealed fields {sorted(fields)}, `personal` names "
                f"{sorted(kind.personal)}, and `subject` {kind.subject!r}.",
                where=f"plugin {declaration.name}",
                next="Give each Sealed field of a kind from outside its retention class, and name as subject the "
                "one by which the person is known.",
            )


def _check_gate(declarations: Sequence[Declaration]) -> None:
    """Interlocks and authorisations must mean something: a rule that never holds would be found too late."""
    verbs = {verb.name: (verb, d.name) for d in declarations for verb in d.verbs}
    metrics = {metric.name: metric for d in declarations for metric in d.metrics}
    kinds = {kind.name: kind for d in declarations for kind in d.assets}
    for declaration in declarations:
        where = f"plugin {declaration.name}"
        for interlock in declaration.interlocks:
            metric, target = metrics[interlock.metric], kinds[verbs[interlock.verb][0].targets]
            if metric.kind not in (target.name, target.parent):
                raise PluginError(
                    f"an interlock of {interlock.verb} looks at {metric.name}, a metric of {metric.kind}.",
                    where=where,
                    next=f"Take a metric of {target.name}, or of what it hangs on.",
                )
            if metric.stale_after_s is None:
                raise PluginError(
                    f"an interlock of {interlock.verb} looks at {metric.name}, which never gets stale.",
                    where=where,
                    next="Give the metric a stale_after_s: an interlock must know that nothing is known.",
                )
        for each in declaration.authorisations:
            verb, owner = verbs.get(each.verb, (None, ""))
            if verb is None or owner != declaration.name:
                raise PluginError(
                    f"authorisation {each.name!r} is for {each.verb!r}, no verb of its own.", where=where
                )
            if not (
                verb.low <= each.low <= each.high <= verb.high and 0 < each.lease_max_s <= verb.lease_max_s
            ):
                raise PluginError(
                    f"authorisation {each.name!r} goes beyond its verb {verb.name}.",
                    where=where,
                    next=f"Stay within {verb.low}..{verb.high} {verb.unit} and {verb.lease_max_s} s.",
                )
