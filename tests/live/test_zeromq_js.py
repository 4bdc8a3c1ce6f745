"""A partner in another language: zeromq.js, its own msgpack library, and nothing but docs/protocol.md."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zmq

from core import keys
from core.keys import ClientKey
from tests.live.edge_alone import EdgeAlone

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "ondijon" / "sandbox" / "partner.mjs"

#: Where `make test` has npm put the client's two packages.
MODULES = ROOT / ".venv" / "node" / "node_modules"

NODE = shutil.which("node") or shutil.which("node", path=str(ROOT / ".venv" / "bin"))

needs_node = pytest.mark.skipif(
    NODE is None or not (MODULES / "zeromq").is_dir(), reason="no Node here, or npm could not install zeromq"
)

DELTAS = 100_000

#: What was asked: a client that a stranger reads at a glance.
LINES = 60


class Client:
    """The client's process, and the newest line it said."""

    def __init__(self, folder: Path, endpoint: str, key: Path) -> None:
        folder.mkdir()
        shutil.copy(CLIENT, folder)
        (folder / "node_modules").symlink_to(MODULES)
        self.said: list[dict[str, Any]] = [{"whole": False, "rows": 0, "deltas": 0, "snapshots": 0}]
        self.process = subprocess.Popen(
            [str(NODE), "partner.mjs", endpoint, str(key)],
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(json.loads(line))

    @property
    def last(self) -> dict[str, Any]:
        """What it said last."""
        return self.said[-1]

    def stop(self) -> dict[str, Any]:
        """End it, and return its last words."""
        self.process.terminate()
        self.process.wait(30)
        self._reader.join(5)
        return self.last


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[EdgeAlone]:
    made = EdgeAlone(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def client_of(edge: EdgeAlone, tmp_path: Path) -> Iterator[Callable[..., Client]]:
    opened: list[Client] = []

    def open_(name: str) -> Client:
        opened.append(Client(tmp_path / name, edge.run.endpoints.partners, edge.key(name)[0]))
        return opened[-1]

    yield open_
    for client in opened:
        client.stop()


def test_the_client_is_short() -> None:
    lines = CLIENT.read_text("utf-8").splitlines()
    assert len(lines) <= LINES
    assert max(map(len, lines)) <= 100


@needs_node
def test_a_snapshot_100_000_deltas_and_the_edge_killed(
    edge: EdgeAlone, client_of: Callable[..., Client]
) -> None:
    client = client_of("js")
    edge.wait(lambda: client.last["whole"])
    stood = client.last["rows"]
    assert stood > 30
    edge.step(views=tuple(edge.row(str(n), {"n": n}) for n in range(500)))
    told = 0
    while client.last["deltas"] < DELTAS:
        edge.wait(lambda told=told: told - client.last["changes"] < 50_000)
        for _ in range(1000):
            told += 1
            edge.step(events=(edge.event(told),))
            # As short as the machine can (some 60 µs): what the edge hears in one turn goes out as one delta.
            time.sleep(1e-6)
    # Not one of them is missing.
    edge.wait(lambda: client.last["changes"] == stood + 500 + told)
    before = client.last
    assert before["gaps"] == before["cuts"] == before["refused"] == 0
    assert before["snapshots"] == 1
    edge.kill()
    edge.start()
    edge.step(views=(edge.row("after", {"n": -1}),))
    edge.wait(lambda: client.last["snapshots"] == 2 and client.last["whole"])
    # The present that the new edge was told has no rows of views, but for the last one.
    edge.wait(lambda: client.last["rows"] == stood + 1)


class Script:
    """What a client hears and says, word by word: this test speaks in an edge's place."""

    def __init__(self, file: Path) -> None:
        public, secret = keys.pair()
        keys.write(file, ClientKey.new("js", public))
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.set(zmq.CURVE_SERVER, 1)
        self._socket.set(zmq.CURVE_SECRETKEY, secret.encode())
        self.endpoint = f"tcp://127.0.0.1:{self._socket.bind_to_random_port('tcp://127.0.0.1')}"
        self._route = b""

    def hear(self, kind: str) -> dict[str, Any]:
        """The next message of this type."""
        while self._socket.poll(20_000):
            self._route, data = self._socket.recv_multipart()
            message: dict[str, Any] = msgpack.unpackb(data)
            if message["type"] == kind:
                return message
        raise AssertionError(f"no {kind}")

    def say(self, kind: str, **fields: Any) -> None:
        """A message to the client."""
        self._socket.send_multipart([self._route, msgpack.packb({"type": kind, **fields})])

    def close(self) -> None:
        self._context.destroy(linger=0)


def row(key: str, row: Any = 1, topic: str = "view") -> dict[str, Any]:
    return {"topic": topic, "name": "trial.row", "key": key, "trade": "trial", "communes": [], "row": row}


@needs_node
def test_it_begins_anew_where_something_is_missing(tmp_path: Path) -> None:
    script = Script(tmp_path / "js.key")
    client = Client(tmp_path / "js", script.endpoint, tmp_path / "js.key")
    try:
        assert script.hear("subscribe") == {"type": "subscribe", "messages": 1000, "bytes": 4_000_000}
        script.say("snapshot", subscription=1, part=0, last=False, changes=[row("a")])
        script.say("snapshot", subscription=1, part=1, last=True, changes=[row("b")])
        script.say("delta", subscription=1, sequence=1, changes=[row("a", None), row("1", topic="event")])
        script.say("delta", subscription=9, sequence=9, changes=[row("of another subscription")])
        script.say("heartbeat", subscription=1, sequence=1)
        credit = script.hear("credit")
        assert (credit["subscription"], credit["messages"]) == (1, 3)
        missing = (
            ("delta", {"sequence": 3, "changes": [row("c")]}),
            ("heartbeat", {"sequence": 1}),
            ("cut", {"reason": "slow"}),
        )
        for subscription, (kind, fields) in enumerate(missing, 1):
            script.say(kind, subscription=subscription, **fields)
            script.hear("subscribe")
            script.say("snapshot", subscription=subscription + 1, part=0, last=True, changes=[])
        script.say("a message of a later version", subscription=4)
        script.say("refused", reason="no_subscription")
        script.hear("subscribe")
    finally:
        last = client.stop()
        script.close()
    assert {name: last[name] for name in ("snapshots", "deltas", "gaps", "cuts", "refused")} == {
        "snapshots": 4,
        "deltas": 1,
        "gaps": 2,
        "cuts": 1,
        "refused": 1,
    }
    assert (last["whole"], last["rows"], last["changes"]) == (False, 0, 4)
