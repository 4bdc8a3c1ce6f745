"""One watched process: started again when it dies, given up when it cannot work, measured by itself; and what is
refused before anything starts."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from core import config, supervisor
from core.errors import ConfigError
from core.supervisor import Process, Supervisor


def process(folder: Path, script: str) -> Process:
    return Process("one", [sys.executable, "-c", script], [], folder)


def until(condition: Callable[[], object], watched: Process) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        watched.watch()
        time.sleep(0.01)


def stop(watched: Process) -> None:
    watched.ask_to_stop()
    watched.see_it_end()


def test_memory_is_the_processes_own_not_what_its_parent_had(tmp_path: Path) -> None:
    ballast = bytearray(300 << 20)
    ballast[::4096] = bytes(len(ballast) // 4096)
    small = process(tmp_path, "print('here', flush=True); import time; time.sleep(60)")
    small.start()
    until(lambda: "here" in (tmp_path / "one.log").read_text(), small)
    small.watch()
    stop(small)
    assert 1 < small.figures.rss_max_mib < 100
    assert small.figures.cpu_s > 0


def test_what_dies_is_started_again_ever_later(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(supervisor, "BACKOFF_S", (0.01, 0.02))
    dying = process(tmp_path, "raise SystemExit(1)")
    dying.start()
    until(lambda: dying.figures.starts == 4, dying)
    assert not dying.hopeless
    stop(dying)


def test_what_cannot_work_is_given_up_at_its_first_start_only(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(supervisor, "BACKOFF_S", (0.01, 0.02))
    hopeless = process(tmp_path, "raise SystemExit(78)")
    hopeless.start()
    until(lambda: hopeless.hopeless, hopeless)
    for _ in range(20):
        hopeless.watch()
    assert hopeless.figures.starts == 1

    mark = tmp_path / "ran"
    script = f"import pathlib; mark = pathlib.Path({str(mark)!r}); status = 78 if mark.exists() else 1"
    ran = process(tmp_path, f"{script}; mark.touch(); raise SystemExit(status)")
    ran.start()
    until(lambda: ran.figures.starts == 4, ran)
    assert not ran.hopeless
    stop(ran)


def test_its_log_cannot_fill_the_disk(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(supervisor, "LOG_MAX", 100_000)
    script = "import time\nwhile True: print('x' * 999, flush=True); time.sleep(0.0005)"
    loud = process(tmp_path, script)
    loud.start()
    log, old = tmp_path / "one.log", tmp_path / "one.log.old"
    until(old.exists, loud)
    until(lambda: 0 < log.stat().st_size < old.stat().st_size, loud)
    stop(loud)
    assert set(old.read_text()) == {"x", "\n"}
    assert old.stat().st_size < 10_000_000


def test_one_that_does_not_listen_is_killed(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(supervisor, "STOP_S", 0.3)
    script = "import signal, time; signal.signal(15, signal.SIG_IGN); print('x', flush=True); time.sleep(60)"
    deaf = process(tmp_path, script)
    deaf.start()
    until(lambda: "x" in (tmp_path / "one.log").read_text(), deaf)
    pid = deaf.pid
    stop(deaf)
    assert not Path(f"/proc/{pid}").exists()


def test_a_folder_whose_sockets_would_have_no_room_is_refused(tmp_path: Path) -> None:
    table = {"version": 1, "post": {"city": "city", "data": "data", "plugins": []}}
    post = config.from_table(table, "a test", tmp_path)
    folder = tmp_path / ("x" * 100)
    with pytest.raises(ConfigError, match=r"has \d+ bytes; local sockets have room for 99") as caught:
        Supervisor(post, folder)
    assert caught.value.exit_status == 78
    assert not folder.exists()
