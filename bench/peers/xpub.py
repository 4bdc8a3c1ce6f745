"""The egress' peer: a bare pyzmq XPUB with CURVE. What comes over ipc goes out, to everybody, unread."""

from __future__ import annotations

import sys

import zmq

from core.sockets import context, limit


def main() -> None:
    """Forward until the process is ended: ``xpub.py SOURCE ENDPOINT SECRET``."""
    source, endpoint, secret = sys.argv[1:]
    made = context()
    pull = made.socket(zmq.PULL)
    pull.bind(source)
    xpub = made.socket(zmq.XPUB)
    limit(xpub, queue=100_000)
    xpub.curve_server = True
    xpub.curve_secretkey = secret.encode()
    xpub.bind(endpoint)
    poller = zmq.Poller()
    poller.register(pull, zmq.POLLIN)
    poller.register(xpub, zmq.POLLIN)
    while True:
        for socket, _ in poller.poll():
            if socket is xpub:
                xpub.recv()
                continue
            while pull.poll(0):
                xpub.send(pull.recv())


if __name__ == "__main__":
    main()
