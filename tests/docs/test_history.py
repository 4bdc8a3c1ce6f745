"""docs/history.md: its tables are those of the code, and its questions are answered."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from adapters.history import asked, reader
from adapters.history.adapter import adapter
from adapters.history.asked import Table
from adapters.history.ready import QUESTIONS
from adapters.history.settings import Settings
from adapters.history.store import TABLES
from core.errors import ConfigError
from core.partner_wire import Change
from plugins.lighting.declaration import METRICS
from tests.adapters.history.conftest import BEGIN, History
from tests.docs.pages import ROOT, named, numbers, section, tables

PAGE = (ROOT / "docs" / "history.md").read_text("utf-8")


def columns(table: str) -> list[str]:
    """The columns of a table, as a question sees them."""
    return [column.split()[0] for column in reader._COLUMNS[table].split(", ")]


def test_the_columns_are_those_of_the_tables() -> None:
    told = {head[0]: [name for row in rows for name in named(row[0])] for head, rows in tables(PAGE)}
    assert {table: sorted(told[table]) for table in TABLES} == {
        table: sorted(columns(table)) for table in TABLES
    }


def test_the_help_names_the_columns_too() -> None:
    from adapters.cli.query import query

    words = set(re.findall(r"\w+", query.help or ""))
    assert {name for table in TABLES for name in columns(table)} <= words
    assert reader.READ in (query.help or "")


def test_the_limits_are_the_defaults() -> None:
    limits = {row[0]: row[1] for row in next(tables(section(PAGE, "## What a question may cost")))[1]}
    settings = Settings()
    assert [numbers(limit) for limit in limits.values()] == [
        {settings.query_s},
        {float(reader.DAYS_MAX)},
        {float(settings.query_mib)},
        {float(settings.memory_mib)},
        {float(settings.query_rows)},
        {float(asked.ANSWER_MAX >> 20)},
    ]
    for name in ("query_s", "query_mib", "memory_mib", "query_rows"):
        assert msgspec.structs.asdict(settings)[name]


def test_the_questions_are_answered(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.minute(0)
    row = {"state": "unacked_active", "raised": BEGIN, "returned": 0, "acked": 0}
    history.keeper.take([Change("alarm", "lamp_failed", "L0001", "lighting", ("Voisine",), row)])
    history.keeper.sync()
    questions = re.findall(r"^```sql\n(.*?)^```$", PAGE, re.M | re.S)
    assert len(questions) == 3
    for sql in questions:
        answer = history.ask(sql)
        assert isinstance(answer, Table), answer
        assert answer.rows, sql


def test_the_ready_questions_are_options() -> None:
    from adapters.cli.query import query

    options = {parameter.name for parameter in query.params}
    needed = {name for question in QUESTIONS.values() for name in (*question.needs, *question.may)}
    assert needed <= options


def test_what_the_lighting_keeps_is_told() -> None:
    kept = {metric.name for metric in METRICS if metric.kept}
    assert kept == {"lamp.level", "lamp.power", "cabinet.energy", "cabinet.power"}
    assert "level and power of lamps, energy and\npower of cabinets" in PAGE


def test_a_post_without_duckdb_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.history.duck.duckdb", None)
    with pytest.raises(ConfigError, match=r"pip install 'ondijon\[history\]'"):
        adapter.main(None, Settings(), 0)  # type: ignore[arg-type]
