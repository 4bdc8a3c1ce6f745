"""The journal forgets its oldest records by itself, once a day and in a thread that may be slow.

First what must outlive is written to the ledger, then the truncation is announced by a record of the journal, and only
when that is durable the records go: killed at any moment, the journal is whole, or says what is missing of it.
"""

from __future__ import annotations

import sqlite3
import threading
import time

import structlog

from core import ledger
from core.clock import SECOND
from core.errors import JournalError
from core.journal import Record, SqliteJournal
from core.ledger import TRUNCATED

log = structlog.get_logger()

#: How often (s) it looks whether a day's records are past their time.
LOOK_S = 60.0

#: So much (µs) goes at once at least: each truncation is a file of the ledger.
PORTION = 86_400 * SECOND


class Truncation(threading.Thread):
    """Keeps the records of ``keep_days`` and the ledgers of ``ledger_days``, by the times in the journal (0: all)."""

    def __init__(self, journal: SqliteJournal, keep_days: int, ledger_days: int) -> None:
        super().__init__(name="truncation", daemon=True)
        self._journal = journal
        self._data = journal.path.parent
        self._keep, self._ledger_keep = keep_days * PORTION, ledger_days * PORTION
        self._ended = threading.Event()

    def run(self) -> None:
        """End what an earlier post has begun, then look from time to time until it is closed."""
        try:
            self.finish()
            while self._keep and not self._ended.wait(LOOK_S):
                self.look()
        except (JournalError, OSError, sqlite3.Error) as error:
            # Nothing is lost by it but room; the journal says itself when its disk is full.
            log.error("truncation ended until the next start", why=str(error))

    def close(self) -> None:
        """End. What has begun ends at the next start."""
        self._ended.set()
        self.join(5)

    def finish(self) -> None:
        """Forget what was announced, where a post was killed before it had."""
        announced = [ledger.decode(record.data).through for _, record in self._journal.read(0, TRUNCATED)]
        if announced:
            self._journal.truncate(max(announced) + 1)

    def look(self) -> None:
        """Truncate where there is a day's records past their time. Raises OSError, sqlite3.Error, JournalError."""
        cut = self._journal.cut(self._keep, PORTION)
        if cut is None:
            return
        first, through, head, utc = cut
        dropped = self._past(utc)
        told = ledger.write(self._journal.path, first, through, head, dropped)
        record = self._journal.append([Record(TRUNCATED, 0, utc, ledger.encode(told))])
        while self._journal.durable().local < record:
            if self._journal.failed is not None or self._ended.is_set():
                return
            time.sleep(0.01)
        self._journal.truncate(through + 1)
        for name in dropped:
            (self._data / ledger.FOLDER / name).unlink(missing_ok=True)
        log.info("journal truncated", first=first, through=through, ledger=told.ledger, records=told.records)

    def _past(self, utc: int) -> list[str]:
        """The ledgers whose last record is past its time at ``utc`` µs."""
        if not self._ledger_keep:
            return []
        return [
            path.name for path in ledger.files(self._data) if ledger.newest(path) < utc - self._ledger_keep
        ]
