"""``ondijon plugin check``: each planted fault is found, what is right gets the best grade, and all ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from adapters.cli.main import main
from adapters.cli.plugin.grade import GRADES, RULES, STARTS, Check, check, grade
from adapters.cli.plugin.new import STARTER
from adapters.cli.plugin.report import Report
from adapters.cli.plugin.trial import Spec, try_out
from core import plugins as plugin_host
from core import state as states
from ondijon.testing import City
from tests.docs.pages import HOOKS, section, table

SOURCE = (STARTER / "file" / "crowds.py").read_text("utf-8")

#: Where a fault is planted: the first line of a hook's body, or of what it shows.
BATCH = "    seen = batch.of(PRESENCE)\n"
TICK = "    settings = fixed.settings\n"
STATE = "    full: np.ndarray\n\n\nDECLARATION"
START = "    begun = State(np.zeros(len(fixed.sensor)), np.zeros(len(fixed.sensor), bool))\n"

#: The line below ``TICK``.
TICK_LINE = SOURCE[: SOURCE.index(TICK)].count("\n") + 2

Changes = list[tuple[str, str]]


def written(folder: Path, changes: Changes) -> Path:
    """The starter with some faults, in a file."""
    source = SOURCE
    for old, new in changes:
        assert old in source, old
        source = source.replace(old, new)
    file = folder / "crowds.py"
    file.write_text(source)
    return file


def tried(folder: Path, changes: Changes, **given: Any) -> Report:
    written(folder, changes)
    return try_out(Spec(name="crowds", folder=folder, **{"hours": 1.0, **given}))


def said(report: Report, name: str) -> str:
    assert not report.error, report.error
    (found,) = [each for each in report.checks if each.name == name]
    return "\n".join(found.found)


def checked(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["plugin", "check", *map(str, arguments)])


#: name: what is planted, the checks that must find it, and words that must be said.
FAULTS: dict[str, tuple[Changes, tuple[str, ...], str]] = {
    "a clock": (
        [
            ("import msgspec\n", "import time\n\nimport msgspec\n"),
            (BATCH, BATCH + "    state.people += time.time()\n"),
        ],
        ("pure", "same again", "reload"),
        "imports time: a clock",
    ),
    "a date": (
        [
            ("import msgspec\n", "import datetime as dt\n\nimport msgspec\n"),
            (TICK, TICK + "    state.people += dt.datetime.now().microsecond\n"),
        ],
        ("pure", "same again"),
        "calls datetime.datetime.now(): a clock",
    ),
    "chance": (
        [(TICK, TICK + "    state.people += np.random.rand()\n")],
        ("pure", "same again"),
        f"crowds.py:{TICK_LINE} calls numpy.random.rand(): chance",
    ),
    "the disk": ([(TICK, TICK + "    open('/dev/null').close()\n")], ("pure",), "calls open(): the disk"),
    "a thread": (
        [("import msgspec\n", "import threading\n\nimport msgspec\n")],
        ("pure",),
        "imports threading: threads or processes",
    ),
    "a module that remembers": (
        [("LOOK_S = 5.0", "LOOK_S = 5.0\nSEEN = []"), (BATCH, BATCH + "    SEEN.append(len(seen))\n")],
        ("memory",),
        "crowds.SEEN changed",
    ),
    "a global": (
        [
            ("LOOK_S = 5.0", "LOOK_S = 5.0\nN = 0"),
            (BATCH, "    global N\n    N += 1\n    state.people += N\n" + BATCH),
        ],
        ("memory", "same again"),
        "says `global N`",
    ),
    "a class that remembers": (
        [
            (
                "@dataclass(frozen=True)\nclass Places:",
                "class Kept:\n    n = 0\n\n\n@dataclass(frozen=True)\nclass Places:",
            ),
            (BATCH, "    Kept.n += 1\n" + BATCH),
        ],
        ("memory",),
        "crowds.Kept.n changed",
    ),
    "a memory beside the state": (
        [
            ("    communes: tuple[str, ...]\n", "    communes: tuple[str, ...]\n    calls: list[int]\n"),
            ("tuple(city.communes.names))", "tuple(city.communes.names), [])"),
            (BATCH, "    fixed.calls.append(1)\n    state.people += len(fixed.calls)\n" + BATCH),
        ],
        ("reload",),
        "stored and put back, its state differs from step",
    ),
    "a start that forgets": (
        [("if state is not None:", "if False:")],
        ("reload",),
        "is not the one that comes back",
    ),
    "a state that cannot be stored": (
        [
            (STATE, STATE.replace("\n\n\n", "\n    extra: object = None\n\n\n")),
            (TICK, TICK + "    state.extra = object()\n"),
        ],
        ("reload",),
        "a state may not hold object",
    ),
    "a hook that raises": (
        [(TICK, TICK + "    1 / int(state.people.max() < 500)\n")],
        ("raises",),
        "on_tick raised ZeroDivisionError('division by zero') at crowds.py:" + str(TICK_LINE),
    ),
    "no proposal": (
        [(TICK, TICK + '    yield "lamp"\n')],
        ("raises",),
        "on_tick returned str, not a proposal",
    ),
    "too many proposals": (
        [(TICK, TICK + '    yield from [Publish(view="crowds.communes", key="x", row=None)] * 10_000\n')],
        ("limit",),
        "proposals were dropped",
    ),
    "proposals without end": (
        [(TICK, TICK + '    while True:\n        yield Clear(asset=0, code="crowds_full")\n')],
        ("limit",),
        "proposals were dropped",
    ),
    "a view of nobody": (
        [('view="crowds.communes"', 'view="crowds.towns"')],
        ("proposals",),
        "Publish refused: KeyError('crowds.towns')",
    ),
    "an asset of nobody": (
        [(TICK, TICK + '    yield Raise(asset=10_000, code="crowds_full")\n')],
        ("proposals",),
        "asset 10000 is not in the register",
    ),
    "a verb without an authorisation": (
        [
            ("    Clear,\n", "    Clear,\n    Command,\n"),
            (
                TICK,
                TICK
                + '    yield Command(verb="lamp.dim", targets=fixed.sensor, values=fixed.sensor * 0.0, lease_s=9, '
                'reason="x")\n',
            ),
        ],
        ("proposals",),
        "lamp.dim was refused by the gate: foreign_verb",
    ),
    "one language": (
        [('text=Text(fr="Affluence", en="Crowds")', 'text=Text(fr="Affluence", en="")')],
        ("texts",),
        "crowds has no text in en",
    ),
    "the same in both languages": (
        [('en="Crowded place"', 'en="Forte affluence"')],
        ("texts",),
        "crowds_full says 'Forte affluence' in both languages",
    ),
    "nothing told": (
        [('    """Count who was seen; the next look answers."""\n', "")],
        ("documented",),
        "hook on_batch has no docstring",
    ),
    "a private door": (
        [("import msgspec\n", "import msgspec\n\nfrom core import city as _\n")],
        ("imports",),
        "imports core",
    ),
    "an event that nobody emits": (
        [
            ("metrics=(PRESENCE,)", 'metrics=(PRESENCE,), events={"lighting.lamp.stolen": Filled}'),
            (BATCH, BATCH),
        ],
        ("events",),
        "reads 'lighting.lamp.stolen', which no plugin emits",
    ),
    "another form of an event": (
        [
            ("metrics=(PRESENCE,)", 'metrics=(PRESENCE,), events={"lighting.door.opened": Filled}'),
            (
                "@hookimpl\ndef on_batch",
                '@hookimpl\ndef on_events():\n    """None."""\n\n\n@hookimpl\ndef on_batch',
            ),
        ],
        ("proposals",),
        "event lighting.door.opened does not fit what crowds reads",
    ),
    "a state that went on alone": (
        [("state=State,", "state=State,\n    state_version=2,")],
        ("migrate",),
        "the state has version 2, and no migrate()",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(tmp_path: Path, fault: str) -> None:
    changes, names, words = FAULTS[fault]
    report = tried(tmp_path, changes)
    for name in names:
        assert said(report, name), f"{name} found nothing"
    assert any(words in said(report, name) for name in names), [said(report, name) for name in names]
    assert grade(report.checks) > "A"
    assert all(each.next for each in report.checks if each.found), "it says what to do next"


#: What keeps a plugin from being driven at all, and the sentence.
REFUSED: dict[str, tuple[Changes, str]] = {
    "a syntax error": (
        [("LOOK_S = 5.0", "LOOK_S = = 5.0")],
        "crowds.py:34: cannot be imported: invalid syntax.",
    ),
    "another API": ([("config=Settings,", "config=Settings,\n    api=9,")], "is written for plugin API 9"),
    "another name": ([('name="crowds",', 'name="throngs",')], "declares itself as 'throngs'"),
    "a declare that raises": (
        [("    return DECLARATION", "    return 1 / 0")],
        "declare() raised ZeroDivisionError",
    ),
    "a taken word": (
        [('code="crowds_full", priority', 'code="lamp_fault", priority')],
        "both declare alarm 'lamp_fault'",
    ),
    "a metric of nobody": (
        [("metrics=(PRESENCE,)", 'metrics=("tree.height",)')],
        "'tree.height', which no allowed",
    ),
    "a prepare that raises": (
        [("    sensor = city.assets", "    1 / 0\n    sensor = city.assets")],
        "cannot start",
    ),
    "an unknown argument": ([("def on_tick(table: TableView, ", "def on_tick(weather, table, ")], "weather"),
    "a needed setting": ([("limit: Positive = 6.0", "limit: Positive")], "[plugins.crowds]"),
    "a tick of no time": ([("LOOK_S = 5.0", "LOOK_S = 0.0")], "tick 'look' comes every 0.0 s"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_what_cannot_be_driven_is_one_sentence(tmp_path: Path, fault: str) -> None:
    changes, words = REFUSED[fault]
    report = tried(tmp_path, changes)
    assert words in report.error
    assert "\n" not in report.error


def test_an_older_state_is_tried(tmp_path: Path) -> None:
    kept = tmp_path / "old-state"
    assert not tried(tmp_path, [], keep_state=kept).error
    assert kept.stat().st_size > 100
    grown: Changes = [
        ("state=State,", "state=State,\n    state_version=2,"),
        (STATE, STATE.replace("\n\n\n", "\n    looks: int\n\n\n")),
        ("np.zeros(len(fixed.sensor), bool))", "np.zeros(len(fixed.sensor), bool), 0)"),
    ]
    hook = "@hookimpl\ndef migrate(state):\n    %s\n\n\n@hookimpl\ndef on_batch"
    for body, words in (
        ("return {**state, 'looks': 0}", ""),
        (
            "return state['what never was']",
            "migrate() raised KeyError('what never was') on a state of version 1",
        ),
        ("return state", "Object missing required field `looks`"),
    ):
        changes = [*grown, ("@hookimpl\ndef on_batch", hook % body)]
        found = said(tried(tmp_path, changes, old_state=kept), "migrate")
        assert words in found
        assert bool(words) == bool(found)
    assert "was not tried" in said(tried(tmp_path, changes), "old state")
    kept.write_bytes(b"\xc1")
    assert "cannot be restored" in said(tried(tmp_path, changes, old_state=kept), "migrate")


def test_a_slow_hook_is_advice(tmp_path: Path) -> None:
    report = tried(tmp_path, [(TICK, TICK + "    sum(range(1_000_000))\n")])
    assert "of a batch's budget" in said(report, "time")
    assert grade(report.checks) == "A"


def test_things_that_the_city_has_none_of_are_made_up(tmp_path: Path) -> None:
    """The tutorial's underpasses, and calls whose words are personal."""
    page = (Path(__file__).parents[4] / "docs" / "writing-a-plugin.md").read_text("utf-8")
    for name in ("flood", "calls"):
        blocks = [part.partition("\n```")[0] for part in page.split("```python\n")]
        source = "\n\n".join(block for block in blocks if block.startswith(f"# {name}.py"))
        (tmp_path / f"{name}.py").write_text(source)
    for name, hook in (("flood", "on_batch"), ("calls", "on_events")):
        report = try_out(Spec(name=name, folder=tmp_path, hours=1.0))
        assert not report.error, report.error
        assert report.times[hook].calls > 10
        assert [each for each in report.checks if each.found and each.weight == "grave"] == []


