"""`ondijon keys`: what it writes, what it says, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from adapters.cli.main import main
from core import allowlist, keys
from core.allowlist import Key
from core.person import Role

Call = Callable[..., Result]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(main, ["keys", *words, "--data", "data"])


def listed(name: str) -> list[Key]:
    return allowlist.load(allowlist.path(Path("data"))).named(name)


def test_a_new_key_is_a_file_of_its_owner_and_a_row_of_the_list(call: Call) -> None:
    done = call("new", "gw-1")
    assert done.exit_code == 0, done.output
    mine, (row,) = keys.read(Path("gw-1.key")), listed("gw-1")
    assert (mine.public, row.speaks_for, row.expires) == (row.public, ("gw-1",), 0)
    assert mine.server == keys.post_key(Path("data")).public
    assert row.fingerprint in done.output
    assert row.fingerprint in call("list").output


def test_what_a_key_may_is_said_when_it_is_made(call: Call) -> None:
    call("new", "hub", "--for", "gw-1", "--for", "gw-2", "--days", "2", "--out", "elsewhere.key")
    (hub,) = listed("hub")
    assert hub.speaks_for == ("gw-1", "gw-2")
    assert hub.expires - hub.created == 2 * 86_400_000_000
    assert keys.read(Path("elsewhere.key")).name == "hub"
    done = call("new", "history", "--role", "partner", "--right", "lighting:*:see,ask")
    assert done.exit_code == 0, done.output
    (partner,) = listed("history")
    assert (partner.role, partner.rights) == ("partner", (Role("lighting", "*", ("see", "ask")),))
    assert partner.speaks_for == ()


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("new", "../gw"), 78, "gw"),
        (("new", "gw-1", "--days", "0"), 2, "days"),
        (("new", "gw-1", "--right", "a:b:c"), 2, "partners"),
        (("new", "p", "--role", "partner", "--for", "gw-1"), 2, "--for"),
        (("new", "p", "--role", "partner", "--right", "lighting"), 2, "TRADE:COMMUNE:VERB,..., such as"),
        (("new", "p", "--role", "partner", "--right", "lighting:Dijon:"), 2, "is no role"),
        (("rotate", "nobody"), 78, "ondijon keys new nobody"),
        (("revoke", "nobody"), 78, "ondijon keys list"),
        (("list",), 78, "allow-list"),
    ],
)
def test_what_cannot_be_is_one_sentence(call: Call, words: tuple[str, ...], status: int, said: str) -> None:
    Path("data").mkdir()
    done = call(*words)
    assert done.exit_code == status, done.output
    assert said in done.output
    assert "Traceback" not in done.output
    assert [*Path().glob("*.key"), *Path("..").glob("gw.key")] == []


def test_nothing_is_overwritten_and_no_name_is_given_twice(call: Call) -> None:
    Path("gw-1.key").write_text("mine")
    assert call("new", "gw-1").exit_code == 78
    assert Path("gw-1.key").read_text() == "mine"
    assert call("new", "gw-1", "--out", "a.key").exit_code == 0
    done = call("new", "gw-1", "--out", "b.key")
    assert (done.exit_code, "ondijon keys rotate gw-1" in done.output) == (78, True)


def test_while_a_key_is_rotated_both_hold(call: Call) -> None:
    call("new", "gw-1", "--for", "gw-9")
    done = call("rotate", "gw-1", "--grace-days", "3", "--out", "new.key")
    assert done.exit_code == 0, done.output
    old, new = listed("gw-1")
    now = allowlist.now()
    assert [old.state(now), new.state(now)] == ["valid", "valid"]
    assert old.expires - new.created == 3 * 86_400_000_000
    assert (new.speaks_for, new.expires, new.fingerprint == old.fingerprint) == (("gw-9",), 0, False)
    assert keys.read(Path("new.key")).public == new.public


def test_a_revoked_key_is_over_and_a_fingerprint_names_one_of_two(call: Call) -> None:
    call("new", "gw-1")
    call("rotate", "gw-1", "--out", "new.key")
    old, new = listed("gw-1")
    assert call("revoke", old.fingerprint).exit_code == 0
    assert [key.state(allowlist.now()) for key in listed("gw-1")] == ["revoked", "valid"]
    assert old.fingerprint not in call("list").output
    assert old.fingerprint in call("list", "--all").output
    assert call("revoke", "gw-1").exit_code == 0
    assert call("revoke", "gw-1").exit_code == 78
    assert call("new", "gw-1", "--out", "again.key").exit_code == 0
    assert new.state(allowlist.now()) == "valid"
