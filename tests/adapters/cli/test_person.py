"""``ondijon person``: each command, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from adapters.cli.main import main
from adapters.login import people
from core.person import Role


@pytest.fixture
def person(tmp_path: Path):
    def call(*arguments: str, password: str = "") -> Result:
        return CliRunner().invoke(main, ["person", *arguments, "--data", str(tmp_path)], input=password)

    return call


def add(person, password: str = "four words in a row\n") -> Result:
    command = ("new", "anne", "--name", "Anne Martin", "--role", "lighting:Dijon:lamp.dim,lamp.blink")
    return person(*command, "--password-file", "-", password=password)


def accounts(tmp_path: Path):
    return people.load(people.path(tmp_path)).by_id


def test_somebody_is_added_listed_changed_and_disabled(person, tmp_path: Path) -> None:
    done = add(person)
    assert done.exit_code == 0, done.output
    assert str(tmp_path / "login" / "login.pub") in done.output
    anne = accounts(tmp_path)["anne"]
    assert anne.roles == (Role("lighting", "Dijon", ("lamp.dim", "lamp.blink")),)
    assert anne.password.startswith("$argon2id$")
    assert "lighting:Dijon:lamp.dim,lamp.blink" in person("list").output

    assert person("role", "anne", "--role", "*:*:*").exit_code == 0
    assert (
        person("password", "anne", "--password-file", "-", password="another one altogether\n").exit_code == 0
    )
    assert person("disable", "anne").exit_code == 0
    changed = accounts(tmp_path)["anne"]
    assert (changed.roles, changed.disabled) == ((Role("*", "*", ("*",)),), True)
    assert changed.password != anne.password
    assert person("enable", "anne").exit_code == 0
    assert not accounts(tmp_path)["anne"].disabled


def test_the_password_is_asked_for_twice_and_not_shown(person, tmp_path: Path) -> None:
    done = person("new", "anne", "--name", "Anne", password="four words in a row\nfour words in a row\n")
    assert done.exit_code == 0, done.output
    assert "four words" not in done.output
    assert "anne" in accounts(tmp_path)


def test_what_cannot_be_is_refused_with_the_next_step(person, tmp_path: Path) -> None:
    short = add(person, "secret\n")
    assert (short.exit_code, "Take 12 or more" in short.output) == (78, True)
    assert not people.path(tmp_path).exists()
    assert add(person).exit_code == 0
    again = add(person)
    assert (again.exit_code, "was given to Anne Martin" in again.output) == (78, True)
    nobody = person("disable", "bea")
    assert (nobody.exit_code, "ondijon person list" in nobody.output) == (78, True)
    wrong = person("role", "anne", "--role", "lighting")
    assert (wrong.exit_code, "is no role" in wrong.output) == (2, True)
