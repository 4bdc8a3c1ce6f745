"""What a journal needs beside its commits, in a thread that may be slow: its witness, and its write-ahead log."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Sequence
from pathlib import Path

#: How often (s) it looks.
LOOK_S = 1.0

#: A write-ahead log is folded into the file when it is larger than this (bytes). SQLite would do it inside of a commit.
WAL_MAX = 4 << 20

#: A witness that could not be shown a head for so long (s) is away.
AWAY_S = 60.0

#: Signed heads shown to a witness at one look.
SHOWN_MAX = 1000


class Witness:
    """A folder that belongs to the city, not to who runs the post: each signed head is appended to a file in it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{name}.checkpoints"
        self.shown = -1
        self.failure = ""
        self.behind_since = 0.0

    def show(self, notes: Sequence[tuple[int, str]]) -> None:
        """Append the notes that it does not have. Raises OSError."""
        if self.shown < 0:
            self.shown = _last(self.path)
        new = [(seq, note) for seq, note in notes if seq > self.shown]
        if not new:
            return
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(descriptor, "".join(f"{note}\n" for _, note in new).encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self.shown = new[-1][0]


class Keeper(threading.Thread):
    """Follows the journal's file over a connection of its own: nothing it waits for keeps a commit back."""

    def __init__(self, path: Path, witnesses: Sequence[Witness]) -> None:
        super().__init__(name="keeper", daemon=True)
        self.witnesses = witnesses
        self._path = path
        self._ended = threading.Event()

    def run(self) -> None:
        """Look after it until it is closed, and once more."""
        db = sqlite3.connect(self._path, isolation_level=None)
        try:
            while True:
                ending = self._ended.wait(LOOK_S)
                self._fold(db)
                for witness in self.witnesses:
                    self._show(db, witness)
                if ending:
                    return
        finally:
            db.close()

    def away(self) -> list[tuple[str, str]]:
        """The witnesses that have been away for long: where, and why."""
        now = time.monotonic()
        return [
            (str(witness.path), witness.failure)
            for witness in self.witnesses
            if witness.behind_since and now - witness.behind_since > AWAY_S
        ]

    def close(self) -> None:
        """Show what was signed last, and end."""
        self._ended.set()
        self.join(5)

    def _fold(self, db: sqlite3.Connection) -> None:
        try:
            if self._path.with_name(f"{self._path.name}-wal").stat().st_size > WAL_MAX:
                db.execute("PRAGMA wal_checkpoint(PASSIVE)")
        except (OSError, sqlite3.Error):
            # The writer meets the same disk, and says so.
            return

    def _show(self, db: sqlite3.Connection, witness: Witness) -> None:
        query = "SELECT seq, note FROM checkpoint WHERE seq > ? ORDER BY seq LIMIT ?"
        try:
            witness.show(db.execute(query, (witness.shown, SHOWN_MAX)).fetchall())
        except (OSError, sqlite3.Error) as error:
            witness.failure = str(error)
            witness.behind_since = witness.behind_since or time.monotonic()
        else:
            witness.failure, witness.behind_since = "", 0.0


def _last(path: Path) -> int:
    """The number of records of the last note in a file; 0 where there is none."""
    if not path.exists():
        return 0
    lines = [line for line in path.read_text("utf-8").split("\n") if line]
    return int(lines[-3]) if len(lines) >= 4 else 0
