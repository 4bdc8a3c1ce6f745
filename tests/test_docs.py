"""The docs say what there is: each hook, field, setting, counter, command and link, and nothing that is not there."""

from __future__ import annotations

import ast
import inspect
import json
import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import click
import msgspec
import pytest
from click.testing import CliRunner

import ondijon
from adapters.cli import change as change_command
from adapters.cli.example import EXAMPLE
from adapters.cli.main import main
from adapters.console.app import VIEWERS_MAX
from core import adapter as adapters
from core import (
    alarms,
    commands,
    config,
    declaration,
    errors,
    gate,
    hookspecs,
    intake,
    inventory,
    journal,
    kernel,
    operators,
    proposals,
    register,
    status,
    vocabulary,
    wire,
)
from core import plugins as plugin_host
from core._fast.ingest import COUNTERS_NAMES
from core.event import CHAIN_MAX
from ondijon.testing import City, Post

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("[pa]*/*/README.md")])
HOOKS = (ROOT / "docs" / "hooks.md").read_text("utf-8")
OPERATIONS = (ROOT / "docs" / "operations.md").read_text("utf-8")

#: Words that a test for what is documented must not take for a name.
FENCE = re.compile(r"^```.*?^```$", re.M | re.S)

Row = list[str]


# -- reading pages


def section(page: str, heading: str) -> str:
    """The text under a heading (its marks included), up to the next one of its level or above."""
    level = len(heading) - len(heading.lstrip("#"))
    found = re.search(rf"^{re.escape(heading)}\n(.*?)(?=^#{{1,{level}}} |\Z)", page, re.M | re.S)
    assert found, f"there is no heading {heading!r}"
    return found[1]


def tables(text: str) -> Iterator[tuple[Row, list[Row]]]:
    """The tables of a page: header cells, then rows."""
    for block in re.findall(r"(?:^\|.*\|\n)+", FENCE.sub("", text) + "\n", re.M):
        rows = [[cell.strip() for cell in line.strip()[1:-1].split(" | ")] for line in block.splitlines()]
        yield [cell.strip("| ") for cell in rows[0]], [[c.strip("| ") for c in row] for row in rows[2:]]


def table(text: str) -> tuple[Row, list[Row]]:
    """The first table of a text."""
    return next(tables(text))


def named(cell: str) -> list[str]:
    """The names in backticks of a cell, without arguments."""
    return [re.split(r"[(\[ =]", name)[0] for name in re.findall(r"`([^`]+)`", cell)]


# -- comparing tables with Structs


def wrong_fields(rows: list[Row], struct: type[msgspec.Struct], limits: int | None = None) -> list[str]:
    """What is missing, unknown or has another default (second column) or other limits in a table of fields."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    told: dict[str, str] = {}
    wrong = []
    for row in rows:
        names = named(row[0])
        defaults = row[1].split(", ") if len(names) > 1 else [row[1]]
        # One cell may speak for all: "see below".
        told |= dict(
            zip(names, defaults if len(defaults) == len(names) else [row[1]] * len(names), strict=True)
        )
        if limits is not None:
            wrong += [
                f"{name}: limit {bound} is not in {row[limits]!r}"
                for name in names
                if name in fields
                for bound in bounds(fields[name].type)
                if bound not in numbers(row[limits])
            ]
    wrong += [f"{name} is missing" for name in fields if name not in told]
    wrong += [f"{name} does not exist" for name in told if name not in fields]
    return wrong + [
        f"{name}: the default is {default(fields[name])!r}, not {text}"
        for name, text in told.items()
        if name in fields and not is_default(text, default(fields[name]))
    ]


def default(field: msgspec.structs.FieldInfo) -> Any:
    """A field's default; NODEFAULT where it is required."""
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return field.default


