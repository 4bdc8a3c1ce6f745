"""Requests of citizens: from the call to the news, duplicates, reopening, clocks, and what must never be lost."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import job_clocks
from core import state as core_state
from core.wire import Refused
from ondijon.testing import City, Post
from plugins.allo_mairie import hooks
from plugins.allo_mairie.request import Request, number
from plugins.allo_mairie.shelves import CELL_M, Grid, Requests
from plugins.coordination.vocabulary import Team
from tests.plugins.teamwork import DAY

HOUR = 3600.0


class Line:
    """A post with the citizens' line and coordination, and one team that can do nearly everything."""

    def __init__(self, *plugins: str, settings: dict[str, Any] | None = None, **given: Any) -> None:
        skills = ["electricity", "lift", "asphalt", "truck", "chainsaw", "pipes", "signals", "sweeping"]
        city = City.small().having("team", {"E1": Team(skills, DAY)})
        self.post = Post(
            city,
            [hooks, *(plugins or ("coordination",))],
            config={"allo_mairie": settings or {}},
            **({"reload": True} | given),
        )
        self.anne = self.post.person("Anne", seconds=400 * 86_400)

    def run(self, seconds: float = 0.3) -> None:
        self.post.run(seconds)

    def place(self, x: float, north: float = 0.0) -> dict[str, float]:
        streets = self.post.kernel.city.streets
        lon = float(streets.node_lon[0] + (streets.node_lon[3] - streets.node_lon[0]) * x / 900)
        return {"lon": lon, "lat": float(streets.node_lat[0]) + north / 111_195}

    def report(
        self, category: str = "pothole", x: float | None = 100.0, *, asset: str = "", **given: Any
    ) -> None:
        """The application's gateway hands on a report."""
        data = {"category": category, "channel": "application"} | given
        if asset:
            self.post.event("allo_mairie.request.received", data, asset=asset)
        else:
            self.post.event("allo_mairie.request.received", data, **({} if x is None else self.place(x)))
        self.run()

    def tell(self, act: str, request: str = "R1", *, where: dict[str, Any] | None = None, **data: Any) -> Any:
        """An agent says something of a request."""
        answer = self.post.tell(
            self.anne, f"allo_mairie.request.{act}", {"request": request} | data, **(where or {})
        )
        self.run()
        return answer

    def row(self, key: str = "R1") -> Any:
        return self.post.views["allo_mairie.request"].get(key)

    def rows(self) -> list[str]:
        return sorted(self.post.views.get("allo_mairie.request", {}))

    def commune(self, name: str = "Petite-Ville") -> Any:
        return self.post.views["allo_mairie.commune"][name]

    def summary(self) -> Any:
        self.run(1.1)
        return self.post.views["allo_mairie.summary"]["city"]

    def news(self, key: str = "R1") -> list[str]:
        """What the citizens of a request were told."""
        told = [event.data for event in self.post.events_of("post.citizen.informed")]
        return [each.state for each in told if each.request == key]

    def filed(self) -> list[tuple[str, str]]:
        return [
            (each.data.request, each.data.how) for each in self.post.events_of("allo_mairie.report.filed")
        ]

    def jobs(self) -> list[tuple[str, int]]:
        """The jobs that were asked for, with their priority."""
        return [(each.data.job, each.data.priority) for each in self.post.events_of("post.job.wanted")]

    def refusals(self) -> list[str]:
        return [each.data.reason for each in self.post.events_of("allo_mairie.act.refused")]

    def clock(self, key: str = "R1") -> list[tuple[str, str]]:
        return [
            (each.state, each.reason)
            for each in job_clocks.intervals(
                (record for _, record in self.post.journal.read()), "allo_mairie", key
            )
        ]

    def does(self, job: str = "R1", end: bool = True) -> None:
        """The team begins the work of a job, and ends it."""
        for kind in ("begun", "ended")[: 1 + end]:
            self.post.event(f"coordination.visit.{kind}", {"site": f"allo_mairie/{job}"}, asset="E1")
            self.run()

    def later(self, seconds: float) -> None:
        """City time passes; all requests are looked at once after it."""
        self.post.jump(seconds)
        for _ in range(122):
            self.post.step()
            self.post.jump(0.95)
        self.run()


@pytest.fixture
def line() -> Line:
    return Line()


# -- from the call to the news


