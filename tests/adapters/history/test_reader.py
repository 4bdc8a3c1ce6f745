"""Nobody reads what they may not, whatever SQL they write; a question is bounded, damaged files are passed over."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.history import duck
from adapters.history.asked import Kept, Query, Table
from adapters.history.reader import READ
from core.person import Role
from core.wire import Refused
from tests.adapters.history.conftest import BEGIN, MINUTE, History, may_read

OURS, THEIRS = "Voisine", "Petite-Ville"

#: Values that are of lamps of THEIRS alone, and so is this in any text.
SECRET = 4711


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> History:
    """A sealed hour and an open one: in our commune everything is 1, in theirs SECRET. And a secret event each."""
    history = History(tmp_path_factory.mktemp("city"))
    for hour in (0, 60):
        for n in range(2):
            history.utc = BEGIN + (hour + n) * MINUTE
            blocks = [
                history.block(history.utc, commune, [value] * len(history.lamps[commune]))
                for commune, value in ((OURS, 1.0), (THEIRS, float(SECRET)))
            ]
            events = [
                history.event("lighting.door.opened", history.utc, OURS, code=1),
                history.event("lighting.door.opened", history.utc, THEIRS, code=SECRET),
                history.event("lighting.calendar.changed", history.utc, code=SECRET),
                history.event("lighting.calendar.changed", history.utc, OURS, THEIRS, code=SECRET),
                history.event("police.patrol.seen", history.utc, OURS, trade="police", code=SECRET),
            ]
            history.keeper.take([*blocks, *events])
            history.keeper.sync()
        if not hour:
            history.keeper.seal_all()
    return history


def test_one_sees_what_one_may(city: History) -> None:
    ours, theirs = (len(city.lamps[commune]) for commune in (OURS, THEIRS))
    count = "SELECT commune, count(*), min(last), max(last) FROM minutes GROUP BY ALL ORDER BY ALL"
    assert city.rows(count, may_read(OURS)) == [[OURS, 4 * ours, 1.0, 1.0]]
    assert city.rows(count, may_read("*")) == city.rows(count)
    assert city.rows(count) == [[THEIRS, 4 * theirs, SECRET, SECRET], [OURS, 4 * ours, 1.0, 1.0]]
    events = "SELECT DISTINCT trade, commune FROM events ORDER BY ALL"
    assert city.rows(events, may_read(OURS)) == [["lighting", OURS]]
    # What is about several communes, or about none, needs all of them.
    assert city.rows(events, may_read("*")) == [["lighting", c] for c in ("*", THEIRS, OURS)]
    assert city.rows(events, may_read(OURS, "police")) == [["police", OURS]]
    assert city.rows("SELECT 1 FROM minutes", may_read(OURS, "police")) == []
    kept = city.about(may_read(OURS))
    assert isinstance(kept, Kept)
    assert kept.places == {"lighting": [OURS]}


def test_who_may_not_read_at_all_is_told_so(city: History) -> None:
    said = city.ask("SELECT 1", (Role("lighting", "*", ("level",)),))
    assert isinstance(said, Refused)
    assert said.reason == "not_allowed"
    said = city.reader.take(Query(token=b"x" * 100, sql="SELECT 1"), city.utc)
    assert isinstance(said, Refused)
    assert said.reason == "token"
    stale = city.token(may_read("*"))
    said = city.reader.take(Query(token=stale, sql="SELECT 1"), city.utc + 2 * 3600 * 1_000_000)
    assert isinstance(said, Refused)
    assert said.reason == "session_expired"


def test_an_asset_is_asked_where_it_may_be(city: History) -> None:
    assets = city.city.assets
    mine, other = assets.ids[city.lamps[OURS][0]], assets.ids[city.lamps[THEIRS][0]]
    rows = city.rows(ready="asset", parameters={"asset": mine}, roles=may_read(OURS))
    assert [row[0] for row in rows] == [f"2026-01-{at}" for at in ("15 23:00:00", "15 23:01:00")] + [
        "2026-01-16 00:00:00",
        "2026-01-16 00:01:00",
    ]
    said = [
        city.ask(ready="asset", parameters={"asset": asset}, roles=may_read(OURS))
        for asset in (other, "nobody")
    ]
    # One sentence for both: that it is there is not told either.
    assert [s.what.replace(other, "nobody") for s in said if isinstance(s, Refused)] == [said[1].what] * 2  # type: ignore[union-attr]


def test_the_ready_questions(city: History) -> None:
    parameters = {"metric": "lamp.level", "minute": "2026-01-16T00:01"}
    rows = city.rows(ready="snapshot", parameters=parameters)
    assert len(rows) == 30
    assert {row[4] for row in rows} == {1.0, SECRET}
    rows = city.rows(ready="street", parameters={"metric": "lamp.level"}, roles=may_read(OURS))
    assert {row[1] for row in rows} == {"2026-01-15 23:00:00", "2026-01-16 00:00:00"}
    assert sum(row[6] for row in rows) == 2 * len(city.lamps[OURS])
    said = city.ask(ready="street", parameters={"mertic": "lamp.level"})
    assert isinstance(said, Refused)
    assert said.what == "the question 'street' lacks ['metric'], and has no ['mertic']."


# -- whatever SQL they write


def paths(city: History) -> list[str]:
    """Files of theirs."""
    store = city.keeper.store
    return [file.path for file in store.files("minutes") if file.commune == THEIRS]


def attempts(city: History) -> Iterator[str]:
    """What somebody would try who wants to see more."""
    sealed, opened = paths(city)[0], paths(city)[-1]
    root = city.folder / "history"
    for path in (sealed, opened, f"{root}/minutes/**/*.parquet", f"{root}/minutes/*/*/*/22.parquet"):
        yield f"SELECT * FROM read_parquet('{path}')"
        yield f"SELECT * FROM '{path}'"
        yield f"FROM parquet_scan('{path}')"
        yield f"SELECT * FROM minutes UNION ALL BY NAME SELECT * FROM '{path}'"
        yield f"WITH x AS (SELECT * FROM read_parquet(['{path}'])) SELECT * FROM x"
        yield f"SELECT (SELECT max(last) FROM '{path}')"
        yield f"SELECT * FROM minutes WHERE last < (SELECT max(last) FROM read_parquet('{path}'))"
        yield f"SELECT * FROM query('SELECT * FROM ''{path}''')"
        yield f"SELECT * FROM query_table('{path}')"
        yield f"SELECT * FROM read_blob('{path}')"
        yield f"SELECT * FROM parquet_metadata('{path}')"
        yield f"COPY (SELECT 1) TO '{path}'"
        yield f"CREATE VIEW v AS SELECT * FROM '{path}'; SELECT * FROM v"
        yield f"PREPARE p AS SELECT * FROM '{path}'; EXECUTE p"
        yield f"SUMMARIZE '{path}'"
        yield f"DESCRIBE '{path}'"
        yield f"PIVOT '{path}' ON metric USING count(*)"
    yield f"ATTACH '{root}/x.db' AS x"
    yield f"EXPORT DATABASE '{root}/x'"
    yield f"SELECT * FROM glob('{root}/**')"
    yield f"SELECT * FROM read_text('{root}/sealed')"
    yield f"SELECT * FROM read_csv('{root}/../city/city.toml')"
    yield f"SELECT * FROM sniff_csv('{root}/../city/city.toml')"
    yield "SELECT * FROM read_text('/etc/passwd')"
    yield "INSTALL httpfs"
    yield "LOAD httpfs"
    yield "SELECT * FROM 'https://example.org/x.parquet'"
    yield "SET enable_external_access = true"
    yield "SET lock_configuration = false"
    yield "RESET allowed_paths"
    yield "PRAGMA database_list"
    yield "CALL pragma_version()"
    yield "SELECT * FROM duckdb_views()"
    yield "SELECT * FROM duckdb_settings()"
    yield "SELECT * FROM pragma_table_info('minutes')"
    yield "SELECT * FROM arrow_scan(1::POINTER, 2::POINTER, 3::POINTER)"
    yield "SELECT * FROM pandas_scan(1::POINTER)"
    yield "SELECT * FROM python_map_function(1)"
    yield "DROP VIEW minutes"
    yield "CREATE OR REPLACE VIEW minutes AS SELECT 1"
    yield "INSERT INTO minutes SELECT 1"
    yield "DELETE FROM events"
    yield "SELECT 1; SELECT 2"
    yield "EXPLAIN ANALYZE SELECT * FROM minutes"
    yield ""
    yield ";"
    yield "\0"
    yield "self"
    yield "SELECT * FROM asked"


def test_whatever_they_ask_nothing_of_theirs_is_told(city: History) -> None:
    before = {file: Path(file).read_bytes() for file in paths(city)}
    for sql in attempts(city):
        said = city.ask(sql, may_read(OURS))
        assert str(SECRET) not in repr(said), sql
        assert isinstance(said, Refused), sql
    assert {file: Path(file).read_bytes() for file in paths(city)} == before


@pytest.mark.parametrize(
    "predicate",
    [
        "CAST(asset AS INT) = 1",
        "1 / (last - 4711) = 0",
        "error(asset || ' ' || last) IS NULL",
        "CASE WHEN last > 4000 THEN error('there are some') ELSE TRUE END",
        "regexp_matches(asset, 'L00') AND last = 4711",
        "last > 2 OR trade = 'police'",
        "commune = 'Petite-Ville'",
        "commune LIKE '%' OR TRUE",
    ],
)
def test_no_predicate_runs_over_rows_of_theirs(city: History, predicate: str) -> None:
    said = city.ask(f"SELECT count(*), max(last) FROM minutes WHERE {predicate}", may_read(OURS))
    text = repr(said)
    assert str(SECRET) not in text
    assert "there are some" not in text
    assert not any(city.city.assets.ids[lamp] in text for lamp in city.lamps[THEIRS])


TABLE = st.sampled_from(
    ["minutes", "events", "minutes m JOIN events e ON m.commune = e.commune", "(FROM minutes)"]
)
COLUMN = st.sampled_from(
    ["*", "count(*)", "max(last)", "commune", "data", "list(last)", "last + 1", "COLUMNS(*)::VARCHAR"]
)
CLAUSE = st.sampled_from(
    [
        "",
        "WHERE last > 1",
        "WHERE commune <> 'Voisine'",
        "GROUP BY ALL",
        "ORDER BY ALL",
        "LIMIT 3",
        "QUALIFY 1 = 1",
        "USING SAMPLE 3",
    ]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(COLUMN, TABLE, CLAUSE), min_size=1, max_size=3),
    st.sampled_from(["UNION ALL BY NAME", "EXCEPT", "INTERSECT"]),
)
def test_made_up_questions_tell_nothing_of_theirs(city: History, parts: Any, between: str) -> None:
    sql = f" {between} ".join(f"(SELECT {column} FROM {table} {clause})" for column, table, clause in parts)
    said = city.ask(sql, may_read(OURS))
    assert str(SECRET) not in repr(said)
    assert THEIRS not in repr(said)


def test_what_is_harmless_is_answered(city: History) -> None:
    for sql in (
        "FROM minutes LIMIT 1",
        "DESCRIBE minutes",
        "SELECT unnest(range(3))",
        "SELECT * FROM range(3)",
        "WITH m AS (FROM minutes) SELECT commune, avg(mean) FROM m GROUP BY ALL",
        "VALUES (1), (2)",
        "SELECT date_trunc('hour', local) AS hour, count(*) FROM minutes GROUP BY ALL HAVING count(*) > 1",
        "SELECT data->>'$.data.code' FROM events",
    ):
        said = city.ask(sql, may_read(OURS))
        assert isinstance(said, Table), (sql, said)
        assert said.rows, sql


# -- bounds


def test_a_question_that_would_read_too_much_is_one_sentence(make: Callable[..., History]) -> None:
    history = make(query_mib=1)
    history.minute(0)
    file = next(iter(history.keeper.store.open("minutes")))
    big = Path(file.path).with_name("22_9_.parquet")
    big.write_bytes(b"PAR1" + bytes(2 << 20) + (16).to_bytes(4, "little") + b"PAR1")
    said = history.ask("SELECT * FROM minutes")
    assert isinstance(said, Refused)
    assert (
        said.what == "the days 2026-01-15 to 2026-01-16 are 2 MiB of files; a question reads 1 MiB at most."
    )
    # Other days are not touched by it.
    assert history.rows("SELECT 1 FROM minutes", first="2026-01-17", last="2026-01-18") == []


def test_time_memory_and_rows_are_bounded(make: Callable[..., History]) -> None:
    history = make(query_s=1.0, query_rows=10, memory_mib=128)
    said = history.ask("SELECT count(*) FROM range(1000000000000) a WHERE hash(a.range) = 1")
    assert isinstance(said, Refused)
    assert said.reason == "time"
    said = history.ask("SELECT list(x.range ORDER BY hash(x.range)) FROM range(100000000) x")
    assert isinstance(said, Refused)
    assert said.reason in ("memory", "time")
    said = history.ask("SELECT * FROM range(11)")
    assert isinstance(said, Table)
    assert (len(said.rows), said.truncated) == (10, True)
    said = history.ask("SELECT repeat('x', 5000000) FROM range(8)")
    assert isinstance(said, Table)
    assert said.truncated


def test_a_question_whose_time_is_over_before_it_begins_ends_all_the_same(
    make: Callable[..., History], monkeypatch: pytest.MonkeyPatch
) -> None:
    history = make(query_s=0.01)
    real = duck.connect

    def late(memory_mib: int) -> Any:
        time.sleep(0.05)
        return real(memory_mib)

    monkeypatch.setattr(duck, "connect", late)
    said = history.ask("SELECT count(*) FROM range(1000000000000) a WHERE hash(a.range) = 1")
    assert isinstance(said, Refused)
    assert said.reason == "time"


def test_a_truncated_file_is_named_and_passed_over(history: History) -> None:
    history.minute(0)
    history.keeper.seal_all()
    files = sorted(history.keeper.store.sealed("minutes"))
    for damaged, kept in ((0, 1), (1, 0)):
        whole = {file.path: Path(file.path).read_bytes() for file in files}
        Path(files[damaged].path).write_bytes(whole[files[damaged].path][:-20])
        said = history.ask("SELECT DISTINCT commune FROM minutes")
        assert isinstance(said, Table)
        assert said.rows == [[files[kept].commune]]
        assert said.passed_over == (files[damaged].path,)
        for path, data in whole.items():
            Path(path).write_bytes(data)
            history.reader._whole.clear()


def test_a_file_that_is_damaged_inside_is_passed_over_too(history: History) -> None:
    history.minute(0)
    history.keeper.seal_all()
    first, second = sorted(history.keeper.store.sealed("minutes"))
    data = bytearray(Path(first.path).read_bytes())
    length = int.from_bytes(data[-8:-4], "little")
    # The footer's own bytes: where columns begin, and what they are.
    data[-8 - length : -8] = bytes(length)
    Path(first.path).write_bytes(data)
    said = history.ask("SELECT DISTINCT commune FROM minutes")
    assert isinstance(said, Table)
    assert (said.rows, said.passed_over) == ([[second.commune]], (first.path,))


def test_what_is_sealed_while_it_is_asked_is_asked_anew(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.minute(0)
    real, asked = history.reader._run, []

    def run(*arguments: Any) -> Any:
        if not asked:
            history.keeper.seal_all()
        asked.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(history.reader, "_run", run)
    assert history.rows("SELECT count(*) FROM minutes") == [[30]]
    assert len(asked) == 2


def test_an_empty_answer_says_why(city: History) -> None:
    nobody = city.ask("SELECT * FROM minutes WHERE asset = 'nobody'")
    other_day = city.ask("SELECT * FROM minutes", first="2026-02-01", last="2026-02-01")
    assert isinstance(nobody, Table)
    assert isinstance(other_day, Table)
    assert (
        nobody.why == "something is kept from 2026-01-15 to 2026-01-16, and none of it is what was asked for."
    )
    assert other_day.why == "nothing is kept on 2026-02-01: it is from 2026-01-15 to 2026-01-15."


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        ({"sql": "SELECT nothing FROM minutes"}, "nothing"),
        ({"sql": "SELEC 1"}, "SELEC"),
        ({"sql": "SELECT 1", "first": "yesterday"}, "'yesterday' is no day."),
        ({"sql": "SELECT 1", "first": "2026-01-16", "last": "2026-01-15"}, "is before the first"),
        ({"sql": "SELECT 1", "first": "1900-01-01", "last": "2026-01-15"}, "3660 days at most"),
        ({"sql": "SELECT 1", "ready": "asset"}, "no question, or there are two"),
        ({"ready": "snapshot", "parameters": {"metric": "m", "minute": "noon"}}, "'noon' is no day."),
    ],
)
def test_what_makes_no_sense_is_one_sentence(city: History, asked: dict[str, Any], what: str) -> None:
    said = city.ask(**asked) if "first" in asked else city.ask(**asked | {"first": "", "last": ""})
    assert isinstance(said, Refused)
    assert what in said.what
    assert "\n" not in said.what


def test_days_are_the_citys(history: History) -> None:
    history.minute(0)
    # 22:00 UTC is 23:00 there: the day before ends two hours later.
    history.minute(60)
    local = "SELECT DISTINCT local::VARCHAR FROM minutes ORDER BY 1"
    assert history.rows(local, first="2026-01-15", last="2026-01-15") == [["2026-01-15 23:00:00"]]
    assert history.rows(local, first="2026-01-16", last="2026-01-16") == [["2026-01-16 00:00:00"]]


def test_the_day_on_which_clocks_change(history: History) -> None:
    # 25 October 2026: 00:59 UTC is 02:59 in summer, 01:00 UTC is 02:00 in winter.
    change = (1_792_890_000_000_000 - BEGIN) // MINUTE
    history.minute(change - 1)
    history.minute(change)
    rows = history.rows(
        "SELECT DISTINCT minute::VARCHAR, local::VARCHAR FROM minutes ORDER BY 1",
        first="2026-10-25",
        last="2026-10-25",
    )
    assert rows == [
        ["2026-10-25 00:59:00", "2026-10-25 02:59:00"],
        ["2026-10-25 01:00:00", "2026-10-25 02:00:00"],
    ]


def test_the_right_is_a_verb() -> None:
    assert READ == "history.read"
