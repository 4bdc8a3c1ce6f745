"""Two persons set a calendar at a running post; the devices store it, and follow it when the post is dead."""

from __future__ import annotations

import base64
import datetime
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.simulator.field import Field
from adapters.simulator.settings import Faults, Settings
from adapters.simulator.simulation import Simulation
from adapters.simulator.world import TICK_S, TICK_US
from core import keyring
from core.config import from_table
from core.operators import Approve, CommandTaken, ProposeProgramme
from core.person import ANY
from core.run import Run
from core.wire import Refused
from ondijon.gateway import new_context
from ondijon.spool import SpoolFile
from tests.live.conftest import Post
from tests.live.test_desk import Desk, journaled

NIGHT = datetime.datetime.fromisoformat("2026-11-20T23:30:00+01:00")
CALENDAR = "lighting.calendar"
QUIET = Settings(
    processes=1,
    visits_a_day=0.0,
    fade_s=1.0,
    faults=Faults(
        lamp_share=0, sensor_share=0, lamp_a_day=0, sensor_a_day=0, gateway_a_day=0, feeder_a_day=0
    ),
)
NEW = {
    "rules": [
        {"start": "23:00", "end": "05:00", "level_pct": 50},
        {"start": "01:00", "end": "05:00", "level_pct": 45},
    ]
}


class Cabinets:
    """The simulated cabinets of a city, in this process; what they stored lies in ``spool``."""

    def __init__(self, run: Run, city: Any, spool: Path, at_utc: int | None = None) -> None:
        self.clock = run.clock()
        self.tick = (at_utc or self.clock.utc()) // TICK_US
        self.simulation = Simulation(city, QUIET, 1)
        self.context = new_context()
        self.spools = SpoolFile(spool)
        keyring.own(run.data, "cabinets-0", (ANY,))
        keys = run.keys("cabinets-0")
        self.field = Field(self.simulation, run.endpoints, self.clock, self.context, self.spools, keys)
        self.simulation.begin(self.tick)

    def turn(self) -> None:
        """Serve the sockets, and let the lamps move on."""
        self.field.serve(1)
        self.pass_(TICK_S)

    def pass_(self, seconds: float) -> None:
        """So much time passes for the devices."""
        for _ in range(round(seconds / TICK_S)):
            self.simulation.step(self.tick)
            self.tick += 1

    def welcomed(self) -> bool:
        """All have shaken both hands."""
        return all(gateway.ready for gateway in self.field.gateways)

    def levels(self) -> list[float]:
        """The level (%) of each lamp."""
        return np.unique(self.simulation.lamps.level_pct.round(3)).tolist()

    def end(self) -> None:
        """The process is gone; only its disk stays."""
        self.spools.close()
        self.context.destroy(linger=0)


@pytest.fixture
def desk(tmp_path: Path, table: Callable[..., dict[str, Any]]) -> Iterator[Desk]:
    """A running lighting post at night that knows its login process, and a tool at its desk."""
    key = Ed25519PrivateKey.generate()
    (tmp_path / "login.pub").write_bytes(base64.b64encode(key.public_key().public_bytes_raw()) + b"\n")
    tables = table(
        tmp_path / "data",
        gate={"login_key": "login.pub", "danger_targets": 5},
        time={"start": NIGHT},
    )
    tables["post"] = {**tables["post"], "plugins": ["lighting"]}
    tables["workers"] = {"trusted": ["lighting"]}
    post = Post(from_table(tables, "the test", tmp_path), tmp_path / "run")
    post.supervisor.start()
    post.until(lambda: post.follower.status and post.status.ready, "kernel and edges are ready")
    yield Desk(post, key)
    post.stop()


@pytest.fixture
def cabinets(desk: Desk, tmp_path: Path) -> Iterator[Cabinets]:
    made = Cabinets(desk.post.run, desk.post.city, tmp_path / "spool.sqlite")
    yield made
    made.end()


def together(desk: Desk, cabinets: Cabinets, condition: Callable[[], object], what: str) -> None:
    def turned() -> object:
        cabinets.turn()
        return condition()

    desk.post.until(turned, what)


def agreed(desk: Desk, zone: str, content: dict[str, Any]) -> CommandTaken:
    """Two persons set a calendar; how far it is."""
    raw = msgspec.Raw(msgspec.msgpack.encode(content))
    asked = desk.ask("anna", ProposeProgramme, kind=CALENDAR, zone=zone, content=raw, reason="the council")
    assert isinstance(asked, CommandTaken), asked
    assert asked.state == "awaiting"
    alone = desk.ask("anna", Approve, command=asked.command, hash=asked.hash)
    assert isinstance(alone, Refused)
    assert alone.reason == "same_person"
    answer = desk.ask("bob", Approve, command=asked.command, hash=asked.hash)
    assert isinstance(answer, CommandTaken), answer
    return answer


def up_to_date(desk: Desk) -> bool:
    return bool(desk.post.status.programmes) and all(
        each.up_to_date == each.gateways for each in desk.post.status.programmes
    )


