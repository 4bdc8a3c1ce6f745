"""The nightly paper pack as an adapter: a process that reads the journal beside the post, and needs nobody's answer.

It does not follow the egress: a pack is wanted most when edges or kernel are down, and the journal is still there then.
"""

from __future__ import annotations

import datetime
import os
import signal
import time
from collections.abc import Callable

import structlog

from adapters.papers import pack
from adapters.papers.folder import Folder
from adapters.papers.settings import Settings
from core.adapter import Adapter
from core.clock import SECOND
from core.errors import JournalError
from core.run import Run

log = structlog.get_logger()

#: The city's present goes before its paper.
NICE = 10

#: How often (s) the process looks at the clock, how long it waits for a first record, and until it tries again.
TURN_S, BEGIN_S, AGAIN_S = 0.5, 30.0, 60.0


def next_time(utc: int, at: str, zone: datetime.tzinfo | None) -> int:
    """The first moment (µs) after ``utc`` at which the clock on the wall shows ``at``.

    An hour that the clock leaves out in spring is taken as it would have been; one that comes twice, the first time.
    """
    hour, minute = map(int, at.split(":"))
    today = datetime.datetime.fromtimestamp(utc / SECOND, datetime.UTC).astimezone(zone)
    for days in range(3):
        day = today.date() + datetime.timedelta(days=days)
        naive = datetime.datetime.combine(day, datetime.time(hour, minute))
        moment = naive.replace(tzinfo=zone) if zone is not None else naive.astimezone()
        found = int(moment.timestamp()) * SECOND
        if found > utc:
            return found
    return utc + 86_400 * SECOND


class Night:
    """Writes a pack when it is due. ``utc`` is city time (µs), ``mono`` the machine's seconds."""

    def __init__(
        self, run: Run, settings: Settings, utc: Callable[[], int], mono: Callable[[], float] = time.monotonic
    ) -> None:
        self._run, self._settings, self._utc, self._mono = run, settings, utc, mono
        self._zone: datetime.tzinfo | None = None
        self._due = 0
        self._again = 0.0
        self._begun = mono()
        self._said = ""

    def turn(self) -> pack.Pack | None:
        """Write the pack if it is time to; what goes wrong is said once, and tried again after a while."""
        now = self._utc()
        if now < self._due or self._mono() < self._again:
            return None
        if not self._due and not self._ready():
            return None
        out = pack.where(self._run.data, self._settings)
        try:
            written = pack.write(self._run.data, out, self._settings, self._run, now, now)
        except OSError as error:
            self._say(pack.full(error, out))
            self._again = self._mono() + AGAIN_S
            return None
        self._due = next_time(now, self._settings.at, self._zone)
        self._said = ""
        log.info("paper pack written", folder=str(written.folder), sheets=len(written.sheets))
        for sentence in written.missing:
            self._say(sentence)
        return written

    def _ready(self) -> bool:
        """Whether the journal has begun; a pack without it is written all the same, only later."""
        try:
            with Folder(self._run.data) as folder:
                self._zone = folder.city()[1]
                if folder.last:
                    return True
        except JournalError:
            pass
        return self._mono() - self._begun >= BEGIN_S

    def _say(self, sentence: str) -> None:
        if sentence != self._said:
            log.error("paper pack", why=sentence)
        self._said = sentence


def main(run: Run, settings: Settings, part: int) -> None:
    """Entry of the process, see ``core.adapter``."""
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICE)
    night = Night(run, settings, run.clock().utc)
    log.info("papers ready", at=settings.at, folder=str(pack.where(run.data, settings)))
    while not stopping:
        night.turn()
        time.sleep(TURN_S)


adapter = Adapter("papers", Settings, main)