def test_from_a_call_to_the_team_and_back_to_the_citizen() -> None:
    line = Line("coordination", "tours")
    line.post.tell(
        line.anne,
        "allo_mairie.request.received",
        {"category": "lamp_out", "channel": "phone", "caller": "06 12", "words": "lampadaire éteint"},
        asset="L0003",
    )
    line.run(4)
    row = line.row()
    assert (row.state, row.team, row.asset, row.trade, row.commune) == (
        *("planned", "E1", "L0003", "lighting"),
        "Petite-Ville",
    )
    assert row.due_utc - row.received_utc == 72 * HOUR * 1e6
    line.does()
    line.run(2)
    assert (line.row().state, line.row().team) == ("resolved", "E1")
    assert line.news() == ["open", "planned", "in_progress", "resolved"]
    (told, *_) = line.post.events_of("post.citizen.informed")
    assert (
        told.data.title.fr == "Demande prise en compte, une équipe sera envoyée : Éclairage public en panne"
    )
    assert line.clock() == [("running", "")]
    assert line.post.faults == []


def test_a_job_is_asked_for_with_what_its_category_says(line: Line) -> None:
    line.report("fallen_tree")
    (asked,) = line.post.events_of("post.job.wanted")
    assert (asked.data.job, asked.data.skills, asked.data.duration_s) == ("R1", ("chainsaw",), 5400)
    assert (asked.data.priority, asked.data.latest_utc, asked.lon) == (2, line.row().due_utc, line.row().lon)
    (sign,) = line.post.events_of("post.sign.noted")
    assert (sign.data.topic, sign.data.category) == ("citizens.report", "fallen_tree")


def test_each_change_is_an_event_and_a_plan_made_anew_is_no_news(line: Line) -> None:
    line.report()
    for state in ("planned", "waiting", "planned", "held"):
        line.post.event(
            "coordination.job.changed", {"job": "allo_mairie/R1", "state": state, "reason": state}
        )
        line.run(0.2)
    changed = [each.data.state for each in line.post.events_of("allo_mairie.request.changed")]
    assert changed == ["open", "planned", "open", "planned", "open"]
    assert line.news() == ["open", "planned", "held"]
    assert (line.row().job, line.row().reason) == ("held", "held")


def test_what_is_told_of_other_jobs_changes_nothing(line: Line) -> None:
    line.report()
    for job in ("lighting/R1", "allo_mairie/R9", "allo_mairie/R1.2", "allo_mairie/x"):
        line.post.event("coordination.job.changed", {"job": job, "state": "done"})
    line.run()
    assert line.row().state == "open"
    assert line.post.faults == []


# -- duplicates


def test_a_sure_duplicate_joins_and_no_second_job_is_asked_for(line: Line) -> None:
    for n in range(3):
        line.report("lamp_out", asset="L0003", reference=f"A{n}")
    assert line.rows() == ["R1"]
    assert line.filed() == [("R1", "new"), ("R1", "joined"), ("R1", "joined")]
    assert (line.row().reports, len(line.row().records)) == (3, 3)
    assert line.jobs() == [("R1", 3)]
    assert line.news() == ["open", "open", "open"], "who reports it later hears how it stands"
    line.does()
    assert line.news()[3:] == ["in_progress", "resolved"]
    figures = line.commune()
    assert (figures.received_today, figures.duplicates, figures.open) == (3, 2, 0)


def unsure(line: Line) -> None:
    """Two potholes that may be one."""
    line.report()
    line.post.jump(HOUR)
    line.report(x=125)
    assert line.row("R2").state == "to_check", line.rows()


@pytest.fixture
def doubt() -> Line:
    line = Line(reload=False)
    unsure(line)
    return line


def test_an_unsure_duplicate_waits_for_an_agent(doubt: Line) -> None:
    row = doubt.row("R2")
    (suspect,) = row.suspects
    assert (row.reason, suspect.request, suspect.again) == ("duplicate", "R1", False)
    assert "25 m" in suspect.why.fr
    assert "1 h" in suspect.why.en
    assert doubt.jobs() == [("R1", 3)]
    assert doubt.summary().to_check == 1


def test_an_agent_says_that_two_are_one(doubt: Line) -> None:
    doubt.tell("judged", "R2", duplicate_of="R1")
    row = doubt.row("R2")
    assert (row.state, row.duplicate_of, row.reason) == ("closed", "R1", "duplicate")
    assert (doubt.row().reports, doubt.row().parts) == (2, ("R2",))
    assert doubt.jobs() == [("R1", 3)]
    doubt.does()
    assert doubt.news("R2") == ["to_check", "joined", "in_progress", "resolved"]
    assert doubt.clock("R2") == [("running", "")]
    assert doubt.summary().to_check == 0


