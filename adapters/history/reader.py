"""Answering one question: which files it may read, a database that can read no others, and the limits of both.

Rights are folders: the database is given the files of what the asker may read, and DuckDB's own lock keeps it from any
other, whatever the SQL says. So no row of another commune is ever near it, not even in an error.
"""

from __future__ import annotations

import datetime
import itertools
import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import msgspec

from adapters.history import duck
from adapters.history.asked import (
    ANSWER_MAX,
    About,
    Answer,
    Asked,
    Asker,
    Kept,
    Query,
    Table,
    encode,
    refused,
)
from adapters.history.ready import QUESTIONS
from adapters.history.settings import Settings
from adapters.history.store import HOUR, TABLES, WHOLE, File, May, Store, day_of, everything
from core import city as cities
from core.assets import Assets
from core.clock import SECOND
from core.person import ANY, Login
from core.refusal import Refusal
from core.wire import Refused

#: The verb of the right to read what was.
READ = "history.read"

#: Table functions that read nothing but their arguments; no other is called.
FUNCTIONS = frozenset({"generate_series", "range", "unnest"})

#: Files that cannot be read and are passed over in one question; and how often it is asked anew where some are gone.
DAMAGED_MAX, AGAIN_MAX = 20, 5

#: Days of one question at most.
DAYS_MAX = 3660

#: How often (s) a question that is over its time is interrupted, until it hears.
BELL_S = 0.05

#: Rows that are taken from the database at a time.
FETCH = 1000

#: Bytes before and after the rows of a Parquet file.
MAGIC = b"PAR1"

_COLUMNS = {
    "minutes": "minute TIMESTAMP, local TIMESTAMP, trade VARCHAR, commune VARCHAR, street VARCHAR, kind VARCHAR, "
    "asset VARCHAR, metric VARCHAR, last DOUBLE, low DOUBLE, high DOUBLE, mean DOUBLE, total DOUBLE, count UINTEGER",
    "events": "happened TIMESTAMP, local TIMESTAMP, received TIMESTAMP, topic VARCHAR, trade VARCHAR, commune VARCHAR, "
    "asset VARCHAR, name VARCHAR, key VARCHAR, data VARCHAR",
}

_VIEWS = {
    "minutes": """SELECT minute, {local} AS local, trade, commune, street, kind, asset, metric, last,
        coalesce(low, last) AS low, coalesce(high, last) AS high,
        CASE WHEN "values" > 1 THEN total / "values" ELSE last END AS mean,
        CASE "values" WHEN 0 THEN 0 WHEN 1 THEN last ELSE total END AS total, count FROM {files}""",
    "events": """SELECT happened, {local} AS local, received, topic, trade, commune, asset, name, key, data
        FROM {files}""",
}

_TIMES = {"minutes": "minute", "events": "happened"}