def is_default(text: str, value: Any) -> bool:
    """Whether ``text`` says ``value``. Defaults that are tables of their own are told in words."""
    if value is msgspec.NODEFAULT:
        return text == "required"
    if isinstance(value, msgspec.Struct) or (isinstance(value, tuple) and value):
        return bool(text)
    if isinstance(value, bool) or value is None or value in ({}, ()):
        return text == repr(value)
    if isinstance(value, declaration.Merge):
        return text == value.name
    if isinstance(value, (int, float)):
        return numbers(text) == {float(value)}
    return text == json.dumps(value)


def numbers(text: str) -> set[float]:
    """The numbers in a text; 34,000 is one."""
    return {float(n.replace(",", "")) for n in re.findall(r"-?\d[\d,]*\d(?:\.\d+)?|-?\d+(?:\.\d+)?", text)}


def bounds(type_: Any) -> list[float]:
    """The limits that an annotated type sets."""
    if get_origin(type_) is not Annotated:
        return []
    metas = [meta for meta in get_args(type_)[1:] if isinstance(meta, msgspec.Meta)]
    return [float(b) for meta in metas for b in (meta.ge, meta.gt, meta.le, meta.lt) if b is not None]


# -- hooks.md


def hooks() -> dict[str, list[str]]:
    """Every hook with its arguments."""
    return {
        name: list(inspect.signature(function).parameters)
        for name, function in vars(hookspecs).items()
        if inspect.isfunction(function) and function.__module__ == hookspecs.__name__
    }


def wrong_hooks(page: str) -> list[str]:
    """Hooks or arguments that are missing in the page, or are not there."""
    told = {
        name: (re.findall(r"\w+", arguments), text)
        for name, arguments, text in re.findall(
            r"^### `(\w+)\(([^)]*)\)`\n(.*?)(?=^#|\Z)", section(page, "## Hooks"), re.M | re.S
        )
    }
    wrong = [f"{name} is missing" for name in hooks() if name not in told]
    wrong += [f"{name} does not exist" for name in told if name not in hooks()]
    for name, arguments in hooks().items():
        if name in told:
            heading, text = told[name]
            wrong += [f"{name} takes {arguments}, not {heading}"] if heading != arguments else []
            wrong += [f"{name}: nothing on {each}" for each in arguments if f"`{each}`" not in text]
    return wrong


def test_every_hook_and_argument_is_documented() -> None:
    assert len(hooks()) == 7
    assert wrong_hooks(HOOKS) == []


def test_a_hook_that_is_not_documented_is_seen() -> None:
    assert wrong_hooks(HOOKS.replace("### `on_tick(now, name,", "### `on_tock(now, name,")) == [
        "on_tick is missing",
        "on_tock does not exist",
    ]
    assert "migrate takes ['state', 'version'], not ['state']" in wrong_hooks(
        HOOKS.replace("`migrate(state, version)`", "`migrate(state)`")
    )
    assert wrong_hooks(HOOKS.replace("- `name`: which\n", "")) == ["on_tick: nothing on name"]


STRUCTS = (
    *proposals.Proposal.__args__,
    declaration.Declaration,
    *(
        struct
        for struct in vars(declaration).values()
        if isinstance(struct, type)
        and issubclass(struct, msgspec.Struct)
        and struct is not declaration.Declaration
    ),
)


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.__name__)
def test_every_field_of_proposals_and_declarations_is_documented(struct: type[msgspec.Struct]) -> None:
    _, rows = table(section(HOOKS, f"### `{struct.__name__}`"))
    assert wrong_fields(rows, struct) == []


def test_a_field_that_is_not_documented_is_seen() -> None:
    _, rows = table(section(HOOKS, "### `Metric`"))
    assert wrong_fields(rows[1:], declaration.Metric) == ["name is missing"]
    assert wrong_fields([*rows, ["`colour`", "None", ""]], declaration.Metric) == ["colour does not exist"]
    changed = [["`deadband`", "1.0", ""] if "deadband" in row[0] else row for row in rows]
    assert wrong_fields(changed, declaration.Metric) == ["deadband: the default is 0.0, not 1.0"]


