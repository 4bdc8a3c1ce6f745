"""Persons ask a running post from a terminal: they log in, command, approve, release, and act on alarms."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from adapters.cli.main import main
from core.config import from_table
from tests.live.conftest import Post

PASSWORD = "four words in a row"


def ondijon(*arguments: object, input: str = "") -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments], input=input)


@pytest.fixture(name="post")
def _post(tmp_path: Path, table: Callable[..., dict[str, Any]]) -> Iterator[Post]:
    """A running post with a login process: Anne and Bruno may all, Zoé nothing."""
    data = tmp_path / "data"
    data.mkdir()
    for id, *roles in (("anne", "*:*:*"), ("bruno", "*:*:*"), ("zoe",)):
        rights = [part for role in roles for part in ("--role", role)]
        password = ("--password-file", "-")
        made = ondijon(
            "person", "new", id, "--name", id.title(), *rights, *password, "--data", data, input=PASSWORD
        )
        assert made.exit_code == 0, made.output
    config = from_table(
        table(
            data,
            gate={"login_key": "data/login/login.pub", "danger_targets": 2},
            adapters={"login": {}},
        ),
        "the test",
        tmp_path,
    )
    post = Post(config, tmp_path / "run")
    post.start()
    yield post
    post.stop()


def turned(post: Post, *arguments: object, input: str = "") -> Result:
    """A command at the desk, while supervisor and gateways go on."""
    done: list[Result] = []
    asking = threading.Thread(
        target=lambda: done.append(ondijon("desk", *arguments, "--run", post.run.folder, input=input))
    )
    asking.start()
    post.until(lambda: not asking.is_alive(), "the command ends")
    return done[0]


def test_from_logging_in_to_releasing_all(post: Post, tmp_path: Path) -> None:
    tokens = {who: tmp_path / f"{who}.token" for who in ("anne", "bruno", "zoe")}
    for who, file in tokens.items():
        told = turned(post, "login", who, "--password-file", "-", "--out", file, input=f"{PASSWORD}\n")
        assert told.exit_code == 0, told.output
        assert f"{who.title()} is logged in until" in told.output
        assert file.stat().st_mode & 0o077 == 0
    wrong = turned(post, "login", "anne", "--password-file", "-", "--out", tmp_path / "no", input="guess\n")
    assert wrong.exit_code == 77
    assert not (tmp_path / "no").exists()

    def asks(who: str, *arguments: object) -> Result:
        return turned(post, *arguments, "--token", tokens[who])

    given = ("--lease", 60, "--reason", "works in the street")
    one = asks("anne", "command", "lamp.dim", "L0001=60", *given)
    assert one.exit_code == 0, one.output
    assert "committed." in one.output
    refused = asks("zoe", "command", "lamp.dim", "L0001=60", *given)
    assert refused.exit_code == 77
    assert "right" in refused.output
    many = asks("anne", "command", "lamp.dim", "L0001=0", "L0002=0", "L0003=0", *given)
    assert "awaiting." in many.output
    id, hash = re.search(r"desk approve (\S+) (\S+)", many.output).groups()
    assert asks("anne", "approve", id, hash).exit_code == 77
    assert "committed." in asks("bruno", "approve", id, hash).output
    post.until(lambda: post.orders, "the orders go out")
    released = asks("zoe", "release", "--zone", "Petite-Ville")
    assert released.output == "20 devices are told to go back to their programmes.\n"
    assert asks("anne", "alarm", "acknowledge", ":clock_differs").output == "0 alarms.\n"
    opened = asks("anne", "tell", "watch.door.opened", "code = 7, note = 'by hand'", "--asset", "L0001")
    assert opened.output == "watch.door.opened: it is in the journal.\n"
    post.until(lambda: post.view("watch.doors").get("codes") == [7], "the trade hears it")
    assert asks("zoe", "tell", "watch.door.opened", "code = 7").exit_code == 77
    assert asks("anne", "tell", "watch.door.opened", "code = ").exit_code == 2
    unknown = asks("anne", "alarm", "acknowledge", "L0001:nothing")
    assert unknown.exit_code == 77
    assert "nobody declares 'nothing'" in unknown.output


def test_what_was_written_wrongly_is_told_before_anything_is_asked(post: Post, tmp_path: Path) -> None:
    token = tmp_path / "anne.token"
    missing = turned(post, "release", "--token", token)
    assert missing.exit_code == 70
    assert "ondijon desk login PERSON" in missing.output
    token.write_bytes(b"")
    given = ("--token", token, "--reason", "x")
    assert turned(post, "command", "lamp.dim", "L0001=dark", "--lease", 5, *given).exit_code == 2
    assert turned(post, "approve", "1-1", "xyz", "--token", token).exit_code == 2
    programme = tmp_path / "dark.toml"
    programme.write_text("= 3")
    assert turned(post, "programme", "watch.calendar", programme, *given).exit_code == 2
    forged = turned(post, "release", "--token", token)
    assert forged.exit_code == 77
    assert "not signed by the login process" in forged.output
