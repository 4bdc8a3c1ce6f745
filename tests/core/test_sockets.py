"""The knobs of every socket that faces the network, as they are set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from core import allowlist, keyring, keys
from core.door import DOMAIN, Door
from core.sockets import context, dial, limit


@pytest.fixture
def sockets() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    made = context()
    yield made
    made.destroy(linger=0)


def test_what_faces_the_network_is_bounded(sockets: zmq.Context[zmq.Socket[bytes]]) -> None:
    socket = sockets.socket(zmq.DEALER)
    limit(socket, queue=100, message=1000, linger_ms=200)
    dial(socket, "tcp://127.0.0.1:1")
    assert {name: socket.get(getattr(zmq, name)) for name in KNOBS} == KNOBS
    assert (socket.get(zmq.RECONNECT_IVL), socket.get(zmq.RECONNECT_IVL_MAX)) == (100, 5000)
    assert sockets.get(zmq.MAX_SOCKETS) == 1024


KNOBS = {
    "RCVHWM": 100,
    "SNDHWM": 100,
    "MAXMSGSIZE": 1000,
    "HANDSHAKE_IVL": 5000,
    "HEARTBEAT_IVL": 2000,
    "HEARTBEAT_TIMEOUT": 6000,
    "HEARTBEAT_TTL": 6000,
    "TCP_MAXRT": 15_000,
    "BACKLOG": 1024,
    "LINGER": 200,
}


def test_a_guarded_socket_speaks_curve_and_asks_who_comes(
    sockets: zmq.Context[zmq.Socket[bytes]], tmp_path: Path
) -> None:
    door = Door(sockets, tmp_path, "gateway", lambda name: None)
    socket = sockets.socket(zmq.ROUTER)
    door.guard(socket)
    assert socket.get(zmq.MECHANISM) == zmq.CURVE
    assert socket.get(zmq.CURVE_SERVER) == 1
    assert socket.get(zmq.ZAP_DOMAIN).rstrip(b"\0") == DOMAIN
    assert socket.get(zmq.ZAP_ENFORCE_DOMAIN) == 1
    door.close()


def test_a_door_without_curve_lets_everybody_in_as_nobody(
    sockets: zmq.Context[zmq.Socket[bytes]], tmp_path: Path
) -> None:
    door = Door(sockets, tmp_path, "gateway", lambda name: None, curve=False)
    socket = sockets.socket(zmq.ROUTER)
    door.guard(socket)
    assert (socket.get(zmq.MECHANISM), door.sockets, door.turn(), door.knocked()) == (
        zmq.NULL,
        [],
        False,
        None,
    )
    assert door.may_speak_for("", "gw-1")
    assert not (tmp_path / keys.FOLDER).exists()


def test_of_those_turned_away_a_bounded_number_is_told_and_each_again_after_a_while(
    sockets: zmq.Context[zmq.Socket[bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []
    keyring.begin(tmp_path)
    door = Door(sockets, tmp_path, "gateway", counted.append)
    for n in range(300):
        door._knock("unknown_key", f"{n:016x}")
    first = door.knocked()
    assert first is not None
    assert (len(first.knocks), len(counted)) == (128, 300)
    for _ in range(5):
        door._knock("unknown_key", f"{0:016x}")
        door._knock("unknown_key", f"{299:016x}")
    assert door.knocked() is None
    monkeypatch.setattr("core.door.KNOCK_S", 0.0)
    again = door.knocked()
    assert again is not None
    assert [(knock.fingerprint, n) for knock, n in again.knocks] == [(f"{0:016x}", 5)]
    allowlist.path(tmp_path).write_text("")
    monkeypatch.setattr("core.door.LOOK_S", 0.0)
    door.turn()
    assert (unreadable := door.knocked()) is not None
    assert "allow-list" in unreadable.unreadable
    door.close()
