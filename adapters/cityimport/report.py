"""What became of every row of every inventory: nothing is dropped in silence."""

from __future__ import annotations

from pathlib import Path
from typing import SupportsInt

import msgspec

from core.errors import CityError

#: The report's name in the city folder.
FILE_NAME = "report.json"


class Input(msgspec.Struct, kw_only=True):
    """One inventory. ``rows == used + sum(refused.values())``; ``refused`` counts by reason."""

    file: str
    rows: int = 0
    used: int = 0
    refused: dict[str, int] = {}
    notes: list[str] = []

    def refuse(self, reason: str, rows: SupportsInt = 1) -> None:
        """Count ``rows`` that do not fit."""
        if count := int(rows):
            self.refused[reason] = self.refused.get(reason, 0) + count

    def note(self, sentence: str) -> None:
        """Say something a person should know about this inventory."""
        self.notes.append(sentence)


class Report(msgspec.Struct, kw_only=True):
    """The whole import: the inventories in the order read, what was made up, and what the city holds."""

    name: str
    seed: int
    inputs: list[Input] = []
    synthetic: list[str] = []
    counts: dict[str, int] = {}
    notes: list[str] = []

    def check(self) -> None:
        """Raise CityError where an inventory's rows do not add up: that is a fault of the import."""
        for each in self.inputs:
            if each.rows != each.used + sum(each.refused.values()):
                raise CityError(
                    f"{each.rows} rows, but {each.used} used and {sum(each.refused.values())} refused.",
                    where=each.file,
                    next="This is a fault of ondijon: please report it with the file.",
                )

    def write(self, folder: Path) -> Path:
        """Write ``report.json`` into the city folder and return its path."""
        path = folder / FILE_NAME
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n")
        return path
