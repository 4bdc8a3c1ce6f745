"""Asking a running post, at its desk for operators' tools."""

from __future__ import annotations

import zmq

from core import operators
from core.errors import OndijonError
from core.run import Run

#: How long (s) the kernel may take: where the register changes, each trade derives all it knows of the city anew.
PATIENCE_S = 60.0


def ask(
    run: Run, request: operators.ChangeAssets | operators.AskedPersonal | operators.Asked
) -> operators.Answer:
    """Ask the kernel, and wait for its answer. Raises OndijonError where none comes."""
    data = exchange(run, run.desk_ipc, operators.encode(request), "what was asked may still be done")
    return operators.decode_answer(data)


def exchange(run: Run, endpoint: str, message: bytes, may_be: str) -> bytes:
    """One message to a local socket of a run, and the answer. Raises OndijonError where none comes."""
    with zmq.Context.instance().socket(zmq.DEALER) as socket:
        socket.set(zmq.LINGER, 0)
        socket.connect(endpoint)
        socket.send(message)
        socket.poll(int(PATIENCE_S * 1000))
        try:
            return socket.recv(zmq.DONTWAIT)
        except zmq.Again as error:
            raise OndijonError(
                f"no answer for {PATIENCE_S:.0f} s: {may_be}.",
                where=str(run.folder),
                next="Is the post running? `ondijon top --once` shows it; its journal tells what was done.",
            ) from error
