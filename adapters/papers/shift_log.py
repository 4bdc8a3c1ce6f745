"""The shift log (*main courante*) of a time, as a sheet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from adapters.papers import chain, shift, standing
from adapters.papers.folder import Folder
from adapters.papers.sheet import Part, Row, Sheet
from adapters.papers.shift import Entry
from adapters.papers.tongue import Tongue
from core.declaration import Text

By = Literal["time", "case"]


def make(
    folder: Folder, since: int, until: int, t: Tongue, printed: int, *, incident: str = "", by: By = "time"
) -> Sheet:
    """The sheet from ``since`` to ``until`` µs, of one case or of all."""
    read = shift.read(folder, since, until)
    entries = [entry for entry in read.entries if incident in ("", entry.incident)]
    titles = _titles(folder, until, read) if entries and by == "case" else {}
    city, _ = folder.city()
    parts = _by_case(entries, titles, t, since) if by == "case" else [_in_order(entries, t, since)]
    if not entries:
        parts = [Part(heading=t("Rien", "Nothing"), empty=_nothing(incident, t))]
    warnings, facts = chain.facts(folder, read.first, read.last, t, printed)
    about = t(f" — cas {incident}", f" — case {incident}") if incident else ""
    return Sheet(
        language=t.language,
        title=t("Main courante", "Shift log") + (f" — {city}" if city else "") + about,
        subtitle=t(
            f"Du {t.at(since)} au {t.at(until)}, {len(entries)} lignes.",
            f"From {t.at(since)} to {t.at(until)}, {len(entries)} lines.",
        ),
        warnings=warnings,
        parts=parts,
        facts=facts,
    )


def _nothing(incident: str, t: Tongue) -> str:
    of_case = t(f" sur le cas {incident}", f" of case {incident}") if incident else ""
    return t(
        f"Aucune ligne{of_case} en ce temps-là. Les cas ont un nom comme C12.",
        f"No line{of_case} in that time. Cases have names such as C12.",
    )


def _titles(folder: Folder, until: int, read: shift.Shift) -> dict[str, Text]:
    """What cases are called: as they changed in that time, or else as they stood at its end."""
    changed = {key: said.title for key, (_, said) in read.changed.items()}
    if all(entry.incident in changed for entry in read.entries):
        return changed
    return {key: case.title for key, case in standing.read(folder, until).cases.items()} | changed


def _in_order(entries: Sequence[Entry], t: Tongue, since: int) -> Part:
    return Part(
        heading=t("Dans l'ordre du temps", "In the order of time"),
        columns=(t("quand", "when"), t("cas", "case"), t("n°", "no."), t("fait", "what"), t("par", "by")),
        rows=[
            Row((_when(entry, t, since), entry.incident, _number(entry), entry.said(t), entry.by))
            for entry in entries
        ],
        wide=3,
    )


def _by_case(entries: Sequence[Entry], titles: dict[str, Text], t: Tongue, since: int) -> list[Part]:
    return [
        Part(
            heading=f"{key} — {t.of(titles[key])}"
            if key in titles
            else key or t("Sans cas", "Without a case"),
            columns=(t("quand", "when"), t("n°", "no."), t("fait", "what"), t("par", "by")),
            rows=[
                Row((_when(entry, t, since), _number(entry), entry.said(t), entry.by))
                for entry in entries
                if entry.incident == key
            ],
            wide=2,
        )
        for key in dict.fromkeys(entry.incident for entry in entries)
    ]


def _when(entry: Entry, t: Tongue, since: int) -> str:
    moment = t.moment(entry.at_utc)
    day = "" if moment.date() == t.moment(since).date() else moment.strftime(t("%d/%m ", "%m-%d "))
    return f"{day}{moment:%H:%M:%S}"


def _number(entry: Entry) -> str:
    return str(entry.n) if entry.n else ""