@pytest.mark.parametrize("name", ["Now", "Batch", "TableView", "Column", "Event", "City", "Assets"])
def test_every_member_of_what_hooks_are_handed_is_documented(name: str) -> None:
    _, rows = table(section(HOOKS, f"### `{name}`"))
    told = {each for row in rows for each in named(row[0])}
    assert told == set(members(getattr(ondijon, name)))


def members(class_: type) -> list[str]:
    """The public attributes and methods of a class, those of its instances too."""
    fields = [*getattr(class_, "__struct_fields__", ()), *getattr(class_, "__dataclass_fields__", ())]
    own = [name for name in vars(class_) if not name.startswith("_")]
    set_in_init = re.findall(r"^\s+self\.([a-z]\w*) = ", inspect.getsource(class_), re.M)
    return sorted({*fields, *own, *set_in_init} - {"struct_config"})


def test_every_name_of_the_public_door_is_documented() -> None:
    assert [name for name in ondijon.__all__ if not re.search(rf"`{name}\b|{name}\b.*`", HOOKS)] == []


def test_the_kernels_own_events_and_alarms_are_documented() -> None:
    events, alarms = list(tables(section(HOOKS, "## The kernel's own words")))
    assert {named(row[0])[0]: named(row[1]) for row in events[1]} == {
        kind.name: list(kind.data.__struct_fields__) for kind in vocabulary.EVENTS
    }
    assert {named(row[0])[0]: int(row[1]) for row in alarms[1]} == {
        kind.code: kind.priority for kind in vocabulary.ALARMS
    }


def test_every_refusal_of_the_gate_is_documented() -> None:
    told = [named(row[0])[0] for row in list(tables(section(HOOKS, "### `Command`")))[1][1]]
    assert sorted(told) == sorted(set(first_arguments("core/gate.py", "Refusal")))


def first_arguments(file: str, call: str, keyword: str | None = None) -> list[str]:
    """The literal first argument (or ``keyword``) of each call of ``call`` in a source file."""
    found = []
    for node in ast.walk(ast.parse((ROOT / file).read_text("utf-8"))):
        if isinstance(node, ast.Call) and (
            getattr(node.func, "id", None) == call or getattr(node.func, "attr", None) == call
        ):
            given = [k.value for k in node.keywords if k.arg == keyword] if keyword else node.args[:1]
            found += [str(g.value) for g in given if isinstance(g, ast.Constant)]
    return found


# -- settings

#: ``[section]`` or ``[[section]]`` as the head of a table of settings.
SETTINGS = re.compile(r"^`\[\[?([\w.]+)\]\]?`$")


def settings_struct(path: str) -> type[msgspec.Struct]:
    """The Struct that decodes a table of the configuration."""
    first, *rest = path.split(".")
    if first in ("plugins", "adapters"):
        owner, *rest = rest
        struct = owners(first)[owner]
    else:
        struct = field_struct(config.Config, first)
    for name in rest:
        struct = field_struct(struct, name)
    return struct


def owners(group: str) -> Mapping[str, type[msgspec.Struct]]:
    """The config Struct of each installed plugin or adapter of ours."""
    if group == "plugins":
        names = sorted(path.parent.name for path in ROOT.glob("plugins/*/hooks.py"))
        return {plugin.name: plugin.declaration.config for plugin in plugin_host.load(names)}
    names = sorted(path.parent.name for path in ROOT.glob("adapters/*/adapter.py"))
    return {name: adapters.load(name).config for name in names}


def field_struct(struct: type[msgspec.Struct], name: str) -> type[msgspec.Struct]:
    """The Struct of a field, also where the field holds many."""
    (found,) = (field.type for field in msgspec.structs.fields(struct) if field.encode_name == name)
    return get_args(found)[0] if get_origin(found) is tuple else found  # type: ignore[no-any-return]


