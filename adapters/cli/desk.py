"""Asking a running post, at its desk for operators' tools."""

from __future__ import annotations

import zmq

from core import operators
from core.errors import OndijonError
from core.run import Run

#: How long (s) the kernel may take: where the register changes, each trade derives all it knows of the city anew.
PATIENCE_S = 60.0


def ask(run: Run, request: operators.ChangeAssets | operators.AskedPersonal) -> operators.Answer:
    """Ask the kernel, and wait for its answer. Raises OndijonError where none comes."""
    with zmq.Context.instance().socket(zmq.DEALER) as socket:
        socket.set(zmq.LINGER, 0)
        socket.connect(run.desk_ipc)
        socket.send(operators.encode(request))
        socket.poll(int(PATIENCE_S * 1000))
        try:
            return operators.decode_answer(socket.recv(zmq.DONTWAIT))
        except zmq.Again as error:
            raise OndijonError(
                f"no answer for {PATIENCE_S:.0f} s: what was asked may still be done.",
                where=str(run.folder),
                next="Is the post running? `ondijon top --once` shows it; its journal tells what was done.",
            ) from error
