"""``ondijon city change``: tell a running post what was added, changed or retired."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import click
import msgspec
import numpy as np

from adapters.cli.desk import ask
from adapters.cli.follow import last_run
from core import city as cities
from core import operators
from core import run as runs
from core.clock import SECOND
from core.errors import CityError
from core.inventory import AssetChange
from core.wire import Refused
from ondijon.streets import StreetMap


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of the file, as people write it."""

    change: Literal["added", "changed", "retired"]
    id: str
    at: str | None = None
    kind: str = ""
    name: str | None = None
    lon: float | None = None
    lat: float | None = None
    parent: str | None = None
    gateway: str | None = None
    attributes: dict[str, Any] = {}


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("folder", required=False, type=click.Path(path_type=Path))
def change(file: Path, folder: Path | None) -> None:
    """Tell a running post what was added to the city, changed, or retired.

    FILE is a JSON list of up to 5,000 changes. The post takes the whole list or, with the reason, nothing of
    it. What it took is in its journal, is dated, and holds from then on; the city folder stays as it was
    imported. Each change is an event that every trade may read. FOLDER is the run's folder, DATA/run of the
    configuration; without it, the post started last by this user is told.

    \b
    Keys of a change:
      change      added, changed or retired
      id          never used before for an added asset, and never again after it is retired
      at          when it was done, such as 2026-11-25T14:30+01:00; without it, now
      kind        added: lamp, cabinet, presence_sensor ...
      name, lon, lat, parent (an id), gateway, attributes
    An added asset needs kind, lon, lat and all attributes of its kind; a changed one only what differs,
    and keeps kind and gateway; a retired one needs no more. Commune and street follow from the position.

    \b
    Example, a lamp that got an LED of 36 W:
      echo '[{"change": "changed", "id": "lamp-1", "attributes": {"power_w": 36}}]' > today.json
      ondijon city change today.json
    """
    run = runs.load(folder or last_run())
    changes = placed(read(file), cities.load(run.city), run.clock().utc(), str(file))
    answer = ask(run, operators.ChangeAssets(tuple(changes)))
    if isinstance(answer, Refused):
        raise CityError(answer.what, where=str(file), next=answer.next)
    click.echo(f"{len(changes)} changes are in the journal: the register is at revision {answer.revision}.")


def read(file: Path) -> list[Entry]:
    """The list of the file. Raises CityError."""
    try:
        entries = msgspec.json.decode(file.read_bytes(), type=list[Entry])
    except OSError as error:
        raise CityError(f"cannot be read: {error.strerror}.", where=str(file)) from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise CityError(f"{error}.", where=str(file), next="See `ondijon city change --help`.") from error
    if not 0 < len(entries) <= operators.CHANGES_MAX:
        raise CityError(
            f"{len(entries)} changes.", where=str(file), next=f"Tell 1 to {operators.CHANGES_MAX} at once."
        )
    return entries


def placed(entries: Sequence[Entry], city: cities.City, now: int, file: str) -> list[AssetChange]:
    """The changes as the kernel takes them: dated, and with the nearest street where a position is given."""
    where = [i for i, entry in enumerate(entries) if entry.lon is not None and entry.lat is not None]
    lon, lat = (np.array([getattr(entries[i], name) for i in where], np.float64) for name in ("lon", "lat"))
    streets = {}
    if where and city.streets.edges:
        places = StreetMap(city).nearest(lon, lat)
        streets = dict(
            zip(where, zip(places.edge.tolist(), places.offset_m.tolist(), strict=True), strict=True)
        )
    changes = []
    for i, entry in enumerate(entries):
        given = {key: value for key, value in msgspec.structs.asdict(entry).items() if value is not None}
        if i in streets:
            given["edge"], given["offset_m"] = streets[i]
        try:
            at = given.pop("at", None)
            given["at_utc"] = now if at is None else _date(at)
            changes.append(msgspec.convert(given, AssetChange))
        except ValueError as error:
            raise CityError(f"{error}.", where=f"{file}, change {i + 1}, {entry.id!r}") from error
    return changes


def _date(text: str) -> int:
    date = datetime.datetime.fromisoformat(text)
    if date.tzinfo is None:
        raise ValueError(f"{text!r} has no zone, such as +01:00")
    return int(date.timestamp() * SECOND)