def nested(path: str, struct: type[msgspec.Struct]) -> Iterator[str]:
    """The path of a table and of every table within it."""
    yield path
    for field in msgspec.structs.fields(struct):
        inner = get_args(field.type)[0] if get_origin(field.type) is tuple else field.type
        if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            yield from nested(f"{path}.{field.encode_name}", inner)


def settings_tables(pages: list[Path]) -> dict[str, tuple[Row, list[Row]]]:
    """Every table of settings in the pages, by its section."""
    found = {}
    for page in pages:
        for head, rows in tables(page.read_text("utf-8")):
            if section_name := SETTINGS.match(head[0]):
                assert section_name[1] not in found, f"{section_name[1]} is documented twice"
                found[section_name[1]] = (head, rows)
    return found


def wrong_settings(found: Mapping[str, tuple[Row, list[Row]]]) -> list[str]:
    """Settings that are missing in the tables, are not there, or have other defaults or limits."""
    wanted = {"post", "time", "edges", "health"}
    for group in ("plugins", "adapters"):
        for name, struct in owners(group).items():
            wanted |= set(nested(f"{group}.{name}", struct))
    # The simulator tells of its calendars and floors in one line each: they are those of the lighting.
    wanted -= {path for path in wanted if re.match(r"adapters\.simulator\.(calendars|floors)", path)}
    wrong = [f"[{path}] is missing" for path in sorted(wanted - set(found))]
    wrong += [f"[{path}] does not exist" for path in sorted(set(found) - wanted)]
    for path in sorted(wanted & set(found)):
        head, rows = found[path]
        limits = head.index("limits") if "limits" in head else None
        wrong += [f"[{path}] {each}" for each in wrong_fields(rows, settings_struct(path), limits)]
    return wrong


def test_every_setting_is_documented() -> None:
    found = settings_tables(PAGES)
    assert {"post", "plugins.lighting.presence", "adapters.simulator.movers"} <= set(found)
    assert wrong_settings(found) == []


def test_a_setting_that_is_not_documented_is_seen() -> None:
    found = settings_tables(PAGES)
    head, rows = found["edges"]
    assert wrong_settings({**found, "edges": (head, rows[1:])}) == ["[edges] address is missing"]
    assert wrong_settings({**found, "radio": (head, rows)}) == ["[radio] does not exist"]
    changed = [[row[0], "400", *row[2:]] if "`sessions`" in row[0] else row for row in rows]
    assert wrong_settings({**found, "edges": (head, changed)}) == [
        "[edges] sessions: the default is 4096, not 400"
    ]
    looser = [[*row[:2], "1 to 9", row[3]] if "`sessions`" in row[0] else row for row in rows]
    assert wrong_settings({**found, "edges": (head, looser)}) == [
        "[edges] sessions: limit 65536.0 is not in '1 to 9'"
    ]
    del found["health"]
    assert wrong_settings(found) == ["[health] is missing"]


# -- the example


def test_the_example_is_a_configuration_that_a_post_can_start_from(tmp_path: Path) -> None:
    printed = CliRunner().invoke(main, ["example"])
    assert printed.exit_code == 0
    (tmp_path / "ondijon.toml").write_text(printed.output)
    City.small().save(tmp_path / "city")
    checked = CliRunner().invoke(main, ["check", str(tmp_path / "ondijon.toml")])
    assert checked.exit_code == 0, checked.output
    assert "right. Plugins: lighting. Adapters: console." in checked.output


def test_the_examples_commented_keys_are_the_defaults() -> None:
    text = EXAMPLE.read_text("utf-8")
    set_here = tomllib.loads(text)
    # What stands behind a "# " and is a key or a table.
    all_keys = tomllib.loads(re.sub(r"^# (?=\[|\w+ = )", "", text, flags=re.M))
    for section_name in ("post", "time", "edges", "health", "plugins.lighting", "adapters.console"):
        struct = settings_struct(section_name)
        defaults = {field.encode_name: default(field) for field in msgspec.structs.fields(struct)}
        shown, given = inside(all_keys, section_name), inside(set_here, section_name)
        if "." not in section_name:
            assert set(shown) == set(defaults), f"[{section_name}] of the example is not complete"
        for key in set(shown) - set(given) - {"plugin_folder", "start"}:
            assert decoded(shown[key], defaults[key]) == defaults[key], f"[{section_name}] {key}"
    assert len(re.findall(r"by default 0$", text, re.M)) == 4
    assert len(re.findall(r"\(no default\)", text)) == 2


