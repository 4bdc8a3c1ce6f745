"""A small city with teams, and a post in which a trade asks for jobs."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import Any

import msgspec

from ondijon import Declaration, Emit, Event, Proposal, Reads, Text, hookimpl, requests
from ondijon.testing import City, Post
from plugins.coordination.vocabulary import JobChanged, Team

T = Text("essai", "trial")
#: A whole day, from noon to noon: the post of a test begins at night.
DAY = "12:00-12:00"


class Config(msgspec.Struct, forbid_unknown_fields=True):
    pass


class State(msgspec.Struct):
    heard: list[str] = []


def asker(says: list[Proposal], name: str = "asker") -> ModuleType:
    """A trade that proposes what is put into ``says``, once."""
    module = ModuleType(name)

    @hookimpl
    def declare() -> Declaration:
        return Declaration(
            name=name,
            text=T,
            config=Config,
            state=State,
            ticks={"beat": 0.05},
            reads=Reads(events={"coordination.job.changed": JobChanged}),
        )

    @hookimpl
    def prepare() -> None:
        return None

    @hookimpl
    def start(state: State | None) -> State:
        return state or State()

    @hookimpl
    def on_events(events: tuple[Event, ...], state: State) -> None:
        state.heard += [f"{event.data.job} {event.data.state}" for event in events]

    @hookimpl
    def on_tick() -> Iterable[Proposal]:
        said = list(says)
        says.clear()
        return said

    for hook in (declare, prepare, start, on_events, on_tick):
        setattr(module, hook.__name__, hook)
    return module


class Teamwork:
    """A post with teams: E1 and E2 do lamps and roads, E3 greenery; a trade asks, tours plan, coordination follows."""

    def __init__(
        self,
        *,
        plugins: Iterable[str] = ("coordination", "tours"),
        shift: str = DAY,
        city: City | None = None,
        **given: Any,
    ) -> None:
        teams = {
            "E1": Team(["lamp", "road"], shift),
            "E2": Team(["lamp", "road"], shift),
            "E3": Team(["green"], shift),
        }
        city = (city or City.small()).having("team", teams)
        self.says: list[Proposal] = []
        self.post = Post(city, [asker(self.says), *plugins], **({"reload": True} | given))

    def wants(self, job: str, x: float | None = 100.0, *, asset: str = "", **given: Any) -> None:
        """The trade asks for a job ``x`` metres along the street, or at an asset, in the next step."""
        fields: dict[str, Any] = {
            "job": job,
            "title": Text(f"Travail {job}", f"Job {job}"),
            "skills": ("lamp",),
            "duration_s": 1200,
        } | given
        streets = self.post.kernel.city.streets
        place: dict[str, Any] = {}
        if asset:
            place = {"asset": self.post.kernel.city.assets.index[asset]}
        elif x is not None:
            place = {
                "lon": float(streets.node_lon[0] + (streets.node_lon[3] - streets.node_lon[0]) * x / 900),
                "lat": float(streets.node_lat[0]),
            }
        self.says.append(Emit(kind="post.job.wanted", data=requests.JobWanted(**fields), **place))

    def withdraws(self, job: str) -> None:
        """The trade needs a job no more."""
        data = requests.JobWithdrawn(job=job, reason="it went away")
        self.says.append(Emit(kind="post.job.withdrawn", data=data))

    def run(self, seconds: float = 3.0) -> None:
        """Let the post work; of a long time only the first and the last seconds."""
        if seconds > 5:
            self.post.run(1.1)
            self.post.jump(seconds - 3.2)
            seconds = 2.1
        self.post.run(seconds)

    def says_team(self, team: str, kind: str, **data: Any) -> None:
        """A team's tablet says something."""
        self.post.event(f"coordination.{kind}", data, asset=team)
        self.run()

    def job(self, name: str) -> Any:
        """The row of a job; None: not on the board."""
        return self.post.views.get("coordination.job", {}).get(f"asker/{name}")

    def mission(self, team: str) -> list[str]:
        """The sites of a team's mission."""
        row = self.post.views.get("coordination.mission", {}).get(team)
        return [stop.site for stop in row.stops] if row else []

    def heard(self) -> list[str]:
        """What the asking trade heard of its jobs."""
        return next(plugin for plugin in self.post.plugins if plugin.name == "asker").state.heard

    def answers(self) -> list[tuple[str, str]]:
        """What was answered to its requests, and for which."""
        names = {event.seq: event.data.job for event in self.post.events_of("post.job.wanted")}
        return [
            (names[event.data.request], event.data.answer)
            for event in self.post.events_of("post.request.answered")
        ]
