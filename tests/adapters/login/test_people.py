"""The file of people: whole or not at all, for its owner alone, and read anew when it changes."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from adapters.login import people
from adapters.login.people import Account
from adapters.login.signing import KEY_FILE, PUBLIC_FILE, signing_key
from core.errors import ConfigError
from core.person import load_login

ANNE = Account("anne", "Anne Martin", "$argon2id$...")


def test_who_is_added_is_there_for_the_owner_alone(tmp_path: Path) -> None:
    with people.changing(tmp_path) as accounts:
        accounts["anne"] = ANNE
    assert people.load(people.path(tmp_path)).by_id == {"anne": ANNE}
    assert stat.S_IMODE(people.path(tmp_path).stat().st_mode) == 0o600


def test_a_change_that_fails_changes_nothing(tmp_path: Path) -> None:
    with people.changing(tmp_path) as accounts:
        accounts["anne"] = ANNE
    before = people.path(tmp_path).read_bytes()
    with pytest.raises(ConfigError, match="cannot be written"), people.changing(tmp_path) as accounts:
        accounts["bea"] = Account("bea", "", "x")
    assert people.path(tmp_path).read_bytes() == before


@pytest.mark.parametrize("mine", [ValueError("mine"), OSError("mine")])
def test_what_whoever_changes_it_raises_is_no_word_about_the_list(tmp_path: Path, mine: Exception) -> None:
    with pytest.raises(type(mine)) as raised, people.changing(tmp_path):
        raise mine
    assert raised.value is mine
    assert not people.path(tmp_path).exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 2}', '{"accounts": [{"id": "a"}]}', "\xff"])
def test_a_damaged_file_is_told_and_the_last_one_holds(tmp_path: Path, text: str) -> None:
    with people.changing(tmp_path) as accounts:
        accounts["anne"] = ANNE
    watch = people.watch(tmp_path)
    assert watch.look().by_id == {"anne": ANNE}
    people.path(tmp_path).write_text(text, "latin-1")
    assert watch.look().by_id == {"anne": ANNE}
    assert "Put it back from the backup" in watch.trouble
    people.path(tmp_path).unlink()
    assert watch.look().by_id == {}
    assert not watch.trouble


def test_the_kernel_reads_the_public_half(tmp_path: Path) -> None:
    key = signing_key(tmp_path)
    assert signing_key(tmp_path).private_bytes_raw() == key.private_bytes_raw()
    folder = tmp_path / people.FOLDER
    assert load_login(folder / PUBLIC_FILE)._keys[0] == key.public_key()
    assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600
    (folder / KEY_FILE).write_text("no key")
    with pytest.raises(ConfigError, match="everybody logs in again"):
        signing_key(tmp_path)