def inside(table: Any, path: str) -> Any:
    """A table within a table; empty where there is none."""
    for name in path.split("."):
        table = table.get(name, {})
    return table


def decoded(value: Any, like: Any) -> Any:
    """A value of TOML as the type of the default it is compared with."""
    return tuple(msgspec.convert(each, type(like[0])) for each in value) if isinstance(like, tuple) else value


# -- counters


def counters() -> dict[str, set[str]]:
    """Every counter that a status can hold, by who counts."""
    edges = ("core/edge.py", "core/telemetry_edge.py", "core/events_edge.py")
    counted = {file: set(first_arguments(file, "count")) for file in edges}
    reasons = {reason for file in edges for reason in first_arguments(file, "WireError", "reason")}
    decoding = inspect.getsource(wire._decode)
    reasons |= set(re.findall(r'reason="(\w+)"', decoding))
    figures = re.findall(r'counts\["(\w+)"\]', (ROOT / "core/telemetry_edge.py").read_text("utf-8"))
    telemetry = {*COUNTERS_NAMES, *counted["core/telemetry_edge.py"], *figures, "gateways"}
    kernel = Post(City.small(), []).kernel.counts
    field = first_arguments("core/field.py", "WireError", "reason")
    intake = [
        named
        for file in ("core/intake.py", "core/loans.py")
        for named in re.findall(r'counts\["(\w+)"\]|"(\w+)": 0', (ROOT / file).read_text("utf-8"))
    ]
    return {
        "status": set(status.Status.__struct_fields__),
        "telemetry edge": telemetry,
        "events edge": {*counted["core/events_edge.py"], "gateways"},
        "both edges": counted["core/edge.py"] | {f"refused_{reason}" for reason in reasons},
        "kernel": {*kernel, *field} | {a or b for a, b in intake},
    }


def told_counters(page: str) -> dict[str, set[str]]:
    """The counters of the page, by the head of their table."""
    return {
        head[0]: {name for row in rows for name in named(row[0])}
        for head, rows in tables(section(page, "## What to watch"))
    }


def test_every_counter_is_documented() -> None:
    assert told_counters(OPERATIONS) == counters()


def test_a_counter_that_is_not_documented_is_seen() -> None:
    told = told_counters(OPERATIONS.replace("`undelivered`", "`unsent`"))
    assert told["events edge"] ^ counters()["events edge"] == {"undelivered", "unsent"}
    assert "refused_duplicate_handshake" in counters()["both edges"]
    assert "edge_away" in counters()["kernel"]


def test_the_exit_statuses_are_documented() -> None:
    _, rows = list(tables(section(OPERATIONS, "## Commands")))[1]
    statuses = {
        error.exit_status
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, errors.OndijonError)
    }
    assert {int(row[0]) for row in rows} == {0, 2} | statuses


LIMITS = {
    "a control message, an event": wire.MESSAGE_MAX // 1024,
    "samples in a frame": wire.COLUMNS_MAX,
    "proposals of a plugin in a step": plugin_host.PROPOSALS_MAX,
    "a row of a view": kernel.ROW_MAX // 1024,
    "links of a chain of events": CHAIN_MAX,
    "targets of a command": gate.TARGETS_MAX,
    "orders a gateway owes an answer to": commands.OWED_MAX,
    "names of the assets behind a gateway": wire.MESSAGE_MAX // 1024,
    "slots of added assets in a run": register.HEADROOM,
    "changes of the inventory in a list": operators.CHANGES_MAX,
    "lists that wait for a step": intake.REQUESTS_MAX,
    "records that wait for the disk": journal.WAITING_MAX,
    "alarms": alarms.ALARMS_MAX,
    "browsers at the page": VIEWERS_MAX,
}


