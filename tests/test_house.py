"""The rules of the house, held for .pyx and .pxd too. Each check is also shown a made-up house where it must object."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from setuptools.config.pyprojecttoml import apply_configuration
from setuptools.dist import Distribution

from adapters.cli.plugin.source import IMPURE

ROOT = Path(__file__).parent.parent

#: setuptools wonders about folders of data; the wheel has them all the same, which is what is tested.
pytestmark = pytest.mark.filterwarnings("ignore:Package")
PACKAGES = ("ondijon", "core", "plugins", "adapters")

#: What each trade consists of; its logic lies beside, in modules of its own names.
TRADE_FILES = (
    "README.md",
    "__init__.py",
    "declaration.py",
    "hooks.py",
    "settings.py",
    "state.py",
    "vocabulary.py",
)

#: Names that say nothing of what is inside.
NAMELESS = {"utils", "util", "helpers", "helper", "misc", "common", "tools"}

#: Sources that are compiled, and the one adapter that ties all together.
CYTHON = (".pyx", ".pxd")
COMPOSITION_ROOT = "cli"

_CYTHON_IMPORT = re.compile(
    r"^\s*(?:from\s+(?P<of>[\w.]+)\s+c?import\s+(?P<names>[^#\n]+)|c?import\s+(?P<all>[\w., ]+))", re.M
)


class Import(NamedTuple):
    """``file``, a path in the tree, imports ``module`` (dotted, what is imported from it included)."""

    file: Path
    module: str


def sources(root: Path, *suffixes: str) -> list[Path]:
    """The source files of the four packages, relative to ``root``."""
    wanted = suffixes or (".py", *CYTHON)
    found = (path for package in PACKAGES for path in (root / package).rglob("*") if path.suffix in wanted)
    return sorted(path.relative_to(root) for path in found)


def imports(root: Path) -> Iterator[Import]:
    """Every import and cimport of the tree, also those inside functions and for type checkers only."""
    for file in sources(root):
        text = (root / file).read_text("utf-8")
        modules = _cython_imports(text) if file.suffix in CYTHON else _python_imports(text)
        yield from (Import(file, module) for module in modules)


def _python_imports(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)


def _cython_imports(text: str) -> Iterator[str]:
    for found in _CYTHON_IMPORT.finditer(re.sub(r'""".*?"""', "", text, flags=re.S)):
        if found["of"]:
            yield from (f"{found['of']}.{name.strip(' ()')}" for name in found["names"].split(","))
        else:
            yield from (name.split()[0] for name in found["all"].split(",") if name.strip())


# -- the checks: each returns what is wrong


def layers(root: Path) -> list[str]:
    """``core`` knows itself; ``ondijon`` knows core; trades know ``ondijon``; adapters know ``ondijon`` and core."""
    below = {
        "core": {"core"},
        "ondijon": {"core", "ondijon"},
        "plugins": {"ondijon", "plugins"},
        "adapters": {"core", "ondijon", "adapters"},
    }
    return [
        f"{each.file} imports {each.module}"
        for each in imports(root)
        if each.module.split(".")[0] in PACKAGES
        and each.module.split(".")[0] not in below[each.file.parts[0]]
    ]


def independence(root: Path) -> list[str]:
    """A trade knows no other trade, an adapter no other adapter; of another's the simulator may play ``virtual``."""
    wrong = []
    for each in imports(root):
        package, *rest = each.module.split(".")
        home = each.file.parts
        if package != home[0] or package not in ("plugins", "adapters") or len(home) < 3 or not rest:
            continue
        plays = home[1] == "simulator" and rest[1:2] == ["virtual"]
        if rest[0] != home[1] and home[:2] != ("adapters", COMPOSITION_ROOT) and not plays:
            wrong.append(f"{each.file} imports {each.module}")
    return wrong


def absolute(root: Path) -> list[str]:
    """The path is the name: no relative import."""
    return [f"{each.file} imports {each.module}" for each in imports(root) if each.module.startswith(".")]


def pure(root: Path) -> list[str]:
    """A trade has no clock, no chance, no disk, no network, no thread of its own."""
    impure = {module for modules in IMPURE.values() for module in modules}
    return [
        f"{each.file} imports {each.module}"
        for each in imports(root)
        if each.file.parts[0] == "plugins" and each.module.split(".")[0] in impure
    ]


