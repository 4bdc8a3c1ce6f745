"""The list of jobs and the missions of teams, as sheets to go on with by radio."""

from __future__ import annotations

from adapters.papers import chain, standing
from adapters.papers.folder import Folder
from adapters.papers.phrases import JOB, REASONS, phrase
from adapters.papers.sheet import Part, Row, Sheet
from adapters.papers.standing import Standing
from adapters.papers.tongue import Tongue
from core.assets import Assets
from core.declaration import Text


def missions(folder: Folder, until: int, t: Tongue, printed: int) -> Sheet:
    """What each team does now and next, a part a team, with a box for what is done."""
    assets, stands, facts, warnings = _read(folder, until, t, printed)
    names = {} if assets is None else dict(zip(assets.ids, assets.names, strict=True))
    teams = _teams(assets, stands)
    return Sheet(
        language=t.language,
        title=t("Missions des équipes", "Missions of the teams"),
        subtitle=t(f"Telles que prévues le {t.at(until)}.", f"As planned on {t.at(until)}."),
        warnings=warnings,
        parts=[_mission(stands, team, names.get(team, team), t) for team in teams]
        or [Part(heading=t("Aucune équipe", "No team"), empty=t("Aucune n'est connue.", "None is known."))],
        facts=facts,
    )


def jobs(folder: Folder, until: int, t: Tongue, printed: int) -> Sheet:
    """All jobs that are not done, the most urgent first."""
    _, stands, facts, warnings = _read(folder, until, t, printed)
    return Sheet(
        language=t.language,
        title=t("Travaux à faire", "Jobs to be done"),
        subtitle=t(f"Au {t.at(until)} : {len(stands.works)}.", f"As of {t.at(until)}: {len(stands.works)}."),
        warnings=warnings,
        parts=[_jobs(stands, t)],
        facts=facts,
    )


def _read(
    folder: Folder, until: int, t: Tongue, printed: int
) -> tuple[Assets | None, Standing, list[str], list[str]]:
    assets = folder.assets()
    stands = standing.read(folder, until, assets.ids if assets else ())
    first = stands.after + 1 if stands.after else folder.first
    warnings, facts = chain.facts(folder, first, folder.before(until + 1), t, printed, stands.after)
    return assets, stands, facts, warnings


def _teams(assets: Assets | None, stands: Standing) -> list[str]:
    """All teams in service, and whoever has something to do."""
    known = (
        [assets.ids[index] for index in assets.of_kind("team").tolist() if not assets.until[index]]
        if assets is not None and "team" in assets.kinds
        else []
    )
    return list(dict.fromkeys([*known, *sorted(stands.missions), *sorted(stands.at)]))


def _mission(stands: Standing, team: str, name: str, t: Tongue) -> Part:
    rows = []
    if site := stands.at.get(team):
        rows.append(Row((t("sur place", "there now"), "", _titles(stands.titles(site), t))))
    rows += [
        Row(
            (
                t.short(stop.begin_utc, stands.utc),
                t.short(stop.leave_utc, stands.utc),
                _titles(stop.titles, t),
            )
        )
        for stop in stands.stops(team)
    ]
    off = t(" — pas de service", " — off duty") if team in stands.off else ""
    return Part(
        heading=(name if name == team else f"{name} ({team})") + off,
        columns=(t("arrivée", "from"), t("départ", "until"), t("quoi", "what")),
        rows=rows,
        empty=t("Rien de prévu.", "Nothing is planned."),
        boxes=True,
    )


def _titles(titles: tuple[Text, ...], t: Tongue) -> str:
    return "; ".join(map(t.of, titles))


def _jobs(stands: Standing, t: Tongue) -> Part:
    works = sorted(stands.works.values(), key=lambda work: (work.priority, work.latest_utc, work.key))
    return Part(
        heading=t("Par urgence", "By urgency"),
        columns=(
            t("prio.", "prio."),
            t("quoi", "what"),
            t("cas", "case"),
            t("état", "state"),
            t("équipe", "team"),
            t("à", "at"),
            t("pourquoi", "why"),
        ),
        rows=[
            Row(
                (
                    f"P{work.priority}",
                    t.of(work.title),
                    work.incident,
                    t.of(phrase(JOB, work.state)),
                    work.team,
                    t.short(work.begin_utc, stands.utc) if work.begin_utc else "",
                    t.of(phrase(REASONS, work.reason)),
                ),
                strong=work.priority == 1,
            )
            for work in works
        ],
        empty=t("Aucun.", "None."),
        boxes=True,
        wide=1,
    )
