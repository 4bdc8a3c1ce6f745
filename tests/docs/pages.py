"""Reading pages: sections, tables, names; comparing a table with a Struct."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import msgspec

from core import adapter as adapters
from core import declaration
from core import plugins as plugin_host

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("[pa]*/*/README.md")])
HOOKS = (ROOT / "docs" / "hooks.md").read_text("utf-8")
OPERATIONS = (ROOT / "docs" / "operations.md").read_text("utf-8")

#: Code in a page is not its text.
FENCE = re.compile(r"^```.*?^```$", re.M | re.S)

Row = list[str]


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
    if isinstance(value, msgspec.Struct) or (isinstance(value, tuple | dict) and value):
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


def owners(group: str) -> Mapping[str, type[msgspec.Struct]]:
    """The config Struct of each installed plugin or adapter of ours."""
    if group == "plugins":
        names = sorted(path.parent.name for path in ROOT.glob("plugins/*/hooks.py"))
        return {plugin.name: plugin.declaration.config for plugin in plugin_host.load(names)}
    names = sorted(path.parent.name for path in ROOT.glob("adapters/*/adapter.py"))
    return {name: adapters.load(name).config for name in names}
