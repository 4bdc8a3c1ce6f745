"""What happened in a stretch of time: the lines of the shift log, how cases then stood, what nobody answered."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from adapters.papers import words
from adapters.papers.folder import Folder
from adapters.papers.phrases import ACTS, phrase
from adapters.papers.tongue import Tongue
from core.declaration import Text


class Entry(NamedTuple):
    """A line of the shift log. ``sealed``: somebody wrote words with it, which stay sealed. ``n`` 0: a refusal."""

    seq: int
    at_utc: int
    incident: str
    n: int
    code: str
    text: Text
    by: str
    sealed: bool

    def said(self, t: Tongue) -> str:
        """The line, with a sign for words that are sealed, and who, where the sentence does not name them."""
        text = t.of(self.text)
        if self.sealed:
            text += t(" [scellé]", " [sealed]")
        return text


class Unanswered(NamedTuple):
    """A request that nobody answered in time; of which case, if it is known."""

    seq: int
    at_utc: int
    kind: str
    title: Text | None
    incident: str


class Shift(msgspec.Struct):
    """All of it. ``first`` and ``last`` are the records of that time; ``changed`` how cases stood at its end."""

    since: int
    until: int
    first: int = 0
    last: int = 0
    entries: list[Entry] = []
    changed: dict[str, tuple[int, words.Changed]] = {}
    unanswered: list[Unanswered] = []

    def entries_of(self, *codes: str) -> list[Entry]:
        """Lines with one of these codes."""
        return [entry for entry in self.entries if entry.code in codes]


def read(folder: Folder, since: int, until: int) -> Shift:
    """Read it from the journal."""
    shift = Shift(since, until)
    shift.first, shift.last = folder.before(since) + 1, folder.before(until + 1)
    if not folder.last:
        shift.first = 0
    expired: dict[int, int] = {}
    answered: set[int] = set()
    for line in folder.between(since, until):
        match line.head.kind:
            case words.NOTED:
                if (noted := folder.read(line, words.Noted)) is not None:
                    shift.entries.append(_entry(line.seq, line.head.at_utc, noted))
            case words.REFUSED:
                if (refused := folder.read(line, words.Refused)) is not None:
                    shift.entries.append(_refusal(line.seq, line.head.at_utc, refused))
            case words.CHANGED:
                if (changed := folder.read(line, words.Changed)) is not None:
                    shift.changed[changed.incident] = (line.head.at_utc, changed)
            case words.EXPIRED:
                if (said := folder.read(line, words.Expired)) is not None:
                    expired[said.request] = line.head.at_utc
            case words.ANSWERED:
                if (reply := folder.read(line, words.Answered)) is not None:
                    answered.add(reply.request)
    shift.unanswered = [_unanswered(folder, seq, at) for seq, at in expired.items() if seq not in answered]
    return shift


def _entry(seq: int, at_utc: int, noted: words.Noted) -> Entry:
    sealed = noted.words is not None
    return Entry(seq, at_utc, noted.incident, noted.n, noted.code, noted.text, noted.by, sealed)


def _refusal(seq: int, at_utc: int, refused: words.Refused) -> Entry:
    act = phrase(ACTS, refused.act)
    # The trade gives its reasons in English alone.
    text = Text(
        f"Refusé à {refused.by} : {act.fr} ({refused.reason})",
        f"Refused to {refused.by}: {act.en} ({refused.reason})",
    )
    return Entry(seq, at_utc, refused.incident, 0, "act_refused", text, refused.by, False)


def _unanswered(folder: Folder, seq: int, at_utc: int) -> Unanswered:
    line = folder.event(seq)
    if line is None:
        return Unanswered(seq, at_utc, "", None, "")
    # Kinds of requests differ; those without a title or a case have none here.
    try:
        asked = line.of(words.Request)
    except msgspec.DecodeError:
        asked = words.Request()
    return Unanswered(seq, at_utc, line.head.kind, asked.title, asked.incident)
