"""The whole way: a city's devices, the kernel's minutes, the egress, the history, questions; kills at any moment."""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from adapters.cli.main import main
from adapters.history import asked as messages
from core.config import from_table
from core.person import Person, Role, token
from tests.live.conftest import Post

#: An hour begins ten minutes of city time after the start, and a minute is a second.
START, SPEED = "2026-01-15T22:50:00+01:00", 60.0


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory, table: Callable[..., dict[str, Any]]) -> Iterator[Any]:
    """The small city, played by the simulator, with its history."""
    folder = tmp_path_factory.mktemp("history")
    wanted = table(
        folder / "data",
        time={"speed": SPEED, "start": datetime.datetime.fromisoformat(START)},
        gate={"login_key": str(folder / "login.pub")},
        adapters={"simulator": {"processes": 1}, "history": {}},
    )
    raw = KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    (folder / "login.pub").write_bytes(base64.b64encode(raw) + b"\n")
    wanted["post"] |= {"plugins": ["lighting"]}
    wanted["post"].pop("plugin_folder")
    wanted["workers"] = {"trusted": ["lighting"]}
    post = Post(from_table(wanted, "the test", folder), folder / "run")
    post.supervisor.start()
    post.until(lambda: post.follower.status and post.status.ready, "kernel and edges are ready")
    yield post
    post.stop()


KEY = Ed25519PrivateKey.generate()


def query(post: Any, *arguments: str, fails: bool = False) -> Any:
    """What the command prints, as JSON."""
    asked = ["query", *arguments, "--run", str(post.run.folder), *([] if fails else ["--json"])]
    done = CliRunner().invoke(main, asked)
    assert (done.exit_code != 0) == fails, done.output
    return done.stderr if fails else json.loads(done.stdout)


DAYS = ("--day", "2026-01-15", "--to", "2026-01-16")
MINUTES = "SELECT count(DISTINCT minute) AS n, count(*) AS rows FROM minutes"


def kept(post: Any) -> int:
    """Minutes that are kept."""
    n: int = query(post, MINUTES, *DAYS)[0]["n"]
    return n


def test_what_devices_show_can_be_asked_while_it_goes_on(city: Any) -> None:
    city.until(lambda: kept(city) >= 3, "three minutes are kept")
    lamps = {city.city.assets.ids[lamp] for lamp in city.city.assets.of_kind("lamp")}
    asked = query(city, "SELECT DISTINCT asset FROM minutes WHERE metric = 'lamp.level'", *DAYS)
    city.until(
        lambda: len(query(city, "SELECT DISTINCT asset FROM minutes", *DAYS)) > len(lamps),
        "all lamps and a cabinet are kept",
    )
    assert {row["asset"] for row in asked} <= lamps
    assert {row["metric"] for row in query(city, "SELECT DISTINCT metric FROM minutes", *DAYS)} == {
        "lamp.level",
        "lamp.power",
        "cabinet.energy",
        "cabinet.power",
    }
    (street,) = query(city, "SELECT count(DISTINCT street) AS n FROM minutes WHERE street <> ''", *DAYS)
    assert street["n"] > 1
    lamp = min(lamps)
    rows = query(city, "--asset", lamp, "--metric", "lamp.level", *DAYS)
    assert rows
    assert all(0 <= row["low"] <= row["mean"] <= row["high"] <= 100 for row in rows)
    assert query(city, "--street", "", "--metric", "lamp.power", *DAYS)


def test_an_hour_is_sealed_and_nothing_of_it_is_missing(city: Any) -> None:
    history = city.run.data / "history"
    city.until(lambda: list((history / "minutes").rglob("*.parquet")), "the hour is sealed")
    asked = query(
        city,
        "SELECT min(minute)::VARCHAR AS first, count(DISTINCT minute) AS n FROM minutes "
        "WHERE minute < '2026-01-15 22:00'",
        *DAYS,
    )
    assert asked[0]["n"] >= 1
    # The first minute of the next hour tells of every lamp, whether it reported in it or not.
    city.until(
        lambda: query(city, "SELECT 1 FROM minutes WHERE minute = '2026-01-15 22:00' LIMIT 1", *DAYS),
        "it is told",
    )
    whole = query(
        city,
        "SELECT count(DISTINCT asset) AS n FROM minutes WHERE minute = '2026-01-15 22:00' AND metric = 'lamp.level'",
        *DAYS,
    )
    assert whole == [{"n": 30}]


@pytest.mark.parametrize("process", ["history-0", "history-1", "edge-partners"])
def test_it_goes_on_after_a_kill(city: Any, process: str) -> None:
    before = query(city, MINUTES, *DAYS)[0]
    city.kill(process)
    city.until(lambda: kept(city) > before["n"] + 1, "further minutes are kept")
    assert query(city, MINUTES, *DAYS)[0]["rows"] > before["rows"]
    (twice,) = query(
        city, "SELECT count(*) - count(DISTINCT (minute, metric, asset)) AS twice FROM minutes", *DAYS
    )
    assert twice == {"twice": 0}


def test_what_cannot_be_asked_is_one_sentence(city: Any) -> None:
    said = query(city, "DROP TABLE minutes", fails=True)
    assert "history: a question is one SELECT." in said
    said = query(city, "--asset", "nobody", fails=True)
    assert "there is no asset 'nobody' that you may read." in said
    done = CliRunner().invoke(main, ["query", "SELECT 1 WHERE FALSE", "--run", str(city.run.folder)])
    assert done.stdout == ""
    assert done.stderr.startswith("No rows: ")


def test_what_is_there_is_shown(city: Any) -> None:
    city.until(lambda: (city.run.folder / "report-history.json").exists(), "figures are told")
    done = CliRunner().invoke(main, ["query", "--run", str(city.run.folder)])
    assert "2026-01-15" in done.stdout
    assert "hours_sealed" in done.stdout
    assert "lighting" in done.stdout


def test_a_person_reads_what_their_role_says(city: Any, tmp_path: Path) -> None:
    def asked(*roles: Role, fails: bool = False) -> Any:
        file = tmp_path / "token"
        file.write_bytes(token(Person("anne", "Anne", roles, "s", 1 << 61), KEY))
        sql = "SELECT DISTINCT commune FROM minutes ORDER BY 1"
        return query(city, sql, *DAYS, "--token", str(file), fails=fails)

    communes = sorted(city.city.communes.names)
    assert [row["commune"] for row in asked(Role("lighting", "*", ("history.read",)))] == communes
    assert [row["commune"] for row in asked(Role("lighting", communes[0], ("history.read",)))] == communes[:1]
    assert "anne may not read the history." in asked(Role("lighting", "*", ("level",)), fails=True)
    assert "person=anne" in city.log("history-1")


def test_what_happened_is_kept_and_nobody_else_may_look(city: Any) -> None:
    # Of such a quiet city only commands are sure to happen after the history has come.
    city.until(
        lambda: query(city, "SELECT 1 FROM events WHERE topic = 'command' LIMIT 1", *DAYS), "they are kept"
    )
    history = city.run.data / "history"
    assert history.stat().st_mode & 0o077 == 0
    assert Path(messages.endpoint(city.run).removeprefix("ipc://")).stat().st_mode & 0o077 == 0
    # Who answers needs no key to the post.
    assert [file.name for file in (city.run.data / "keys").glob("history-*")] == ["history-0.key"]