def test_the_limits_are_those_of_the_code() -> None:
    _, rows = table(section(OPERATIONS, "## Limits"))
    assert {row[0]: numbers(row[1]) for row in rows} == {what: {float(n)} for what, n in LIMITS.items()}
    assert kernel.EVENT_MAX == wire.MESSAGE_MAX


def test_the_example_of_changes_is_taken(tmp_path: Path) -> None:
    text = section(OPERATIONS, "## What stands in the city changes")
    file = tmp_path / "today.json"
    file.write_text(re.search(r"```json\n(.*?)```", text, re.S)[1])
    small = City.small()
    changes = change_command.placed(change_command.read(file), small, 1, "today.json")
    renamed = {"lamp-1": "L0001", "lamp-2": "L0002", "lamp-3": "L0003", "cabinet-1": "gw-A0001"}
    ours = [
        msgspec.structs.replace(c, id=renamed.get(c.id, c.id), parent=c.parent and renamed[c.parent])
        for c in changes
    ]
    assert inventory.apply(small, ours, {}).assets.revision == len(ours) == 3


# -- trades


@pytest.mark.parametrize("name", sorted(owners("plugins")))
def test_a_trades_page_holds_its_declaration(name: str) -> None:
    (plugin,) = plugin_host.load([name])
    declared = plugin.declaration
    told = {
        head[0]: rows for head, rows in tables((ROOT / "plugins" / name / "README.md").read_text("utf-8"))
    }

    def by_name(kind: str) -> dict[str, Row]:
        return {named(row[0])[0]: row for row in told.get(kind, [])}

    assert {asset: (named(row[1]), named(row[2])) for asset, row in by_name("asset").items()} == {
        kind.name: (list(kind.attributes.__struct_fields__), [kind.parent] if kind.parent else [])
        for kind in declared.assets
    }
    assert {metric: (row[1], numbers(row[2])) for metric, row in by_name("metric").items()} == {
        metric.name: (metric.unit, {metric.stale_after_s} if metric.stale_after_s else set())
        for metric in declared.metrics
    }
    assert {
        verb: (named(row[1]), numbers(row[2]), numbers(row[3])) for verb, row in by_name("verb").items()
    } == {verb.name: ([verb.targets], {verb.low, verb.high}, {verb.lease_max_s}) for verb in declared.verbs}
    assert {code: int(row[1]) for code, row in by_name("alarm").items()} == {
        alarm.code: alarm.priority for alarm in declared.alarms
    }
    assert {event: named(row[1]) for event, row in by_name("event").items()} == {
        kind.name: list(kind.data.__struct_fields__) for kind in declared.events
    }
    assert set(by_name("view")) == {view.name for view in declared.views}


# -- commands, links, pictures


def all_commands(group: click.Group = main, path: str = "ondijon") -> dict[str, click.Command]:
    """Every command by its whole name."""
    found = {}
    for name, command in group.commands.items():
        found |= (
            all_commands(command, f"{path} {name}")
            if isinstance(command, click.Group)
            else {f"{path} {name}": command}
        )
    return found


def options_of(command: click.Command) -> set[str]:
    """The options of a command."""
    return {
        opt
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for opt in (*parameter.opts, *parameter.secondary_opts)
    }


def test_every_command_and_option_is_documented() -> None:
    _, rows = table(section(OPERATIONS, "## Commands"))
    told = {re.sub(r" \[?[A-Z]+\]?", "", row[0].strip("`")): set(named(row[1])) for row in rows}
    assert told == {name: options_of(command) for name, command in all_commands().items()}


