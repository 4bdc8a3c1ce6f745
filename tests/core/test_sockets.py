"""The knobs of every socket that faces the network, as they are set."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import zmq

from core import allowlist, keyring, keys
from core.door import DOMAIN, HANDSHAKES_MAX, LOOK_S, ZAP, Door
from core.kept import Watch
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
    assert (socket.get(zmq.MECHANISM), door.sockets, door.turn(door.sockets), door.knocked()) == (
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
    door.turn(door.sockets)
    assert (unreadable := door.knocked()) is not None
    assert "allow-list" in unreadable.unreadable
    door.close()


@pytest.fixture
def door(sockets: zmq.Context[zmq.Socket[bytes]], tmp_path: Path) -> Iterator[Door]:
    keyring.begin(tmp_path)
    made = Door(sockets, tmp_path, "gateway", lambda name: None)
    made.turn(made.sockets)
    yield made
    made.close()


class Knocker:
    """Asks a door as libzmq does for each handshake, with a key of its own every time."""

    def __init__(self, sockets: zmq.Context[zmq.Socket[bytes]]) -> None:
        self._zap = sockets.socket(zmq.DEALER)
        self._zap.set(zmq.SNDHWM, 0)
        self._zap.set(zmq.RCVHWM, 0)
        self._zap.connect(ZAP)
        self._knocks = 0

    def knock(self) -> None:
        self._knocks += 1
        public = self._knocks.to_bytes(32)
        self._zap.send_multipart([b"", b"1.0", b"1", DOMAIN, b"127.0.0.1", b"", b"CURVE", public])

    def told(self) -> list[bytes]:
        """The status of each handshake that was judged since."""
        told = []
        while self._zap.poll(0):
            told.append(self._zap.recv_multipart()[3])
        return told


def test_a_key_that_was_made_a_moment_ago_comes_in_at_its_first_handshake(
    sockets: zmq.Context[zmq.Socket[bytes]], door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Time alone never makes this door look at the list again.
    monkeypatch.setattr("core.door.LOOK_S", 1e9)
    inside, outside = sockets.socket(zmq.ROUTER), sockets.socket(zmq.DEALER)
    door.guard(inside)
    port = inside.bind_to_random_port("tcp://127.0.0.1")
    keyring.new(tmp_path, tmp_path / "gw.key", "gw")
    keys.read(tmp_path / "gw.key").secure(outside)
    outside.connect(f"tcp://127.0.0.1:{port}")
    outside.send(b"hello")
    until = time.monotonic() + 30
    while not inside.poll(10) and time.monotonic() < until:
        door.turn(door.sockets)
    assert inside.recv_multipart(zmq.DONTWAIT)[1] == b"hello"
    assert door.knocked() is None


def test_however_many_strangers_knock_the_list_is_looked_at_once_a_turn(
    sockets: zmq.Context[zmq.Socket[bytes]], door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.door.LOOK_S", 1e9)
    looks: list[Watch[allowlist.AllowList]] = []
    look = Watch.look
    monkeypatch.setattr(Watch, "look", lambda watch: looks.append(watch) or look(watch))
    knocker = Knocker(sockets)
    for turns in (1, 2):
        for _ in range(HANDSHAKES_MAX):
            knocker.knock()
        door.turn(door.sockets)
        assert knocker.told() == [b"300"] * HANDSHAKES_MAX
        assert len(looks) == turns


def test_strangers_who_knock_and_knock_hold_up_no_look_at_the_live_keys(
    sockets: zmq.Context[zmq.Socket[bytes]], door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic() + 2 * LOOK_S
    monkeypatch.setattr("core.door.time", SimpleNamespace(monotonic=lambda: now))
    knocker = Knocker(sockets)
    looks = []
    for _ in range(20):
        knocker.knock()
        looks.append(door.turn(door.sockets))
        now += LOOK_S / 3.5
        assert knocker.told() == [b"300"]
    assert sum(looks) == 5
