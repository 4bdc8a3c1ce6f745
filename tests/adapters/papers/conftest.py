"""A night at a post, as a data folder on disk: cases, jobs, alarms, a refusal, words that stay sealed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.papers.folder import Folder
from core.clock import SECOND
from core.journal import Record, SqliteJournal
from ondijon import Emit, Text, requests
from ondijon.testing import Post
from tests.plugins.teamwork import Teamwork

#: What nobody may find on paper.
SECRET = "cinq ans, manteau rouge, rue Devosge"

#: A title that somebody wrote to do harm.
EVIL = Text('Fuite <script>alert("x")</script> & eau', 'Leak <script>alert("x")</script> & water')


class Night(Teamwork):
    """A post whose journal is then brought to disk."""

    def __init__(self) -> None:
        super().__init__(plugins=("coordination", "tours"), reload=False)
        self.anne = self.post.person("Anne")
        self.begin = self.post.utc

    def suggest(self, category: str, x: float, title: Text, priority: int = 2) -> None:
        """A trade is sure that there is a case, ``x`` metres along the street."""
        streets = self.post.kernel.city.streets
        lon = float(streets.node_lon[0] + (streets.node_lon[3] - streets.node_lon[0]) * x / 900)
        data = requests.IncidentSuggested(category=category, title=title, priority=priority)  # type: ignore[arg-type]
        self.says.append(
            Emit(kind="post.incident.suggested", data=data, lon=lon, lat=float(streets.node_lat[0]))
        )
        self.run(0.3)

    def act(self, act: str, incident: str, **given: Any) -> None:
        """Anne does something of a case."""
        self.post.tell(self.anne, "coordination.incident.acted", {"incident": incident, "act": act} | given)
        self.run(0.3)

    def answer(self, step: str, answer: str, incident: str, **given: Any) -> None:
        """Anne answers a step."""
        data = {"incident": incident, "step": step, "answer": answer} | given
        self.post.tell(self.anne, "coordination.step.answered", data)
        self.run(0.3)

    def live(self) -> None:
        """What happens in it: C1 accident, escalated; C2 lost child; C3 closed; C4 with an evil title."""
        self.suggest(
            "road_accident", 100, Text("Accident rue de la Liberté", "Accident, rue de la Liberté"), 1
        )
        self.suggest("lost_child", 300, Text("Enfant perdu", "Lost child"), 1)
        self.answer("decrire", "pris", "C2", words=SECRET, concerns="Léa")
        self.suggest("fallen_tree", 500, Text("Arbre tombé, parc", "Fallen tree, park"))
        self.act("take", "C3")
        self.act("close", "C3", words=SECRET)
        self.suggest("unknown", 700, EVIL, 3)
        self.act("resume", "C4")
        self.wants("lampe", 200, title=Text("Changer la lampe L0007", "Change lamp L0007"))
        self.wants("nulle-part", None, title=Text("Réparer, lieu inconnu", "Mend, place unknown"), priority=1)
        self.post.run(70)
        self.act("note", "C2", words=SECRET)
        self.post.shelve("", "jobs_held", 3600, "on attend l'adresse", person="Bruno")
        self.run(2)


def bring(post: Post, folder: Path, *, corrupt: Callable[[int, Record], Record] = lambda _, it: it) -> Path:
    """The journal of a post in memory as the data folder of one that was stopped in good order."""
    journal = SqliteJournal(folder)
    snapshots = dict(post.journal.snapshots())
    register = post.journal.register()
    for seq, record in post.journal.read():
        if seq in snapshots:
            held = register[1] if register and register[0] == seq else None
            journal.save(record.step, record.utc, snapshots[seq], held)
        else:
            journal.append([corrupt(seq, record)])
    journal.close()
    return folder


@pytest.fixture(scope="session")
def night() -> Night:
    """The night, lived once."""
    night = Night()
    night.live()
    night.post.save()
    assert night.post.faults == []
    return night


@pytest.fixture(scope="session")
def data(night: Night, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its data folder, with a snapshot at the end."""
    return bring(night.post, tmp_path_factory.mktemp("night"))


@pytest.fixture
def folder(data: Path) -> Any:
    """The folder, opened."""
    with Folder(data) as opened:
        yield opened


def at(night: Night, seconds: float) -> int:
    """A time of the night, µs."""
    return night.begin + int(seconds * SECOND)
