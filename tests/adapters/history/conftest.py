"""A history without a post: a keeper that is given what the edge would tell, and a reader beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.history.asked import About, Answer, Query, Table
from adapters.history.keeper import Keeper
from adapters.history.reader import READ, Reader
from adapters.history.settings import Settings
from adapters.history.store import HOUR
from core import city as cities
from core.clock import SECOND
from core.partner_wire import Change
from core.person import Login, Person, Role, token
from ondijon.testing import City

MINUTE = 60 * SECOND

#: 15 January 2026, 22:00 UTC: 23:00 in the city.
BEGIN = 1_768_514_400 * SECOND

KEY = Ed25519PrivateKey.generate()


def lamps_of(city: Any) -> dict[str, list[int]]:
    """The lamps of each commune."""
    lamps = city.assets.of_kind("lamp")
    communes = city.assets.commune[lamps]
    return {city.communes.names[c]: lamps[communes == c].tolist() for c in np.unique(communes).tolist()}


class History:
    """The history of the small city, in a folder; ``utc`` is its clock."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.settings = Settings(**settings)
        self.city = City.small()
        self.utc = BEGIN
        self.lamps = lamps_of(self.city)
        if not (folder / "city").exists():
            cities.save(self.city, folder / "city")
            (folder / "assets.msgpack").write_bytes(cities.pack_assets(self.city.assets))
        self.last: dict[tuple[str, str], int] = {}
        self.start()

    def start(self) -> None:
        """Begin, or begin anew as after a crash: nothing of the last process is left but its files."""
        self.keeper = Keeper(self.folder / "history", self.settings, lambda: self.utc)
        self.keeper.begin(lambda: (self.city.assets, self.city.streets))
        self.reader = Reader(
            self.keeper.store,
            self.settings,
            self.folder / "city",
            self.folder / "assets.msgpack",
            Login([KEY.public_key()]),
            self.folder / "figures.json",
        )

    # -- what the edge tells

    def block(self, minute: int, commune: str, values: Sequence[float], metric: str = "lamp.level") -> Change:
        """A minute in which the first lamps of a commune showed these values."""
        asset = np.array(self.lamps[commune][: len(values)], "<u4")
        value, ones = np.array(values, "<f8"), np.ones(len(values), "<u4")
        columns = {"asset": asset, "last": value, "low": value, "high": value, "total": value}
        columns |= {"values": ones, "count": ones}
        at = (metric, f"{commune} 0")
        row: dict[str, Any] = {"minute": minute, "after": self.last.get(at, 0)}
        row |= {name: column.tobytes() for name, column in columns.items()}
        self.last[at] = minute
        return Change("minute", metric, at[1], "lighting", (commune,), row)

    def minute(self, n: int, sync: bool = True) -> None:
        """All lamps tell their level in the n-th minute: the minute's number, plus a hundredth of the lamp's place."""
        self.utc = BEGIN + n * MINUTE + 65 * SECOND
        self.keeper.take(
            [
                self.block(BEGIN + n * MINUTE, commune, [n + i / 100 for i in range(len(lamps))])
                for commune, lamps in self.lamps.items()
            ]
        )
        if sync:
            self.keeper.sync()

    def event(self, kind: str, at: int, *communes: str, trade: str = "lighting", **data: Any) -> Change:
        """Something that happened."""
        row = {"at": at, "asset": None, "data": data}
        return Change("event", kind, str(at), trade, communes, row)

    # -- what is asked

    def ask(self, sql: str = "", roles: Sequence[Role] | None = None, **asked: Any) -> Answer:
        """Ask, as a person with these roles, or as this machine's user."""
        days = {"first": "2026-01-15", "last": "2026-01-16"}
        return self.reader.take(Query(sql=sql, token=self.token(roles), **days | asked), self.utc)

    def rows(self, sql: str = "", roles: Sequence[Role] | None = None, **asked: Any) -> list[list[Any]]:
        """The rows of an answer; a refusal fails."""
        answer = self.ask(sql, roles, **asked)
        assert isinstance(answer, Table), answer
        return answer.rows

    def about(self, roles: Sequence[Role] | None = None) -> Answer:
        """What is there."""
        return self.reader.take(About(token=self.token(roles)), self.utc)

    def token(self, roles: Sequence[Role] | None) -> bytes:
        """A session's token."""
        if roles is None:
            return b""
        return token(Person("anne", "Anne", tuple(roles), "s", self.utc + HOUR), KEY)

    @property
    def counts(self) -> dict[str, int]:
        """The keeper's counters that are not 0."""
        return {name: n for name, n in self.keeper.counts.items() if n}


def may_read(commune: str, trade: str = "lighting") -> tuple[Role, ...]:
    """The role of who may read one commune."""
    return (Role(trade, commune, (READ,)),)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., History]:
    """Makes a history; keywords are its settings."""
    return lambda **settings: History(tmp_path, **settings)


@pytest.fixture
def history(make: Callable[..., History]) -> History:
    """A history as it is configured by default."""
    return make()
