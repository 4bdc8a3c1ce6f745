"""What was written is kept: over a crash at any moment, torn and damaged files, full disks; each row once."""

from __future__ import annotations

import os
import resource
import struct
from pathlib import Path

import msgspec
import pytest

from adapters.history import keeper as keepers
from adapters.history.asked import Kept, Table
from adapters.history.store import HOUR
from core.partner_wire import Change
from tests.adapters.history.conftest import BEGIN, MINUTE, History

ALL = "SELECT minute, asset, last FROM minutes ORDER BY ALL"
COUNT = "SELECT count(*), count(DISTINCT (minute, asset)), round(sum(last), 6) FROM minutes"


def seal(history: History) -> None:
    """Let every hour be sealed."""
    history.keeper.seal_all()


def test_a_minute_can_be_asked_at_once_and_is_the_same_when_it_is_sealed(history: History) -> None:
    for n in range(3):
        history.minute(n)
    before = history.rows(ALL)
    assert len(before) == 3 * sum(map(len, history.lamps.values())) == 90
    assert {row[2] for row in before} >= {0.0, 1.01, 2.02}
    seal(history)
    assert history.rows(ALL) == before
    assert not list(history.keeper.store.open("minutes"))
    assert not list((history.folder / "history" / "write-ahead").iterdir())


def test_what_several_values_came_to_is_told(history: History) -> None:
    change = history.block(BEGIN, "Voisine", [7.0])
    told = {"low": 1.0, "high": 9.0, "total": 17.0}
    row = change.row | {name: struct.pack("<d", value) for name, value in told.items()}
    row |= dict.fromkeys(("values", "count"), struct.pack("<I", 3))
    history.keeper.take([msgspec.structs.replace(change, row=row)])
    history.keeper.sync()
    sql = "SELECT last, low, high, round(mean, 3), total, count FROM minutes"
    assert history.rows(sql) == [[7.0, 1.0, 9.0, 5.667, 17.0, 3]]
    seal(history)
    assert history.rows(sql) == [[7.0, 1.0, 9.0, 5.667, 17.0, 3]]


def test_a_crash_loses_nothing_that_was_synced(history: History) -> None:
    for n in range(3):
        history.minute(n)
    history.keeper.take([history.event("lighting.door.opened", history.utc, "Voisine", code=1)])
    history.keeper.sync()
    before = history.rows(ALL)
    history.start()
    assert history.rows(ALL) == before
    assert history.rows("SELECT name, commune FROM events") == [["lighting.door.opened", "Voisine"]]
    # The snapshot tells the newest minute again: it is known.
    last = [history.block(BEGIN + 2 * MINUTE, commune, [0.0]) for commune in history.lamps]
    history.keeper.take(last, standing=True)
    history.keeper.sync()
    assert history.counts == {"repeated": 2}
    history.minute(3)
    assert len(history.rows(ALL)) == len(before) + 30


@pytest.mark.parametrize("cut", [1, 3, 9, 200])
def test_a_torn_record_is_cut_off_and_the_rest_is_there(history: History, cut: int) -> None:
    history.minute(0)
    whole = history.rows(ALL)
    history.minute(1)
    (path,) = (history.folder / "history" / "write-ahead").iterdir()
    path.write_bytes(path.read_bytes()[:-cut])
    history.start()
    assert history.counts == {"torn": 1}
    assert history.rows(ALL) == whole
    # It goes on where it was cut, and the minute that was torn may come again.
    history.minute(1)
    history.start()
    assert len(history.rows(ALL)) == 2 * len(whole)
    assert history.counts == {}


