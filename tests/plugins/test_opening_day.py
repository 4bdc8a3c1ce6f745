"""The scene of the opening day: a car stands before an emergency exit, and one post sees it through.

The point turns red; the procedure opens; the nearest cameras are named; a police unit and a tow truck are chosen; the
junctions on their way let them through (simulated ones, until the traffic trade is there); the street is lit; the case
is closed with a complete timeline; and a replay comes to the same hashes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from core import recorder
from ondijon import requests
from ondijon.testing import City, Post
from plugins.coordination.vocabulary import Team
from plugins.police.vocabulary import Patrol
from plugins.roads.vocabulary import Access
from tests.core.test_replay import Recorded
from tests.plugins.teamwork import DAY

TRADES = ["lighting", "roads", "police", "coordination", "tours"]


class Camera(msgspec.Struct, frozen=True):
    """As the importer writes them; the video trade is not there yet."""

    model: str


class OpeningDay(Recorded):
    """A recorded post of all trades that there are, and a night."""

    def __init__(self, folder: Path) -> None:
        city = (
            City.small(3)
            .having("access", {"X1": Access("emergency exit")}, street=1)
            .having("camera", {f"K{i}": Camera("dome") for i in range(3)}, street=1)
            .having("patrol", {f"P{i}": Patrol(["patrol"], DAY) for i in range(2)})
            .having("team", {"E1": Team(["lamp", "road"], DAY)}, street=2)
        )
        city = _with_tow(city)
        city.save(folder / "city")
        self.trades: dict[str, Any] = {}
        self.names = TRADES
        self.post = Post(city, TRADES, follows=True)
        self.folder = folder / recorder.FOLDER
        self.data = folder
        self.recorder = self.record()
        self.anne = self.post.person("Anne")

    # -- the world, simulated

    def drive(self, unit: str, x: float) -> None:
        """A vehicle stands ``x`` metres along the street."""
        streets = self.post.kernel.city.streets
        lon = float(streets.node_lon[0] + (streets.node_lon[3] - streets.node_lon[0]) * x / 900)
        self.post.sample(unit, "patrol.lon", lon)
        self.post.sample(unit, "patrol.lat", float(streets.node_lat[0]))

    def devices_answer(self, kind: str, *by: str) -> None:
        """Cameras or junctions take on what was asked of them last."""
        for event in self.post.events_of(kind):
            if event.seq in self.post.kernel.requests.open:
                said = requests.RequestAnswered(request=event.seq, answer="taken", by=by)
                self.post.event("post.request.answered", said)
        self.post.run(0.2)

    def unit_says(self, unit: str, what: str) -> None:
        self.post.event(f"police.{what}", {}, asset=unit)
        self.post.run(0.2)

    # -- the operator

    def answers(self, step: str, answer: str) -> None:
        data = {"incident": "C1", "step": step, "answer": answer}
        self.post.tell(self.anne, "coordination.step.answered", data)
        self.post.run(0.3)

    def case(self) -> Any:
        return self.post.views["coordination.incident"]["C1"]

    def timeline(self) -> list[str]:
        noted = [event.data for event in self.post.events_of("coordination.entry.noted")]
        return [f"{each.code}: {each.text.fr}" for each in noted if each.incident == "C1"]


def _with_tow(city: City) -> City:
    """A tow truck among the units: skills are an attribute of each."""
    units = city.assets.attributes["patrol"]
    units["skills"][1] = ["tow"]
    return city


@pytest.fixture
def scene(tmp_path: Path) -> OpeningDay:
    return OpeningDay(tmp_path)


def play(scene: OpeningDay) -> None:
    """From the car that stops to the case that is closed."""
    post = scene.post
    scene.drive("P0", 40)
    scene.drive("P1", 880)
    post.run(3)

    # A car stops before the exit. A minute later its point is red, and a case is open.
    post.sample("X1", "access.blocked", 1)
    post.run(63)
    assert post.alarms["X1", "access_blocked"].state == "unacked_active"
    assert (scene.case().category, scene.case().assets, scene.case().state) == (
        "blocked_exit",
        ("X1",),
        "new",
    )
    assert scene.case().cameras == ("K1", "K0", "K2")
    assert scene.case().step.step == "constater"
    scene.devices_answer("post.look.wanted", "K1")

    # The operator looks, and sees that it is so.
    scene.answers("constater", "oui")
    post.run(1)
    assert scene.case().owner == "Anne"
    units = {event.data.unit: event.data for event in post.events_of("police.unit.sent")}
    assert set(units) == {"P0", "P1"}
    assert units["P0"].edges == (0, 1)
    corridors = [event.data for event in post.events_of("post.corridor.wanted")]
    assert {each.vehicle for each in corridors} == {"P0", "P1"}
    scene.devices_answer("post.corridor.wanted", "J0001")
    post.run(5)
    lamps = post.plugins[0].state.people.level // 256
    assert lamps[13:17].tolist() == [100, 100, 100, 100], "the street is lit"
    scene.answers("prevenir", "prevenu")

    # They come, the car is towed, the exit is free.
    post.run(60)
    scene.drive("P0", 440)
    scene.unit_says("P0", "unit.arrived")
    scene.drive("P1", 460)
    scene.unit_says("P1", "unit.arrived")
    post.run(30)
    post.sample("X1", "access.blocked", 0)
    scene.unit_says("P1", "unit.freed")
    scene.unit_says("P0", "unit.freed")
    post.run(2)
    scene.answers("attendre", "libre")
    post.tell(scene.anne, "coordination.incident.acted", {"incident": "C1", "act": "close"})
    post.run(2)


def test_the_scene_of_the_opening_day(scene: OpeningDay) -> None:
    play(scene)
    post = scene.post
    assert scene.case().state == "closed"
    assert post.alarms["X1", "access_blocked"].state == "returned_unacked"
    assert post.faults == []
    assert post.kernel.requests.open == {}, "nothing that was asked for is unanswered"
    told = scene.timeline()
    in_order = [
        "opened: Cas ouvert : Accès réservé bloqué : X1",
        "cameras: Caméras proches : K1, K0, K2",
        "procedure: Fiche réflexe : Issue de secours bloquée, version 1",
        "asked: Demandé : des images",
        "taken: Pris en charge : des images K1",
        "answered: Réponse : Oui, par un véhicule",
        "take: Pris par Anne",
        "asked: Demandé : une unité (Véhicule devant une issue de secours)",
        "taken: Pris en charge : une unité (Véhicule devant une issue de secours) P0",
        "asked: Demandé : un couloir de priorité",
        "taken: Pris en charge : un couloir de priorité J0001",
        "answered: Réponse : Établissement prévenu",
        "done: Fait : une unité (Enlèvement devant une issue de secours) P1",
        "done: Fait : une unité (Véhicule devant une issue de secours) P0",
        "answered: Réponse : Libre",
        "ended: Fin de la fiche : Issue libre : le cas est résolu.",
        "close: Clos par Anne",
    ]
    places = [told.index(line) for line in in_order]
    assert places == sorted(places), told
    assert any(line.startswith("taken: Pris en charge : de l'éclairage L00") for line in told)
    entries = [
        event.data.n for event in post.events_of("coordination.entry.noted") if event.data.incident == "C1"
    ]
    assert entries == list(range(1, len(entries) + 1)), "no line is missing"


def test_a_replay_of_it_comes_to_the_same_hashes(scene: OpeningDay) -> None:
    play(scene)
    steps = [step for opened in scene.segments() for step in scene.replayed(opened)]
    assert len(steps) > 3000
    assert all(step.same for step in steps)


def test_the_scene_is_the_same_each_time(tmp_path: Path) -> None:
    hashes = set()
    for n in range(2):
        (tmp_path / str(n)).mkdir()
        again = OpeningDay(tmp_path / str(n))
        play(again)
        hashes.add(again.post.digest())
    assert len(hashes) == 1
