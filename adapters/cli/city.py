"""``ondijon city``: make a city folder from inventories, or generate one; change what stands in it."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from adapters.cityimport.command import generate_city, import_city
from adapters.cityimport.report import Report
from adapters.cli.change import change

_FILE = click.Path(path_type=Path)


@click.group()
def city() -> None:
    """Make the city folder that a post runs on, and tell the post what changes in the city.

    \b
    A city folder holds:
      city.toml        name, licence, origin, what is synthetic
      streets.npz      streets and communes
      assets.msgpack   the register of things
      report.json      what became of every row
    """


@city.command("import")
@click.option(
    "--lamps",
    required=True,
    type=_FILE,
    help="Light points: shapefile (.shp, .zip), GeoJSON or CSV, as all of these.",
)
@click.option(
    "--streets", required=True, type=_FILE, help="Street centre lines, with names and classes where known."
)
@click.option("--signals", type=_FILE, help="Signalised junctions, as points.")
@click.option("--cameras", type=_FILE, help="Cameras, as points.")
@click.option(
    "--districts", type=_FILE, help="Communes or districts, as polygons; without it, one around all lamps."
)
@click.option(
    "--crs",
    help="The coordinate system of files that do not say it: EPSG:2154 (Lambert-93) in most of France.",
)
@click.option("--name", default="", help="The city's name; by default that of the folder.")
@click.option(
    "--licence",
    default="unknown",
    show_default=True,
    help="Under which the inventories are published, such as etalab-2.0.",
)
@click.option(
    "--seed", default=0, show_default=True, help="Of what no inventory holds and rules must supply."
)
@click.option("--out", required=True, type=_FILE, help="The city folder to write.")
@click.option("--report", type=_FILE, help="Write what was used and refused, and why, as JSON.")
def import_(
    lamps: Path,
    streets: Path,
    signals: Path | None,
    cameras: Path | None,
    districts: Path | None,
    crs: str | None,
    name: str,
    licence: str,
    seed: int,
    out: Path,
    report: Path | None,
) -> None:
    """Make a city folder from the inventories of a real city.

    What does not fit is counted by reason. What the files do not hold (power, cabinets, sensors) is
    supplied by seeded rules, and the folder says so.

    \b
    Example:
      ondijon city import --lamps lamps.zip --streets streets.zip --signals signals.geojson \\
        --cameras cameras.geojson --crs EPSG:2154 --out cities/montpellier --report import.json
    """
    with Console(stderr=True).status("Importing ...") as progress:
        result = import_city(
            lamps=lamps,
            streets=streets,
            signals=signals,
            cameras=cameras,
            districts=districts,
            crs=crs,
            name=name,
            licence=licence,
            seed=seed,
            out=out,
            progress=progress.update,
        )
    _say(result, out, report)


@city.command()
@click.option("--out", required=True, type=_FILE, help="The city folder to write.")
@click.option("--lamps", default=34_000, show_default=True, help="Light points, 60 to 200,000.")
@click.option("--seed", default=0, show_default=True, help="Another seed gives another city.")
@click.option("--report", type=_FILE, help="Write the counts as JSON.")
def generate(out: Path, lamps: int, seed: int, report: Path | None) -> None:
    """Generate a synthetic city of Dijon's size, or smaller.

    The same seed gives the same city; the folder, and every page that shows it, says that it is invented.

    \b
    Example:
      ondijon city generate --lamps 3000 --out cities/small
    """
    with Console(stderr=True).status("Generating ...") as progress:
        result = generate_city(out=out, seed=seed, lamps=lamps, progress=progress.update)
    _say(result, out, report)


city.add_command(change)


def _say(result: Report, out: Path, report: Path | None) -> None:
    table = Table("inventory", "rows", "used", "refused, and why", title=f"{result.name} → {out}")
    for each in result.inputs:
        why = ", ".join(f"{reason} {n:,}" for reason, n in each.refused.items()) or "none"
        table.add_row(Path(each.file).name, f"{each.rows:,}", f"{each.used:,}", why)
    console = Console()
    if result.inputs:
        console.print(table)
    console.print("The city holds: " + ", ".join(f"{n:,} {what}" for what, n in result.counts.items()) + ".")
    for part in result.synthetic:
        console.print(f"synthetic: {part}")
    if report is not None:
        report.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2))
