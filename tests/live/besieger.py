"""Who besieges a post, in a process of its own: ``python -m tests.live.besieger ATTACK PORT,PORT,PORT [KEYFILE ...]``.

It goes on until it is killed. It has the lowest priority: in life it is other machines, and their work takes no core
from the post; what they make the post do counts in full.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import itertools
import os
import random
import secrets
import socket
import sys
import time
from collections import deque
from pathlib import Path

import zmq
from zmq.utils import z85

from core import keys as key_files
from core.keys import ClientKey

#: Connections that stand at the same time and never end their greeting; each for so long (s).
CONNECTS, STAND_S = 5000, 5.0

#: A greeting of ZMTP 3.1 that asks for CURVE, as a server expects it: what follows must be a HELLO.
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x01CURVE" + bytes(15) + bytes(32)

#: A part of a message, and more to come.
PART = bytes(60_000)

Port = tuple[str, int]


def connects(ports: list[Port], _: list[Path]) -> None:
    """Five thousand connections that never end their greeting."""
    noise, peers, due = random.Random(5), deque[socket.socket](), time.monotonic()
    for port in itertools.cycle(ports):
        if len(peers) == CONNECTS:
            peers.popleft().close()
        with contextlib.suppress(OSError):
            peers.append(socket.create_connection(port, timeout=1))
            peers[-1].sendall(GREETING[: noise.randrange(len(GREETING) + 1)])
        due = max(due, time.monotonic() - STAND_S) + STAND_S / CONNECTS
        time.sleep(max(0.0, due - time.monotonic()))


def parts(ports: list[Port], _: list[Path]) -> None:
    """Parts without end before any handshake, and greetings whose bytes come one by one."""
    frames = (b"\x03" + len(PART).to_bytes(8, "big") + PART) * 50
    slow: deque[socket.socket] = deque(maxlen=150)
    for port in itertools.cycle(ports):
        with contextlib.suppress(OSError), socket.create_connection(port, timeout=0.2) as peer:
            peer.sendall(GREETING + frames)
        with contextlib.suppress(OSError):
            slow.append(socket.create_connection(port, timeout=0.2))
        for peer in slow:
            with contextlib.suppress(OSError):
                peer.send(b"\xff")


def strangers(ports: list[Port], files: list[Path]) -> None:
    """Keys that nobody knows, and keys for another post, knock without pause."""
    context, peers = zmq.Context(), []
    for i, file in enumerate(files):
        peers.append(peer := context.socket(zmq.PUSH if i % len(ports) == 0 else zmq.DEALER))
        key_files.read(file).secure(peer)
        peer.set(zmq.RECONNECT_IVL, 10)
        peer.connect("tcp://{}:{}".format(*ports[i % len(ports)]))
    time.sleep(1e6)


def insider(ports: list[Port], files: list[Path]) -> None:
    """Somebody whose key is good sends parts without end. libzmq's client would keep them until the last."""
    key = key_files.read(files[0])
    for port in itertools.cycle(ports):
        with contextlib.suppress(OSError), socket.create_connection(port, timeout=5) as peer:
            said = Curve(peer, key, b"PUSH" if port == ports[0] else b"DEALER")
            while True:
                said.part(PART)


class Curve:
    """The client's side of CurveZMQ on a bare connection, as https://rfc.zeromq.org/spec/26 tells it."""

    def __init__(self, peer: socket.socket, key: ClientKey, kind: bytes) -> None:
        self._peer = peer
        self._numbers = itertools.count(1)
        mine, server = (z85.decode(each.encode()) for each in (key.public, key.server))
        secret = z85.decode(key.secret.encode())
        short, short_secret = (z85.decode(each) for each in zmq.curve_keypair())
        peer.sendall(GREETING)
        self._read(64)
        number, box = self._box(b"CurveZMQHELLO---", bytes(64), server, short_secret)
        self._say(4, b"\x05HELLO\x01\x00" + bytes(72) + short + number + box)
        welcome = self._hear()[8:]
        opened = unboxed(welcome[16:], b"WELCOME-" + welcome[:16], server, short_secret)
        self._server, self._secret, cookie = opened[:32], short_secret, opened[32:]
        nonce = secrets.token_bytes(16)
        vouch = boxed(short + server, b"VOUCH---" + nonce, self._server, secret)
        meta = b"\x0bSocket-Type" + len(kind).to_bytes(4, "big") + kind
        number, box = self._box(b"CurveZMQINITIATE", mine + nonce + vouch + meta, self._server, short_secret)
        self._say(4, b"\x08INITIATE" + cookie + number + box)
        assert self._hear().startswith(b"\x05READY"), "this key is not let in"

    def part(self, data: bytes) -> None:
        """Send a part of a message, and say that more will come."""
        number, box = self._box(b"CurveZMQMESSAGEC", b"\x01" + data, self._server, self._secret)
        self._say(0, b"\x07MESSAGE" + number + box)

    def _box(self, prefix: bytes, data: bytes, public: bytes, secret: bytes) -> tuple[bytes, bytes]:
        number = next(self._numbers).to_bytes(8, "big")
        return number, boxed(data, prefix + number, public, secret)

    def _say(self, flags: int, body: bytes) -> None:
        self._peer.sendall(bytes((flags | 2,)) + len(body).to_bytes(8, "big") + body)

    def _hear(self) -> bytes:
        long = self._read(1)[0] & 2
        return self._read(int.from_bytes(self._read(8 if long else 1), "big"))

    def _read(self, n: int) -> bytes:
        data = b""
        while len(data) < n:
            more = self._peer.recv(n - len(data))
            if not more:
                raise ConnectionError
            data += more
        return data


#: libsodium, which pyzmq's wheel brings for CURVE; None where pyzmq is another's build.
SODIUM = next((Path(zmq.__file__).parents[1] / "pyzmq.libs").glob("libsodium*"), None)


@functools.cache
def sodium() -> ctypes.CDLL:
    """Its functions."""
    return ctypes.CDLL(str(SODIUM))


def boxed(data: bytes, nonce: bytes, public: bytes, secret: bytes) -> bytes:
    """Encrypted and authenticated: Curve25519, XSalsa20, Poly1305."""
    box = ctypes.create_string_buffer(len(data) + 16)
    sodium().crypto_box_easy(box, data, ctypes.c_ulonglong(len(data)), nonce, public, secret)
    return box.raw


def unboxed(box: bytes, nonce: bytes, public: bytes, secret: bytes) -> bytes:
    """What is in a box."""
    data = ctypes.create_string_buffer(len(box) - 16)
    assert not sodium().crypto_box_open_easy(data, box, ctypes.c_ulonglong(len(box)), nonce, public, secret)
    return data.raw


ATTACKS = {attack.__name__: attack for attack in (connects, parts, strangers, insider)}


def main(attack: str, ports: str, *files: str) -> None:
    """Besiege, until killed."""
    os.nice(19)
    # Where each session of processes is scheduled as one, that one has a priority of its own.
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text("19")
    ATTACKS[attack]([("127.0.0.1", int(port)) for port in ports.split(",")], [Path(file) for file in files])


if __name__ == "__main__":
    main(*sys.argv[1:])
