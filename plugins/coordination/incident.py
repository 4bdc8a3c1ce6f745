"""An incident: one case of the post, whoever noticed it, from its opening to its end."""

from __future__ import annotations

from typing import Literal

import msgspec

from ondijon import Sealed, Text

IncidentState = Literal["new", "in_progress", "on_hold", "resolved", "closed"]

#: What persons may do of a case, and in which states; what it becomes (None: it stays as it is).
ACTS: dict[str, tuple[tuple[str, ...], IncidentState | None]] = {
    "take": (("new", "in_progress", "on_hold"), "in_progress"),
    "hand_over": (("new", "in_progress", "on_hold"), "in_progress"),
    "hold": (("new", "in_progress"), "on_hold"),
    "resume": (("on_hold",), "in_progress"),
    "resolve": (("new", "in_progress", "on_hold"), "resolved"),
    "close": (("new", "in_progress", "on_hold", "resolved"), "closed"),
    "reopen": (("resolved", "closed"), "in_progress"),
    "watch": (("new", "in_progress", "on_hold", "resolved"), None),
    "unwatch": (("new", "in_progress", "on_hold", "resolved"), None),
    "prioritise": (("new", "in_progress", "on_hold"), None),
    "note": (("new", "in_progress", "on_hold", "resolved", "closed"), None),
    "merge": (("new", "in_progress", "on_hold"), "closed"),
    "procedure": (("new", "in_progress", "on_hold"), None),
}

#: A case in one of these needs nobody any more.
OVER = ("resolved", "closed")

#: Entries that the case's own row shows; all of them are in the journal.
LATEST = 12


class Entry(msgspec.Struct, frozen=True):
    """One line of a case's timeline, and of the shift log (*main courante*). ``n`` counts within the case.

    ``by`` is a person or a trade. ``about`` is the seq of the event that led to it. ``words`` are what somebody wrote.
    """

    n: int
    at_utc: int
    code: str
    text: Text
    by: str = ""
    about: int = 0
    words: Sealed[str] | None = None


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A procedure under way: its step since ``since_mono`` µs; how much of what it asked for is ``done``."""

    procedure: str
    version: int
    step: str
    since_mono: int
    late: bool = False
    done: int = 0
    jobs: int = 0


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """A case. ``assets`` are those its signs stand on, ``cameras`` the nearest ones, by id.

    ``since_mono`` µs: since when it has been ``state``; ``level`` how often it was escalated since.
    """

    key: str
    category: str
    title: Text
    priority: int
    state: IncidentState = "new"
    owner: str = ""
    watchers: tuple[str, ...] = ()
    parent: str = ""
    lon: float | None = None
    lat: float | None = None
    communes: tuple[int, ...] = ()
    assets: tuple[int, ...] = ()
    cameras: tuple[str, ...] = ()
    opened_utc: int = 0
    changed_utc: int = 0
    since_mono: int = 0
    level: int = 0
    signs: int = 0
    entries: int = 0
    run: Run | None = None
    latest: tuple[Entry, ...] = ()