class Reader:
    """Answers. Several threads may ask at the same time."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        city: Path,
        assets: Path,
        login: Login,
        figures: Path,
    ) -> None:
        self._store = store
        self._settings = settings
        loaded = cities.load(city)
        self._zone = ZoneInfo(loaded.description.timezone)
        self._communes = loaded.communes.names
        self._assets_path = assets
        self._login = login
        self._figures = figures
        self._lock = threading.Lock()
        self._assets: tuple[int, Assets] | None = None
        self._whole: dict[str, tuple[int, bool]] = {}

    def take(self, asked: Asked, utc: int) -> Answer:
        """Answer at ``utc`` µs of city time."""
        may = self._may(asked, utc)
        if isinstance(may, Refused):
            return may
        try:
            return self._kept(may) if isinstance(asked, About) else self._query(asked, may, utc)
        except _QuestionError as refusal:
            return refusal.refused

    def whose(self, asked: Asker, utc: int) -> str:
        """Who asks, for the log."""
        person = self._login.person(asked.token, utc) if asked.token else None
        return f"{asked.by} (this machine)" if person is None else getattr(person, "id", "nobody")

    def _may(self, asked: Asker, utc: int) -> May | Refused:
        if not asked.token:
            return everything
        person = self._login.person(asked.token, utc)
        if isinstance(person, Refusal):
            return Refused(person.code, person.what, person.next)
        if not any(READ in role.verbs or ANY in role.verbs for role in person.roles):
            return refused(
                "not_allowed", f"{person.id} may not read the history.", f"Ask for a role with {READ}."
            )

        def may(trade: str, commune: str) -> bool:
            allowed = person.communes(trade, READ)
            # What is about the whole city, or about several communes, needs all of them.
            return ANY in allowed or (commune != WHOLE and commune in allowed)

        return may

    # -- what is there

    def _kept(self, may: May) -> Kept:
        files = [file for table in TABLES for file in self._store.files(table, may)]
        places: dict[str, set[str]] = {}
        for file in files:
            places.setdefault(file.trade, set()).add(file.commune)
        try:
            counts = msgspec.json.decode(self._figures.read_bytes(), type=dict[str, int])
        except (OSError, msgspec.DecodeError):
            counts = {}
        hours = [file.hour for file in files]
        return Kept(
            day_of(min(hours)) if hours else "",
            day_of(max(hours)) if hours else "",
            sum(file.size for file in files),
            len(files),
            {trade: sorted(communes) for trade, communes in places.items()},
            counts,
        )

    # -- a question

    def _query(self, asked: Query, may: May, utc: int) -> Answer:
        began = time.monotonic()
        first, last = self._days(asked, utc)
        hours = range(self._hour(first), self._hour(last + datetime.timedelta(1), up=True))
        sql, parameters = self._sql(asked)
        if asked.ready == "asset":
            may = self._of_asset(parameters["asset"], may)
        elif asked.ready == "snapshot":
            at = _minute(parameters["minute"]).replace(tzinfo=self._zone).timestamp() // 3600
            hours = range(int(at), int(at) + 1)
        passed_over: list[str] = []
        for _ in range(AGAIN_MAX + DAMAGED_MAX):
            files = {table: self._files(table, may, hours, passed_over) for table in TABLES}
            self._bound(files, first, last)
            try:
                columns, rows, truncated = self._run(sql, parameters, files, hours, began)
            except duckdb.Error as error:
                self._judge(error, files, passed_over, began)
                continue
            why = "" if rows else self._why(asked, files, first, last, may)
            return Table(
                columns,
                rows,
                truncated,
                why,
                tuple(passed_over),
                first.isoformat(),
                last.isoformat(),
                round(1000 * (time.monotonic() - began), 1),
            )
        raise _QuestionError("damaged", "too many files cannot be read.", "The history's log names them.")

    def _days(self, asked: Query, utc: int) -> tuple[datetime.date, datetime.date]:
        today = datetime.datetime.fromtimestamp(utc / SECOND, self._zone).date()
        of_minute = asked.parameters.get("minute", "")[:10] if asked.ready == "snapshot" else ""
        first = _day(asked.first or of_minute) if asked.first or of_minute else today
        last = _day(asked.last) if asked.last else first
        if last < first:
            raise _QuestionError(
                "days", f"the last day, {last}, is before the first, {first}.", "Exchange them."
            )
        if (last - first).days >= DAYS_MAX:
            raise _QuestionError("days", f"a question reads {DAYS_MAX} days at most.", "Name fewer.")
        return first, last

    def _hour(self, day: datetime.date, up: bool = False) -> int:
        at = datetime.datetime.combine(day, datetime.time(), self._zone).timestamp()
        return int(-(-at // 3600)) if up else int(at // 3600)

    def _sql(self, asked: Query) -> tuple[str, dict[str, str]]:
        if bool(asked.sql) == bool(asked.ready):
            raise _QuestionError(
                "question", "there is no question, or there are two.", "Ask SQL, or a ready one."
            )
        if asked.ready is None:
            return asked.sql, dict(asked.parameters)
        question = QUESTIONS[asked.ready]
        missing = [name for name in question.needs if not asked.parameters.get(name)]
        unknown = sorted(set(asked.parameters) - {*question.needs, *question.may})
        if missing or unknown:
            raise _QuestionError(
                "question",
                f"the question {asked.ready!r} lacks {missing}, and has no {unknown}.",
                f"It takes {', '.join((*question.needs, *question.may))}.",
            )
        parameters = dict.fromkeys(question.may, "") | asked.parameters
        return question.sql, parameters

    def _register(self) -> Assets:
        with self._lock:
            changed = self._assets_path.stat().st_mtime_ns
            if self._assets is None or self._assets[0] != changed:
                self._assets = changed, cities.load_assets(self._assets_path)
            return self._assets[1]

    def _of_asset(self, id: str, may: May) -> May:
        """Only the folder of the asset's commune: the others need not be opened."""
        assets = self._register()
        index = assets.index.get(id)
        commune = "" if index is None else self._communes[assets.commune[index]]
        trades = self._store.trades()
        # One sentence for both: what stands where is not told to who may not know.
        if index is None or (trades and not any(may(trade, commune) for trade in trades)):
            raise _QuestionError(
                "unknown_asset", f"there is no asset {id!r} that you may read.", "Its id is the inventory's."
            )
        return lambda trade, where: where == commune and may(trade, where)

    def _files(self, table: str, may: May, hours: range, passed_over: list[str]) -> list[str]:
        found = []
        for file in self._store.files(table, may, hours):  # type: ignore[arg-type]
            if file.path in passed_over:
                continue
            if self._is_whole(file):
                found.append(file)
            elif Path(file.path).exists():
                passed_over.append(file.path)
        return [file.path for file in found]

    def _is_whole(self, file: File) -> bool:
        """Whether it begins and ends as Parquet does, and its footer is as long as it says."""
        size, good = self._whole.get(file.path, (-1, False))
        if size == file.size:
            return good
        good = _has_footer(file)
        with self._lock:
            if len(self._whole) > 200_000:
                self._whole.clear()
            self._whole[file.path] = file.size, good
        return good

    def _bound(self, files: dict[Any, list[str]], first: datetime.date, last: datetime.date) -> None:
        size = 0
        for path in (path for each in files.values() for path in each):
            size += self._whole[path][0]
        if size > self._settings.query_mib << 20:
            raise _QuestionError(
                "too_much",
                f"the days {first} to {last} are {size >> 20} MiB of files; a question reads "
                f"{self._settings.query_mib} MiB at most.",
                "Name fewer days, or raise query_mib in [adapters.history].",
            )

    def _run(
        self, sql: str, parameters: dict[str, str], files: dict[Any, list[str]], hours: range, began: float
    ) -> tuple[tuple[str, ...], list[list[Any]], bool]:
        limit = self._settings.query_s - (time.monotonic() - began)
        db = duck.connect(self._settings.memory_mib)
        bell = _Bell(db, limit)
        bell.start()
        try:
            for table, paths in files.items():
                db.execute(self._view(table, paths, hours))
            _lock(db, [path for paths in files.values() for path in paths])
            _inspect(db, sql)
            db.execute(sql, parameters or None)
            return self._fetch(db, began)
        except MemoryError:
            raise _QuestionError("memory", *_MEMORY) from None
        finally:
            bell.end()
            db.close()

    def _view(self, table: str, paths: Sequence[str], hours: range) -> str:
        if not paths:
            return f"CREATE TABLE {table} ({_COLUMNS[table]})"
        local = self._local(_TIMES[table], hours)
        return f"CREATE VIEW {table} AS {_VIEWS[table].format(local=local, files=duck.files(paths))}"

    def _local(self, column: str, hours: range) -> str:
        """City time of a UTC column, as SQL: the offsets of the hours, and where they change."""
        offsets = [(hour, self._offset(hour)) for hour in (hours.start - 24, *hours)]
        changes = [b for a, b in itertools.pairwise(offsets) if a[1] != b[1]]
        sql = f"to_seconds({offsets[0][1]})"
        for hour, offset in changes:
            at = f"make_timestamp({hour * HOUR})"
            sql = f"CASE WHEN {column} >= {at} THEN to_seconds({offset}) ELSE {sql} END"
        return f"{column} + {sql}"

    def _offset(self, hour: int) -> int:
        offset = datetime.datetime.fromtimestamp(hour * 3600, self._zone).utcoffset()
        return int(offset.total_seconds()) if offset else 0

    def _fetch(self, db: Any, began: float) -> tuple[tuple[str, ...], list[list[Any]], bool]:
        columns = tuple(each[0] for each in db.description or ())
        rows: list[list[Any]] = []
        size = 0
        while True:
            if time.monotonic() - began > self._settings.query_s:
                raise duckdb.InterruptException
            chunk = [[_plain(value) for value in row] for row in db.fetchmany(FETCH)]
            size += len(encode(chunk))
            if size > ANSWER_MAX - 65_536:
                return columns, rows, True
            rows += chunk
            if len(rows) > self._settings.query_rows:
                return columns, rows[: self._settings.query_rows], True
            if len(chunk) < FETCH:
                return columns, rows, False

    def _judge(
        self, error: Exception, files: dict[Any, list[str]], passed_over: list[str], began: float
    ) -> None:
        """Go on without a file that is damaged, or was sealed or forgotten meanwhile; else raise the refusal."""
        text = str(error)
        if isinstance(error, duckdb.InterruptException):
            seconds = self._settings.query_s
            raise _QuestionError(
                "time", f"it took longer than {seconds:g} s.", "Name fewer days, one metric, or one asset."
            )
        if isinstance(error, duckdb.OutOfMemoryException):
            raise _QuestionError("memory", *_MEMORY)
        paths = [path for each in files.values() for path in each]
        named = [path for path in paths if path in text]
        if not isinstance(error, _OF_THE_QUESTION):
            # What is wrong within a file is often said without its name.
            named = named or [path for path in paths if self._is_damaged(path, began)]
        if named and len(passed_over) < DAMAGED_MAX:
            passed_over += [path for path in named if Path(path).exists()]
            return
        if isinstance(error, (duckdb.PermissionException, duckdb.IOException)):
            raise _QuestionError(
                "files", "a question reads the tables and no files.", "The tables are minutes and events."
            )
        raise _QuestionError(
            "sql", _sentence(text), "`ondijon query --help` tells the tables and their columns."
        )

    def _is_damaged(self, path: str, began: float) -> bool:
        if time.monotonic() - began > self._settings.query_s:
            return False
        db = duck.connect(self._settings.memory_mib)
        try:
            db.execute(f"SELECT sum(hash(COLUMNS(*))) FROM {duck.files([path])}")
        except duckdb.Error:
            self._whole[path] = self._whole[path][0], False
            return True
        finally:
            db.close()
        return False

    def _why(
        self, asked: Query, files: dict[Any, list[str]], first: datetime.date, last: datetime.date, may: May
    ) -> str:
        days = f"on {first}" if first == last else f"from {first} to {last}"
        if any(files.values()):
            return f"something is kept {days}, and none of it is what was asked for."
        kept = self._kept(may)
        if not kept.files:
            return "nothing that you may read is kept yet."
        return f"nothing is kept {days}: it is from {kept.first} to {kept.last}."