def test_an_agent_says_that_two_are_two(doubt: Line) -> None:
    doubt.tell("judged", "R2")
    assert doubt.row("R2").state == "open"
    assert doubt.jobs() == [("R1", 3), ("R2", 3)]
    assert doubt.row("R2").suspects == ()
    doubt.tell("judged", "R2", duplicate_of="R1")
    assert doubt.row("R2").duplicate_of == "R1", "found later"
    assert [each.data.job for each in doubt.post.events_of("post.job.withdrawn")] == ["R2"]


def test_what_no_agent_judges_is_never_lost(doubt: Line) -> None:
    doubt.later(1800)
    assert doubt.row("R2").state == "open"
    assert doubt.jobs()[-1] == ("R2", 3)


def test_keys_and_address_tell_two_problems_apart(line: Line) -> None:
    line.report(keys=("trou", "chaussee"), address="12 rue Monge")
    line.report(x=104, keys=("trou", "route"), address="12 rue Monge")
    line.report(x=108, keys=("trou",), address="40 rue Monge")
    assert line.rows() == ["R1", "R3"]
    assert line.row().reports == 2


# -- reopening


def test_a_report_after_the_mending_reopens_with_a_more_urgent_job(line: Line) -> None:
    line.report("lamp_out", asset="L0003")
    line.does()
    line.later(2 * HOUR)
    line.report("lamp_out", asset="L0003")
    assert line.filed()[-1] == ("R1", "reopened")
    row = line.row()
    assert (row.state, row.reopened, row.priority, row.reports) == ("reopened", 1, 2, 2)
    assert line.jobs() == [("R1", 3), ("R1.2", 2)]
    assert row.due_utc - row.changed_utc == pytest.approx(36 * HOUR * 1e6, abs=1e6)
    line.does("R1.2")
    assert line.row().state == "resolved"
    assert line.news() == [*("open", "in_progress", "resolved"), *("reopened", "in_progress", "resolved")]
    assert line.commune().reopened == 1


def test_a_citizen_says_that_it_is_not_mended(line: Line) -> None:
    line.report()
    line.does()
    data = {"request": "R1", "caller": "06 12", "words": "toujours là"}
    line.post.event("allo_mairie.request.reopened", data)
    line.run()
    assert line.row().state == "reopened"
    line.post.event("coordination.visit.ended", {"site": "allo_mairie/R1"}, asset="E1")
    line.run()
    assert line.row().state == "reopened", "a tablet tells late of the first visit"


def test_the_part_of_another_is_reopened_with_it(doubt: Line) -> None:
    doubt.tell("judged", "R2", duplicate_of="R1")
    doubt.tell("reopened", "R2")
    assert doubt.refusals() == ["the request is open"]
    doubt.does()
    doubt.tell("reopened", "R2")
    assert (doubt.row().state, doubt.row("R2").state) == ("reopened", "closed")
    assert doubt.news("R2")[-1] == "reopened"


def test_an_agent_says_that_a_report_is_of_something_broken_again(doubt: Line) -> None:
    doubt.does()
    doubt.tell("judged", "R2", duplicate_of="R1", reopens=True)
    assert (doubt.row().state, doubt.row("R2").state) == ("reopened", "closed")


# -- what agents do


@pytest.mark.parametrize("why", ["not_ours", "done_otherwise", "cannot_be_done"])
def test_an_agent_closes_with_a_reason(line: Line, why: str) -> None:
    line.report()
    line.tell("closed", why=why, words="vu sur place")
    assert (line.row().state, line.row().reason) == ("closed", why)
    assert line.news() == ["open", f"closed_{why}"]
    assert [each.data.job for each in line.post.events_of("post.job.withdrawn")] == ["R1"]
    assert line.summary().resolved == (why == "done_otherwise")
    line.report(x=101)
    assert ("R2" in line.rows()) == (why != "done_otherwise")


def test_another_category_is_another_job(line: Line) -> None:
    line.report()
    line.tell("corrected", category="water_leak")
    row = line.row()
    assert (row.category, row.priority, row.trade) == ("water_leak", 2, "water")
    assert row.due_utc - row.received_utc == 24 * HOUR * 1e6
    assert line.jobs() == [("R1", 3), ("R1.2", 2)]
    line.tell("corrected", priority=1)
    assert line.row().due_utc - line.row().received_utc == 12 * HOUR * 1e6
    line.tell("corrected", category="ufo")
    line.tell("corrected", category="emergency")
    assert len(line.refusals()) == 2


