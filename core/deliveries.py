"""Deliveries: which programme each gateway should hold, which it says it holds, and what is still to be sent.

What gateways hold they tell themselves, whole, whenever they shake hands and whenever it changes. So nothing of
this is stored: after a restart every gateway tells it anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import islice

import msgspec
import numpy as np

from core import wire
from core.assets import Assets
from core.clock import SECOND
from core.journal import Record
from core.programmes import Key, Programme, Programmes
from core.wire import Programmed, Taken

#: Messages that one step sends: a programme of the whole city must not keep orders back.
SENT_MAX = 64

#: What nobody answered is sent again after so long (µs).
AGAIN = 5 * SECOND

#: How often (µs) it is looked for, beside when something changed.
LOOK = 1 * SECOND

#: Gateways that the status names one by one.
NAMED_MAX = 10

#: The kind of record: what gateways said of programmes, where it is news.
PROGRAMMED = "programmed"


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """How far one programme came: of ``gateways`` so many hold it; some of the others, and who refused it why."""

    kind: str
    zone: str
    version: int
    gateways: int
    up_to_date: int
    waiting: list[str]
    refused: dict[str, str]


class _Part(msgspec.Struct, frozen=True):
    """What one gateway gets of a programme: the wire indexes of its assets, and the hash it will tell back."""

    indexes: bytes
    hash: bytes


class Deliveries:
    """Gateways by name, programmes by kind and zone. Not thread-safe."""

    def __init__(self, programmes: Programmes, assets: Assets) -> None:
        self._programmes = programmes
        self._assets = assets
        self._parts: dict[Key, dict[str, _Part]] = {}
        self._told: dict[str, dict[Key, Taken]] = {}
        self._sent: dict[tuple[str, Key], tuple[bytes, int]] = {}
        #: What is not as it should be: by gateway and programme, oldest first.
        self._open: dict[tuple[str, Key], None] = {}
        self._looked = 0
        self._changed = True

    def renumber(self, assets: Assets) -> None:
        """Take the register after it changed: who got or lost an asset is told."""
        self._assets = assets
        for key in self._programmes.known():
            self.put(key)

    def put(self, key: Key) -> None:
        """The programme of this kind and zone is new, or was put back."""
        programme = self._programmes.in_force[key]
        # A gateway without such an asset any more may be gone: it is told when it says that it holds it.
        before = self._parts.get(key, {})
        self._parts[key] = parts = self._parts_of(programme)
        for gateway in {**before, **parts}:
            self._judge(gateway, key)
        self._changed = True

    def _parts_of(self, programme: Programme) -> dict[str, _Part]:
        assets = self._assets
        targets = np.flatnonzero(self._programmes.targets(programme.kind, programme.zone))
        order = targets[np.argsort(assets.gateway[targets], kind="stable")]
        gateways, starts = np.unique(assets.gateway[order], return_index=True)
        indexes = np.split(assets.wire_index[order].astype("<u2"), starts[1:])
        return {
            assets.gateways[gateway]: _part(programme, of.tobytes())
            for gateway, of in zip(gateways.tolist(), indexes, strict=False)
        }

    def _judge(self, gateway: str, key: Key) -> None:
        part, told = self._parts[key].get(gateway), self._told.get(gateway, {}).get(key)
        if part is None or (told is not None and not told.code and told.hash == part.hash):
            self._open.pop((gateway, key), None)
            self._sent.pop((gateway, key), None)
        else:
            self._open.setdefault((gateway, key))

    # -- back

    def hear(self, gateway: str, programmed: Programmed) -> list[Taken]:
        """A gateway tells all that it holds and all that it refused; return what of it is news."""
        before = self._told.get(gateway, {})
        now = self._told[gateway] = {(each.kind, each.zone): each for each in programmed.programmes}
        for key in self._parts:
            if key in now and gateway not in self._parts[key]:
                self._parts[key][gateway] = _part(self._programmes.in_force[key], b"")
            self._judge(gateway, key)
        self._changed = True
        return [taken for key, taken in now.items() if before.get(key) != taken]

    # -- out

    def due(self, mono: int) -> list[tuple[str, wire.Programme]]:
        """What is to be sent at ``mono`` µs, at most SENT_MAX: only to gateways that told what they hold."""
        if not self._open or not (self._changed or mono - self._looked >= LOOK):
            return []
        self._looked = mono
        due = list(islice(self._unsent(mono), SENT_MAX))
        self._changed = len(due) == SENT_MAX
        return due

    def _unsent(self, mono: int) -> Iterator[tuple[str, wire.Programme]]:
        for gateway, key in self._open:
            part, told = self._parts[key][gateway], self._told.get(gateway)
            if told is None or _refuses(told.get(key), part):
                continue
            hash, at = self._sent.get((gateway, key), (b"", 0))
            if hash == part.hash and mono - at < AGAIN:
                continue
            self._sent[gateway, key] = part.hash, mono
            programme = self._programmes.in_force[key]
            yield (
                gateway,
                wire.Programme(
                    kind=programme.kind,
                    zone=programme.zone,
                    version=programme.version,
                    hash=part.hash,
                    indexes=part.indexes,
                    content=programme.content,
                ),
            )

    # -- what a person sees

    @property
    def open(self) -> int:
        """How many programmes are not where they should be."""
        return len(self._open)

    def first_open(self) -> tuple[str, Key]:
        """The gateway and the programme that have been waiting longest; there must be one."""
        return next(iter(self._open))

    def figures(self) -> list[Figures]:
        """How far each programme came."""
        waiting: dict[Key, list[str]] = {}
        for gateway, key in self._open:
            waiting.setdefault(key, []).append(gateway)
        return [self._figures(key, waiting.get(key, [])) for key in self._parts]

    def _figures(self, key: Key, waiting: list[str]) -> Figures:
        programme, parts = self._programmes.in_force[key], self._parts[key]
        refused = {
            gateway: told.code
            for gateway in waiting
            for told in (self._told.get(gateway, {}).get(key),)
            if told is not None and _refuses(told, parts[gateway])
        }
        return Figures(
            kind=programme.kind,
            zone=programme.zone,
            version=programme.version,
            gateways=len(parts),
            up_to_date=len(parts) - len(waiting),
            waiting=[gateway for gateway in waiting if gateway not in refused][:NAMED_MAX],
            refused=dict(islice(refused.items(), NAMED_MAX)),
        )


def record(news: list[tuple[str, Taken]], step: int, utc: int) -> Record:
    """The record of what gateways said that is news."""
    return Record(PROGRAMMED, step, utc, msgspec.msgpack.encode(news))


def _part(programme: Programme, indexes: bytes) -> _Part:
    return _Part(indexes, hashlib.sha256(programme.hash + indexes).digest())


def _refuses(told: Taken | None, part: _Part) -> bool:
    return told is not None and bool(told.code) and told.hash == part.hash
