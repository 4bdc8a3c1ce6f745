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

import pytest

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