def test_a_note_is_counted_and_its_words_are_in_the_journal_alone(line: Line) -> None:
    line.report()
    line.tell("noted", words="rappeler la dame")
    assert line.row().notes == 1
    assert b"rappeler" not in core_state.encode(line.post.plugins[0].state, 1)


def test_what_cannot_be_done_is_refused_with_a_reason(line: Line) -> None:
    line.report()
    line.tell("resumed")
    line.tell("reopened")
    line.tell("judged")
    line.tell("judged", duplicate_of="R1")
    line.tell("noted", "R9")
    line.does(end=False)
    line.tell("paused", why="citizen")
    line.tell("corrected", priority=1)
    assert len(line.refusals()) == 7
    assert line.refusals()[4] == "there is no such request"
    assert line.row().state == "in_progress"


def test_who_may_act_elsewhere_may_not_act_here(line: Line) -> None:
    line.report()
    local = line.post.person("Zoé", commune="Voisine")
    line.post.tell(local, "allo_mairie.request.closed", {"request": "R1", "why": "not_ours"}, asset="L0030")
    line.run()
    assert line.refusals() == ["the request is not where you may act"]


# -- clocks


def test_the_clock_stands_while_somebody_else_must_act(line: Line) -> None:
    line.report()
    due = line.row().due_utc
    line.tell("paused", why="citizen")
    assert (line.row().paused, line.row().due_utc, line.row().job) == ("citizen", 0, "withdrawn")
    line.later(300 * HOUR)
    assert not line.row().late
    line.tell("resumed")
    assert line.row().due_utc - due == pytest.approx(300 * HOUR * 1e6, abs=125e6)
    assert line.jobs()[-1][0] == "R1.2"
    assert line.clock() == [("running", ""), ("stopped", "citizen"), ("running", "")]
    assert line.news() == ["open", "paused_citizen", "open"]
    line.tell("closed", why="cannot_be_done")
    assert [each for each, _ in line.clock()] == ["running", "stopped", "running"]


def test_late_requests_are_one_alarm(line: Line) -> None:
    line.report()
    line.report("lamp_out", asset="L0003")
    line.later(121 * HOUR)
    assert line.row().late
    assert line.post.alarms["", "requests_late"].data["count"] >= 1
    assert (line.summary().late, line.summary().late_now, line.commune().late) == (2, 2, 2)
    for job in ("R1", "R2"):
        line.does(job)
    assert (line.summary().late, line.summary().late_now) == (2, 0)
    assert line.post.alarms["", "requests_late"].state == "returned_unacked"


def test_what_nobody_complains_of_is_closed_and_forgotten_in_the_end() -> None:
    line = Line(reload=False)
    line.report()
    line.does()
    line.later(7 * 86_400)
    assert line.row().state == "closed"
    line.later(23 * 86_400)
    assert line.row() is None
    assert line.summary().kept == 0
    line.tell("reopened")
    assert line.refusals() == ["there is no such request"]


# -- 112, and what is wrong


def test_an_emergency_belongs_to_112(line: Line) -> None:
    line.report("emergency", words="accident, un blessé")
    assert line.rows() == []
    (told,) = line.post.events_of("post.citizen.informed")
    assert told.data.state == "call_112"
    assert "112" in told.data.title.fr
    assert "114" in told.data.title.fr
    (sign,) = line.post.events_of("post.sign.noted")
    assert (sign.data.topic, sign.lon is None) == ("emergency.call_112", False)
    assert line.filed() == [("R1", "emergency")]
    assert line.jobs() == []
    assert line.summary().emergencies == 1


def test_a_report_without_a_place_waits_for_an_agent_to_say_where(line: Line) -> None:
    line.report(x=None)
    assert (line.row().state, line.row().reason) == ("to_check", "no_place")
    line.tell("corrected", where=line.place(100))
    assert (line.row().state, line.row().commune) == ("open", "Petite-Ville")
    assert line.jobs() == [("R1", 3)]


def test_a_report_without_a_place_is_not_lost_either() -> None:
    line = Line(reload=False)
    line.report(x=None)
    line.later(1800)
    assert (line.row().state, line.row().job, line.row().reason) == ("open", "held", "no_place")
    assert line.news() == ["to_check", "open", "held"]


