"""The procedures (*fiches réflexes*) as checklists on paper: those that trades bring along, and the city's own.

They are data, TOML beside each trade's hooks and tables of the configuration, and are read as data: no trade is run.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from importlib.machinery import PathFinder
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import msgspec

from adapters.papers.phrases import ACTIONS, phrase
from adapters.papers.sheet import Part, Row, Sheet
from adapters.papers.tongue import Tongue
from core.declaration import Text
from core.plugins import GROUP
from core.run import Run

#: Beside the hooks of a trade that brings some.
FOLDER = "procedures"


class Answer(msgspec.Struct):
    """An answer, and where it leads."""

    id: str
    text: Text
    next: str


class Step(msgspec.Struct):
    """What of a step is of use on paper."""

    id: str
    text: Text
    do: list[dict[str, Any]] = []
    answers: list[Answer] = []
    awaits: bool = False
    wait_s: float | None = None
    next: str | None = None
    within_s: float | None = None
    late: str | None = None
    evidence: bool = False
    end: str | None = None


class Procedure(msgspec.Struct):
    """A whole one."""

    name: str
    version: int
    title: Text
    steps: list[Step]
    categories: list[str] = []


def known(run: Run | None) -> tuple[list[Procedure], list[str]]:
    """All that are in force, by name: the city's own instead of one of the same name; and what could not be read."""
    found: dict[str, Procedure] = {}
    wrong = []
    for where, table in _tables(run):
        try:
            procedure = msgspec.convert(tomllib.loads(table) if isinstance(table, str) else table, Procedure)
            found[procedure.name] = procedure
        except (msgspec.ValidationError, tomllib.TOMLDecodeError) as error:
            wrong.append(f"{where}: {error}")
    return sorted(found.values(), key=lambda each: each.name), wrong


def _tables(run: Run | None) -> Iterator[tuple[str, Any]]:
    for name in run.plugins if run is not None else ["coordination"]:
        for file in sorted(_folder(name).glob("*.toml")):
            yield str(file), file.read_text("utf-8")
        own = run.plugin_config.get(name, {}).get(FOLDER, []) if run is not None else []
        yield from ((f"[[plugins.{name}.{FOLDER}]]", each) for each in own)


def _folder(plugin: str) -> Path:
    """Where a trade's procedures would lie; found without importing the trade."""
    for entry in entry_points(group=GROUP):
        if entry.name == plugin:
            path: Iterable[str] | None = None
            for part in entry.module.split(".")[:-1]:
                spec = PathFinder.find_spec(part, None if path is None else list(path))
                path = spec.submodule_search_locations if spec is not None else None
                if path is None:
                    break
            for each in path or ():
                return Path(each) / FOLDER
    return Path("/nonexistent")


def make(run: Run | None, t: Tongue) -> Sheet:
    """All of them, each on a page of its own."""
    procedures, wrong = known(run)
    return Sheet(
        language=t.language,
        title=t("Fiches réflexes sur papier", "Procedures on paper"),
        subtitle=t(
            "Cocher chaque étape, écrire l'heure. Le poste ne demande rien par lui-même quand il est éteint : ce qui "
            "commence par une flèche est à demander par téléphone ou par radio.",
            "Tick each step, write the time. A post that is down asks for nothing by itself: what begins with an arrow "
            "is to be asked for by telephone or radio.",
        ),
        warnings=[t(f"Fiche illisible : {each}", f"A procedure cannot be read: {each}") for each in wrong],
        parts=[_part(each, t, number > 0) for number, each in enumerate(procedures)]
        or [
            Part(heading=t("Aucune", "None"), empty=t("Aucune fiche n'est installée.", "None is installed."))
        ],
    )


def _part(of: Procedure, t: Tongue, breaks: bool) -> Part:
    numbers = {step.id: number for number, step in enumerate(of.steps, 1)}
    return Part(
        heading=f"{t.of(of.title)} (v{of.version})",
        note=t("Lieu, appelant, heure : ", "Place, caller, time: ") + "_" * 50,
        columns=(t("n°", "no."), t("étape", "step"), t("heure", "time")),
        rows=[
            Row((str(numbers[step.id]), t.of(step.text), "____:____"), tuple(_below(step, numbers, t)))
            for step in of.steps
        ],
        boxes=True,
        wide=1,
        breaks=breaks,
    )


def _below(step: Step, numbers: dict[str, int], t: Tongue) -> Iterator[str]:
    for action in step.do:
        yield f"→ {_action(action, t)}"
    for answer in step.answers:
        yield f"☐ {t.of(answer.text)} : {_to(answer.next, numbers, t)}"
    if step.evidence:
        yield t(
            "Noter ce qui a été dit ou vu, ou le nom de la photo.",
            "Write what was said or seen, or the picture's name.",
        )
    if step.awaits and step.next:
        yield t("Quand tout cela est fait : ", "When all of that is done: ") + _to(step.next, numbers, t)
    elif step.wait_s is not None and step.next:
        yield t(f"Après {_lasts(step.wait_s)} : ", f"After {_lasts(step.wait_s)}: ") + _to(
            step.next, numbers, t
        )
    elif step.next:
        yield t("Puis : ", "Then: ") + _to(step.next, numbers, t)
    if step.within_s is not None:
        late = (
            _to(step.late, numbers, t)
            if step.late
            else t("prévenir le chef de salle", "tell the shift leader")
        )
        yield (
            t(f"Sans réponse en {_lasts(step.within_s)} : ", f"No answer in {_lasts(step.within_s)}: ") + late
        )
    if step.end:
        yield t("FIN de la fiche.", "END of the procedure.")


def _to(step: str, numbers: dict[str, int], t: Tongue) -> str:
    return t(f"aller à {numbers.get(step, step)}", f"go to {numbers.get(step, step)}")


def _action(action: dict[str, Any], t: Tongue) -> str:
    """What the post would ask for, as a person says it."""
    asked = str(action.get("request", ""))
    said = [t.of(phrase(ACTIONS, asked))]
    title = action.get("title")
    if isinstance(title, dict):
        said.append(t(str(title.get("fr", "")), str(title.get("en", ""))))
    if skills := action.get("skills"):
        said.append(", ".join(map(str, skills)))
    if radius := action.get("radius_m"):
        said.append(f"{radius:g} m")
    return " — ".join(said)


def _lasts(seconds: float) -> str:
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"
