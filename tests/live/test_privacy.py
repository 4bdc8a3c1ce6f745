"""Personal data in a running post: told in clear, found in no file, reported, erased, killed in between."""

from __future__ import annotations

import base64
import json
import os
import random
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.audit import verify
from adapters.cli.main import main
from core import operators
from core.config import from_table
from core.operators import ErasePersonal
from core.person import Person, Role, token
from tests.live.conftest import Post

CALLER, WORDS = "+33 3 80 74 51 51", "ma voisine Mme Dupont crie"


@pytest.fixture
def calls(tmp_path: Path, table: Callable[..., dict[str, Any]]) -> Any:
    """A configuration with the trade that has personal data."""
    given = table(tmp_path / "data")
    given["post"]["plugins"] = ["watch", "calls"]
    return from_table(given, "the test", tmp_path)


@pytest.fixture
def make(tmp_path: Path, calls: Any) -> Iterator[Post]:
    """A running post with it, which somebody has called twice, and another once."""
    made = Post(calls, tmp_path / "run")
    try:
        made.start(gateways=1)
        call(made, CALLER, WORDS)
        call(made, "112", "\x1b[2Jau feu")
        call(made, CALLER, "encore")
        made.until(lambda: len(made.journaled("calls.case.opened")) == 3, "the trade has opened its cases")
        yield made
    finally:
        made.stop()


def call(post: Post, caller: str, words: str) -> None:
    post.gateways[0].emit("calls.call.received", {"caller": caller, "words": words})


def privacy(post: Post, *arguments: str) -> Result:
    """``ondijon privacy`` as a person calls it, while the post runs on."""
    return CliRunner().invoke(main, ["privacy", *arguments, str(post.run.folder), "--why", "a test"])


