"""What persons tell the trades: events of the kinds that a trade takes from persons, each with its right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from core import privacy
from core.city import City
from core.clock import Now
from core.declaration import Declaration, EventKind
from core.errors import VaultError
from core.operators import Tell
from core.person import ANY, Login, Person
from core.rates import Rates
from core.refusal import Refusal
from core.vault import Vault
from core.wire import TEXT_MAX, Refused

#: Statements that one person may make in a minute: more than anybody types, less than would fill the journal.
TOLD_MAX = 120

_FIELDS = "Give the fields of its Struct."

_NOTHING = msgspec.msgpack.encode({})


class Statement(msgspec.Struct, frozen=True):
    """What a person told, as an event will say it; ``data`` is a Struct of the ``kind``, which ``trade`` declares."""

    kind: str
    trade: str
    person: str
    data: Any
    communes: tuple[int, ...] = ()
    asset: int | None = None
    lon: float | None = None
    lat: float | None = None


class Statements:
    """Knows which kinds persons may tell, and who may tell them where: the kind's name is the verb of the right."""

    def __init__(self, declarations: Iterable[Declaration], city: City) -> None:
        self._kinds = kinds(declarations)
        self._city = city
        self._rates = Rates()

    def renumber(self, city: City) -> None:
        """The register changed."""
        self._city = city

    def take(self, asked: Tell, person: Person, now: Now) -> Statement | Refusal:
        """What is told, or why it is not taken."""
        known = self._kinds.get(asked.kind)
        if known is None:
            return Refusal(
                "unknown_event",
                f"persons cannot tell {asked.kind!r}.",
                f"Known: {', '.join(sorted(self._kinds)) or 'none'}."[:TEXT_MAX],
            )
        kind, trade = known
        asset = self._city.assets.index.get(asked.asset) if asked.asset else None
        if asked.asset and asset is None:
            return Refusal("unknown_asset", f"no asset {asked.asset!r}.", "Look it up in the inventory.")
        communes = self._city.communes_of(asset, asked.lon, asked.lat)
        refusal = self._refuse(kind, trade, person, communes) or self._refuse_often(person, now)
        if refusal is not None:
            return refusal
        try:
            data = msgspec.msgpack.decode(asked.data, type=kind.data)
        except Exception as error:
            # Of any kind: a Struct may run the plugin's own code to check itself.
            return Refusal("bad_data", f"{kind.name}: {error}."[:TEXT_MAX], _FIELDS)
        self._rates.count(person.id, 1, now.mono)
        return Statement(kind.name, trade, person.id, data, communes, asset, asked.lon, asked.lat)

    def _refuse(
        self, kind: EventKind, trade: str, person: Person, communes: tuple[int, ...]
    ) -> Refusal | None:
        allowed = person.communes(trade, kind.name)
        names = [self._city.communes.names[commune] for commune in communes]
        if ANY in allowed or (names and allowed.issuperset(names)):
            return None
        where = f"in {', '.join(names)}" if names else "in the whole city"
        return Refusal("right", f"{person.id} may not tell {kind.name} {where}.", "Ask somebody who may.")

    def _refuse_often(self, person: Person, now: Now) -> Refusal | None:
        if self._rates.of(person.id, now.mono) < TOLD_MAX:
            return None
        return Refusal(
            "rate", f"{person.id} has told {TOLD_MAX} things in a minute.", "Wait a moment, and go on."
        )


class Sealing:
    """Seals what is personal in a statement before a step sees it. Belongs to the vault's thread, not to the step."""

    def __init__(self, declarations: Iterable[Declaration], vault: Vault, login: Login) -> None:
        self._kinds = kinds(declarations)
        self._vault = vault
        self._login = login

    def close(self, asked: Tell, utc: int) -> Tell | Refused:
        """The same with its personal fields sealed; without its data, where nobody who may tell it does.

        Refused is what does not fit the kind, or what cannot be sealed now.
        """
        known = self._kinds.get(asked.kind)
        if known is None or not known[0].personal:
            return asked
        kind, trade = known
        person = self._login.person(asked.token, utc)
        if isinstance(person, Refusal) or not person.communes(trade, kind.name):
            # The step refuses it; the record keeps what is asked, and nothing personal may be in it.
            return msgspec.structs.replace(asked, data=msgspec.Raw(_NOTHING))
        try:
            fields = msgspec.msgpack.decode(asked.data, type=dict[str, Any])
            data = msgspec.msgpack.encode(privacy.sealed(kind, fields, self._vault, utc))
        except VaultError as error:
            return Refused("vault_locked", str(error)[:TEXT_MAX], "Unlock the vault; nothing was taken.")
        except Exception as error:
            # Of any kind: a Struct may run the plugin's own code to check itself.
            return Refused("bad_data", f"{kind.name}: {error}."[:TEXT_MAX], _FIELDS)
        return msgspec.structs.replace(asked, data=msgspec.Raw(data))


def kinds(declarations: Iterable[Declaration]) -> Mapping[str, tuple[EventKind, str]]:
    """The kinds that persons may tell, each with its trade."""
    return {kind.name: (kind, d.name) for d in declarations for kind in d.events if kind.from_persons}