def test_the_order_of_a_set_shows_in_another_process(tmp_path: Path) -> None:
    show = "    for i, name in enumerate(fixed.communes):\n"
    file = written(
        tmp_path,
        [
            (
                show,
                "    for i, name in enumerate({'Petite-Ville', 'Voisine', *map(str, range(20))}):\n        i %= 2\n",
            )
        ],
    )
    done = checked(file, "--hours", 1, "--json")
    assert done.exit_code == 1
    found = {each["name"]: each["found"] for each in json.loads(done.output)["checks"]}
    assert "where texts hash otherwise, what it proposed differs from step 1" in found["same elsewhere"][0]
    assert "goes through a set" in found["order"][0]
    assert found["same again"] == []


def test_what_never_ends_is_ended(tmp_path: Path) -> None:
    file = written(tmp_path, [(TICK, TICK + "    while state.people.max() > 20:\n        pass\n")])
    done = checked(file, "--patience", 6, "--hours", 1)
    assert done.exit_code == 1
    assert "does not end within 6 s. It stands at crowds.py:13" in " ".join(done.output.split())
    assert "grade F" in done.output


def test_what_ends_its_process_is_named(tmp_path: Path) -> None:
    file = written(tmp_path, [("LOOK_S = 5.0", "LOOK_S = 5.0\nimport os\nos._exit(3)")])
    done = checked(file)
    assert done.exit_code == 1
    assert "it ended its process with status 3" in done.output