def test_lamps_follow_what_two_persons_set_when_the_post_is_dead(
    desk: Desk, cabinets: Cabinets, tmp_path: Path
) -> None:
    post = desk.post
    together(desk, cabinets, cabinets.welcomed, "the cabinets are in")
    assert cabinets.levels() == [70]
    assert agreed(desk, "", NEW).state == "in_force"
    (asked, in_force) = journaled(post, "programme")
    assert (asked["state"], in_force["state"], in_force["version"]) == ("awaiting", "in_force", 1)
    together(desk, cabinets, lambda: up_to_date(desk), "the cabinets have it")
    cabinets.pass_(2)
    # Conflict areas keep their floor of 67 %.
    assert cabinets.levels() == [50, 67]

    for process in post.supervisor.processes:
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
    cabinets.pass_(10)
    assert cabinets.levels() == [50, 67]
    later = int(NIGHT.timestamp() * 1e6) + 7_200_000_000
    cabinets.end()
    again = Cabinets(post.run, post.city, tmp_path / "spool.sqlite", later)
    assert again.levels() == [45, 67], "01:30, no post, and the cabinets were started again"
    again.end()


def test_a_kernel_that_dies_before_it_is_sent_sends_it_afterwards(desk: Desk, cabinets: Cabinets) -> None:
    """The answer is out, so the programme is on disk; whatever dies then, each cabinet gets it, once."""
    post = desk.post
    together(desk, cabinets, cabinets.welcomed, "the cabinets are in")
    agreed(desk, "Voisine", NEW)
    post.kill("kernel", signal.SIGKILL)
    generation = post.status.generation
    together(desk, cabinets, lambda: post.status.generation > generation and up_to_date(desk), "all have it")
    (figures,) = post.status.programmes
    assert (figures.zone, figures.version, figures.gateways, figures.refused) == ("Voisine", 1, 1, {})
    agreed(desk, "Voisine", {"level_pct": 90})
    post.kill("edge-events", signal.SIGKILL)
    together(
        desk,
        cabinets,
        lambda: up_to_date(desk) and post.status.programmes[0].version == 2,
        "the second one too",
    )
    cabinets.pass_(2)
    assert cabinets.levels() == [70, 90]


def test_a_cabinet_that_is_away_gets_it_when_it_is_back(
    desk: Desk, cabinets: Cabinets, tmp_path: Path, quick: Callable[..., Any]
) -> None:
    post = desk.post
    together(desk, cabinets, lambda: post.edge("events").get("gateways") == 3, "the cabinets are in")
    cabinets.field.close()
    post.until(lambda: post.edge("events").get("gateways") == 0, "they said goodbye")
    agreed(desk, "", {"level_pct": 80})
    post.until(lambda: post.edge("events").get("away", 0) >= 3, "they are not there")
    assert post.status.programmes[0].waiting == ["gw-A0001", "gw-A0002", "gw-A0003"]
    assert post.edge("events").get("undelivered", 0) == 0
    shown = quick("top", post.run.folder, "--once").output
    assert "0 of 3" in shown
    assert "gw-A0001, gw-A0002, gw-A0003" in shown
    back = Cabinets(post.run, post.city, tmp_path / "spool.sqlite")
    together(desk, back, lambda: up_to_date(desk), "they have it")
    back.end()


@pytest.mark.parametrize("rounds", [5, pytest.param(50, marks=pytest.mark.slow)])
def test_whatever_is_killed_what_was_answered_is_taken_once_and_nothing_goes_back(
    desk: Desk, tmp_path: Path, rounds: int
) -> None:
    rng, post, spool = random.Random(rounds), desk.post, tmp_path / "spool.sqlite"
    cabinets = Cabinets(post.run, post.city, spool)
    together(desk, cabinets, cabinets.welcomed, "the cabinets are in")
    taken = answered = 0
    for _ in range(rounds):
        agreed(desk, "Voisine", {"level_pct": rng.randint(50, 100)})
        answered += 1
        until = time.monotonic() + rng.uniform(0.0, 0.2)
        while time.monotonic() < until:
            cabinets.turn()
            post.turn()
        victim = rng.choice(["kernel", "edge-events", "cabinets"])
        generation = post.status.generation
        if victim == "cabinets":
            cabinets.end()
            cabinets = Cabinets(post.run, post.city, spool)
        else:
            post.kill(victim, signal.SIGKILL)
        if victim == "kernel":
            together(desk, cabinets, lambda: post.status.generation > generation, "another kernel speaks")  # noqa: B023
        versions = [each.version for each in cabinets.spools.spool("gw-A0003").programmes()]
        assert max(versions, default=0) >= taken
        taken = max(versions, default=0)
    together(
        desk,
        cabinets,
        lambda: up_to_date(desk) and post.status.programmes[0].version == answered,
        "all is where it should be",
    )
    in_force = [each for each in journaled(post, "programme") if each["state"] == "in_force"]
    assert [each["version"] for each in in_force] == list(range(1, answered + 1)), "each once, in order"
    (held,) = cabinets.spools.spool("gw-A0003").programmes()
    assert (held.version, held.content) == (answered, in_force[-1]["content"])
    cabinets.end()
