"""The settings: strict, with defaults, and each field told in the README."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

import plugins.lighting
from plugins.lighting import settings
from plugins.lighting.settings import Settings

README = (Path(plugins.lighting.__file__).parent / "README.md").read_text("utf-8")


def read(text: str) -> Settings:
    return msgspec.convert(tomllib.loads(text), Settings)


def test_nothing_need_be_said() -> None:
    assert read("") == Settings()
    assert Settings().presence.levels() == [100, 90, 80, 70]


def test_the_readme_tells_every_field() -> None:
    structs: list[Any] = [getattr(settings, name) for name in vars(settings) if name[0].isupper()]
    for struct in (s for s in structs if isinstance(s, type) and issubclass(s, settings.Strict)):
        for name in struct.__struct_fields__:
            assert f"`{name}`" in README, f"{struct.__name__}.{name}"


def test_the_calendars_of_the_readme_are_valid() -> None:
    example = README.split("```toml")[1].split("```")[0]
    table = tomllib.loads(example)["plugins"]["lighting"]
    calendars = msgspec.convert(table, Settings).calendars
    assert [rule.level_pct for each in calendars for rule in each.rules] == [70, 50, 0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("colour = 3000", "unknown field `colour`"),
        ("[presence]\nhops = 21", r"\$.presence.hops"),
        ("[[calendars]]\nrules = [{ start = '22:00', end = '05:00', level_pct = 0 }]", "mayor"),
        (
            "[[calendars]]\nrules = [{ start = '05:00', end = '22:00', level_pct = 50 }]",
            "later in the same night",
        ),
        ("[[calendars]]\nrules = [{ start = '24:00', end = '05:00', level_pct = 50 }]", "start"),
        ("[[calendars]]\ncommunes = ['A']", "exactly one"),
        ("[[calendars]]\n[[calendars]]", "exactly one"),
        ("[[calendars]]\n[[calendars]]\ncommunes = ['A', 'A']", "two calendars"),
        ("[floors]\nclasses_down = 1\nclasses_down_conflict = 2", "conflict"),
        ("[floors.lowest]\nM3 = 'P3'", "different things"),
        ("[faults]\ncabinet_delay_s = 60", "one fault"),
    ],
)
def test_errors_say_what_is_wrong(text: str, says: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=says):
        read(text)