def test_an_unknown_category_waits_for_an_agent(line: Line) -> None:
    line.report("ufo")
    assert (line.row().state, line.row().reason) == ("to_check", "unknown_category")
    assert line.row().title.fr == "Autre demande"
    line.tell("corrected", category="pothole")
    assert line.row().state == "open"


def test_an_unknown_asset_is_refused_at_the_door(line: Line) -> None:
    data = {"category": "lamp_out", "channel": "phone"}
    answer = line.post.tell(line.anne, "allo_mairie.request.received", data, asset="L9999")
    assert isinstance(answer, Refused)


def test_a_place_outside_of_the_city_is_followed_all_the_same(line: Line) -> None:
    line.post.event(
        "allo_mairie.request.received", {"category": "pothole", "channel": "counter"}, lon=6.5, lat=48.0
    )
    line.run()
    assert (line.row().state, line.row().commune) == ("open", "")
    assert line.summary().open == 1
    assert line.post.faults == []


# -- personal data


def test_erasing_the_caller_leaves_the_request(line: Line) -> None:
    line.report(caller="06 12 34", words="devant chez Mme Dupont", photo="trou.jpg")
    assert {each.value for each in line.post.kept("06 12 34")} == {
        *("06 12 34", "devant chez Mme Dupont", "trou.jpg")
    }
    record = line.row().records[0]
    assert {each.record for each in line.post.kept("06 12 34")} == {record}
    line.post.erase("06 12 34")
    assert "trou.jpg" not in {each.value for each in line.post.kept("06 12 34")}
    line.does()
    assert line.row().state == "resolved"


def test_no_word_of_a_citizen_is_in_the_state_or_in_clear_in_the_journal(line: Line) -> None:
    line.report(caller="06 12 34", words="devant chez Mme Dupont", keys=("dupont", "trou"))
    state = line.post.plugins[0].state
    assert b"dupont" not in core_state.encode(state, 1).lower(), "not even as a key"
    assert not any(b"Dupont" in record.data for _, record in line.post.journal.read())


# -- crashes, storms, size


@pytest.mark.parametrize("saved", [True, False])
def test_a_crash_loses_nothing(saved: bool) -> None:
    line = Line(reload=False)
    unsure(line)
    line.report("lamp_out", asset="L0003")
    line.does("R3")
    line.tell("paused", "R1", why="third_party")
    line.later(1800)
    if saved:
        line.post.save()
    line.report("lamp_out", asset="L0003")
    before = {key: msgspec.structs.replace(line.row(key)) for key in line.rows()}
    wanted, told, figures = line.jobs(), line.news(), line.summary()
    line.post.crash()
    line.later(1)
    assert {key: line.row(key) for key in line.rows()} == before
    assert (line.jobs(), line.news()) == (wanted, told)
    assert line.summary() == figures
    line.tell("resumed", "R1")
    assert line.row("R1").state == "open"
    assert line.post.faults == []


@pytest.mark.parametrize("crash", [False, True])
def test_a_storm_of_reports_is_answered_in_turn(crash: bool) -> None:
    line = Line(reload=False)
    n = 400
    for i in range(n):
        place = line.place(50.0, north=300.0 * i)
        line.post.event(
            "allo_mairie.request.received", {"category": "pothole", "channel": "open311"}, **place
        )
    line.run(2)
    if crash:
        line.post.crash()
    line.run(20)
    assert line.summary().received == n
    assert line.summary().waiting == 0
    assert len(line.filed()) == n
    assert len(line.jobs()) == n
    assert len(line.rows()) == n
    assert not any("allo_mairie" in fault for fault in line.post.faults), line.post.faults[:3]


def test_a_full_line_says_so_and_lets_go_of_what_is_over() -> None:
    line = Line(settings={"open_max": 2}, reload=False)
    line.report("lamp_out", asset="L0001")
    line.report("pothole", 300)
    line.report("graffiti", 600)
    assert line.filed()[-1] == ("R3", "refused")
    assert line.news("R3") == ["refused"]
    line.run(1.1)
    assert ("", "requests_full") in line.post.alarms
    line.report("lamp_out", asset="L0001")
    assert line.filed()[-1] == ("R1", "joined"), "what is known already is taken even so"
    line.does("R1")
    line.report("graffiti", 600)
    assert line.rows() == ["R2", "R5"]


def test_a_state_of_many_requests_is_copied_as_a_few_shelves() -> None:
    assert core_state.unchanging(Request)
    state = Line().post.plugins[0].state
    for n in range(1, 1_001):
        state.requests.put(Request(key=f"R{n}", category="pothole", channel="phone", priority=3))
    copy = core_state.copy(state)
    assert len(copy.requests.shelves) == 16
    assert all(copy.requests.shelves[at] is shelf for at, shelf in state.requests.shelves.items())
    assert copy.requests.get("R777") is state.requests.get("R777")


