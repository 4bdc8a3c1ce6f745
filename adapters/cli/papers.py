"""``ondijon shift-log``, ``handover`` and ``papers``: what the post is on paper, from its journal alone."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal, cast

import click
import msgspec

from adapters.cli.replay import Moment
from adapters.papers import handover as sheets
from adapters.papers import html, pack, plain, shift_log
from adapters.papers.adapter import adapter
from adapters.papers.folder import Folder
from adapters.papers.settings import Settings
from adapters.papers.sheet import Sheet
from adapters.papers.tongue import Language, Tongue
from core import whole
from core.clock import SECOND
from core.errors import OndijonError

_PATH = click.Path(path_type=Path)

#: Without --from: a shift (s).
SHIFT_S = 8 * 3600

_LANG = click.option(
    "--lang", type=click.Choice(["fr", "en"]), default="fr", show_default=True, help="French, or English."
)
_OUT = click.option(
    "--out", type=_PATH, default=Path("-"), help="An HTML file for A4; - prints text to the terminal."
)


@click.command(name="shift-log")
@click.argument("data", type=_PATH)
@click.option("--from", "since", type=Moment(), default=None, help="From this time on; else a shift of 8 h.")
@click.option("--to", "until", type=Moment(), default=None, help="To this time; else the journal's end.")
@click.option("--incident", default="", help="One case alone, as C12: all of it, if no --from is given.")
@click.option(
    "--by",
    type=click.Choice(["time", "case"]),
    default="time",
    show_default=True,
    help="In the order of time, or case by case.",
)
@_LANG
@_OUT
def shift_log_command(
    data: Path, since: int | None, until: int | None, incident: str, by: str, lang: str, out: Path
) -> None:
    """Print the shift log (main courante) from the journal.

    DATA is the `data` folder of a post that runs, that was stopped, or of its backup; nothing in it is changed. Every
    line is a record of the hash chain, and the sheet says which records it was made from and whether the chain holds
    there. What persons wrote stays sealed: [scellé], [sealed].

    \b
    Examples:
      ondijon shift-log /var/lib/ondijon
      ondijon shift-log data --incident C12 --by case --out c12.html
      ondijon shift-log data --from 2026-01-15T20:00:00+01:00 --to 2026-01-16T06:00:00+01:00
    """
    with Folder(data) as folder:
        end = folder.end() if until is None else until
        begin = since if since is not None else 0 if incident else end - SHIFT_S * SECOND
        if since is None and incident and folder.first:
            begin = folder.utc(folder.first)
        _ordered(begin, end)
        t = _tongue(folder, lang)
        order = cast(Literal["time", "case"], by)
        sheet = shift_log.make(folder, begin, end, t, _now(), incident=incident, by=order)
    _give(sheet, out)


@click.command()
@click.argument("data", type=_PATH)
@click.option(
    "--at", type=Moment(), default=None, help="As it stood at this time; else at the journal's end."
)
@click.option(
    "--hours",
    type=click.FloatRange(min=0, max=168, min_open=True),
    default=8.0,
    show_default=True,
    help="How long the shift was.",
)
@_LANG
@_OUT
def handover(data: Path, at: int | None, hours: float, lang: str, out: Path) -> None:
    """Print the handover sheet (relève) of a shift.

    What whoever takes the post must know: open cases with owner, step and latest lines, what nobody answered, alarms,
    jobs that are stuck, what was escalated and what ended. It is made from the journal and its snapshots in DATA,
    never from the running post, and so also when that is down.

    \b
    Examples:
      ondijon handover /var/lib/ondijon
      ondijon handover data --hours 12 --lang en --out handover.html
    """
    with Folder(data) as folder:
        sheet = sheets.make(folder, folder.end() if at is None else at, hours, _tongue(folder, lang), _now())
    _give(sheet, out)


@click.command()
@click.argument("data", type=_PATH)
@click.option("--out", type=_PATH, help="The folder of the packs; by default as configured, or DATA/papers.")
@click.option("--lang", type=click.Choice(["fr", "en"]), help="French, or English; else as configured.")
def papers(data: Path, out: Path | None, lang: str | None) -> None:
    """Write the paper pack now: all that the post works on with when screens are dark.

    Handover sheet, telephones, procedures with boxes, missions, jobs, and the shift log of 24 hours, in a folder
    of their own, and an index.html that leads to the newest. The adapter `papers` does the same each night; this
    is for a timer of your own, or for the moment before a planned stop. Settings are those of [adapters.papers], where
    the post was started with some.

    \b
    Example:
      ondijon papers /var/lib/ondijon --out /mnt/print
    """
    with Folder(data) as folder:
        run = folder.run()
    settings: Settings = adapter.configure(run.adapter_config.get(adapter.name, {}) if run else {})
    if lang is not None:
        settings = msgspec.structs.replace(settings, lang=cast(Language, lang))
    folder_of_packs = out or pack.where(data, settings)
    try:
        written = pack.write(data, folder_of_packs, settings, run, _now())
    except OSError as error:
        raise OndijonError(pack.full(error, folder_of_packs)) from error
    click.echo(f"{written.folder}: {', '.join(written.sheets)}. Begin at {folder_of_packs / pack.INDEX}.")
    for sentence in written.missing:
        click.secho(f"warning: {sentence}", fg="yellow", err=True)


def _now() -> int:
    return time.time_ns() // 1000


def _tongue(folder: Folder, lang: str) -> Tongue:
    return Tongue(cast(Language, lang), folder.city()[1])


def _ordered(since: int, until: int) -> None:
    if since > until:
        raise click.UsageError("--from is later than --to: exchange them.")


def _give(sheet: Sheet, out: Path) -> None:
    if str(out) == "-":
        click.echo(plain.text(sheet), nl=False)
        return
    try:
        whole.write(out, html.page(sheet).encode(), 0o640)
    except OSError as error:
        raise OndijonError(
            f"the sheet was not written: {error.strerror}.",
            where=str(out),
            next="Name another file with --out.",
        ) from error
    click.echo(f"{out}: {sheet.title}. {sheet.subtitle}")
