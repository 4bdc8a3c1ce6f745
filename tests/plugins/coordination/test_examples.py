"""Examples of what signs should become: ours come out right, and one that does not is told."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from adapters.cli.main import main
from ondijon.testing import City
from plugins.coordination import rules
from plugins.coordination.examples import Example, Seen, delivered, play, wrong
from plugins.coordination.settings import Settings

RULES = rules.with_own(rules.File())
CALLS = (
    Seen(topic="emergency.call_112", category="accident"),
    Seen(topic="police.call", at_s=60, category="accident"),
)


def test_ours_come_out_right() -> None:
    assert len(delivered()) >= 7
    assert list(wrong(RULES, delivered())) == []


def test_one_that_comes_out_otherwise_is_told() -> None:
    example = Example(name="quiet", signs=CALLS)
    assert list(wrong(RULES, [example])) == [
        "example 'quiet': the signs become road_accident, expected no case"
    ]
    assert play(RULES, example) == ["road_accident"]
    fire = Example(name="fire", signs=CALLS[:1], cases=("building_fire",))
    assert list(wrong(RULES, [fire])) == ["example 'fire': the signs become no case, expected building_fire"]
    nobody = Example(name="bees", signs=CALLS, cases=("bees",))
    assert list(wrong(RULES, [nobody])) == ["example 'bees': no rule makes a case of bees"]


CONFIG = """
version = 1
[post]
city = "city"
data = "data"
plugins = ["coordination"]
"""

WRONG = """
[[plugins.coordination.examples]]
name = "a call is a fire"
cases = ["building_fire"]
signs = [{ topic = "police.call" }]
"""


@pytest.mark.parametrize(
    ("more", "status", "sentence"),
    [("", 0, "come out as they should"), (WRONG, 78, "example 'a call is a fire': the signs become no case")],
)
def test_check_plays_them(tmp_path: Path, more: str, status: int, sentence: str) -> None:
    City.small().save(tmp_path / "city")
    (tmp_path / "post.toml").write_text(CONFIG + more)
    asked = CliRunner().invoke(main, ["check", "--test", str(tmp_path / "post.toml")])
    assert asked.exit_code == status
    assert sentence in asked.output


def test_an_example_without_signs_is_none() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"examples": [{"name": "x", "signs": []}]}, Settings)