def patient(root: Path) -> list[str]:
    """Nobody waits in a receive of ZeroMQ: a socket that is ready may have nothing, when its peer has just left."""
    wrong = []
    for file in sources(root, ".py"):
        tree = ast.parse((root / file).read_text("utf-8"))
        awaited = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Await)}
        for node in ast.walk(tree):
            if (
                not isinstance(node, ast.Call)
                or not isinstance(node.func, ast.Attribute)
                or id(node) in awaited
            ):
                continue
            # A plain socket's `recv` is told how many bytes first.
            plain = len(node.args) > 1
            if (
                node.func.attr in ("recv", "recv_multipart")
                and not plain
                and "DONTWAIT" not in ast.unparse(node)
            ):
                wrong.append(f"{file}:{node.lineno} waits in {node.func.attr}")
    return wrong


def trades(root: Path) -> list[str]:
    """Every trade consists of the same files, and only its hooks.py says hookimpl."""
    wrong = []
    for trade in sorted(path.parent for path in (root / "plugins").glob("*/__init__.py")):
        wrong += [f"{trade.name} has no {name}" for name in TRADE_FILES if not (trade / name).is_file()]
        wrong += [
            f"{trade.name}/{path.name} says hookimpl"
            for path in sorted(trade.rglob("*.py"))
            if path.name != "hooks.py" and "hookimpl" in path.read_text("utf-8")
        ]
    return wrong


def pages(root: Path) -> list[str]:
    """Every adapter has its page; that of the composition root is ``--help``."""
    folders = {path.parent for path in (root / "adapters").glob("*/__init__.py")}
    return [
        f"{folder.name} has no README.md"
        for folder in sorted(folders)
        if folder.name != COMPOSITION_ROOT and not (folder / "README.md").is_file()
    ]


def names(root: Path) -> list[str]:
    """A module is named by what it is."""
    everywhere = [*sources(root), *(path.relative_to(root) for path in (root / "tests").rglob("*.py"))]
    return [str(file) for file in everywhere if NAMELESS & {file.stem, *file.parts}]


def typed(root: Path) -> list[str]:
    """Every package says that it is typed, and every compiled module has its stub."""
    wrong = [f"{package}/py.typed" for package in PACKAGES if not (root / package / "py.typed").is_file()]
    stubs = (file.with_suffix(".pyi") for file in sources(root, ".pyx"))
    return wrong + [str(stub) for stub in stubs if not (root / stub).is_file()]


def wheel_files(root: Path) -> set[str]:
    """What setuptools would put into the wheel, compiled modules aside."""
    here = Path.cwd()
    os.chdir(root)
    try:
        distribution = apply_configuration(Distribution({"script_name": "setup.py"}), "pyproject.toml")
        build = distribution.get_command_obj("build_py")
        build.finalize_options()
        modules = [Path(file) for _, _, file in build.find_all_modules()]
        data = [Path(source, name) for _, source, _, found in build.data_files for name in found]
        return {os.path.relpath(file) for file in (*modules, *data)}
    finally:
        os.chdir(here)


def wheel(root: Path) -> list[str]:
    """All that the post needs at run time is in the wheel."""
    wanted = set(map(str, sources(root, ".py", ".pyi", ".pxd", ".h")))
    wanted |= {f"{package}/py.typed" for package in PACKAGES}
    for pattern in (
        "adapters/console/static/**/*",
        "adapters/*/*.toml",
        "adapters/cli/plugin/starter/*/*.[mt]*",
        "plugins/*/catalogue/*",
    ):
        wanted |= {str(path.relative_to(root)) for path in root.glob(pattern) if path.is_file()}
    return sorted(wanted - wheel_files(root))


CHECKS = (layers, independence, absolute, pure, patient, trades, pages, names, typed, wheel)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_house_is_in_order(check: Callable[[Path], list[str]]) -> None:
    assert check(ROOT) == []


def test_the_checks_see_something() -> None:
    seen = set(imports(ROOT))
    assert Import(Path("core/_fast/ingest.pyx"), "core._fast.slots.Slots") in seen
    assert Import(Path("plugins/lighting/hooks.py"), "ondijon.hookimpl") in seen
    assert "core/_fast/slots.pxd" in wheel_files(ROOT)


# -- houses where they must object

PYPROJECT = """
[project]
name = "made-up"
version = "1"
[tool.setuptools.packages.find]
include = ["ondijon*", "core*", "plugins*", "adapters*"]
namespaces = false
[tool.setuptools.package-data]
"*" = ["*.pyi", "*.pxd", "*.h", "py.typed"]
"adapters.console" = ["static/**"]
"""


