"""Units: who goes, what the way is, what nobody needs to know, and what happens when nobody is free."""

from __future__ import annotations

from typing import Any

import pytest

from ondijon import Emit, Text, requests
from ondijon.testing import City
from plugins.police.vocabulary import Patrol
from tests.plugins.teamwork import DAY, Teamwork

T = Text("Véhicule gênant", "Vehicle in the way")


class Police(Teamwork):
    """A post with three patrols along the street and one tow truck."""

    def __init__(self, *, shift: str = DAY, **given: Any) -> None:
        units = {f"P{i}": Patrol(["patrol"], shift) for i in (1, 2)} | {"F1": Patrol(["tow"], shift)}
        super().__init__(
            plugins=("police", "coordination"), city=City.small().having("patrol", units), **given
        )

    def wants_unit(self, x: float = 100, skills: tuple[str, ...] = ("patrol",), priority: int = 1) -> int:
        data = requests.UnitWanted(skills=skills, title=T, priority=priority)
        self.says.append(Emit(kind="post.unit.wanted", data=data, **self.at(x)))
        self.run(0.3)
        return self.post.events_of("post.unit.wanted")[-1].seq

    def at(self, x: float) -> dict[str, float]:
        streets = self.post.kernel.city.streets
        lon = float(streets.node_lon[0] + (streets.node_lon[3] - streets.node_lon[0]) * x / 900)
        return {"lon": lon, "lat": float(streets.node_lat[0])}

    def moves(self, unit: str, x: float) -> None:
        at = self.at(x)
        self.post.sample(unit, "patrol.lon", at["lon"])
        self.post.sample(unit, "patrol.lat", at["lat"])
        self.run(2.1)

    def says_unit(self, unit: str, what: str) -> None:
        self.post.event(f"police.{what}", {}, asset=unit)
        self.run(0.3)

    def row(self, unit: str) -> Any:
        return self.post.views["police.unit"][unit]

    def sent(self) -> list[Any]:
        return [event.data for event in self.post.events_of("police.unit.sent")]

    def unit_answers(self) -> list[tuple[int, str, tuple[str, ...]]]:
        return [
            (each.data.request, each.data.answer, each.data.by)
            for each in self.post.events_of("post.request.answered")
        ]


@pytest.fixture
def police() -> Police:
    return Police()


def test_who_is_there_first_goes_and_its_way_is_cleared(police: Police) -> None:
    police.moves("P1", 50)
    police.moves("P2", 850)
    request = police.wants_unit(600)
    (sent,) = police.sent()
    assert (sent.unit, sent.other, sent.more_s > 0) == ("P2", "P1", True)
    assert sent.edges == (2, 1)
    (corridor,) = police.post.events_of("post.corridor.wanted")
    assert (corridor.data.vehicle, corridor.data.edges) == ("P2", (2, 1))
    assert corridor.data.until_utc == sent.arrive_utc + 60_000_000
    assert police.unit_answers() == [(request, "taken", ("P2",))]
    assert police.post.faults == []


def test_a_unit_goes_comes_and_is_free_again(police: Police) -> None:
    request = police.wants_unit()
    unit = police.sent()[0].unit
    assert police.row(unit).state == "going"
    police.run(30)
    police.says_unit(unit, "unit.arrived")
    assert police.row(unit).state == "there"
    police.says_unit(unit, "unit.freed")
    assert police.row(unit).state == "free"
    assert police.unit_answers()[-1] == (request, "done", (unit,))
    (summary,) = police.post.views["police.summary"].values()
    assert (summary.on_duty, summary.free, summary.response_s >= 30) == (3, 3, True)


def test_only_skills_that_fit_are_sent(police: Police) -> None:
    police.wants_unit(skills=("tow",))
    assert police.sent()[0].unit == "F1"
    police.wants_unit(skills=("diver",))
    police.run(31)
    assert [event.data.kind for event in police.post.events_of("post.request.expired")] == [
        "post.unit.wanted"
    ]


def test_what_waits_is_taken_by_the_next_that_is_free_the_urgent_first(police: Police) -> None:
    first = police.wants_unit()
    police.wants_unit()
    late = police.wants_unit(priority=3)
    urgent = police.wants_unit(priority=1)
    assert len(police.sent()) == 2
    police.says_unit(police.sent()[0].unit, "unit.freed")
    assert [each.request for each in police.sent()][-1] == urgent
    police.says_unit(police.sent()[1].unit, "unit.freed")
    assert [each.request for each in police.sent()][-1] == late
    assert police.unit_answers()[0][0] == first


def test_a_unit_off_duty_is_not_sent() -> None:
    police = Police(shift="07:00-15:00")
    police.wants_unit()
    assert police.sent() == []
    assert police.row("P1").state == "off"


def test_who_is_called_to_nothing_is_blurred(police: Police) -> None:
    police.moves("P1", 100)
    police.run(10)
    row = police.row("P1")
    exact = police.at(100)
    assert not row.exact
    assert abs(row.lon - exact["lon"]) > 1e-4
    police.wants_unit(100)
    row = police.row("P1")
    assert (row.exact, row.lon) == (True, pytest.approx(exact["lon"], abs=1e-5))
    assert not [event for event in police.post.events if "patrol.lon" in event.kind]


def test_an_officers_alarm_is_a_case_and_the_nearest_other_goes(police: Police) -> None:
    police.moves("P1", 50)
    waiting = police.wants_unit(60)
    assert police.sent()[0].unit == "P1"
    police.says_unit("P1", "alarm.raised")
    police.run(3)
    assert ("P1", "officer_alarm") in police.post.alarms
    assert police.row("P1").state == "alarm"
    assert police.post.views["coordination.incident"]["C1"].category == "aggression"
    assert police.sent()[1].unit == "P2"
    assert police.sent()[1].request in (waiting, police.post.events_of("post.unit.wanted")[-1].seq)
    police.says_unit("P1", "alarm.raised")
    assert len(police.post.events_of("post.incident.suggested")) == 1
    police.says_unit("P1", "unit.freed")
    police.run(3)
    assert police.post.alarms["P1", "officer_alarm"].state == "returned_unacked"


def test_a_call_is_a_sign_and_an_urgent_one_a_case(police: Police) -> None:
    police.post.event(
        "police.call.received", {"category": "accident", "caller": "0380", "words": "choc"}, **police.at(100)
    )
    police.run(0.3)
    (sign,) = police.post.events_of("post.sign.noted")
    assert (sign.data.topic, sign.data.category) == ("police.call", "accident")
    police.post.event("police.call.received", {"category": "lost_child", "urgent": True}, **police.at(100))
    police.run(0.3)
    assert police.post.views["coordination.incident"]["C1"].category == "lost_child"
    assert [line.kept for line in police.post.kept("0380")] != []


def test_a_closed_street_is_gone_round_or_not_driven(police: Police) -> None:
    closed = requests.ClosureDeclared(closure="c", state="closed", title=T, edges=(0, 1, 2))
    police.says.append(Emit(kind="post.closure.declared", data=closed))
    police.run(0.3)
    police.wants_unit(850)
    assert police.sent() == []


def test_a_request_without_a_place_is_refused(police: Police) -> None:
    data = requests.UnitWanted(skills=("patrol",), title=T)
    police.says.append(Emit(kind="post.unit.wanted", data=data))
    police.run(0.3)
    assert police.unit_answers()[0][1] == "refused"


def test_a_crash_forgets_no_unit_that_is_under_way() -> None:
    police = Police(reload=False)
    police.wants_unit()
    unit = police.sent()[0].unit
    police.post.crash()
    police.run(11)
    assert police.row(unit).state == "going"
