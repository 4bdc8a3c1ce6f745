"""Where the history lies: hourly Parquet files in a folder for each trade and commune, so that rights are folders.

``TABLE/trade=T/commune=C/day=D/HH.parquet`` holds a sealed hour (UTC); under ``open`` lie the minutes of hours that
are not sealed yet, in the same folders. Any tool that knows Hive's folders reads the sealed ones.
"""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote

import msgspec

from core.clock import SECOND

HOUR = 3600 * SECOND
HOURS_A_DAY = 24

Table = Literal["minutes", "events"]
TABLES: tuple[Table, ...] = ("minutes", "events")

#: Stands for the commune of what is about the whole city, or about several.
WHOLE = "*"

OPEN = "open"

#: What is being written: a reader does not see it, and a start removes it.
UNFINISHED = ".new"

_FILE = re.compile(r"^(\d\d)(?:_\w+)?\.parquet$")

#: Whether the things of a trade in a commune may be read.
May = Callable[[str, str], bool]


def everything(trade: str, commune: str) -> bool:
    """The rights of who may read all."""
    return True


class File(msgspec.Struct, frozen=True, order=True):
    """A file of one hour (since 1970) of one trade in one commune."""

    hour: int
    path: str
    trade: str
    commune: str
    size: int


def day_of(hour: int) -> str:
    """The day (UTC) of an hour, as its folder is named."""
    return (datetime.date(1970, 1, 1) + datetime.timedelta(hour // HOURS_A_DAY)).isoformat()


def folder_of(trade: str, commune: str, hour: int) -> Path:
    """The folder of an hour, below that of its table."""
    return Path(f"trade={_named(trade)}", f"commune={_named(commune)}", f"day={day_of(hour)}")


def _named(value: str) -> str:
    # As DuckDB names them when it divides a table.
    return quote(value, safe="")


class Store:
    """The files of one history."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def sealed(self, table: Table, may: May = everything, hours: range | None = None) -> Iterator[File]:
        """The sealed files of what may be read, in no order."""
        return _files(self.root / table, may, hours)

    def open(self, table: Table, may: May = everything, hours: range | None = None) -> Iterator[File]:
        """The files of the minutes that are not sealed yet."""
        return _files(self.root / OPEN / table, may, hours)

    def trades(self) -> set[str]:
        """The trades of which there is something."""
        roots = (root / table for root in (self.root, self.root / OPEN) for table in TABLES)
        return {trade for root in roots for _, trade in _folders(root, "trade=")}

    def files(self, table: Table, may: May = everything, hours: range | None = None) -> list[File]:
        """All files that together hold the table, each row once."""
        # The open ones first: an hour that is sealed meanwhile is then seen as sealed.
        waiting = list(self.open(table, may, hours))
        found = list(self.sealed(table, may, hours))
        done = {(file.trade, file.commune, file.hour) for file in found}
        found += [file for file in waiting if (file.trade, file.commune, file.hour) not in done]
        return sorted(found)


def _files(root: Path, may: May, hours: range | None) -> Iterator[File]:
    days = None if hours is None else {day_of(hour) for hour in hours[::HOURS_A_DAY]} | {day_of(hours[-1])}
    for trade_folder, trade in _folders(root, "trade="):
        for commune_folder, commune in _folders(trade_folder, "commune="):
            if not may(trade, commune):
                continue
            for day_folder, day in _folders(commune_folder, "day="):
                if days is not None and day not in days:
                    continue
                for file in _hours(day_folder, day, trade, commune):
                    if hours is None or file.hour in hours:
                        yield file


def _folders(folder: Path | str, prefix: str) -> list[tuple[str, str]]:
    try:
        with os.scandir(folder) as entries:
            return [
                (entry.path, unquote(entry.name.removeprefix(prefix)))
                for entry in entries
                if entry.name.startswith(prefix)
            ]
    except FileNotFoundError:
        return []


def _hours(folder: str, day: str, trade: str, commune: str) -> Iterator[File]:
    first = (datetime.date.fromisoformat(day) - datetime.date(1970, 1, 1)).days * HOURS_A_DAY
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if found := _FILE.match(entry.name):
                    size = entry.stat().st_size
                    yield File(first + int(found[1]), entry.path, trade, commune, size)
    except FileNotFoundError:
        # It was sealed, or forgotten, this moment.
        return
