"""All that evolves in this trade. The kernel keeps it, stores it, and puts it back when a hook fails."""

from __future__ import annotations

from typing import Any

import msgspec

from ondijon import Event
from plugins.allo_mairie.shelves import Grid, Requests
from plugins.allo_mairie.tally import Tally
from plugins.allo_mairie.vocabulary import READS


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """An event that waits to be heard, ``raw`` its data: of what is personal there is nothing in it."""

    kind: str
    seq: int
    at_utc: int
    asset: int | None
    lon: float | None
    lat: float | None
    communes: tuple[int, ...]
    person: str
    raw: bytes

    @property
    def data(self) -> Any:
        """What the event says, in the Struct that this trade reads of its kind."""
        return msgspec.msgpack.decode(self.raw, type=READS[self.kind])


class Waiting(msgspec.Struct, frozen=True):
    """Events in their order. As one frozen thing it is shared when a state is copied."""

    said: tuple[Said, ...] = ()


class Totals(msgspec.Struct, frozen=True):
    """What happened since the start; ``to_check`` counts those that wait for an agent now."""

    received: int = 0
    resolved: int = 0
    late: int = 0
    reopened: int = 0
    duplicates: int = 0
    emergencies: int = 0
    refused: int = 0
    to_check: int = 0


class State(msgspec.Struct):
    """Requests, ``number`` of reports that got a key so far, and the places of those that a report may repeat.

    ``communes``: figures by name, of the local ``day``. ``waiting``: events beyond what one step can answer. ``turn``
    goes through the shelves of requests, so that each row is shown again and each time looked at now and then.
    """

    requests: Requests = msgspec.field(default_factory=Requests)
    grid: Grid = msgspec.field(default_factory=Grid)
    number: int = 0
    communes: dict[str, Tally] = {}
    totals: Totals = Totals()
    day: int = 0
    waiting: Waiting = Waiting()
    turn: int = 0


def said(event: Event) -> Said:
    """An event as it waits."""
    return Said(
        kind=event.kind,
        seq=event.seq,
        at_utc=event.at_utc,
        asset=event.asset,
        lon=event.lon,
        lat=event.lat,
        communes=tuple(event.communes),
        person=event.source.person,
        raw=msgspec.msgpack.encode(event.data),
    )