def test_the_example_of_all_trades_gets_the_best_grade() -> None:
    done = checked("lighting", "--hours", 2, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert found["grade"] == "A"
    assert found["steps"] > 700
    assert found["city_hours"] > 2
    assert set(found["hooks_us"]) == {"on_batch", "on_events", "on_tick"}
    assert all(taken["calls"] > 10 for taken in found["hooks_us"].values())


def test_the_starter_gets_the_best_grade_and_the_threshold_counts(tmp_path: Path) -> None:
    file = written(tmp_path, [])
    done = checked(file, "--hours", 1, "--at-least", "A")
    assert done.exit_code == 0, done.output
    assert "crowds: grade A in" in done.output
    assert "beside lighting" in done.output
    file = written(tmp_path, [('en="Crowds")', 'en="")')])
    assert checked(file, "--hours", 1).exit_code == 0
    done = checked(file, "--hours", 1, "--at-least", "A")
    assert done.exit_code == 1
    assert "grade B" in done.output


def test_a_configuration_gives_settings_city_and_neighbours(tmp_path: Path) -> None:
    written(tmp_path, [])
    City.small().save(tmp_path / "city")
    config = tmp_path / "ondijon.toml"
    text = """version = 1
[post]
city = "city"
data = "data"
plugins = ["lighting", "crowds"]
plugin_folder = "."
[plugins.crowds]
limit = %s
"""
    config.write_text(text % "3.0")
    done = checked("crowds", "--config", config, "--hours", 1, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["beside"] == ["lighting"]
    config.write_text(text % "0.0")
    done = checked("crowds", "--config", config)
    assert done.exit_code == 1
    assert "[plugins.crowds]: Expected `float` > 0.0" in done.output


def test_what_is_not_there_is_named() -> None:
    done = checked("nowhere.py")
    assert done.exit_code == 70
    assert "nowhere.py: there is no such file" in done.output
    done = checked("mowing")
    assert done.exit_code == 1
    assert "plugin mowing: is neither installed nor" in done.output


@pytest.mark.parametrize(
    ("failed", "letter"),
    [
        ([], "A"),
        (["advice"] * 9, "A"),
        (["small"], "B"),
        (["small"] * 2, "B"),
        (["small"] * 3, "C"),
        (["grave", "small"], "D"),
        (["grave"] * 2, "E"),
    ],
)
def test_the_grade_follows_its_rule(failed: list[Any], letter: str) -> None:
    checks = [Check(f"check {i}", weight, ["wrong"]) for i, weight in enumerate(failed)]
    assert grade([*checks, Check("well", "grave", [])]) == letter
    assert grade([*checks, Check(STARTS, "grave", ["no"])]) == "F"


def test_what_is_told_is_bounded() -> None:
    assert check("raises", map(str, range(100))).found == ["0", "1", "2", "3", "4", "and 95 more"]
    assert check("raises").next == "", "what is right needs nothing"


def test_a_kept_state_is_what_the_kernel_stores(tmp_path: Path) -> None:
    kept = tmp_path / "state"
    tried(tmp_path, [], keep_state=kept)
    plugin = plugin_host.hooked("crowds", plugin_host.find("crowds", tmp_path))
    restored = states.decode(kept.read_bytes(), plugin.declaration.state, 1)
    assert len(restored.people) == 10


def test_every_check_is_documented() -> None:
    text = section(HOOKS, "## What a check asks")
    told = {row[0].strip("`"): row[1] for row in table(text)[1]}
    assert list(told) == list(RULES)
    assert told == {name: "F" if name == STARTS else weight for name, (weight, _) in RULES.items()}
    rule = " ".join(checked("--help").output.split())
    for letter in GRADES:
        assert f" {letter} " in rule
        assert f"**{letter}** " in text
