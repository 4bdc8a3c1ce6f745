"""A partners' edge of its own process, and this process in the kernel's place: as fast as the edge takes it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

import msgspec
import zmq

from core import city as cities
from core import keyring, keys, link
from core.event import Event, Source
from core.keys import ClientKey
from core.person import ANY, Role
from core.register import Numbering
from core.sockets import context
from core.supervisor import _free_ports
from ondijon.testing import City
from tests import runs

#: Bytes to the edge that it has not taken yet, at most.
WINDOW = 4 << 20


class EdgeAlone:
    """Starts the edge, tells it a present of the small city and then whatever ``step`` is given."""

    def __init__(self, folder: Path) -> None:
        city = City.small()
        cities.save(city, folder / "city")
        (folder / "run").mkdir()
        (endpoint,) = (f"tcp://127.0.0.1:{port}" for port in _free_ports("127.0.0.1", 1))
        self.run = runs.alone(folder / "run", data=folder, city=folder / "city", partners=endpoint)
        self.run.save()
        keyring.begin(folder)
        numbering = Numbering.of(city.assets, [])
        numbering.register(1).save(self.run.register_path)
        self.run.assets_path.write_bytes(cities.pack_assets(city.assets))
        self._communes = tuple(city.communes.names)
        self._context = context()
        self._kernel = self._context.socket(zmq.ROUTER)
        self._kernel.set(zmq.SNDHWM, 0)
        self._kernel.bind(self.run.kernel_ipc)
        self.sequence = self._on_way = 0
        self._sent: deque[tuple[int, int]] = deque()
        self.counts: dict[str, int] = {}
        self.start()

    def start(self) -> None:
        """Start the edge, and tell it how all stands."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "core.edge_process", "partners", self.run.folder],
            env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/usr/bin:/bin"},
        )
        self.wait(lambda: self._greeted)

    _greeted = False

    def wait(self, condition: Any, seconds: float = 30.0) -> None:
        """Hear the edge until ``condition`` holds."""
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, "the edge does not answer"
            self.hear(50)

    def hear(self, timeout_ms: int = 0) -> None:
        """Take what the edge says."""
        while self._kernel.poll(timeout_ms):
            timeout_ms = 0
            _, data = self._kernel.recv_multipart()
            message = link.decode_from_edge(data)
            if isinstance(message, link.Ready):
                self._say(link.Numbered(self.run.register_path.name, 1, 0, 0))
                self.sequence += 1
                now = link.Stepped(sequence=self.sequence, journal=self.sequence, utc=1)
                self._say(
                    link.Present(
                        now=now, trades=("trial",), communes=self._communes, owners={}, alarms={}, metrics={}
                    )
                )
                self._greeted = True
            elif isinstance(message, link.Took):
                while self._sent and self._sent[0][0] <= message.sequence:
                    self._on_way -= self._sent.popleft()[1]
            elif isinstance(message, link.Counters):
                self.counts = message.counts

    def step(self, **told: Any) -> None:
        """Tell the edge of a step, when it has room."""
        self.sequence += 1
        data = link.encode(link.Stepped(sequence=self.sequence, journal=self.sequence, utc=1, **told))
        while self._on_way + len(data) > WINDOW:
            self.hear(50)
            assert self.process.poll() is None
        self._sent.append((self.sequence, len(data)))
        self._on_way += len(data)
        self._kernel.send_multipart([link.PARTNERS, data])

    def row(self, key: str, row: Any) -> link.ViewRow:
        """A row of a view about the whole city."""
        return link.ViewRow("trial.row", key, "trial", (), msgspec.Raw(msgspec.msgpack.encode(row)))

    def event(self, seq: int) -> msgspec.Raw:
        """An event of the trade, about the whole city."""
        event = Event(
            seq=seq,
            kind="trial.bell.rung",
            at_utc=1,
            received_utc=1,
            mono=1,
            source=Source(plugin="trial"),
            trade="trial",
            data={"n": seq},
        )
        return msgspec.Raw(link.encode(event))

    def key(self, name: str) -> tuple[Path, ClientKey]:
        """A partner's key that may see everything."""
        file = self.run.folder / f"{name}.key"
        keyring.new(self.run.data, file, name, "partner", rights=[Role(ANY, ANY, (ANY,))])
        # The door looks at the list ten times a second; whoever is refused waits for seconds.
        time.sleep(0.3)
        return file, keys.read(file)

    def _say(self, message: Any) -> None:
        self._kernel.send_multipart([link.PARTNERS, link.encode(message)])

    def kill(self) -> None:
        """As the machine would."""
        self.process.kill()
        self.process.wait()
        self._greeted, self._on_way = False, 0
        self._sent.clear()

    def stop(self) -> None:
        """End the edge."""
        self.process.terminate()
        self.process.wait(10)
        self._context.destroy(linger=0)
