"""The paper pack of a night: all sheets in a folder of its own, there whole or not at all; old ones go."""

from __future__ import annotations

import datetime
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from adapters.papers import contents, handover, html, procedures, shift_log, work
from adapters.papers.folder import Folder
from adapters.papers.settings import Settings
from adapters.papers.sheet import Part, Row, Sheet
from adapters.papers.tongue import Tongue
from core import whole
from core.clock import SECOND
from core.errors import JournalError, OndijonError
from core.run import Run

DAY = 86_400 * SECOND

#: Whoever prints may be another user of the post's group; nobody else reads it.
FOLDER_MODE, FILE_MODE = 0o750, 0o640

INDEX, ALL = "index.html", "tout.html"
_NAME = re.compile(r"\Apack-(\d{8}T\d{6}Z)(-\d+)?\Z")
_NEW = ".new-"


class Pack(NamedTuple):
    """What was written where, and in sentences what could not be made."""

    folder: Path
    sheets: list[str]
    missing: list[str]


def write(
    data: Path, out: Path, settings: Settings, run: Run | None, utc: int, until: int | None = None
) -> Pack:
    """Write the pack of this moment, ``utc`` µs, on the post as it stood at ``until`` (None: at the journal's end).

    Raises OSError where ``out`` cannot be written; what was there before is then as it was.
    """
    out.mkdir(mode=FOLDER_MODE, exist_ok=True)
    _sweep(out)
    t, sheets, missing = _sheets(data, settings, run, utc, until)
    target = _free(out, utc)
    new = out / f"{_NEW}{target.name}"
    new.mkdir(mode=FOLDER_MODE)
    try:
        for name, sheet in sheets:
            whole.write(new / name, html.page(sheet).encode(), FILE_MODE)
        whole.write(
            new / ALL, html.page(*(sheet for _, sheet in sheets), title=_title(t, utc)).encode(), FILE_MODE
        )
        whole.write(new / INDEX, _contents(t, sheets, missing, utc, "", ()).encode(), FILE_MODE)
        whole.sync(new)
        new.rename(target)
        whole.sync(out)
    except OSError:
        shutil.rmtree(new, ignore_errors=True)
        raise
    forget(out, settings.keep_days, utc, target)
    others = [(f"{path.name}/{INDEX}", _dated(path, t)) for path in reversed(packs(out)) if path != target]
    index = _contents(t, sheets, missing, utc, f"{target.name}/", others)
    whole.write(out / INDEX, index.encode(), FILE_MODE)
    return Pack(target, [name for name, _ in sheets], missing)


def packs(out: Path) -> list[Path]:
    """The packs of a folder, the oldest first."""
    return sorted(path for path in out.iterdir() if _NAME.match(path.name) and path.is_dir())


def forget(out: Path, keep_days: int, utc: int, newest: Path) -> None:
    """Delete packs that are older than so many days; never the newest, whatever the clock says."""
    for path in packs(out):
        if path != newest and _made(path) < utc - keep_days * DAY:
            shutil.rmtree(path, ignore_errors=True)


def _sweep(out: Path) -> None:
    """What a process that was killed had begun."""
    for path in out.glob(f"{_NEW}*"):
        shutil.rmtree(path, ignore_errors=True)


def _free(out: Path, utc: int) -> Path:
    name = f"pack-{datetime.datetime.fromtimestamp(utc / SECOND, datetime.UTC):%Y%m%dT%H%M%SZ}"
    path, number = out / name, 1
    while path.exists():
        number += 1
        path = out / f"{name}-{number}"
    return path


