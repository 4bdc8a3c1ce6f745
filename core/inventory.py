"""Changes of the register: dated, checked against city and trades, taken whole or not at all, never undone.

The city folder holds the register as it was imported. What changed since lies in the journal, and is
applied again at each start.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from core import vocabulary
from core.assets import NONE, Assets
from core.city import City, unpack_assets
from core.declaration import AssetKind
from core.errors import CityError
from core.journal import Journal, Record
from core.wire import Name

#: The journal's kinds of record: a list of changes that was taken, and a start of the post.
CHANGED, STARTED = "asset", "start"

Degrees = Annotated[float, msgspec.Meta(ge=-180, le=180)]
Microseconds = Annotated[int, msgspec.Meta(ge=1, lt=1 << 62)]


class AssetChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One dated change of one asset; what is not given stays as it is.

    ``added`` needs kind, position and every attribute of the kind. ``changed`` may name all but kind and
    gateway, on which the devices' numbers rest. ``retired`` names nothing. ``at_utc`` µs says when it was
    done. ``parent`` is an id, empty for none. The commune is the one around ``lon``, ``lat`` (degrees, WGS
    84); ``edge`` and ``offset_m`` are the place on the street, none where a position comes without them.
    """

    change: Literal["added", "changed", "retired"]
    id: Name
    at_utc: Microseconds
    kind: str = ""
    name: Name | None = None
    lon: Degrees | None = None
    lat: Degrees | None = None
    edge: Annotated[int, msgspec.Meta(ge=0)] | None = None
    offset_m: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    parent: Annotated[str, msgspec.Meta(max_length=120)] | None = None
    gateway: Name | None = None
    attributes: dict[str, Any] = {}


class Changed(msgspec.Struct, frozen=True):
    """What the journal keeps of a list that was taken: the register's revision after it, and the changes."""

    revision: int
    changes: tuple[AssetChange, ...]


class Started(msgspec.Struct, frozen=True):
    """What the journal keeps of a start: which software, which trades, which of them ``in_workers``, and how far the
    register is."""

    version: str
    plugins: tuple[str, ...]
    revision: int
    in_workers: tuple[str, ...] = ()


def apply(city: City, changes: Sequence[AssetChange], kinds: Mapping[str, AssetKind]) -> City:
    """The city after all ``changes``, in order. Raises CityError at the first that does not fit.

    ``kinds`` are those that the trades declare. An index is never reused: what is added goes to the end.
    """
    draft = _Draft(city, sum(change.change == "added" for change in changes), kinds)
    for n, change in enumerate(changes, 1):
        try:
            draft.take(change)
        except CityError as error:
            where = f"change {n} of {len(changes)}, {change.change} {change.id!r}"
            raise CityError(error.what, where=where, next=error.next) from error
    return city.with_assets(draft.assets(city.assets.revision + len(changes)))


def resume(city: City, journal: Journal, kinds: Mapping[str, AssetKind]) -> City:
    """The city with all changes that the journal holds. Raises CityError where it was kept for another city.

    States and slots rest on the order of the register: those of one city would be given to another's lamps.
    """
    kinds = {kind.name: kind for kind in vocabulary.ASSETS} | dict(kinds)
    saved = journal.register()
    after, assets = (saved[0], unpack_assets(saved[1])) if saved else (0, city.assets)
    n = len(city.assets)
    if n > len(assets) or digest(city.assets, n) != digest(assets, n):
        raise _another_city(f"its {n} assets are not those that this data was kept for.")
    city = city.with_assets(assets.knowing(kinds))
    for seq, record in journal.read(after, CHANGED):
        taken = msgspec.msgpack.decode(record.data, type=Changed)
        if taken.revision <= city.assets.revision:
            continue
        try:
            city = apply(city, taken.changes, kinds)
        except CityError as error:
            raise _another_city(f"the journal's change {seq} does not fit: {error}") from error
    return city


def _another_city(what: str) -> CityError:
    return CityError(
        what,
        where="[post] city",
        next="Give the city folder that this `data` began with, or a new `data` folder.",
    )


def started(city: City, plugins: Sequence[str], in_workers: Sequence[str], step: int, utc: int) -> Record:
    """The journal's record of this start."""
    about = Started(version("ondijon"), tuple(plugins), city.assets.revision, tuple(in_workers))
    return Record(STARTED, step, utc, msgspec.msgpack.encode(about))


def ran_in_workers(data: bytes) -> tuple[str, ...]:
    """The trades that a start's record says ran in workers from then on."""
    return _in_workers.decode(data).in_workers


class _InWorkers(msgspec.Struct):
    # Not all of Started: a start of an older version says less.
    in_workers: tuple[str, ...] = ()


_in_workers = msgspec.msgpack.Decoder(_InWorkers)


def digest(assets: Assets, n: int) -> str:
    """SHA-256 of who the first ``n`` assets are: ids, kinds and gateways, in order."""
    kinds = [assets.kinds[k] for k in assets.kind[:n]]
    gateways = [None if g == NONE else assets.gateways[g] for g in assets.gateway[:n].tolist()]
    return hashlib.sha256(msgspec.msgpack.encode((assets.ids[:n], kinds, gateways))).hexdigest()


