"""Loading plugins: found, checked, refused with a sentence."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from core import plugins
from core.errors import ConfigError, PluginError
from ondijon import API_VERSION, Clear, Metric, Reads, Text, hookimpl
from ondijon.testing import City

ONE_FILE = """
import msgspec
from ondijon import Declaration, Text, hookimpl

class Config(msgspec.Struct, forbid_unknown_fields=True):
    every_s: float = 1.0

class State(msgspec.Struct):
    n: int = 0

@hookimpl
def declare():
    return Declaration(name="counter", text=Text("compteur", "counter"), config=Config, state=State, ticks={"t": 1.0})

@hookimpl
def start(state):
    return state or State()

@hookimpl
def on_tick(state):
    state.n += 1
"""


def test_a_plugin_in_one_file(tmp_path: Path) -> None:
    (tmp_path / "counter.py").write_text(ONE_FILE)
    (plugin,) = plugins.load(["counter"], tmp_path)
    plugin.configure({"every_s": 2.0})
    assert plugin.config.every_s == 2.0


def test_a_plugin_in_one_file_may_postpone_its_annotations(tmp_path: Path) -> None:
    source = ONE_FILE.replace(
        "\nimport msgspec", "from __future__ import annotations\nimport msgspec, dataclasses"
    )
    source = source.replace(
        "    n: int = 0", "    n: int = 0\n    part: Config = msgspec.field(default_factory=Config)"
    )
    source += "\n@dataclasses.dataclass\nclass Fixed:\n    config: Config\n"
    (tmp_path / "counter.py").write_text(source)
    (plugin,) = plugins.load(["counter"], tmp_path)
    plugin.configure({"every_s": 2.0})
    plugin.begin(City.small())
    plugin.begin(City.small(), plugin.stored())
    assert plugin.state.part.every_s == 1.0


def test_the_order_is_that_of_the_allow_list(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.py").write_text(ONE_FILE.replace('"counter"', f'"{name}"', 1))
    assert [p.name for p in plugins.load(["b", "c", "a"], tmp_path)] == ["b", "c", "a"]


def test_an_unknown_plugin_names_what_is_installed() -> None:
    with pytest.raises(
        PluginError, match=r"plugin mowing: is neither installed nor .* Installed are: .*lighting"
    ):
        plugins.load(["mowing"])


def test_another_api_version_is_refused(make_trial) -> None:
    with pytest.raises(
        PluginError, match=f"written for plugin API {API_VERSION + 1}, this post speaks {API_VERSION}"
    ):
        plugins.load(["trial"], modules={"trial": make_trial(api=API_VERSION + 1)})


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("1 / 0", "cannot be imported"),
        ("x = 1", "has no `declare` hook"),
        (ONE_FILE.replace('name="counter"', 'name="other"'), "declares itself as 'other'"),
        (ONE_FILE.replace("def on_tick(state)", "def on_tick(state, weather)"), "weather"),
        ("from ondijon import hookimpl\n@hookimpl\ndef declare(): return 1", "did not return a Declaration"),
        (
            "from ondijon import hookimpl\n@hookimpl\ndef declare(): return 1 / 0",
            "declare.. raised ZeroDivision",
        ),
        (
            ONE_FILE.replace('{"t": 1.0}', '{"t": 0.0}'),
            "tick 't' comes every 0.0 s. Give it a period above 0",
        ),
    ],
)
def test_a_plugin_that_does_not_fit_is_refused(tmp_path: Path, source: str, message: str) -> None:
    (tmp_path / "counter.py").write_text(source)
    with pytest.raises(PluginError, match=message):
        plugins.load(["counter"], tmp_path)


def test_unknown_settings_are_errors(tmp_path: Path) -> None:
    (tmp_path / "counter.py").write_text(ONE_FILE)
    (plugin,) = plugins.load(["counter"], tmp_path)
    with pytest.raises(ConfigError, match=r"\[plugins.counter\].*every.*Known keys: every_s"):
        plugin.configure({"every": 2.0})


def test_two_plugins_may_not_declare_the_same(make_trial) -> None:
    with pytest.raises(
        PluginError, match=r"trial and other both declare asset 'lamp'|other and trial both declare"
    ):
        plugins.load(["trial", "other"], modules={"trial": make_trial(), "other": make_trial("other")})


def test_a_reference_to_nothing_is_refused(make_trial) -> None:
    metric = Metric(name="tree.height", kind="tree", unit="m", low=0, high=100, text=Text("", ""))
    with pytest.raises(PluginError, match=r"metric 'tree\.height' names asset 'tree'"):
        plugins.load(["trial"], modules={"trial": make_trial(metrics=(metric,), reads=Reads())})


def test_a_consumed_kind_that_nobody_emits_is_a_warning(make_trial) -> None:
    (plugin,) = plugins.load(["trial"], modules={"trial": make_trial(events=())})
    assert plugins.check_declarations([plugin.declaration]) == [
        "plugin trial reads 'trial.seen', which no plugin emits.",
        "plugin trial reads 'trial.echo', which no plugin emits.",
    ]


def test_a_start_that_raises_names_the_plugin(make_trial) -> None:
    module = make_trial()

    @hookimpl
    def start(state):
        raise RuntimeError("no lamps here")

    module.start = start
    (plugin,) = plugins.load(["trial"], modules={"trial": module})
    plugin.configure({})
    with pytest.raises(PluginError, match=r"plugin trial: cannot start: .*no lamps here"):
        plugin.begin(City.small())


def test_a_migrate_that_raises_is_named_with_the_version(make_trial) -> None:
    old, new = make_trial(), make_trial(state_version=2)

    @hookimpl
    def migrate(state, version):
        return state["what never was"]

    new.migrate = migrate
    (before,) = plugins.load(["trial"], modules={"trial": old})
    (after,) = plugins.load(["trial"], modules={"trial": new})
    for plugin in (before, after):
        plugin.configure({})
    before.begin(City.small())
    with pytest.raises(PluginError, match=r"plugin trial: migrate\(\) raised KeyError.* of version 1"):
        after.begin(City.small(), before.stored())


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (5, "on_tick returned int, not an iterable of proposals"),
        (["lamp"], "on_tick returned str, not a proposal"),
        ("lamp", "on_tick returned str, not a proposal"),
    ],
)
def test_an_answer_that_is_none_is_named(make_trial, answer: object, message: str) -> None:
    module = make_trial()
    module.on_tick = hookimpl(lambda: answer)
    (plugin,) = plugins.load(["trial"], modules={"trial": module})
    watched: list[plugins.Call] = []
    plugin.watch = watched.append
    with pytest.raises(PluginError, match=message):
        plugin.call("on_tick", name="beat")
    assert watched[0].hook == "on_tick"
    assert watched[0].arguments == {"name": "beat"}
    assert message in str(watched[0].error)


def test_a_hook_that_proposes_for_ever_is_asked_no_further(make_trial) -> None:
    module = make_trial()
    module.on_tick = hookimpl(lambda: (Clear(asset=i, code="crowd") for i in count()))
    (plugin,) = plugins.load(["trial"], modules={"trial": module})
    watched: list[plugins.Call] = []
    plugin.watch = watched.append
    assert len(plugin.call("on_tick", name="beat")) == plugins.PROPOSALS_MAX
    assert plugin.dropped > plugins.PROPOSALS_MAX
    assert len(watched[0].proposals) == plugins.PROPOSALS_MAX


def test_ticks_are_due_once_a_period(make_trial) -> None:
    (plugin,) = plugins.load(["trial"], modules={"trial": make_trial()})
    due = [mono for mono in range(0, 3_000_000, 50_000) if plugin.ticks_due(mono)]
    assert due == [0, 1_000_000, 2_000_000]
    assert plugin.ticks_due(10_020_000) == ["beat"], "missed periods are not repeated"
    assert plugin.ticks_due(10_980_000) == []
    assert plugin.ticks_due(11_000_000) == ["beat"]


def test_a_state_that_cannot_be_stored_takes_no_other_with_it(make_trial) -> None:
    (sound,) = plugins.load(["trial"], modules={"trial": make_trial()})
    (broken,) = plugins.load(["trial"], modules={"trial": make_trial()})
    for plugin in (sound, broken):
        plugin.configure({})
        plugin.begin(City.small())
    broken.state.heard.append(object())
    states, faults = plugins.stored([broken, sound])
    assert states == [("trial", sound.stored())]
    assert "its state cannot be stored" in faults[0]
    assert broken.errors == 1