def _made(path: Path) -> int:
    found = _NAME.match(path.name)
    assert found is not None
    at = datetime.datetime.strptime(found[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
    return int(at.timestamp()) * SECOND


def _dated(path: Path, t: Tongue) -> str:
    return t.at(_made(path))


def _sheets(
    data: Path, settings: Settings, run: Run | None, utc: int, until: int | None
) -> tuple[Tongue, list[tuple[str, Sheet]], list[str]]:
    """Each by itself: a journal that is damaged takes neither telephones nor procedures with it."""
    t = Tongue(settings.lang)
    sheets: list[tuple[str, Sheet]] = []
    missing: list[str] = []
    try:
        with Folder(data) as folder:
            t = Tongue(settings.lang, folder.city()[1])
            at = until if until is not None else folder.end() or utc
            made: Sequence[tuple[str, Callable[[], Sheet]]] = (
                ("1-releve.html", lambda: handover.make(folder, at, settings.hours, t, utc)),
                ("4-missions.html", lambda: work.missions(folder, at, t, utc)),
                ("5-travaux.html", lambda: work.jobs(folder, at, t, utc)),
                ("6-main-courante.html", lambda: shift_log.make(folder, at - DAY, at, t, utc)),
            )
            for name, make in made:
                try:
                    sheets.append((name, make()))
                except OndijonError as error:
                    missing.append(_sentence(name, error, t))
    except JournalError as error:
        missing.append(_sentence("1, 4, 5, 6", error, t))
    sheets.append(("2-telephones.html", telephones(settings, t)))
    sheets.append(("3-fiches.html", procedures.make(run, t)))
    return t, sorted(sheets, key=lambda each: each[0]), missing


def _sentence(name: str, error: OndijonError, t: Tongue) -> str:
    return t(f"Manque {name} : {error}", f"{name} is missing: {error}")


def telephones(settings: Settings, t: Tongue) -> Sheet:
    """Whom to call, and what to do first."""
    return Sheet(
        language=t.language,
        title=t("Tous les écrans sont noirs", "All screens are dark"),
        parts=[
            Part(
                heading=t("D'abord", "First"),
                rows=[Row((line,)) for line in _first(t)],
                boxes=True,
            ),
            Part(
                heading=t("Téléphones", "Telephones"),
                columns=(t("qui", "who"), t("numéro", "number"), t("quand", "when")),
                rows=[Row((each.who, each.number, each.when)) for each in settings.telephones],
                empty=t(
                    "Aucun numéro n'est donné : les écrire sous [[adapters.papers.telephones]].",
                    "No number is given: write them under [[adapters.papers.telephones]].",
                ),
            ),
            Part(heading=t("À la main", "By hand"), lines=8),
        ],
    )


def _first(t: Tongue) -> tuple[str, ...]:
    return (
        t(
            "Noter l'heure de la panne. Les appareils suivent leur propre programme ; ne rien couper.",
            "Write down when it happened. Devices follow their own programme; switch nothing off.",
        ),
        t(
            "Prendre la relève (1) : les cas ouverts, du plus urgent au moins urgent.",
            "Take the handover sheet (1): the open cases, the most urgent first.",
        ),
        t(
            "Appeler chaque équipe par radio, lui lire sa mission (4), cocher ce qui est fait.",
            "Call each team by radio, read its mission to it (4), tick what is done.",
        ),
        t(
            "Pour chaque nouveau cas, prendre la fiche (3) ; noter sur papier, avec l'heure et qui.",
            "For each new case take its procedure (3); write on paper, with the time and who.",
        ),
        t("Prévenir les astreintes ci-dessous.", "Tell those on call below."),
        t(
            "Au retour des écrans : saisir chaque ligne comme note de son cas, puis garder le papier.",
            "When the screens are back: enter each line as a note of its case, and keep the paper.",
        ),
    )


def _contents(
    t: Tongue,
    sheets: Sequence[tuple[str, Sheet]],
    missing: Sequence[str],
    utc: int,
    under: str,
    older: Sequence[tuple[str, str]],
) -> str:
    links = [(f"{under}{ALL}", t("Tout, pour imprimer d'un coup", "All of it, to print at once"))]
    links += [(f"{under}{name}", sheet.title) for name, sheet in sheets]
    return contents.page(t, _title(t, utc), links, missing, older)


def _title(t: Tongue, utc: int) -> str:
    return t(f"Le poste sur papier, {t.at(utc)}", f"The post on paper, {t.at(utc)}")


def where(data: Path, settings: Settings) -> Path:
    """The folder of the packs; a relative one lies in DATA."""
    return data / (settings.folder or Path("papers"))


def full(error: OSError, out: Path) -> str:
    """What a failure to write means, as one sentence that teaches."""
    why = error.strerror or str(error)
    return (
        f"{error.filename or out}: the paper pack was not written: {why}. The last whole one is as it was; "
        "free the disk, or make the folder and let the post's user write there."
    )