#: Errors that are of the question, whatever the files hold.
_OF_THE_QUESTION = (
    duckdb.ParserException,
    duckdb.SyntaxException,
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.PermissionException,
    duckdb.ConversionException,
    duckdb.OutOfRangeException,
)

_MEMORY = "it needs more memory than a question may have.", "Ask for fewer rows, or aggregate them."


class _QuestionError(Exception):
    def __init__(self, reason: str, what: str, next: str) -> None:
        super().__init__(what)
        self.refused = refused(reason, what, next)


class _Bell(threading.Thread):
    """Interrupts a database after ``limit`` s, until it is heard: between two statements nobody hears it."""

    def __init__(self, db: Any, limit: float) -> None:
        super().__init__(name="bell", daemon=True)
        self._db, self._limit = db, max(limit, 0.0)
        self._over = threading.Event()

    def run(self) -> None:
        """Wait, then ring."""
        wait = self._limit
        while not self._over.wait(wait):
            self._db.interrupt()
            wait = BELL_S

    def end(self) -> None:
        """The question is answered."""
        self._over.set()
        self.join()


def _lock(db: Any, paths: list[str]) -> None:
    """From here on it reads these files and nothing else, and nothing changes that."""
    db.execute("SET allowed_paths = $paths", {"paths": paths})
    db.execute("SET enable_external_access = false")
    db.execute("SET lock_configuration = true")


