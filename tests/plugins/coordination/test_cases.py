"""Cases: who opens them, what their procedures do, what persons may, and what happens when nobody does anything."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ondijon import Emit, Text, requests
from ondijon.testing import City
from plugins.coordination import procedure
from tests.plugins.teamwork import Teamwork

T = Text("Véhicule devant l'issue", "Vehicle before the exit")


class Camera(msgspec.Struct, frozen=True):
    model: str


class Cases(Teamwork):
    """A post without tours, in which a trade suggests cases."""

    def __init__(self, **given: Any) -> None:
        super().__init__(plugins=("coordination",), **given)
        self.anne = self.post.person("Anne")

    def suggest(self, category: str = "blocked_exit", x: float = 100.0, priority: int = 1) -> None:
        streets = self.post.kernel.city.streets
        lon = float(streets.node_lon[0] + (streets.node_lon[3] - streets.node_lon[0]) * x / 900)
        data = requests.IncidentSuggested(category=category, title=T, priority=priority)
        self.says.append(
            Emit(kind="post.incident.suggested", data=data, lon=lon, lat=float(streets.node_lat[0]))
        )
        self.run(0.3)

    def tell(self, kind: str, **data: Any) -> None:
        self.post.tell(self.anne, f"coordination.{kind}", data)
        self.run(0.3)

    def act(self, act: str, incident: str = "C1", **given: Any) -> None:
        self.tell("incident.acted", incident=incident, act=act, **given)

    def answer(self, step: str, answer: str, incident: str = "C1", **given: Any) -> None:
        self.tell("step.answered", incident=incident, step=step, answer=answer, **given)

    def row(self, key: str = "C1") -> Any:
        return self.post.views["coordination.incident"].get(key)

    def timeline(self, key: str = "C1") -> list[str]:
        noted = [event.data for event in self.post.events_of("coordination.entry.noted")]
        return [each.code for each in noted if each.incident == key]

    def refusals(self) -> list[str]:
        return [event.data.reason for event in self.post.events_of("coordination.act.refused")]

    def reply(self, kind: str, answer: str, **given: Any) -> None:
        request = self.post.events_of(kind)[-1].seq
        self.post.event(
            "post.request.answered", requests.RequestAnswered(request=request, answer=answer, **given)
        )
        self.run(0.3)


@pytest.fixture
def cases() -> Cases:
    return Cases()


def test_a_suggestion_opens_a_case_and_its_procedure(cases: Cases) -> None:
    cases.suggest()
    row = cases.row()
    assert (row.state, row.priority, row.title, row.step.step) == ("new", 1, T, "constater")
    assert row.step.answers["non"] == Text("Non", "No")
    assert cases.timeline() == ["opened", "procedure", "step", "step", "asked"]
    (look,) = cases.post.events_of("post.look.wanted")
    assert (look.data.incident, look.lon) == ("C1", row.lon)
    (answered,) = cases.post.events_of("post.request.answered")
    assert (answered.data.answer, answered.data.by) == ("taken", ("C1",))
    assert cases.post.faults == []


def test_the_same_place_and_kind_is_the_same_case(cases: Cases) -> None:
    cases.suggest()
    cases.suggest(x=130)
    cases.suggest(x=600)
    cases.suggest("road_accident", x=100)
    assert sorted(cases.post.views["coordination.incident"]) == ["C1", "C2", "C3"]
    assert cases.row("C1").signs == 1


def test_a_procedure_is_led_to_its_end(cases: Cases) -> None:
    cases.suggest()
    cases.answer("constater", "oui")
    row = cases.row()
    assert (row.state, row.owner, row.step.step) == ("in_progress", "Anne", "prevenir")
    assert [event.data.skills for event in cases.post.events_of("post.unit.wanted")] == [
        ("patrol",),
        ("tow",),
    ]
    assert len(cases.post.events_of("post.light.wanted")) == 1
    cases.reply("post.unit.wanted", "taken", by=("F1",))
    cases.answer("prevenir", "prevenu")
    cases.answer("attendre", "libre", words="place libre à 14 h 10")
    assert (cases.row().state, cases.row().step) == ("resolved", None)
    cases.act("close")
    assert cases.row().state == "closed"
    assert cases.timeline()[-6:] == ["answered", "step", "answered", "step", "ended", "close"]
    noted = [event.data.words for event in cases.post.events_of("coordination.entry.noted")]
    words = next(each for each in noted if each)
    assert cases.post.opened(words) == "place libre à 14 h 10"
    assert cases.post.faults == []


def test_a_step_that_nobody_answers_leads_on_or_is_told(cases: Cases) -> None:
    cases.suggest()
    cases.run(121)
    assert "late" in cases.timeline()
    assert cases.row().step.step == "prevenir"
    cases.run(301)
    assert cases.row().step.late
    assert ("", "steps_late") in cases.post.alarms


def test_a_step_that_awaits_goes_on_when_the_work_is_done() -> None:
    cases = Cases()
    cases.suggest("road_accident")
    for step, answer in (("victimes", "non"), ("chaussee", "nettoyer")):
        cases.answer(step, answer)
    assert cases.row().step.step == "nettoyer"
    job = cases.post.events_of("post.job.wanted")[-1]
    assert (job.data.incident, job.data.priority, job.data.skills) == ("C1", 1, ("road",))
    cases.reply("post.look.wanted", "done")
    assert cases.row().step.step == "nettoyer", "images are not what this step awaits"
    cases.says_team("E1", "visit.ended", site=f"coordination/{job.data.job}")
    assert cases.row().state == "resolved"


def test_what_nobody_answers_is_told_in_the_case(cases: Cases) -> None:
    cases.suggest()
    cases.run(16)
    assert cases.timeline()[-1] == "expired"
    assert cases.row().latest[-1].text.fr == "Personne ne répond : des images"


def test_a_case_that_nobody_takes_is_escalated(cases: Cases) -> None:
    cases.suggest("gas_smell")
    cases.run(61)
    assert cases.row().watchers == ("chef de salle",)
    assert ("", "cases_unattended") in cases.post.alarms
    cases.run(121)
    assert cases.row().watchers == ("chef de salle", "cadre d'astreinte")
    assert cases.row().level == 2
    cases.act("take")
    cases.run(1.1)
    assert cases.row().level == 0
    assert cases.post.alarms["", "cases_unattended"].state == "returned_unacked"


def test_what_persons_do_of_a_case(cases: Cases) -> None:
    cases.suggest("unknown_to_anybody")
    for act, to, state in (
        ("take", "", "in_progress"),
        ("hold", "", "on_hold"),
        ("resume", "", "in_progress"),
        ("hand_over", "Bruno", "in_progress"),
        ("prioritise", "3", "in_progress"),
        ("watch", "", "in_progress"),
        ("note", "", "in_progress"),
        ("resolve", "", "resolved"),
        ("reopen", "", "in_progress"),
        ("close", "", "closed"),
    ):
        cases.act(act, to=to, words="un mot")
        assert cases.row().state == state, act
    row = cases.row()
    assert (row.owner, row.priority, row.watchers) == ("Bruno", 3, ("Anne",))
    assert cases.timeline()[1:] == [
        *("take", "hold", "resume", "hand_over", "prioritise", "watch", "note", "resolve", "reopen", "close")
    ]
    assert cases.refusals() == []


def test_what_cannot_be_done_is_refused_with_a_reason(cases: Cases) -> None:
    cases.suggest()
    cases.act("resume")
    cases.act("take", "C9")
    cases.act("hand_over")
    cases.act("prioritise", to="7")
    cases.act("merge", to="C1")
    cases.act("procedure", to="nothing")
    cases.answer("police", "oui")
    cases.answer("constater", "peut-etre")
    assert len(cases.refusals()) == 8
    assert cases.refusals()[0] == "the case is new"
    assert cases.row().state == "new"


def test_evidence_that_is_missing_is_asked_for(cases: Cases) -> None:
    cases.suggest("lost_child")
    cases.answer("decrire", "pris")
    assert cases.refusals() == ["this step wants words or a picture with the answer"]
    cases.answer("decrire", "pris", words="cinq ans, manteau rouge", concerns="Léa")
    assert cases.row().step.step == "diffuser"
    assert [line.field for line in cases.post.kept("Léa")] != []
    cases.post.erase("Léa")
    assert cases.row().step.step == "diffuser"


def test_a_person_opens_a_case_and_parts_of_it(cases: Cases) -> None:
    lamp = cases.post.kernel.city.assets.ids[5]
    cases.post.tell(cases.anne, "coordination.incident.reported", {"category": "gas_smell"}, asset=lamp)
    cases.run(0.3)
    cases.tell("incident.reported", category="crowd", parent="C1")
    assert cases.row("C1").assets == (lamp,)
    assert cases.row("C2").parent == "C1"
    cases.act("close", "C1")
    assert cases.refusals() == ["C2 are parts of it and not over"]
    cases.act("close", "C2")
    cases.act("close", "C1")
    assert cases.row("C1").state == "closed"


def test_two_cases_that_are_one_are_merged(cases: Cases) -> None:
    cases.suggest(x=100)
    cases.suggest(x=600)
    cases.suggest(x=600)
    cases.act("merge", "C2", to="C1")
    assert cases.row("C2").state == "closed"
    assert cases.row("C1").signs == 1
    assert cases.timeline("C1")[-1] == "merged"


def test_a_case_over_two_communes_is_seen_by_both_and_by_nobody_else(cases: Cases) -> None:
    cases.suggest(x=130)
    before = cases.post.events_of("coordination.incident.changed")[-1].data.communes
    cases.suggest(x=190)
    after = cases.post.events_of("coordination.incident.changed")[-1].data.communes
    assert (before, after) == ((0,), (0, 1))
    local = cases.post.person("Zoé", commune="Voisine")
    lamp = next(id for id in cases.post.kernel.city.assets.ids if id == "L0030")
    cases.post.tell(local, "coordination.incident.acted", {"incident": "C1", "act": "take"}, asset=lamp)
    cases.run(0.3)
    assert cases.row().owner == "Zoé"


def test_who_may_act_elsewhere_may_not_act_here(cases: Cases) -> None:
    cases.suggest(x=100)
    local = cases.post.person("Zoé", commune="Voisine")
    cases.post.tell(local, "coordination.incident.acted", {"incident": "C1", "act": "take"}, asset="L0030")
    cases.run(0.3)
    assert cases.refusals() == ["the case is not where you may act"]
    assert cases.row().owner == ""


@pytest.mark.parametrize("saved", [True, False])
def test_a_crash_loses_no_case(saved: bool) -> None:
    cases = Cases(reload=False)
    cases.suggest()
    cases.answer("constater", "oui")
    if saved:
        cases.post.save()
    cases.answer("prevenir", "prevenu")
    cases.post.crash()
    cases.post.run(62)
    assert (cases.row().state, cases.row().step.step) == ("in_progress", "attendre")
    cases.answer("attendre", "libre")
    assert cases.row().state == "resolved"


def test_what_is_over_is_forgotten_after_a_while(cases: Cases) -> None:
    cases.suggest("unknown")
    cases.act("close")
    cases.post.jump(9 * 3600)
    cases.run(2)
    assert "C1" not in cases.post.views["coordination.incident"]


def test_the_nearest_cameras_are_named() -> None:
    cases = Cases(city=City.small().having("camera", {f"K{i}": Camera("dome") for i in range(5)}))
    assert cases.post.faults == []
    cases.suggest(x=100)
    assert cases.row().cameras == ("K1", "K2", "K0")
    assert "cameras" in cases.timeline()


def test_every_procedure_that_comes_with_it_is_told_in_two_languages() -> None:
    delivered = procedure.delivered()
    assert len(delivered) >= 8
    for each in delivered:
        for step in each.steps:
            assert step.text.fr
            assert step.text.en
            assert step.text.fr != step.text.en


def note(cases: Cases, topic: str, x: float, category: str = "") -> None:
    """A trade sees something ``x`` metres along the street."""
    streets = cases.post.kernel.city.streets
    lon = float(streets.node_lon[0] + (streets.node_lon[3] - streets.node_lon[0]) * x / 900)
    data = requests.SignNoted(topic=topic, title=Text("vu", "seen"), category=category)
    cases.says.append(Emit(kind="post.sign.noted", data=data, lon=lon, lat=float(streets.node_lat[0])))
    cases.run(0.3)


def test_signs_of_several_trades_become_one_case(cases: Cases) -> None:
    note(cases, "police.call", 100, "accident")
    assert "coordination.incident" not in cases.post.views
    note(cases, "emergency.call_112", 130, "accident")
    row = cases.row()
    assert (row.category, row.title.fr, row.priority) == ("road_accident", "Accident de la circulation", 1)
    note(cases, "cctv.stopped_vehicle", 110)
    assert cases.row().signs == 3
    assert cases.row().step.procedure.fr == "Accident de la circulation"
    note(cases, "transit.delay", 850)
    assert cases.row().signs == 3, "far off"
    assert cases.post.faults == []


def test_what_a_trade_is_sure_of_and_what_is_seen_besides_are_one_case(cases: Cases) -> None:
    cases.suggest("road_accident", 100)
    note(cases, "police.call", 100, "accident")
    note(cases, "emergency.call_112", 130, "accident")
    assert list(cases.post.views["coordination.incident"]) == ["C1"]
    assert cases.row().signs == 1


class Storm(Cases):
    """Lighting too: alarms become signs by themselves."""

    def __init__(self) -> None:
        Teamwork.__init__(self, plugins=("lighting", "coordination"), reload=False)
        self.anne = self.post.person("Anne")


def test_a_dark_city_and_its_callers_are_one_case() -> None:
    cases = Storm()
    lamps = [f"L{i + 1:04}" for i in range(30)]
    cases.post.samples(lamps, "lamp.power", [30.0] * 30)
    cases.run(1)
    cases.post.jump(2100)
    cases.run(140)
    for n in range(5):
        note(cases, "police.call", 100 + 150 * n, "dark")
    open_ = [row for row in cases.post.views["coordination.incident"].values() if row.state == "new"]
    assert [row.category for row in open_] == ["feeder_down"]
    assert cases.post.faults == []
