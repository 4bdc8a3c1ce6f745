"""Somebody logs in at a running post and acts at its desk, within their roles and for as long as they may."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from click.testing import CliRunner

from adapters.cli.main import main
from core import operators, session
from core.config import from_table
from core.operators import CommandTaken, Propose
from core.session import LogIn, Renew, Session
from core.wire import Refused
from tests.live.conftest import Post

PASSWORD = "four words in a row"


def person(data: Path, *arguments: str) -> None:
    done = CliRunner().invoke(main, ["person", *arguments, "--data", str(data)], input=f"{PASSWORD}\n")
    assert done.exit_code == 0, done.output


@pytest.fixture
def post(tmp_path: Path, table: Callable[..., dict[str, Any]]) -> Iterator[Post]:
    """A running post with a login process, and Anne, who may dim lamps in one commune."""
    data = tmp_path / "data"
    data.mkdir()
    role = "watch:Voisine:lamp.dim"
    person(data, "new", "anne", "--name", "Anne Martin", "--role", role, "--password-file", "-")
    config = from_table(
        table(data, gate={"login_key": "data/login/login.pub"}, adapters={"login": {}}), "the test", tmp_path
    )
    made = Post(config, tmp_path / "run")
    made.start()
    yield made
    made.stop()


class Line:
    """A local socket, one question at a time."""

    def __init__(self, post: Post, endpoint: str, decode: Callable[[bytes], Any]) -> None:
        self.post, self.decode = post, decode
        self.socket: zmq.Socket[bytes] = post.context.socket(zmq.DEALER)
        self.socket.connect(endpoint)

    def ask(self, data: bytes) -> Any:
        self.socket.send(data)
        self.post.until(lambda: self.socket.poll(0), "it answers")
        return self.decode(self.socket.recv())


def dim(post: Post, token: bytes, lamp: str, request: str) -> bytes:
    return operators.encode(
        Propose(
            token=token,
            request=request,
            epoch=post.status.generation,
            asked_utc=post.run.clock().utc(),
            verb="lamp.dim",
            targets=(lamp,),
            values=(40.0,),
            lease_s=60,
            reason="a test",
        )
    )


def test_who_logs_in_acts_within_their_roles_until_they_may_no_more(post: Post) -> None:
    login = Line(post, post.run.login_ipc, session.decode_answer)
    desk = Line(post, post.run.desk_ipc, operators.decode_answer)

    def log_in(password: str) -> Any:
        return login.ask(session.encode(LogIn("anne", password)))

    assert log_in("four words in a rom").reason == "credentials"
    assert login.ask(b"\xc1 no message").reason == "request"
    given = log_in(PASSWORD)
    assert isinstance(given, Session)
    communes = post.city.assets.commune
    names = post.city.communes.names
    of = {names[communes[post.city.assets.index[f"L{i:04}"]]]: f"L{i:04}" for i in range(1, 31)}
    here = of.pop("Voisine")
    taken = desk.ask(dim(post, given.token, here, "1"))
    assert isinstance(taken, CommandTaken), taken
    elsewhere = desk.ask(dim(post, given.token, next(iter(of.values())), "2"))
    assert isinstance(elsewhere, Refused)
    assert elsewhere.reason == "right"

    # A login process that dies takes no command with it; who is logged in logs in again.
    post.kill("login-0")
    assert isinstance(desk.ask(dim(post, given.token, here, "3")), CommandTaken)
    assert login.ask(session.encode(Renew(given.token))).reason == "session_expired"
    given = log_in(PASSWORD)
    assert isinstance(login.ask(session.encode(Renew(given.token))), Session)

    person(post.run.data, "disable", "anne")
    assert login.ask(session.encode(Renew(given.token))).reason == "session_expired"
    assert log_in(PASSWORD).reason == "credentials"
    assert PASSWORD not in post.log("login-0")
    assert PASSWORD not in (post.run.data / "login" / "people.json").read_text()
