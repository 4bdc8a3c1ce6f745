"""What a witness is shown, also when its folder was away."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from adapters.audit import verify
from core import journal, keeper
from core.journal import Record, SqliteJournal


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "SIGN_RECORDS", 1)
    monkeypatch.setattr(keeper, "LOOK_S", 0.02)


def append(made: SqliteJournal, n: int = 1) -> None:
    last = made.append([Record("event", 1, 1, b"x")] * n)
    until(lambda: made.durable().local == last)


def until(condition) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_witness_that_was_away_is_shown_all_it_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    near, far = tmp_path / "near", tmp_path / "far"
    near.mkdir()
    made = SqliteJournal(tmp_path / "data", name="test", witness=[near, far])
    for _ in range(3):
        append(made)
    until(lambda: made._keeper.witnesses[1].failure)
    assert made._keeper.witnesses[1].behind_since > 0
    assert made.failed is None, "it keeps no commit back"
    assert not made.witnesses_away(), "a moment is no alarm"
    monkeypatch.setattr(keeper, "AWAY_S", 0.0)
    [(where, why)] = made.witnesses_away()
    assert where.startswith(str(far))
    assert "No such file" in why
    far.mkdir()
    until(lambda: not made._keeper.witnesses[1].failure)
    made.close()
    again = SqliteJournal(tmp_path / "data", name="test", witness=[near, far])
    append(again)
    again.close()
    notes = [verify.notes_of(folder) for folder in (near, far)]
    assert notes[0] == notes[1]
    assert [verify.read_note(note).records for note in notes[0]] == [1, 2, 3, 4], "each once"
    assert verify.check(tmp_path / "data", None, far).witnessed == 4


def test_the_log_is_folded_into_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "WAL_MAX", 50_000)
    made = SqliteJournal(tmp_path)
    made.append([Record("event", 1, 1, bytes(1000))] * 200)
    until(lambda: made.durable().local == 200)
    until(lambda: made.path.stat().st_size > 200_000)
    made.close()