class _Draft:
    """The register while a list of changes is worked in; nothing of it is seen before it is whole."""

    def __init__(self, city: City, room: int, kinds: Mapping[str, AssetKind]) -> None:
        assets = city.assets
        self._city = city
        self._kinds = kinds
        self._ids, self._names, self._gateways = list(assets.ids), list(assets.names), list(assets.gateways)
        self._index = dict(assets.index)
        self._columns = {
            name: np.concatenate([column, np.zeros(room, column.dtype)])
            for name in Assets.COLUMNS
            for column in (getattr(assets, name),)
        }
        self._attributes = {
            kind: {name: list(values) for name, values in of.items()}
            for kind, of in assets.attributes.items()
        }
        self._added_rows: dict[int, int] = {}

    def assets(self, revision: int) -> Assets:
        """The register as it is now."""
        return Assets(
            ids=self._ids,
            names=self._names,
            kinds=self._city.assets.kinds,
            gateways=self._gateways,
            columns=self._columns,
            attributes=self._attributes,
            revision=revision,
        )

    def take(self, change: AssetChange) -> None:
        """Work one change in. Raises CityError."""
        if change.change == "added":
            self._add(change)
            return
        index = self._index.get(change.id)
        if index is None:
            raise CityError("no asset has this id.", next="Look it up in the inventory.")
        if self._columns["until"][index]:
            raise CityError("it was retired.", next="Add the new thing under a new id.")
        if change.kind or change.gateway is not None:
            raise CityError("kind and gateway of an asset stay.", next="Retire it, and add it anew.")
        if change.change == "changed":
            self._change(change, index)
        else:
            self._retire(change, index)

    def _add(self, change: AssetChange) -> None:
        assets = self._city.assets
        if change.id in self._index:
            raise CityError("the id was used before.", next="Ids are never reused: take another.")
        if change.kind not in assets.kinds:
            raise CityError(f"no kind {change.kind!r}.", next=f"Known: {', '.join(assets.kinds)}.")
        if change.lon is None:
            raise CityError("it has no position.", next="Give lon and lat.")
        attributes = self._checked(change.kind, change.attributes)
        index = self._index[change.id] = len(self._ids)
        self._ids.append(change.id)
        self._names.append(change.name or change.id)
        self._set(index, "kind", assets.kinds.index(change.kind))
        self._set(index, "since", change.at_utc)
        self._set(index, "gateway", self._gateway(change.gateway))
        self._set(index, "parent", self._parent(change.parent or "", index))
        self._place(change, index)
        columns = self._attributes.setdefault(change.kind, {})
        self._added_rows[index] = len(next(iter(columns.values()), ()))
        for name, value in attributes.items():
            columns.setdefault(name, []).append(value)

    def _change(self, change: AssetChange, index: int) -> None:
        kind = self._kind_of(index)
        columns, row = self._attributes.get(kind, {}), self._row(index)
        attributes = {name: values[row] for name, values in columns.items()} | change.attributes
        for name, value in self._checked(kind, attributes).items():
            columns[name][row] = value
        if change.name is not None:
            self._names[index] = change.name
        if change.parent is not None:
            self._set(index, "parent", self._parent(change.parent, index))
        if (change.lon, change.lat, change.edge) != (None, None, None):
            self._place(change, index)

    def _retire(self, change: AssetChange, index: int) -> None:
        if change != AssetChange(change="retired", id=change.id, at_utc=change.at_utc):
            raise CityError("what is retired does not change.", next="Give id and date alone.")
        if change.at_utc < self._columns["since"][index]:
            raise CityError("it came into service after that.", next="Correct the date.")
        self._set(index, "until", change.at_utc)

    def _set(self, index: int, column: str, value: float) -> None:
        self._columns[column][index] = value

    def _kind_of(self, index: int) -> str:
        return self._city.assets.kinds[int(self._columns["kind"][index])]

    def _row(self, index: int) -> int:
        if index in self._added_rows:
            return self._added_rows[index]
        return int(np.searchsorted(self._city.assets.of_kind(self._kind_of(index)), index))

    def _gateway(self, name: str | None) -> int:
        if name is None:
            return NONE
        if name not in self._gateways:
            self._gateways.append(name)
        return self._gateways.index(name)

    def _parent(self, id: str, child: int) -> int:
        if not id:
            return NONE
        parent = self._index.get(id)
        if parent is None or parent == child:
            raise CityError(f"its parent {id!r} is no other asset.", next="Add the parent before it.")
        declared = self._kinds.get(self._kind_of(child))
        if declared and declared.parent and declared.parent != self._kind_of(parent):
            raise CityError(f"its parent {id!r} is a {self._kind_of(parent)}, not a {declared.parent}.")
        return parent

    def _place(self, change: AssetChange, index: int) -> None:
        if change.lon is None or change.lat is None:
            raise CityError(
                "half a position.", next="Give lon and lat, and the place on the street with them."
            )
        commune = self._city.commune_at(change.lon, change.lat)
        if commune is None:
            raise CityError(
                f"({change.lon}, {change.lat}) is far from every commune.", next="Degrees, WGS 84?"
            )
        if change.edge is not None and change.edge >= self._city.streets.edges:
            raise CityError(f"no street has the number {change.edge}.")
        self._set(index, "commune", commune)
        self._set(index, "lon", change.lon)
        self._set(index, "lat", change.lat)
        self._set(index, "edge", NONE if change.edge is None else change.edge)
        self._set(index, "offset_m", change.offset_m)

    def _checked(self, kind: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """The attributes as they are stored. Raises CityError where they are not exactly those of the kind."""
        declared = self._kinds.get(kind)
        wanted = (
            [field.encode_name for field in msgspec.structs.fields(declared.attributes)]
            if declared
            else list(self._attributes.get(kind, {}))
        )
        if set(attributes) != set(wanted):
            raise CityError(
                f"its attributes are {sorted(attributes)}.", next=f"A {kind} has exactly {sorted(wanted)}."
            )
        if declared is None:
            return dict(attributes)
        try:
            checked = msgspec.convert(attributes, declared.attributes)
        except msgspec.ValidationError as error:
            raise CityError(f"{error}.", next=f"A {kind} has {sorted(wanted)}.") from error
        return dict(msgspec.to_builtins(checked))
