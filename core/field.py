"""What gateways say happened: checked before it is journaled, taken once and in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from core import privacy
from core.assets import Assets
from core.city import City
from core.declaration import Declaration, EventKind
from core.errors import PluginError, VaultError, WireError
from core.event import Event, Source
from core.vault import Vault
from core.vocabulary import EVENTS, POST
from core.wire import FieldEvent


class Place(msgspec.Struct):
    """How far a gateway's events of one boot came: taken for the journal, and committed."""

    boot: int
    taken: int
    committed: int


class FieldEvents:
    """Knows which kinds may come from the field, and how far each gateway came: ``places``, where it is known."""

    def __init__(
        self,
        declarations: Iterable[Declaration],
        city: City,
        places: Mapping[str, Place] | None = None,
        vault: Vault | None = None,
    ) -> None:
        declared = [(POST, EVENTS), *((d.name, d.events) for d in declarations)]
        self._kinds = {
            kind.name: (kind, _decoder(kind, trade), trade)
            for trade, kinds in declared
            for kind in kinds
            if kind.from_field
        }
        self._city = city
        self._vault = vault
        self._places = dict(places or {})

    def renumber(self, assets: Assets) -> None:
        """Take the register after it changed."""
        self._city = self._city.with_assets(assets)

    def places(self) -> dict[str, Place]:
        """How far each gateway came, for a snapshot."""
        return {name: msgspec.structs.replace(place) for name, place in self._places.items()}

    def is_next(self, gateway: str, boot: int, message: FieldEvent) -> bool:
        """Whether this one comes next: false for one that was taken, and for one before which some are missing.

        Acknowledgements are cumulative: one that overtook another would let the gateway forget both.
        """
        return message.seq == max(self._place(gateway, boot).taken, message.acked) + 1

    def event(self, gateway: str, boot: int, message: FieldEvent, utc: int, mono: int) -> Event:
        """The event as it is journaled, its personal fields sealed. Raises WireError with the reason to count.

        A gateway's clock may be wrong, its news is not: a time in the future becomes that of receipt. Raises
        VaultError where nothing can be sealed: then nobody has taken the event.
        """
        kind, decoder, trade = self._kind(message)
        asset = self._asset(gateway, message)
        if (message.lon is None) != (message.lat is None):
            raise WireError(
                "half a place.",
                reason="bad_data",
                where=_where(message),
                next="Give lon and lat, or neither.",
            )
        try:
            if kind.personal:
                data = privacy.sealed(kind, message.fields(), self._vault, utc)
            else:
                data = decoder.decode(message.data)
        except VaultError:
            raise
        except Exception as error:
            # Of any kind: a Struct may run the plugin's own code to check itself.
            raise WireError(
                f"{error}.", reason="bad_data", where=_where(message), next="Send the fields of its Struct."
            ) from error
        return Event(
            seq=0,
            kind=message.kind,
            at_utc=min(message.at, utc),
            received_utc=utc,
            mono=mono,
            source=Source(gateway=gateway, boot=boot, seq=message.seq),
            trade=trade,
            communes=self._city.communes_of(asset, message.lon, message.lat),
            asset=asset,
            lon=message.lon,
            lat=message.lat,
            data=data,
        )

    def took(self, gateway: str, boot: int, seq: int) -> None:
        """The event was queued for the journal, or refused for good: the next one may come."""
        self._place(gateway, boot).taken = seq

    def committed(self, gateway: str, boot: int, through: int) -> None:
        """All up to ``through`` is durable."""
        place = self._places.get(gateway)
        if place is not None and place.boot == boot:
            place.committed = through

    def through(self, gateway: str, boot: int) -> int:
        """Up to which event this kernel may acknowledge; 0: it knows of none."""
        place = self._places.get(gateway)
        return place.committed if place is not None and place.boot == boot else 0

    def _place(self, gateway: str, boot: int) -> Place:
        place = self._places.get(gateway)
        if place is None or place.boot != boot:
            place = self._places[gateway] = Place(boot, 0, 0)
        return place

    def _kind(self, message: FieldEvent) -> tuple[EventKind, msgspec.msgpack.Decoder[Any], str]:
        try:
            return self._kinds[message.kind]
        except KeyError:
            raise WireError(
                "no trade takes this kind from the field.",
                reason="unknown_event",
                where=_where(message),
                next=f"Known: {', '.join(sorted(self._kinds)) or 'none'}.",
            ) from None

    def _asset(self, gateway: str, message: FieldEvent) -> int | None:
        if message.index is None:
            return None
        behind = self._city.assets.of_gateway(gateway)
        if message.index >= len(behind):
            raise WireError(
                f"index {message.index}, {len(behind)} assets stand behind this gateway.",
                reason="unknown_index",
                where=_where(message),
            )
        return int(behind[message.index])


def _decoder(kind: EventKind, plugin: str) -> msgspec.msgpack.Decoder[Any]:
    try:
        return msgspec.msgpack.Decoder(kind.data)
    except Exception as error:
        raise PluginError(
            f"{kind.name} cannot come from the field: {error!r}.", where=f"plugin {plugin}"
        ) from error


def _where(message: FieldEvent) -> str:
    return f"event {message.seq} {message.kind}"
