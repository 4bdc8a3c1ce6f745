"""Works that everybody obeys, defects that become jobs, accesses that must stay free."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import PluginError
from ondijon.testing import City
from plugins.roads.vocabulary import Access
from tests.plugins.teamwork import Teamwork

HOUR = 3_600_000_000


class Roads(Teamwork):
    """A post with roads, teams and tours, and an emergency exit."""

    def __init__(self, **given: Any) -> None:
        city = City.small().having("access", {"X1": Access("emergency exit")})
        super().__init__(plugins=("roads", "coordination", "tours"), city=city, **given)
        self.anne = self.post.person("Anne")

    def at(self, x: float) -> dict[str, float]:
        streets = self.post.kernel.city.streets
        lon = float(streets.node_lon[0] + (streets.node_lon[3] - streets.node_lon[0]) * x / 900)
        return {"lon": lon, "lat": float(streets.node_lat[0])}

    def tell(self, kind: str, data: dict[str, Any], **place: Any) -> None:
        self.post.tell(self.anne, f"roads.{kind}", data, **place)
        self.run()

    def closures(self) -> list[tuple[str, str, tuple[int, ...]]]:
        said = [event.data for event in self.post.events_of("post.closure.declared")]
        return [(each.closure, each.state, each.edges) for each in said]

    def told(self, kind: str) -> list[str]:
        return [event.data.state for event in self.post.events_of(f"roads.{kind}.changed")]

    def reasons(self, kind: str) -> list[str]:
        return [event.data.reason for event in self.post.events_of(f"roads.{kind}.changed")]


@pytest.fixture
def roads() -> Roads:
    return Roads()


def test_a_closure_is_obeyed_until_it_is_over(roads: Roads) -> None:
    roads.tell("works.declared", {"works": "rue-1", "title": "Réseau d'eau", "edges": [0, 1, 2]})
    assert roads.closures() == [("rue-1", "closed", (0, 1, 2))]
    roads.wants("a", 850)
    roads.run()
    assert roads.job("a").reason == "no_way"
    roads.tell("works.ended", {"works": "rue-1"})
    assert roads.job("a").state == "planned"
    assert roads.told("works") == ["planned", "running", "over"]
    assert "rue-1" not in roads.post.views["roads.works"]
    assert roads.post.faults == []


def test_works_begin_and_end_by_their_dates(roads: Roads) -> None:
    now = roads.post.utc
    works = {"works": "w", "title": "Marché", "from_utc": now + HOUR, "until_utc": now + 2 * HOUR}
    roads.tell("works.declared", works, **roads.at(450))
    assert roads.post.views["roads.works"]["w"].state == "planned"
    assert roads.closures()[0][2] == (1,)
    roads.post.jump(3600)
    roads.run()
    assert roads.post.views["roads.works"]["w"].state == "running"
    roads.post.jump(3600)
    roads.run()
    assert roads.told("works") == ["planned", "running", "over"]
    assert roads.closures()[-1][1] == "lifted"


def test_works_beside_works_know_of_each_other_and_a_permit_closes_nothing(roads: Roads) -> None:
    roads.tell(
        "works.declared", {"works": "a", "title": "Fibre", "edges": [1], "closed": False, "permit": "2026-12"}
    )
    roads.tell("works.declared", {"works": "b", "title": "Gaz", "edges": [1, 2]})
    assert roads.post.views["roads.works"]["b"].beside == ("a",)
    assert [each[0] for each in roads.closures()] == ["b"]
    roads.tell("works.declared", {"works": "b", "title": "Gaz", "edges": [1, 2], "closed": False})
    assert roads.closures()[-1] == ("b", "lifted", (1, 2))


@pytest.mark.parametrize(
    ("works", "reason"),
    [
        ({}, "no street section"),
        ({"edges": [99]}, "the city has no street section 99"),
        ({"edges": [1], "until_utc": 5}, "they end before they begin"),
        ({"edges": [1], "from_utc": 1 << 60, "until_utc": 1 << 59}, "they end before they begin"),
    ],
)
def test_works_that_cannot_be_are_refused_with_a_reason(roads: Roads, works: dict, reason: str) -> None:
    roads.tell("works.declared", {"works": "w", "title": "t"} | works)
    assert roads.told("works") == ["refused"]
    assert reason in roads.reasons("works")[0]
    assert roads.closures() == []


def test_a_defect_becomes_a_job_and_the_delay_is_counted(roads: Roads) -> None:
    roads.tell("defect.reported", {"kind": "hole"}, **roads.at(450))
    row = roads.post.views["roads.defect"]["D1"]
    assert (row.state, row.street, row.street_class, row.priority) == ("known", "Rue des Godrans", "local", 2)
    assert row.due_utc - row.since_utc == 72 * HOUR
    job = roads.post.views["coordination.job"]["roads/D1"]
    assert (job.state, job.skills) == ("planned", ("road",))
    roads.post.jump(5 * 3600)
    roads.says_team(job.team, "visit.begun", site="roads/D1")
    roads.says_team(job.team, "visit.ended", site="roads/D1")
    roads.run(31)
    assert roads.told("defect") == ["known", "begun", "mended"]
    delay = roads.post.views["roads.delay"]["local"]
    assert (delay.begun, delay.in_time, delay.share_pct) == (1, 1, 100.0)
    assert delay.median_h == pytest.approx(5, abs=0.1)
    (sign,) = roads.post.events_of("post.sign.noted")
    assert sign.data.topic == "roads.defect"


def test_a_defect_that_nobody_is_at_in_time_is_told(roads: Roads) -> None:
    roads.tell("defect.reported", {"kind": "spill"}, **roads.at(450))
    roads.post.jump(4 * 3600 + 60)
    roads.run(31)
    assert ("", "defects_late") in roads.post.alarms
    assert roads.post.views["roads.delay"]["local"].open_late == 1


@pytest.mark.parametrize(
    ("data", "place", "reason"),
    [
        ({"kind": "dragon"}, {"lon": 5.04, "lat": 47.32}, "no kind of defect is called 'dragon'"),
        ({"kind": "hole"}, {"lon": 8.0, "lat": 47.32}, "it is on no street"),
        ({"kind": "hole"}, {}, "it is on no street"),
    ],
)
def test_a_defect_that_is_none_is_refused_with_a_reason(
    roads: Roads, data: dict, place: dict, reason: str
) -> None:
    roads.tell("defect.reported", data, **place)
    assert roads.reasons("defect") == [reason]
    assert "roads.defect" not in roads.post.views


def test_an_access_that_is_blocked_for_a_while_is_an_alarm_and_a_case(roads: Roads) -> None:
    roads.post.sample("X1", "access.blocked", 1)
    roads.run(30)
    assert ("X1", "access_blocked") not in roads.post.alarms
    roads.run(35)
    assert roads.post.alarms["X1", "access_blocked"].state == "unacked_active"
    case = roads.post.views["coordination.incident"]["C1"]
    assert (case.category, case.assets) == ("blocked_exit", ("X1",))
    roads.post.sample("X1", "access.blocked", 0)
    roads.run()
    assert roads.post.alarms["X1", "access_blocked"].state == "returned_unacked"
    assert len(roads.post.events_of("post.incident.suggested")) == 1


def test_a_street_class_without_a_delay_stops_the_start() -> None:
    with pytest.raises(PluginError, match="`delay_h` must name"):
        Roads(config={"roads": {"delay_h": {"local": [1, 2, 3]}}})


def test_a_crash_forgets_no_works_and_no_defect() -> None:
    roads = Roads(reload=False)
    roads.tell("works.declared", {"works": "w", "title": "Fibre", "edges": [1]})
    roads.tell("defect.reported", {"kind": "hole"}, **roads.at(100))
    roads.post.crash()
    roads.run(31)
    assert list(roads.post.views["roads.works"]) == ["w"]
    assert list(roads.post.views["roads.defect"]) == ["D1"]
