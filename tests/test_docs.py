"""The docs say what there is: each hook, field, setting, counter, command and link, and nothing that is not there."""

from __future__ import annotations

import ast
import inspect
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import click
import msgspec
import pytest

import ondijon
from core import config, declaration, hookspecs, proposals, vocabulary

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
        told |= dict(zip(names, defaults, strict=False))
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
