"""Procedures as data: what is wrong with one is told by its name."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from core.errors import ConfigError
from ondijon.testing import City
from plugins.coordination import procedure
from plugins.coordination.place import build
from plugins.coordination.procedure import Procedure, by_category, delivered, parse
from plugins.coordination.settings import Settings
from tests.plugins.teamwork import Teamwork

HEAD = 'name = "essai"\nversion = 1\ntitle = { fr = "Essai", en = "Trial" }\ncategories = ["x"]\n'


def step(id: str, rest: str) -> str:
    return f'[[steps]]\nid = "{id}"\ntext = {{ fr = "fait", en = "do" }}\n{rest}\n'


def ask(*leads: str) -> str:
    answers = ", ".join(
        f'{{ id = "a{i}", text = {{ fr = "oui", en = "yes" }}, next = "{next}" }}'
        for i, next in enumerate(leads)
    )
    return f"answers = [{answers}]"


END = step("fin", 'end = "resolved"')


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        (step("a", 'next = "b"') + END, "step 'a' leads to 'b', which is missing"),
        (step("a", ask("fin", "zz")) + END, "step 'a' leads to 'zz', which is missing"),
        (step("a", 'next = "fin"') + step("b", 'next = "fin"') + END, "no step leads to 'b'"),
        (step("a", ask("b", "fin")) + step("b", ask("b")) + END, "from step 'b' there is no way to an end"),
        (step("a", 'next = "fin"') + step("a", 'next = "fin"') + END, "step 'a' is there twice"),
        (step("a", ask("b")) + step("b", ask("a")), "no step has an `end`"),
        (step("a", "") + END, "step 'a' leads nowhere and is no `end`"),
        (
            step("a", 'next = "b"') + step("b", 'next = "a"\nwithin_s = 5\nlate = "fin"') + END,
            "steps 'a', 'b' lead round in a ring, and none of them waits",
        ),
        (step("a", ask("fin") + '\nnext = "fin"') + END, "they alone lead on"),
        (step("a", "wait_s = 5") + END, "step 'a' waits, and has no `next`"),
        (step("a", 'awaits = true\nnext = "fin"') + END, "asks for nothing in `do`"),
        (step("a", 'late = "fin"\nnext = "fin"') + END, "has `late`, and no `within_s`"),
        (step("a", 'evidence = true\nnext = "fin"') + END, "wants evidence, and has no `answers`"),
        (step("a", 'end = "closed"\nnext = "fin"') + END, "is an `end` and leads on"),
        (step("a", 'next = "fin"\ncolour = 1') + END, "unknown field `colour`"),
        (step("a", 'next = "fin"\ndo = [{ request = "pray" }]') + END, "pray"),
        (step("a", 'next = "fin"\ndo = [{ request = "unit", skills = [] }]') + END, "steps"),
        ("steps = []", "steps"),
    ],
)
def test_what_is_wrong_is_told(steps: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence.replace("(", r"\(")):
        parse(HEAD + steps)


def test_a_ring_with_a_pause_is_fine() -> None:
    made = parse(HEAD + step("a", 'wait_s = 60\nnext = "b"') + step("b", ask("a", "fin")) + END)
    assert [each.id for each in made.steps] == ["a", "b", "fin"]


def test_a_citys_own_goes_before_ours() -> None:
    own = parse(HEAD.replace('["x"]', '["gas_smell"]') + END)
    chosen = by_category([own], delivered())
    assert chosen["gas_smell"].name == "essai"
    assert chosen["crowd"].name == "foule"
    place = build(City.small(), Settings(procedures=(own,)))
    assert place.procedure("odeur_gaz") is not None
    assert place.procedures["gas_smell"] is own


def test_a_procedure_that_cannot_be_stops_the_start() -> None:
    wrong: dict[str, Any] = tomllib.loads(HEAD + step("a", 'next = "nowhere"'))
    with pytest.raises(ConfigError, match="leads to 'nowhere', which is missing"):
        Teamwork(config={"coordination": {"procedures": [wrong]}})


def test_a_procedure_of_the_configuration_is_used() -> None:
    own = tomllib.loads(HEAD + step("a", ask("fin")) + END)
    teamwork = Teamwork(config={"coordination": {"procedures": [own]}})
    anne = teamwork.post.person("Anne")
    teamwork.post.tell(anne, "coordination.incident.reported", {"category": "x"})
    teamwork.run(1)
    assert teamwork.post.views["coordination.incident"]["C1"].step.procedure.fr == "Essai"


def test_names_are_found_once() -> None:
    names = [each.name for each in delivered()]
    assert len(names) == len(set(names))
    assert isinstance(delivered()[0], Procedure)
    assert procedure.by_category((), ()) == {}
