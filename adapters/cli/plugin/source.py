"""A look at a plugin's text: what it imports and calls that no trade may, and what it leaves untold."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

#: Modules that no replay could repeat, by what they are.
IMPURE = {
    "a clock": ("sched", "time"),
    "chance": ("random", "secrets", "uuid"),
    "the disk": ("fileinput", "io", "pathlib", "shelve", "shutil", "sqlite3", "tempfile"),
    "the network": ("aiohttp", "http", "httpx", "requests", "selectors", "socket", "ssl", "urllib", "zmq"),
    "threads or processes": (
        "asyncio",
        "concurrent",
        "multiprocessing",
        "queue",
        "signal",
        "subprocess",
        "threading",
    ),
    "the machine": ("ctypes", "logging", "os", "sys"),
}

_MODULES = {module: what for what, modules in IMPURE.items() for module in modules}

#: Calls that are so, by their full name.
_CALLS = {
    "open": "the disk",
    "print": "a screen",
    "input": "a keyboard",
    "exec": "code that nobody can read",
    "eval": "code that nobody can read",
    "hash": "chance: texts hash otherwise in each process",
    "id": "chance: addresses differ in each process",
    "datetime.datetime.now": "a clock",
    "datetime.datetime.utcnow": "a clock",
    "datetime.datetime.today": "a clock",
    "datetime.date.today": "a clock",
    **{
        f"numpy.{name}": "the disk"
        for name in ("load", "loadtxt", "fromfile", "save", "savetxt", "savez", "memmap")
    },
}

#: Hooks that say little beyond their name.
_PLAIN_HOOKS = {"declare"}


class Found(NamedTuple):
    """What was found in a plugin's text, each a sentence with its file and line."""

    impure: list[str]
    foreign: list[str]
    memory: list[str]
    chance: list[str]
    silent: list[str]


def look(files: Sequence[Path], package: str) -> Found:
    """Look at the files of a plugin, whose own modules begin with ``package``."""
    found = Found([], [], [], [], [])
    for file in files:
        tree = ast.parse(file.read_bytes())
        _look_at(tree, file.name, package, found)
    return found


def _look_at(tree: ast.Module, file: str, package: str, found: Found) -> None:
    names = dict(_imported(tree))
    for node in ast.walk(tree):
        where = f"{file}:{getattr(node, 'lineno', 1)}"
        for module in _modules(node):
            if what := _MODULES.get(module.split(".")[0]):
                found.impure.append(f"{where} imports {module}: {what}")
            if _foreign(module, package):
                found.foreign.append(f"{where} imports {module}")
        match node:
            case ast.Call():
                called = _dotted(node.func, names)
                if what := _CALLS.get(called) or _drawn(called):
                    found.impure.append(f"{where} calls {called}(): {what}")
            case ast.Global():
                found.memory.append(f"{where} says `global {', '.join(node.names)}`")
            case ast.For() | ast.comprehension() if _is_set(node.iter):
                found.chance.append(f"{file}:{node.iter.lineno} goes through a set, whose order is by chance")
    found.silent.extend(f"{file}:{line} {what}" for line, what in _untold(tree))


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Each name that an import binds, with what it stands for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield (alias.asname, alias.name) if alias.asname else (alias.name.split(".")[0],) * 2
        elif isinstance(node, ast.ImportFrom):
            yield from ((alias.asname or alias.name, f"{node.module}.{alias.name}") for alias in node.names)


def _modules(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and not node.level:
        return [node.module or ""]
    return []


def _foreign(module: str, package: str) -> bool:
    """Another part of the house than its public door, or another trade."""
    first, _, rest = module.partition(".")
    if first in ("core", "adapters"):
        return True
    return first == "plugins" and bool(rest) and f"{module}.".startswith(f"{package}.") is False


def _dotted(node: ast.expr, names: Mapping[str, str]) -> str:
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value, names)}.{node.attr}"
    return "?"


def _drawn(called: str) -> str:
    # Classes, such as Generator, are made from a seed; functions draw from one that nobody gave.
    package, _, name = called.rpartition(".")
    return "chance: take now.rng(name)" if package == "numpy.random" and name[:1].islower() else ""


def _is_set(node: ast.expr) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        inside = node.func.id in ("enumerate", "iter", "list", "map", "tuple", "zip")
        return node.func.id in ("set", "frozenset") or (inside and any(map(_is_set, node.args)))
    return isinstance(node, ast.Set | ast.SetComp)


def _untold(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The module, hooks and Structs without a docstring."""
    if tree.body and ast.get_docstring(tree) is None:
        yield 1, "the module says nothing of itself"
    for node in tree.body:
        match node:
            case ast.FunctionDef() if _is_hook(node) and node.name not in _PLAIN_HOOKS:
                what = f"hook {node.name}"
            case ast.ClassDef():
                what = f"class {node.name}"
            case _:
                continue
        if ast.get_docstring(node) is None:
            yield node.lineno, f"{what} has no docstring"


def _is_hook(node: ast.FunctionDef) -> bool:
    return any(isinstance(each, ast.Name) and each.id == "hookimpl" for each in node.decorator_list)