@pytest.mark.parametrize("name", sorted(all_commands()))
def test_every_command_and_option_has_its_help(name: str) -> None:
    command = all_commands()[name]
    assert command.help
    assert len(command.get_short_help_str(limit=80)) <= 80
    assert not command.get_short_help_str(limit=80).endswith("...")
    assert [p.name for p in command.params if isinstance(p, click.Option) and not p.help] == []


def wrong_command(line: str) -> str | None:
    """Why a shell line with ``ondijon`` or ``make`` cannot be run; None if it can."""
    line = line.split(" # ")[0].strip().removeprefix("$ ")
    if Path(line.partition(" ")[0]).name not in ("make", "ondijon"):
        return None
    words = shlex.split(line)
    words = words[: next((i for i, word in enumerate(words) if word in (">", "|", "&", "&&", ";")), None)]
    if words[0] == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M)
        unknown = [word for word in words[1:] if "=" not in word and word not in targets]
        return f"no target {unknown[0]}" if unknown else None
    command: click.Command = main
    rest = words[1:]
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        if rest[0] not in command.commands:
            return f"no command {rest[0]}"
        command = command.commands[rest.pop(0)]
    unknown = [
        word.partition("=")[0]
        for word in rest
        if word.startswith("-")
        and word.partition("=")[0] not in options_of(command) | {"--help", "--version"}
    ]
    return f"no option {unknown[0]}" if unknown else None


def shell_lines(page: str) -> Iterator[str]:
    """The lines of a page's shell blocks, and what stands in backticks."""
    for block in re.findall(r"^```(?:sh|console|ini)\n(.*?)^```$", page, re.M | re.S):
        for line in block.replace("\\\n", " ").splitlines():
            yield re.sub(r"^Exec\w+=", "", line)
    for line in re.findall(r"^ {4}(ondijon .*)$", page, re.M):
        yield line
    for word in re.findall(r"`((?:ondijon|make) [^`]*)`", FENCE.sub("", page)):
        yield re.sub(r" (\[?[A-Z]+\]?|\.\.\.)(?= |$)", "", word)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_shown_exists(page: Path) -> None:
    lines = [line for line in shell_lines(page.read_text("utf-8")) if re.search(r"\b(ondijon|make)\b", line)]
    assert [(line, wrong_command(line)) for line in lines if wrong_command(line)] == []


def test_a_command_that_does_not_exist_is_seen() -> None:
    assert wrong_command("ondijon fly --high") == "no command fly"
    assert wrong_command("$ .venv/bin/ondijon demo --hedless | tail") == "no option --hedless"
    assert wrong_command("ondijon city import --lamps a.zip --out b") is None
    assert wrong_command("make coffee") == "no target coffee"
    assert wrong_command('make run ARGS="--speed 20"') is None
    assert list(shell_lines("```sh\nondijon run \\\n  --config a\n```\n`ondijon fly`\n")) == [
        "ondijon run    --config a",
        "ondijon fly",
    ]


def anchors(page: str) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    heads = re.findall(r"^#+ (.*)$", FENCE.sub("", page), re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def broken_links(page: Path, text: str) -> list[str]:
    """Links of a page to files or headings that are not there."""
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", text)):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if "://" in link:
            continue
        if not target.exists() or (anchor and anchor not in anchors(target.read_text("utf-8"))):
            broken.append(link)
    return broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    assert broken_links(page, page.read_text("utf-8")) == []


def test_a_broken_link_is_seen() -> None:
    page = ROOT / "README.md"
    assert broken_links(page, "[a](docs/none.md) [b](#none) [c](docs/hooks.md#proposals)") == [
        "docs/none.md",
        "#none",
    ]


def test_every_page_is_found_from_the_readme() -> None:
    seen, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop().resolve()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        text = page.read_text("utf-8")
        waiting += [page.parent / link for link in re.findall(r"\]\(([^)\s#:]+)\)", FENCE.sub("", text))]
    assert {str(page.relative_to(ROOT)) for page in PAGES if page not in seen} == set()
