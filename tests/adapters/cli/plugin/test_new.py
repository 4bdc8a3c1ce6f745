"""``ondijon plugin new``: what it writes works at once, under any name, and nothing is overwritten."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from adapters.cli.main import main
from adapters.cli.plugin.new import STARTER
from ondijon.testing import City, Post


def new(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["plugin", "new", *map(str, arguments)])


def passed_in(folder: Path) -> int:
    """Run the tests of a folder as its author does; return how many passed."""
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."],
        cwd=folder,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = re.search(r"(\d+) passed", ended.stdout)
    assert found
    return int(found[1])


def test_one_file_works_at_once(tmp_path: Path) -> None:
    done = new("footfall", "--out", tmp_path)
    assert done.exit_code == 0, done.output
    assert sorted(p.name for p in tmp_path.iterdir()) == ["footfall.py", "test_footfall.py"]
    assert f"cd {tmp_path} && python -m pytest -q && ondijon plugin check footfall.py" in done.output
    assert "crowds" not in (tmp_path / "footfall.py").read_text()
    assert passed_in(tmp_path) == 4


def test_a_package_works_at_once(tmp_path: Path) -> None:
    done = new("footfall", "--package", "--out", tmp_path)
    assert done.exit_code == 0, done.output
    home = tmp_path / "ondijon-footfall"
    written = {str(p.relative_to(home)) for p in home.rglob("*") if p.is_file()}
    of_a_trade = {"__init__", "declaration", "hooks", "settings", "state", "vocabulary", "places"}
    assert written == {
        "README.md",
        "pyproject.toml",
        "tests/test_hooks.py",
        "tests/test_places.py",
        *(f"ondijon_footfall/{name}.py" for name in of_a_trade),
    }
    project = tomllib.loads((home / "pyproject.toml").read_text())
    assert project["project"]["entry-points"]["ondijon.plugins"] == {"footfall": "ondijon_footfall.hooks"}
    assert not any("crowds" in p.read_text() for p in home.rglob("*") if p.is_file())
    assert passed_in(home) == 7


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("lighting", "taken by an installed plugin"),
        ("Snow", "is no name for a trade"),
        ("snow-plough", "is no name for a trade"),
        ("../snow", "is no name for a trade"),
        ("class", "is no name for a trade"),
        ("a" * 41, "is no name for a trade"),
        ("post", "the kernel's own name"),
        ("json", "another Python module"),
        ("numpy", "another Python module"),
    ],
)
def test_a_name_that_cannot_be_is_refused(tmp_path: Path, name: str, why: str) -> None:
    done = new(name, "--out", tmp_path)
    assert done.exit_code == 70
    assert why in done.output
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "test_footfall.py").write_text("mine")
    done = new("footfall", "--out", tmp_path)
    assert done.exit_code == 70
    assert "test_footfall.py is there already. Nothing was written." in done.output
    assert [p.read_text() for p in tmp_path.iterdir()] == ["mine"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = new("footfall", "--out", tmp_path / "file" / "below")
    assert done.exit_code == 70
    assert "cannot be written" in done.output


def test_both_starters_are_the_same_trade(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(STARTER / "file"))
    monkeypatch.syspath_prepend(str(STARTER / "package"))
    posts = [
        Post(City.small(), ["lighting", import_module(name)], config={"crowds": {"limit": 5}})
        for name in ("crowds", "ondijon_crowds.hooks")
    ]
    for post in posts:
        for people in (3, 9, 0):
            post.sample("S0001", "presence_sensor.alive", 1)
            post.sample("S0001", "presence_sensor.presence", people)
            post.run(10)
    one, package = (
        (post.digest(), [(e.kind, e.data) for e in post.events], sorted(post.alarms), post.views)
        for post in posts
    )
    assert len(one[1]) > 1
    assert msgspec.to_builtins(one) == msgspec.to_builtins(package)
