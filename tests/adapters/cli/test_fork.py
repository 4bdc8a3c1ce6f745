"""``ondijon replay --set`` and its like: a fork from the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from adapters.cli.main import main
from core.journal import SqliteJournal
from tests.core.test_fork import evening
from tests.core.test_replay import Recorded

DARK = 'lighting.calendar={rules = [{start = "22:00", end = "05:30", level_pct = 0, order = "what if"}]}'


@pytest.fixture(name="data", scope="module")
def _data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recorded = Recorded(tmp_path_factory.mktemp("data"))
    evening(recorded)
    recorded.recorder.close()
    journal = SqliteJournal(recorded.data)
    journal.append(recorded.post.journal.records)
    journal.close()
    return recorded.data


def fork(data: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["replay", str(data), *arguments])


def figures(data: Path, *arguments: str) -> dict[str, Any]:
    return json.loads(fork(data, *arguments, "--json").output)


def test_the_difference_is_a_table_and_a_picture(data: Path, tmp_path: Path) -> None:
    told = fork(data, "--programme", DARK, "--picture", str(tmp_path / "dark.svg"))
    assert told.exit_code == 0, told.output
    assert "Energy, modelled" in told.output
    assert re.search(r"calendars alone.* -9\d\.\d", told.output)
    assert "commands lamp.dim" in told.output
    assert "lived twice" in told.output
    lines = ElementTree.parse(tmp_path / "dark.svg").findall(".//{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == 2 * 5


def test_a_setting_of_a_file_gives_way_to_one_on_the_command_line(data: Path, tmp_path: Path) -> None:
    config = CliRunner().invoke(main, ["example"]).output
    (tmp_path / "other.toml").write_text(config + "\n[plugins.lighting.presence]\nhold_s = 120\n")
    longer = figures(data, "--config", str(tmp_path / "other.toml"))
    modelled = {name: life["kpis"]["lighting.modelled_kwh"] for name, life in longer.items()}
    assert modelled["fork"] > modelled["recorded"] * 1.01
    both = figures(data, "--config", str(tmp_path / "other.toml"), "--set", "lighting.presence.hold_s=30")
    assert both["fork"]["kpis"] == both["recorded"]["kpis"] == longer["recorded"]["kpis"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "hold_s=40"], "is no setting: write"),
        (["--set", "lighting.presence.hold_s=4 0"], "is no setting: write"),
        (["--set", "lighting.presence.hold=40"], "unknown field `hold`"),
        (["--programme", "lighting.calendar=40"], "is no programme: write"),
        (["--programme", "lighting.calendar@Atlantis={level_pct = 50}"], "no commune"),
        (["--picture", "out.svg"], "--picture draws a fork"),
        (["--set", "lighting.presence.hold_s=40", "--to", "2020-01-01T00:00:00Z"], "nothing was recorded"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(data: Path, arguments: list[str], said: str) -> None:
    told = fork(data, *arguments)
    assert told.exit_code not in (0, 1)
    assert said in " ".join(told.output.split())
    assert "Traceback" not in told.output
