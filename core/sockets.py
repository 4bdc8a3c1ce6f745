"""ZeroMQ sockets as the post opens them: limits on each, and a libzmq that is new enough."""

from __future__ import annotations

from typing import Any

import zmq

from core.errors import ConfigError, OndijonError
from core.wire import MESSAGE_MAX

#: Older versions have holes that a stranger can use before the handshake ends (CVE-2020-15166 and others).
LIBZMQ_MIN = (4, 3, 5)


def context(max_sockets: int = 1024) -> zmq.Context[zmq.Socket[bytes]]:
    """A context. Raises OndijonError where libzmq is too old."""
    if zmq.zmq_version_info() < LIBZMQ_MIN:
        raise OndijonError(
            f"libzmq {zmq.zmq_version()} is too old: at least {'.'.join(map(str, LIBZMQ_MIN))} is needed.",
            next="Install pyzmq from its wheel, which brings its own.",
        )
    made = zmq.Context()
    made.set(zmq.MAX_SOCKETS, max_sockets)
    return made


def limit(
    socket: zmq.Socket[Any], *, queue: int = 1000, message: int = MESSAGE_MAX, linger_ms: int = 1000
) -> None:
    """Bound a socket that faces the network: queue, message size, handshake, heartbeat, unanswered bytes, linger."""
    socket.set(zmq.RCVHWM, queue)
    socket.set(zmq.SNDHWM, queue)
    socket.set(zmq.MAXMSGSIZE, message)
    socket.set(zmq.HANDSHAKE_IVL, 5000)
    socket.set(zmq.HEARTBEAT_IVL, 2000)
    socket.set(zmq.HEARTBEAT_TIMEOUT, 6000)
    socket.set(zmq.HEARTBEAT_TTL, 6000)
    socket.set(zmq.TCP_MAXRT, 15_000)
    socket.set(zmq.BACKLOG, 1024)
    socket.set(zmq.LINGER, linger_ms)


def dial(socket: zmq.Socket[Any], endpoint: str) -> None:
    """Connect with a back-off: after an outage the peers do not all come at once."""
    socket.set(zmq.RECONNECT_IVL, 100)
    socket.set(zmq.RECONNECT_IVL_MAX, 5000)
    socket.connect(endpoint)


def listen(socket: zmq.Socket[Any], endpoint: str) -> None:
    """Bind. Raises ConfigError where that cannot be, such as on a port that is taken."""
    try:
        socket.bind(endpoint)
    except zmq.ZMQError as error:
        raise ConfigError(
            f"cannot listen: {error.strerror}.",
            where=endpoint,
            next="Stop who holds the port, or choose another in the configuration (0 takes a free one).",
        ) from error


def identify(socket: zmq.Socket[Any], name: str) -> None:
    """The identity a ROUTER knows this peer by. A peer that comes back takes its old place."""
    socket.set(zmq.IDENTITY, name.encode())
