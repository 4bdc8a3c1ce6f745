"""Persons ask a running post over its desk: answered when it is on disk, refused with a reason, followed to the end."""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from core import operators
from core.config import from_table
from core.operators import Answer, Approve, CommandTaken, Propose, ReleaseAll, Released
from core.person import Person, Role, token
from core.wire import Refused
from tests.live.conftest import Post


class Desk:
    """A tool at the desk of a post, and the login process beside it."""

    def __init__(self, post: Post, key: Ed25519PrivateKey) -> None:
        self.post, self.key, self.n = post, key, 0
        self.socket: zmq.Socket[bytes] = post.context.socket(zmq.DEALER)
        self.socket.connect(post.run.desk_ipc)

    def ask(self, who: str, request: Callable[..., Any], **fields: Any) -> Answer:
        """Ask as ``who``; the answer."""
        self.n += 1
        now = self.post.run.clock().utc()
        person = Person(who, who, (Role("*", "*", ("*",)),), f"{who} 1", now + 60_000_000)
        asked = request(
            token=token(person, self.key),
            request=str(self.n),
            epoch=self.post.status.generation,
            asked_utc=now,
            **fields,
        )
        self.socket.send(operators.encode(asked))
        self.post.until(lambda: self.socket.poll(0), "the desk answers")
        return operators.decode_answer(self.socket.recv())


@pytest.fixture
def desk(tmp_path: Path, table: Callable[..., dict[str, Any]]) -> Iterator[Desk]:
    """A running post that knows its login process, and a tool at its desk."""
    key = Ed25519PrivateKey.generate()
    (tmp_path / "login.pub").write_bytes(base64.b64encode(key.public_key().public_bytes_raw()) + b"\n")
    config = from_table(
        table(tmp_path / "data", gate={"login_key": "login.pub", "danger_targets": 2}), "the test", tmp_path
    )
    post = Post(config, tmp_path / "run")
    post.start()
    yield Desk(post, key)
    post.stop()


def journaled(post: Post, kind: str) -> list[dict[str, Any]]:
    with sqlite3.connect(f"file:{post.run.data / 'journal.sqlite'}?mode=ro", uri=True) as db:
        rows = db.execute("SELECT data FROM journal WHERE kind = ?", (kind,)).fetchall()
    return [msgspec.msgpack.decode(data) for (data,) in rows]


def test_two_persons_one_command(desk: Desk) -> None:
    post = desk.post
    given = {"verb": "lamp.dim", "lease_s": 60.0, "reason": "works in the street"}
    one = desk.ask("anna", Propose, targets=("L0001", "L0011"), values=(40.0, 50.0), **given)
    assert isinstance(one, CommandTaken)
    assert one.state == "committed"
    assert journaled(post, "command")[-1]["id"] == one.command, "it is on disk before it is answered"
    post.until(lambda: len(post.orders) == 2, "both gateways have their order")

    many = desk.ask("anna", Propose, targets=("L0001", "L0002", "L0011"), values=(0.0, 0.0, 0.0), **given)
    assert isinstance(many, CommandTaken)
    assert many.state == "awaiting"
    self_approved = desk.ask("anna", Approve, command=many.command, hash=many.hash)
    assert isinstance(self_approved, Refused)
    assert self_approved.reason == "same_person"
    assert len(post.orders) == 2
    agreed = desk.ask("bob", Approve, command=many.command, hash=many.hash)
    assert isinstance(agreed, CommandTaken)
    assert agreed.state == "committed"
    post.until(lambda: len(post.orders) == 4, "the order goes out when two agree")
    assert [each["person"] for each in journaled(post, "approval")] == ["anna", "bob"]

    released = desk.ask("carl", ReleaseAll)
    assert isinstance(released, Released)
    assert released.targets == 30
    post.until(lambda: [order.lease_ms for order in post.orders[4:]] == [0, 0, 0], "all are released")
    post.until(lambda: len(post.journaled("post.command.ended")) == 3, "all have come to their end")
    ended = {event["command"]: event["state"] for event in post.journaled("post.command.ended")}
    assert set(ended.values()) <= {"executed", "superseded"}


def test_a_request_that_was_kept_back_is_refused_by_the_next_kernel(desk: Desk) -> None:
    fields = {"verb": "lamp.dim", "targets": ("L0001",), "values": (40.0,), "lease_s": 60.0, "reason": "x"}
    assert isinstance(desk.ask("anna", Propose, **fields), CommandTaken)
    old = desk.post.status.generation
    desk.post.kill("kernel")
    desk.post.until(lambda: desk.post.status.generation > old, "another kernel speaks")

    def kept_back(**given: Any) -> Propose:
        return Propose(**given | {"epoch": old})

    answer = desk.ask("anna", kept_back, **fields)
    assert isinstance(answer, Refused)
    assert answer.reason == "stale_request"
    assert isinstance(desk.ask("anna", Propose, **fields), CommandTaken)