def files_with(folder: Path, *texts: str) -> list[str]:
    """Files below a folder in which one of the texts stands."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [str(path) for path in files if any(text.encode() in path.read_bytes() for text in texts)]


def records(post: Post, kind: str) -> int:
    with sqlite3.connect(f"file:{post.run.data / 'journal.sqlite'}?mode=ro", uri=True) as db:
        return int(db.execute("SELECT count(*) FROM journal WHERE kind = ?", (kind,)).fetchone()[0])


def test_told_in_clear_found_nowhere_reported_and_erased(make: Post, tmp_path: Path) -> None:
    post = make
    assert files_with(tmp_path, "Dupont", "80 74 51") == []

    told = privacy(post, "report", CALLER, "--json")
    assert told.exit_code == 0, told.output
    found = json.loads(told.output)
    values = {(each["event"], each["field"], each["value"]) for each in found["kept"]}
    assert values == {
        ("calls.call.received", "caller", CALLER),
        ("calls.call.received", "words", WORDS),
        ("calls.call.received", "words", "encore"),
        ("calls.case.opened", "words", WORDS),
        ("calls.case.opened", "words", "encore"),
    }
    assert records(post, "read") == 1
    shown = privacy(post, "report", "112")
    assert (
        "calls.call.received  words: \N{REPLACEMENT CHARACTER}[2Jau feu  (calls.case, until " in shown.output
    )

    erased = privacy(post, "erase", CALLER, "--yes")
    assert erased.exit_code == 0, erased.output
    assert f"2 keys are erased. Receipt: record {last(post, 'erased')}" in erased.output
    assert json.loads(privacy(post, "report", CALLER, "--json").output)["kept"] == []
    again = privacy(post, "erase", CALLER, "--yes")
    assert again.output == f"{CALLER}: nothing is kept.\n"
    (pseudonym,) = found["pseudonyms"]
    left = json.loads(privacy(post, "report", "112", "--json").output)["kept"]
    assert {each["value"] for each in left} == {"112", "\x1b[2Jau feu"}

    post.stop()
    assert verify.check(post.run.data, None, None).records > 0
    assert files_with(tmp_path, "Dupont", "80 74 51") == []
    assert files_with(post.run.vault, pseudonym) == []
    # A stopped post answers too, and its chain goes on.
    stopped = privacy(post, "erase", "112", "--yes")
    assert stopped.exit_code == 0, stopped.output
    assert "2 keys are erased" in stopped.output
    assert json.loads(privacy(post, "report", "112", "--json").output)["kept"] == []
    found_again = verify.check(post.run.data, None, None)
    assert found_again.last == found_again.sealed


def last(post: Post, kind: str) -> int:
    with sqlite3.connect(f"file:{post.run.data / 'journal.sqlite'}?mode=ro", uri=True) as db:
        return int(db.execute("SELECT max(seq) FROM journal WHERE kind = ?", (kind,)).fetchone()[0])


def test_who_does_not_confirm_erases_nothing(make: Post) -> None:
    post = make
    asked = CliRunner().invoke(
        main, ["privacy", "erase", CALLER, str(post.run.folder), "--why", "x"], input="n\n"
    )
    assert asked.exit_code == 1
    assert records(post, "erased") == 0


def test_a_folder_without_a_vault_is_named(post: Post) -> None:
    post.run.save()
    told = privacy(post, "report", CALLER)
    assert told.exit_code == 70
    assert "this post has kept nothing personal" in told.output


@pytest.mark.parametrize("rounds", [5, pytest.param(40, marks=pytest.mark.slow)])
def test_a_kernel_killed_while_it_erases_has_erased_all_or_nothing(make: Post, rounds: int) -> None:
    post = make
    rng = random.Random(rounds)
    desk: zmq.Socket[bytes] = post.context.socket(zmq.DEALER)
    desk.connect(post.run.desk_ipc)
    outcomes = set()
    for i in range(rounds):
        who = f"somebody {i}"
        before = len(post.journaled("calls.case.opened"))
        call(post, who, f"confided {i}")
        post.until(
            lambda n=before: len(post.journaled("calls.case.opened")) > n, "the trade has opened the case"
        )
        told = records(post, "erased")
        desk.send(operators.encode(ErasePersonal(by="test", subject=who, why="x")))
        # The moment in which it is killed is the only thing that differs.
        until = rng.random() * 0.08
        desk.poll(int(until * 1000))
        os.kill(post.process("kernel").pid, 9)
        generation = post.status.generation
        post.until(
            lambda g=generation: post.status.generation > g and post.status.ready, "the kernel is back"
        )
        post.until(post.together, "the gateway is back")
        kept = json.loads(privacy(post, "report", who, "--json").output)["kept"]
        outcomes.add((len(kept), records(post, "erased") - told))
    assert outcomes <= {(3, 0), (0, 1)}
    assert files_with(post.run.data, "confided ") == []
    post.stop()
    assert verify.check(post.run.data, None, None).records


def test_a_post_without_its_master_key_starts_and_says_so(make: Post, calls: Any, tmp_path: Path) -> None:
    post = make
    post.stop()
    master = post.run.vault / "master.key"
    kept = master.read_bytes()
    master.unlink()
    second = Post(calls, tmp_path / "run")
    try:
        second.start(gateways=1)
        second.until(lambda: any("are locked" in fault for fault in second.status.faults), "it says so")
        second.until(lambda: second.status.alarms.active.get("vault_locked"), "there is an alarm")
        call(second, CALLER, "third")
        second.until(lambda: len(second.journaled("calls.case.opened")) == 4, "it goes on")
    finally:
        second.stop()
    assert master.exists()
    master.write_bytes(kept + master.read_bytes())
    values = {each["value"] for each in json.loads(privacy(post, "report", CALLER, "--json").output)["kept"]}
    assert values == {CALLER, WORDS, "encore", "third"}


def test_with_a_token_only_what_its_person_may_see_is_opened(
    tmp_path: Path, table: Callable[..., dict[str, Any]]
) -> None:
    key = Ed25519PrivateKey.generate()
    (tmp_path / "login.pub").write_bytes(base64.b64encode(key.public_key().public_bytes_raw()) + b"\n")
    given = table(tmp_path / "data", gate={"login_key": "login.pub"})
    given["post"]["plugins"] = ["watch", "calls"]
    post = Post(from_table(given, "the test", tmp_path), tmp_path / "run")
    try:
        post.start(gateways=1)
        call(post, CALLER, WORDS)
        post.until(lambda: post.journaled("calls.case.opened"), "the trade has opened its case")
        told = {}
        for name, role in {
            "all": Role("*", "*", ("personal.read",)),
            "elsewhere": Role("calls", "Voisine", ("personal.read",)),
            "none": Role("*", "*", ("lamp.dim",)),
        }.items():
            person = Person(name, name, (role,), name, post.run.clock().utc() + 60_000_000)
            (tmp_path / name).write_bytes(token(person, key))
            told[name] = privacy(post, "report", CALLER, "--json", "--token", str(tmp_path / name))
        shown = {
            name: {each["value"] for each in json.loads(told[name].output)["kept"]}
            for name in ("all", "elsewhere")
        }
        assert shown == {"all": {CALLER, WORDS}, "elsewhere": {"[no right]"}}
        assert "none may not personal.read" in told["none"].output
        assert records(post, "read") == 3
        erased = privacy(post, "erase", CALLER, "--yes", "--token", str(tmp_path / "all"))
        assert "all may not personal.erase" in erased.output
        assert records(post, "erased") == 0
    finally:
        post.stop()