def _inspect(db: Any, sql: str) -> None:
    """One SELECT, which calls no function that reaches beyond its arguments."""
    try:
        statements = db.extract_statements(sql)
    except duckdb.Error as error:
        raise _QuestionError("sql", _sentence(str(error)), "One SELECT is asked.") from None
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise _QuestionError(
            "not_a_select", "a question is one SELECT.", "Ask one thing, and change nothing."
        )
    tree = json.loads(db.execute("SELECT json_serialize_sql($sql)", {"sql": sql}).fetchone()[0])
    if tree.get("error"):
        raise _QuestionError(
            "not_a_select", "a question is one SELECT.", "Ask one thing, and change nothing."
        )
    if strange := sorted(set(_functions(tree)) - FUNCTIONS):
        raise _QuestionError(
            "function",
            f"{strange[0]!r} is not called here as a table.",
            f"Allowed are {', '.join(sorted(FUNCTIONS))}.",
        )


def _sentence(text: str) -> str:
    """What DuckDB says, without the lines that point into the question."""
    lines = text.partition("LINE ")[0].splitlines()
    return " ".join(line.strip() for line in lines if line.strip())


def _functions(tree: Any) -> list[str]:
    """The table functions of a statement, however deep."""
    found, waiting = [], [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if node.get("type") == "TABLE_FUNCTION":
                found.append(str(node.get("function", {}).get("function_name", "?")))
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node
    return found


def _has_footer(file: File) -> bool:
    try:
        with open(file.path, "rb") as opened:
            if file.size < 12 or opened.read(4) != MAGIC:
                return False
            opened.seek(-8, 2)
            length, end = opened.read(4), opened.read(4)
            return end == MAGIC and int.from_bytes(length, "little") <= file.size - 12
    except OSError:
        return False


def _day(text: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise _QuestionError("days", f"{text!r} is no day.", "Write it as 2026-01-15.") from None


def _minute(text: str) -> datetime.datetime:
    try:
        return datetime.datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        raise _QuestionError("minute", f"{text!r} is no minute.", "Write it as 2026-01-15T22:59.") from None


def _plain(value: Any) -> Any:
    """A value that msgpack knows."""
    if value is None or isinstance(value, (str, float, bool, bytes)):
        return value
    if isinstance(value, int):
        return value if -(1 << 63) <= value < 1 << 63 else str(value)
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ")
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    return str(value)
