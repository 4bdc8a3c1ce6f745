"""The open inventories of Montpellier, where this machine has them; they are not part of the project."""

from __future__ import annotations

from pathlib import Path

from adapters.cityimport.command import import_city
from adapters.cityimport.report import Report

FOLDER = Path(__file__).parents[2] / "shared" / "data" / "montpellier"
LAMPS = FOLDER / "VilleMTP_MTP_EclairagePublic.zip"
STREETS = FOLDER / "VilleMTP_MTP_FilaireVoies.zip"
CAMERAS = FOLDER / "VilleMTP_MTP_CameraSurv.geojson"

MISSING = "" if FOLDER.is_dir() else f"the inventories of Montpellier are not in {FOLDER}"


def imported(out: Path, **given: str) -> Report:
    """Import all of them into the city folder ``out``; what came of it."""
    return import_city(
        lamps=LAMPS,
        streets=STREETS,
        signals=FOLDER / "VilleMTP_MTP_Signalisation.geojson",
        cameras=CAMERAS,
        districts=FOLDER / "VilleMTP_MTP_Quartiers.geojson",
        crs="EPSG:2154",
        out=out,
        **given,
    )
