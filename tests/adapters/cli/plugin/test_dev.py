"""What ``ondijon plugin dev`` watches, and how much it prints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.cli.plugin import dev
from adapters.cli.plugin.dev import LINES_MAX, Files, Follow, line, sources
from core.trace import Called, Traced

CALL = Called("on_tick", "look", 1234.0, {"Raise full": 1, "Publish row": 3}, "")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets time pass."""
    now = [100.0]
    monkeypatch.setattr(dev.time, "monotonic", lambda: now[0])

    def passes(seconds: float) -> None:
        now[0] += seconds

    return passes


def test_a_save_is_seen_once_when_it_is_whole(tmp_path: Path, clock: Callable[[float], None]) -> None:
    file = tmp_path / "trade.py"
    file.write_text("1")
    files = Files(file)
    assert not files.changed()
    file.write_text("12")
    assert not files.changed(), "somebody may be writing still"
    clock(1)
    assert files.changed()
    assert not files.changed()
    file.unlink()
    clock(1)
    assert not files.changed()
    file.write_text("12")
    clock(1)
    assert not files.changed()
    clock(1)
    assert files.changed(), "another file stands in its place"


def test_all_files_of_a_package_are_watched(tmp_path: Path, clock: Callable[[float], None]) -> None:
    (tmp_path / "hooks.py").write_text("")
    files = Files(tmp_path)
    (tmp_path / "logic").mkdir()
    (tmp_path / "logic" / "more.py").write_text("")
    (tmp_path / "README.md").write_text("")
    assert not files.changed()
    clock(1)
    assert files.changed()


def test_where_a_plugin_lies(tmp_path: Path) -> None:
    (tmp_path / "trade.py").write_text("")
    assert sources("trade", tmp_path) == tmp_path / "trade.py"
    assert sources("lighting", tmp_path).parts[-2:] == ("plugins", "lighting")


def test_a_call_is_one_line() -> None:
    assert line(CALL).split() == ["on_tick", "look", "1.23", "ms", "Raise", "full,", "Publish", "row", "×3"]


class Run:
    status_ipc = "inproc://nobody"


def test_a_flood_of_calls_is_counted(clock: Callable[[float], None], capsys: Any) -> None:
    follow = Follow(Run(), "Europe/Paris")  # type: ignore[arg-type]
    failed = Called("on_batch", "x", 1.0, {}, "ValueError(1) at trade.py:3")
    for _ in range(LINES_MAX + 30):
        follow._show(Traced(0, 0, [CALL], []))
    follow._show(Traced(0, 0, [failed, failed], ["a view", "a view"]))
    said = capsys.readouterr().out
    assert said.count("on_tick") == LINES_MAX
    assert "01:00:00.000  on_tick" in said
    assert said.count("raised: ValueError(1) at trade.py:3") == 1, (
        "what goes wrong is told all the same, once"
    )
    assert said.count("refused: a view") == 1
    clock(1)
    follow._show(Traced(0, 0, [CALL], []))
    assert "and 32 more calls in that second: on_tick 30, on_batch 2" in capsys.readouterr().out
    follow.close()
