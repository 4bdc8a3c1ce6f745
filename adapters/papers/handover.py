"""The handover sheet: what whoever takes the post must know, on one page if it can be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from adapters.papers import alarms, chain, shift, standing
from adapters.papers.alarms import Alarms
from adapters.papers.folder import Folder
from adapters.papers.phrases import CASE, JOB, REASONS, REQUESTS, phrase
from adapters.papers.sheet import Part, Row, Sheet
from adapters.papers.shift import Shift
from adapters.papers.standing import Case, Standing, Work
from adapters.papers.tongue import Tongue
from core.clock import SECOND

HOUR = 3600 * SECOND

#: Latest lines of each open case; and rows of a list of alarms or jobs, of more the number is told.
LATEST, ROWS = 3, 25

#: Lines to write on.
LINES = 3


def make(folder: Folder, until: int, hours: float, t: Tongue, printed: int) -> Sheet:
    """The sheet of the shift that ends at ``until`` µs, and began so many ``hours`` before."""
    since = until - int(hours * HOUR)
    read = shift.read(folder, since, until)
    assets = folder.assets()
    stands = standing.read(folder, until, assets.ids if assets else ())
    told = alarms.read(folder, until, stands.snapshot, assets)
    first = min(read.first, stands.after + 1) if stands.after else folder.first
    warnings, facts = chain.facts(folder, first, read.last, t, printed, stands.after)
    city, _ = folder.city()
    return Sheet(
        language=t.language,
        title=t("Relève", "Handover") + (f" — {city}" if city else ""),
        subtitle=t(
            f"Situation au {t.at(until)}. Vacation depuis le {t.at(since)}.",
            f"As of {t.at(until)}. Shift since {t.at(since)}.",
        ),
        warnings=[*warnings, *_old(folder, stands, t), *_late(folder, until, printed, t)],
        parts=list(_parts(read, stands, told, t)),
        facts=facts,
    )


def _old(folder: Folder, stands: Standing, t: Tongue) -> Iterator[str]:
    if not stands.after and folder.first > 1:
        yield t(
            f"Le journal commence le {t.at(folder.utc(folder.first))} : ce qui n'a pas changé depuis n'est pas ici.",
            f"The journal begins on {t.at(folder.utc(folder.first))}: what has not changed since is not here.",
        )


def _late(folder: Folder, until: int, printed: int, t: Tongue) -> Iterator[str]:
    """Whoever reads must see that the post was silent long before the sheet was printed."""
    # A post in another time than ours is a trial: it may be ahead of this clock, or years behind it.
    silent = printed - folder.end()
    if folder.last and until >= folder.end() and 10 * 60 * SECOND < silent < 30 * 24 * HOUR:
        yield t(
            f"Le poste n'a rien écrit depuis {t.lasted(silent)} : ce qui s'est passé depuis n'est pas ici.",
            f"The post has written nothing for {t.lasted(silent)}: what happened since is not here.",
        )


def _parts(read: Shift, stands: Standing, told: Alarms, t: Tongue) -> Iterator[Part]:
    yield _open(stands, t)
    yield from _unanswered(read, stands, t)
    yield from _alarms(told, t, read.until)
    yield from _aside(told, t, read.until)
    yield from _stuck(stands, t)
    yield from _escalated(read, t)
    yield _closed(read, t)
    yield Part(heading=t("À transmettre de vive voix", "To be told in person"), lines=LINES)
    yield Part(
        heading="",
        columns=(t("Passé par", "Handed over by"), t("Pris par", "Taken by"), t("le, à", "on, at")),
        rows=[Row(("",) * 3)],
    )


def _open(stands: Standing, t: Tongue) -> Part:
    cases = stands.open_cases()
    return Part(
        heading=t(f"Cas ouverts ({len(cases)})", f"Open cases ({len(cases)})"),
        columns=(
            t("cas", "case"),
            t("prio.", "prio."),
            t("quoi", "what"),
            t("qui", "who"),
            t("état", "state"),
            t("depuis", "for"),
        ),
        rows=[_case(case, stands.utc, t) for case in cases],
        empty=t("Aucun.", "None."),
        wide=2,
    )


def _case(case: Case, utc: int, t: Tongue) -> Row:
    below = []
    if case.step is not None:
        late = t(" — EN RETARD", " — LATE") if case.late else ""
        below.append(t("Étape : ", "Step: ") + t.of(case.step) + late)
    if case.parent or case.watchers:
        watchers = t("Suivi par ", "Watched by ") + ", ".join(case.watchers) if case.watchers else ""
        part = t(f"Partie de {case.parent}", f"Part of {case.parent}") if case.parent else ""
        below.append(". ".join(each for each in (part, watchers) if each))
    # The step that stands above need not be said again.
    entries = [entry for entry in case.entries if entry.code != "step"] or case.entries
    below += [f"{t.short(entry.at_utc, utc)}  {entry.said(t)}" for entry in entries[-LATEST:]]
    cells = (
        case.key,
        f"P{case.priority}",
        t.of(case.title),
        case.owner or t("PERSONNE", "NOBODY"),
        t.of(phrase(CASE, case.state)),
        t.lasted(utc - case.opened_utc),
    )
    return Row(cells, tuple(below), strong=case.priority == 1 or not case.owner)


def _unanswered(read: Shift, stands: Standing, t: Tongue) -> Iterator[Part]:
    """Requests that no trade answered, and steps that nobody did; a row a case. What belongs to a case that is over
    asks for nothing any more."""
    found: dict[str, list[tuple[int, str]]] = {}
    for each in read.unanswered:
        title = f" ({t.of(each.title)})" if each.title else ""
        found.setdefault(each.incident, []).append((each.at_utc, t.of(phrase(REQUESTS, each.kind)) + title))
    for entry in read.entries_of("late"):
        said = t.of(entry.text).partition(t(" : ", ": "))[2] or t.of(entry.text)
        found.setdefault(entry.incident, []).append((entry.at_utc, said))
    rows = [
        Row(
            (
                t.short(min(at for at, _ in each), read.until),
                key,
                "; ".join(dict.fromkeys(said for _, said in each)),
            )
        )
        for key, each in found.items()
        if not key or key not in stands.cases or stands.cases[key].open
    ]
    if rows:
        yield Part(
            heading=t("Sans réponse", "Nobody answered"),
            rows=_some(rows, t),
        )


def _alarms(told: Alarms, t: Tongue, utc: int) -> Iterator[Part]:
    rows = [
        Row(
            (
                f"P{kind.priority}",
                t.of(kind.text),
                str(kind.count),
                str(kind.unseen) if kind.unseen else "",
                t.short(kind.since_utc, utc),
                _where(kind.assets, kind.count, t),
            ),
            strong=kind.priority == 1,
        )
        for kind in told.standing
    ]
    note = (
        t(
            f"{told.suppressed} autres sont la suite d'alarmes ci-dessous.",
            f"{told.suppressed} more follow from alarms below.",
        )
        if told.suppressed
        else ""
    )
    yield Part(
        heading=t(
            f"Alarmes présentes ({sum(kind.count for kind in told.standing)})",
            f"Alarms that stand ({sum(kind.count for kind in told.standing)})",
        ),
        note=note,
        columns=(
            t("prio.", "prio."),
            t("quoi", "what"),
            t("nombre", "how many"),
            t("non vues", "not seen"),
            t("depuis", "since"),
            t("où", "where"),
        ),
        rows=_some(rows, t),
        empty=t("Aucune.", "None."),
    )


def _where(assets: Sequence[str], count: int, t: Tongue) -> str:
    named = ", ".join(each or t("le poste", "the post") for each in assets)
    return named + (" …" if count > len(assets) else "")


def _aside(told: Alarms, t: Tongue, utc: int) -> Iterator[Part]:
    rows = [
        Row(
            (
                t.short(each.until_utc, utc) if each.until_utc else t("hors service", "out of service"),
                t.of(told.text(each.code)),
                each.asset or t("le poste", "the post"),
                each.by,
                each.why,
            )
        )
        for each in sorted(told.aside, key=lambda each: each.until_utc)
    ]
    if rows:
        yield Part(
            heading=t("Alarmes mises de côté", "Alarms put aside"),
            columns=(
                t("jusqu'à", "until"),
                t("quoi", "what"),
                t("où", "where"),
                t("par", "by"),
                t("pourquoi", "why"),
            ),
            rows=_some(rows, t),
        )


def _stuck(stands: Standing, t: Tongue) -> Iterator[Part]:
    stuck = [work for work in stands.works.values() if work.state in ("held", "left_out")]
    if stuck:
        yield Part(
            heading=t("Travaux bloqués ou sans équipe", "Jobs held or left out"),
            columns=(
                t("prio.", "prio."),
                t("quoi", "what"),
                t("cas", "case"),
                t("état", "state"),
                t("pourquoi", "why"),
            ),
            rows=_some(
                [_job(work, t) for work in sorted(stuck, key=lambda work: (work.priority, work.key))], t
            ),
            wide=1,
        )


def _job(work: Work, t: Tongue) -> Row:
    state, reason = t.of(phrase(JOB, work.state)), t.of(phrase(REASONS, work.reason))
    return Row(
        (f"P{work.priority}", t.of(work.title), work.incident, state, reason), strong=work.priority == 1
    )


def _escalated(read: Shift, t: Tongue) -> Iterator[Part]:
    rows = [
        Row((t.short(entry.at_utc, read.until), entry.incident, t.of(entry.text)))
        for entry in read.entries_of("escalated")
    ]
    if rows:
        yield Part(
            heading=t("Escaladé dans la vacation", "Escalated in the shift"),
            rows=_some(rows, t),
        )


def _closed(read: Shift, t: Tongue) -> Part:
    ended = {entry.incident: entry for entry in read.entries_of("close", "resolve", "merge", "ended")}
    rows = [
        Row(
            (
                t.short(at, read.until),
                key,
                t.of(said.title),
                t.of(phrase(CASE, said.state)),
                (ended[key].by if key in ended else "") or said.owner,
            )
        )
        for key, (at, said) in read.changed.items()
        if said.state in ("resolved", "closed")
    ]
    return Part(
        heading=t(f"Cas finis dans la vacation ({len(rows)})", f"Cases ended in the shift ({len(rows)})"),
        rows=_some(sorted(rows, key=lambda row: row.cells[1]), t),
        empty=t("Aucun.", "None."),
        wide=2,
    )


def _some(rows: list[Row], t: Tongue) -> list[Row]:
    """The first of them; of the rest the number."""
    if len(rows) <= ROWS:
        return rows
    more = len(rows) - ROWS
    return [*rows[:ROWS], Row(("…", t(f"et {more} de plus", f"and {more} more")))]
