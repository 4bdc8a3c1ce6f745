"""The power goes, and with it all that no disk has: what the journal called durable is there.

kill -9 cannot tell a journal that syncs from one that never does, because the page cache outlives the process. So the
journal writes on a file system in an image: the writer is stopped, the image copied as the disk has it, and the copy
mounted. The method has no torn sectors and no lying disk; the control, a journal that does not sync, must lose.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from adapters.audit import verify

WRITER = """
import sys, threading
from pathlib import Path
from core.journal import Record, SqliteJournal
told = threading.Event()
journal = SqliteJournal(Path(sys.argv[1]), told.set)
if sys.argv[2] == "off":
    journal._db.execute("PRAGMA synchronous = OFF")
while True:
    journal.append([Record("event", 1, 1, bytes(220))] * 3)
    told.wait()
    told.clear()
    print(journal.durable().local, flush=True)
"""


def run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True, capture_output=True)


class Disk:
    """An ext4 file system in a file."""

    def __init__(self, folder: Path) -> None:
        self.image, self.mount = folder / "image", folder / "mount"
        self.copy, self.after = folder / "copy", folder / "after"
        self.mount.mkdir()
        self.after.mkdir()
        with self.image.open("wb") as file:
            file.truncate(64 << 20)
        run("mkfs.ext4", "-q", "-F", self.image)
        run("mount", "-o", "loop", self.image, self.mount)

    def cut(self, writer: subprocess.Popen[str]) -> None:
        """The power goes while ``writer`` writes; mount what the disk had."""
        os.kill(writer.pid, signal.SIGSTOP)
        shutil.copyfile(self.image, self.copy)
        run("mount", "-o", "loop", self.copy, self.after)

    def mend(self, writer: subprocess.Popen[str]) -> int:
        """End the writer and unmount the copy; return what it had last called durable when it was cut off."""
        os.kill(writer.pid, signal.SIGKILL)
        assert writer.stdout is not None
        said = [int(line) for line in writer.stdout.read().splitlines() if line.isdigit()]
        writer.wait()
        run("umount", self.after)
        return max(said, default=0)

    def close(self) -> None:
        # Lazily: a test that failed half way leaves both, and its writer.
        for mount in (self.after, self.mount):
            if os.path.ismount(mount):
                run("umount", "-l", mount)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    if os.geteuid() != 0:
        pytest.skip("it mounts a file system, which needs root")
    if not shutil.which("mkfs.ext4"):
        pytest.skip("mkfs.ext4 is not here")
    try:
        made = Disk(tmp_path)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no loop device can be mounted here: {error}")
    yield made
    made.close()


def cut_once(disk: Disk, round: int, sync: str) -> tuple[int, int]:
    """(called durable, found after the cut) of one journal."""
    folder = disk.mount / f"data-{sync}-{round}"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, folder, sync], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    writer.stdout.readline()
    time.sleep(0.05 + 0.013 * round)
    disk.cut(writer)
    found = _found(disk.after / folder.name, sync)
    return disk.mend(writer), found


def _found(folder: Path, sync: str) -> int:
    try:
        with closing(sqlite3.connect(folder / "journal.sqlite")) as db:
            found: int = db.execute("SELECT max(seq) FROM journal").fetchone()[0] or 0
        if sync == "full":
            assert verify.check(folder, None, None).last == found
        return found
    except sqlite3.Error:
        assert sync == "off", "a journal that syncs can be read"
        return 0


def test_what_was_called_durable_is_there(disk: Disk) -> None:
    for round in range(20):
        durable, found = cut_once(disk, round, "full")
        assert found >= durable > 0, f"cut {round}"


def test_the_method_finds_a_journal_that_does_not_sync(disk: Disk) -> None:
    lost = sum(found < durable for durable, found in (cut_once(disk, round, "off") for round in range(4)))
    assert lost > 0, "else the other test proves nothing"