@pytest.fixture
def house(tmp_path: Path) -> Callable[[dict[str, str | None]], Path]:
    """Build a small house in order, then change some of its files (None: it is not there)."""

    def build(changes: dict[str, str | None]) -> Path:
        files: dict[str, str | None] = {"pyproject.toml": PYPROJECT}
        for package in PACKAGES:
            files |= {f"{package}/__init__.py": "", f"{package}/py.typed": ""}
        for trade in ("snow", "transit"):
            files |= {f"plugins/{trade}/{name}": "" for name in TRADE_FILES}
            files[f"plugins/{trade}/hooks.py"] = "from ondijon import hookimpl"
        for adapter in ("cli", "console", "simulator", "rsmp"):
            files |= {f"adapters/{adapter}/__init__.py": "", f"adapters/{adapter}/README.md": ""}
        files |= {"core/table.py": "import core", "core/_fast/__init__.py": ""}
        files |= {"adapters/cli/main.py": "import adapters.rsmp.post", "adapters/console/static/page.js": ""}
        files |= {
            f"core/_fast/fast{suffix}": "cimport core._fast.fast" for suffix in (".pyx", ".pxd", ".pyi")
        }
        for name, text in (files | changes).items():
            if text is not None:
                (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / name).write_text(text)
        return tmp_path

    return build


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_house_in_order_is_left_alone(house, check: Callable[[Path], list[str]]) -> None:
    assert check(house({"adapters/simulator/world.py": "from adapters.rsmp import virtual"})) == []


@pytest.mark.parametrize(
    ("check", "file", "text", "found"),
    [
        (layers, "core/a.py", "import plugins.snow", "core/a.py imports plugins.snow"),
        (layers, "core/a.py", "def f():\n    from adapters.rsmp import post", "adapters.rsmp.post"),
        (layers, "core/_fast/fast.pyx", "from plugins.snow cimport flakes", "plugins.snow.flakes"),
        (layers, "core/_fast/fast.pxd", "cimport adapters.rsmp", "fast.pxd imports adapters.rsmp"),
        (layers, "ondijon/a.py", "import adapters.cli", "ondijon/a.py imports adapters.cli"),
        (
            layers,
            "plugins/snow/plough.py",
            "from core.table import Table",
            "plough.py imports core.table.Table",
        ),
        (layers, "plugins/snow/plough.pyx", "cimport core.table", "plough.pyx imports core.table"),
        (layers, "adapters/rsmp/post.py", "import plugins.snow.state", "post.py imports plugins.snow.state"),
        (layers, "adapters/cli/main.py", "from plugins import snow", "main.py imports plugins.snow"),
        (independence, "plugins/snow/plough.py", "import plugins.transit.hooks", "plugins.transit.hooks"),
        (independence, "plugins/snow/plough.py", "from plugins import transit", "plugins.transit"),
        (independence, "adapters/console/app.py", "import adapters.rsmp.post", "adapters.rsmp.post"),
        (independence, "adapters/simulator/world.py", "import adapters.rsmp.post", "adapters.rsmp.post"),
        (absolute, "core/a.py", "from .table import Table", "imports .table.Table"),
        (absolute, "core/_fast/fast.pyx", "from .slots cimport Slots", "imports .slots.Slots"),
        (pure, "plugins/snow/plough.py", "import time", "plough.py imports time"),
        (
            patient,
            "core/a.py",
            "def f(s):\n    return s.recv_multipart()",
            "core/a.py:2 waits in recv_multipart",
        ),
        (trades, "plugins/snow/README.md", None, "snow has no README.md"),
        (trades, "plugins/snow/hooks.py", None, "snow has no hooks.py"),
        (trades, "plugins/snow/plough.py", "from ondijon import hookimpl", "snow/plough.py says hookimpl"),
        (pages, "adapters/console/README.md", None, "console has no README.md"),
        (names, "core/utils.py", "", "core/utils.py"),
        (names, "plugins/snow/helpers/a.py", "", "plugins/snow/helpers/a.py"),
        (typed, "plugins/py.typed", None, "plugins/py.typed"),
        (typed, "core/_fast/fast.pyi", None, "core/_fast/fast.pyi"),
        (wheel, "pyproject.toml", PYPROJECT.replace('"*.pxd", ', ""), "core/_fast/fast.pxd"),
        (wheel, "pyproject.toml", PYPROJECT.replace('"adapters.console"', '"core"'), "static/page.js"),
        (wheel, "plugins/snow/catalogue/fr.toml", "", "plugins/snow/catalogue/fr.toml"),
        (wheel, "adapters/rsmp/__init__.py", None, "adapters/rsmp/post.py"),
    ],
)
def test_a_house_out_of_order_is_seen(house, check, file: str, text: str | None, found: str) -> None:
    root = house({file: text, **({"adapters/rsmp/post.py": ""} if check is wheel else {})})
    assert any(found in wrong for wrong in check(root))
