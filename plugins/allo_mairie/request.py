"""A request: one problem, whoever told of it, from its first report to its end."""

from __future__ import annotations

from typing import Literal

import msgspec

from ondijon import Text
from plugins.allo_mairie.duplicates import Known

RequestState = Literal[
    "received", "to_check", "open", "planned", "in_progress", "resolved", "closed", "reopened"
]

#: A request in one of these needs nobody any more.
OVER = ("resolved", "closed")

#: States in which a job of it may be at the board.
AT_WORK = ("open", "planned", "in_progress", "reopened")

#: Records of reports that it names, the first and the latest; requests that were found to be it.
RECORDS_MAX, PARTS_MAX = 20, 20


class Suspect(msgspec.Struct, frozen=True):
    """A request that this one may repeat (``again``: that was mended), how likely (0 to 1), and why in words."""

    request: str
    score: float
    why: Text
    again: bool = False


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """``known`` is what the judgement of duplicates knows of it (None: without a place). ``records``: where the journal
    has its reports, and their sealed words.

    Times in µs: ``begun_utc`` received, or reopened; ``due_utc`` by when it shall be done, and ``left_us`` until then
    while its clock stands for the reason ``paused``. ``jobs`` counts those asked for, ``job`` is how the last one
    stands. ``told``: the last news to the citizen.
    """

    key: str
    category: str
    channel: str
    priority: int
    state: RequestState = "received"
    asset: int | None = None
    lon: float | None = None
    lat: float | None = None
    commune: str = ""
    known: Known | None = None
    received_utc: int = 0
    begun_utc: int = 0
    changed_utc: int = 0
    due_utc: int = 0
    left_us: int = 0
    paused: str = ""
    late: bool = False
    reason: str = ""
    jobs: int = 0
    job: str = ""
    team: str = ""
    begin_utc: int = 0
    reports: int = 1
    records: tuple[int, ...] = ()
    suspects: tuple[Suspect, ...] = ()
    reopened: int = 0
    notes: int = 0
    duplicate_of: str = ""
    parts: tuple[str, ...] = ()
    told: str = ""

    @property
    def over(self) -> bool:
        """Whether it needs nobody any more."""
        return self.state in OVER

    @property
    def job_name(self) -> str:
        """The name of its last job: its key, and from the second on a number."""
        return self.key if self.jobs == 1 else f"{self.key}.{self.jobs}"

    @property
    def has_job(self) -> bool:
        """Whether a job of it is at the board and not over."""
        return self.job not in ("", "done", "withdrawn")


def number(key: str) -> int:
    """The number in a key; 0 where it is none."""
    digits = key[1:]
    return int(digits) if key[:1] == "R" and digits.isascii() and digits.isdigit() and len(digits) < 12 else 0