def test_a_damaged_record_is_passed_over_and_counted(history: History) -> None:
    for n in range(3):
        history.minute(n)
    (path,) = (history.folder / "history" / "write-ahead").iterdir()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    history.start()
    assert history.counts == {"damaged": 1}
    assert [row[0] for row in history.rows("SELECT DISTINCT last::INT FROM minutes ORDER BY 1")] == [0, 2]


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("at", range(12))
def test_killed_anywhere_while_it_seals_nothing_is_lost_or_doubled(
    history: History, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(2):
        history.minute(n)
    history.keeper.take([history.event("lighting.door.opened", history.utc, "Voisine")])
    history.keeper.sync()
    before, calls = history.rows(COUNT), 0

    def killed(real):
        def call(*arguments, **named):
            nonlocal calls
            calls += 1
            if calls > at:
                raise Killed
            return real(*arguments, **named)

        return call

    with monkeypatch.context() as patched:
        # Each thing that is done on the disk, before it is done.
        patched.setattr("adapters.history.parquet.whole.sync", killed(keepers.whole.sync))
        patched.setattr("adapters.history.parquet.os.replace", killed(os.replace))
        patched.setattr("adapters.history.keeper.whole.write", killed(keepers.whole.write))
        patched.setattr("adapters.history.keeper.Path.unlink", killed(Path.unlink))
        try:
            seal(history)
            ended = True
        except Killed:
            ended = False
    assert ended == (calls <= at)
    history.start()
    assert history.rows(COUNT) == before
    assert history.rows("SELECT count(*) FROM events") == [[1]]
    seal(history)
    assert history.rows(COUNT) == before
    assert not list(keepers.unfinished(history.folder))


def test_the_kills_meet_all_of_it(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    history.minute(0)
    done = []
    for name in ("parquet.whole.sync", "parquet.os.replace", "keeper.whole.write"):
        package, _, function = name.rpartition(".")
        module, _, attribute = package.partition(".")
        owner = getattr(__import__(f"adapters.history.{module}", fromlist=[""]), attribute)
        real = getattr(owner, function)
        monkeypatch.setattr(owner, function, lambda *a, real=real, f=function: (done.append(f), real(*a))[1])
    seal(history)
    assert {"sync", "replace", "write"} <= set(done)
    assert len(done) < 12 * 3


def test_a_full_disk_costs_what_came_meanwhile_and_no_more(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.minute(0)
    with monkeypatch.context() as patched:
        patched.setattr("adapters.history.write_ahead.os.fsync", _full)
        history.minute(1)
    assert history.counts == {"rows": 30, "unkept": 30}
    history.minute(2)
    wanted = [[0], [2]]
    assert history.rows("SELECT DISTINCT last::INT FROM minutes ORDER BY 1") == wanted
    history.start()
    assert history.rows("SELECT DISTINCT last::INT FROM minutes ORDER BY 1") == wanted


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_disk_with_no_room_at_all(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keepers, "AGAIN_S", 0.0)
    monkeypatch.setattr(keepers, "SEAL_S", 0.0)
    history.minute(0)
    before = history.rows(ALL)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # No file may grow: not the write-ahead file, nor one that is sealed.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        history.minute(1)
        history.utc = BEGIN + HOUR + MINUTE
        history.keeper.turn()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert history.counts == {"rows": 30, "unkept": 30, "seals_failed": 1}
    assert history.rows(ALL) == before
    history.minute(60)
    for _ in range(5):
        history.keeper.turn()
    assert history.counts["hours_sealed"] == 1
    assert len(history.rows(ALL)) == 60
    history.start()
    assert len(history.rows(ALL)) == 60


def test_where_the_disk_has_no_room_for_parquet_it_is_shown_and_sealed_later(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(history.keeper._writer, "minutes", _full)
        history.minute(0)
        assert history.rows(ALL) == []
    with monkeypatch.context() as patched:
        patched.setattr(history.keeper._writer, "seal", _full)
        history.utc = BEGIN + HOUR + MINUTE
        monkeypatch.setattr(keepers, "SEAL_S", 0.0)
        history.keeper.turn()
    assert history.counts["seals_failed"] == 1
    seal(history)
    assert len(history.rows(ALL)) == 30


def test_what_waits_to_be_sealed_is_bounded(make) -> None:
    history = make(write_ahead_mib=1)
    n = 0
    while not history.keeper.counts["unkept"]:
        for _ in range(200):
            history.minute(n, sync=False)
            n += 1
        assert n < 5000
    history.keeper.sync()
    ahead = (history.folder / "history" / "write-ahead").iterdir()
    assert sum(path.stat().st_size for path in ahead) <= 1 << 20
    seal(history)
    # In an hour that is not sealed yet there is room again.
    history.minute(n + 60)
    assert history.rows(f"SELECT count(*) FROM minutes WHERE last >= {n + 60}", last="2026-02-28") == [[30]]


def test_late_repeated_missed_and_malformed_are_counted(history: History) -> None:
    history.minute(0)
    first = [history.block(BEGIN + n * MINUTE, "Voisine", [1.0]) for n in (1, 2, 3)]
    history.keeper.take([first[0], first[2], first[2], first[1]])
    broken = msgspec.structs.replace(first[0], row=first[0].row | {"last": b"123"})
    history.keeper.take([broken, msgspec.structs.replace(first[0], row={"minute": 1})])
    history.keeper.sync()
    assert history.counts == {"rows": 32, "minutes_missed": 1, "repeated": 2, "malformed": 2}
    seal(history)
    late = history.block(BEGIN + 4 * MINUTE, "Voisine", [1.0, 2.0])
    history.keeper.take([late])
    assert history.counts["late"] == 2
    history.keeper.sync()
    assert history.rows("SELECT count(*) FROM minutes") == [[32]]


def test_an_hour_is_sealed_when_it_is_over_and_quiet(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keepers, "SEAL_S", 0.0)
    history.minute(0)
    history.keeper.turn()
    assert history.keeper.sealed < BEGIN // HOUR
    history.minute(60)
    for _ in range(5):
        history.keeper.turn()
    assert history.keeper.sealed == BEGIN // HOUR
    assert history.counts["hours_sealed"] == 1
    assert len(history.rows(ALL)) == 60
    names = [Path(file.path).name for file in history.keeper.store.sealed("minutes")]
    assert names == ["22.parquet"] * 2


def test_the_oldest_goes_first(make) -> None:
    history = make(keep_days=2)
    for day in range(4):
        history.minute(day * 24 * 60)
    seal(history)
    history.keeper.forget()
    days = "SELECT DISTINCT minute::DATE::VARCHAR FROM minutes ORDER BY 1"
    assert history.rows(days, last="2026-01-20") == [[f"2026-01-{day}"] for day in (16, 17, 18)]
    assert history.counts["files_forgotten"] == 2
    # Then by size: what is left fits, and a folder of nothing is not left either.
    one = next(iter(history.keeper.store.sealed("minutes"))).size
    history.keeper.settings = msgspec.structs.replace(history.settings, size_gib=2.5 * one / (1 << 30))
    history.keeper.forget()
    assert history.rows(days, last="2026-01-20") == [["2026-01-18"]]
    assert len(list((history.folder / "history" / "minutes").rglob("day=*"))) == 2


def test_what_stands_is_not_told_again_after_a_restart(history: History) -> None:
    row = {"state": "unacked_active", "raised": BEGIN, "returned": 0, "acked": 0}
    alarm = Change("alarm", "lamp_failed", "L0001", "lighting", ("Voisine",), row)
    history.keeper.take([alarm], standing=True)
    history.keeper.sync()
    history.start()
    acked = msgspec.structs.replace(alarm, row=row | {"acked": BEGIN + MINUTE})
    history.utc = BEGIN + 2 * MINUTE
    history.keeper.take([alarm, acked], standing=True)
    history.keeper.sync()
    told = history.rows("SELECT asset, data->>'acked' FROM events ORDER BY received")
    assert told == [["L0001", "0"], ["L0001", str(BEGIN + MINUTE)]]


def test_sealed_values_stay_sealed(history: History) -> None:
    sealed = {
        "type": "sealed",
        "person": "p1",
        "kept": "calls",
        "since": 1,
        "place": "x",
        "data": b"\x00\xff",
    }
    history.keeper.take([history.event("calls.call.taken", BEGIN, "Voisine", caller=sealed)])
    history.keeper.sync()
    ((data,),) = history.rows("SELECT data FROM events")
    assert '"type":"sealed"' in data
    assert '"data":"AP8="' in data


def test_what_is_there_is_told(history: History) -> None:
    kept = history.about()
    assert isinstance(kept, Kept)
    assert (kept.files, kept.first) == (0, "")
    empty = history.ask(ALL)
    assert isinstance(empty, Table)
    assert empty.why == "nothing that you may read is kept yet."
    history.minute(0)
    kept = history.about()
    assert isinstance(kept, Kept)
    assert (kept.first, kept.places) == ("2026-01-15", {"lighting": sorted(history.lamps)})