def test_figures_of_a_commune_begin_anew_each_day(line: Line) -> None:
    line.report()
    line.does()
    assert (line.commune().received_today, line.commune().resolved_today) == (1, 1)
    assert 0 <= line.commune().median_h <= 1
    line.later(HOUR)
    assert (line.commune().received_today, line.commune().resolved_today) == (0, 0)
    assert line.summary().resolved == 1


def test_a_corrected_place_is_where_duplicates_are_looked_for(line: Line) -> None:
    line.report(x=None)
    line.tell("corrected", where={"asset": "L0003"})
    assert (line.row().asset, line.row().state) == ("L0003", "open")
    line.report(x=75)
    assert line.filed()[-1][1] in ("joined", "to_check")
    line.tell("corrected", where=line.place(500))
    line.report(x=75)
    assert line.filed()[-1][0] != "R1"


def test_a_correction_keeps_the_time_that_was_waited(line: Line) -> None:
    line.report()
    line.tell("paused", why="third_party")
    line.later(100 * HOUR)
    line.tell("resumed")
    line.tell("corrected", category="water_leak")
    row = line.row()
    assert row.due_utc - row.received_utc == pytest.approx(124 * HOUR * 1e6, abs=130e6)
    assert not row.late


def test_what_is_unsure_still_waits_after_a_correction(doubt: Line) -> None:
    doubt.tell("corrected", "R2", priority=1)
    assert (doubt.row("R2").state, doubt.row("R2").priority) == ("to_check", 1)


def test_who_is_merged_into_what_is_done_hears_that_it_is_done(doubt: Line) -> None:
    doubt.does()
    doubt.tell("judged", "R2", duplicate_of="R1")
    assert doubt.news("R2") == ["to_check", "joined", "resolved"]


def test_a_long_chain_beside_a_report_cuts_nothing() -> None:
    line = Line("coordination", reload=False)
    for i in range(60):
        line.report("pothole", 50.0 + 14 * i)
        line.post.event(
            "allo_mairie.request.received", {"category": "lamp_out", "channel": "phone"}, asset="L0001"
        )
        line.post.step()
    line.run(5)
    assert line.post.kernel.counts["chains_cut"] == 0
    assert line.post.faults == []
    assert line.summary().waiting == 0


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 300)), max_size=60))
def test_requests_are_found_where_they_were_put(acts: list[tuple[bool, int]]) -> None:
    requests, kept = Requests(), {}
    for put, n in acts:
        request = Request(key=f"R{n}", category="pothole", channel="phone", priority=3, state="closed")
        if put:
            requests.put(request)
            kept[request.key] = request
        else:
            requests.drop(request.key)
            kept.pop(request.key, None)
    assert all(requests.get(f"R{n}") is kept.get(f"R{n}") for n in range(301))
    assert requests.count == requests.over == len(kept)
    assert sum(len(list(requests.share(turn, 3))) for turn in range(3)) == len(kept)
    oldest = requests.oldest_over()
    assert (oldest.key if oldest else "") == min(kept, key=number, default="")


@given(st.lists(st.tuples(st.integers(0, 30), st.floats(-2e4, 2e4), st.floats(-2e4, 2e4)), max_size=30))
def test_what_is_near_is_found_once(places: list[tuple[int, float, float]]) -> None:
    grid, at = Grid(), {}
    for n, x, y in places:
        key = f"R{n}"
        if key in at:
            grid.take(key, *at.pop(key))
        grid.put(key, x, y)
        at[key] = (x, y)
    for x, y in at.values():
        near = grid.near(x, y)
        assert len(near) == len(set(near))
        assert {key for key, there in at.items() if math.dist(there, (x, y)) <= CELL_M} <= set(near)
    for key, there in at.items():
        grid.take(key, *there)
    assert grid == Grid()


def test_requests_at_one_place_do_not_make_a_turn_long() -> None:
    line = Line(reload=False)
    for i in range(300):
        line.post.event(
            "allo_mairie.request.received",
            {"category": "pothole", "channel": "phone"},
            **line.place(100.0 + 35 * (i % 5), north=35.0 * (i % 4)),
        )
    line.run(40)
    assert line.summary().received == 300
    assert line.summary().waiting == 0
    assert line.post.faults == []
