"""The register of things: every asset has an index that is never reused while the city lives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import msgspec
import numpy as np

from core.declaration import AssetKind
from core.errors import CityError

#: "Nothing" among u32 indexes: an asset without parent, edge or gateway.
NONE = 0xFFFFFFFF


class Assets:
    """Columns over all assets, in index order. Arrays are read-only.

    ``kind`` u16[n] indexes ``kinds``; ``commune`` u16[n]; ``lon``, ``lat`` f64[n] degrees (WGS 84);
    ``edge`` u32[n] and ``offset_m`` f32[n] the place on the street; ``parent`` u32[n] an asset index;
    ``gateway`` u32[n] indexes ``gateways``; ``since``, ``until`` i64[n] µs (until 0: in service).
    ``attributes`` holds the columns of each kind, in the order of ``of_kind(kind)``.
    """

    def __init__(
        self,
        *,
        ids: Sequence[str],
        names: Sequence[str],
        kinds: Sequence[str],
        gateways: Sequence[str],
        columns: Mapping[str, np.ndarray],
        attributes: Mapping[str, Mapping[str, Sequence[Any]]],
        revision: int = 0,
    ) -> None:
        self.ids = tuple(ids)
        self.names = tuple(names)
        self.kinds = tuple(kinds)
        self.gateways = tuple(gateways)
        self.revision = revision
        self.attributes = {kind: dict(of) for kind, of in attributes.items()}
        self.kind = _column(columns, "kind", np.uint16)
        self.commune = _column(columns, "commune", np.uint16)
        self.lon = _column(columns, "lon", np.float64)
        self.lat = _column(columns, "lat", np.float64)
        self.edge = _column(columns, "edge", np.uint32)
        self.offset_m = _column(columns, "offset_m", np.float32)
        self.parent = _column(columns, "parent", np.uint32)
        self.gateway = _column(columns, "gateway", np.uint32)
        self.since = _column(columns, "since", np.int64)
        self.until = _column(columns, "until", np.int64)
        self._of_kind: dict[str, np.ndarray] = {}
        self._check()

    #: The numeric columns, by name.
    COLUMNS = (
        "kind",
        "commune",
        "lon",
        "lat",
        "edge",
        "offset_m",
        "parent",
        "gateway",
        "since",
        "until",
    )

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def index(self) -> dict[str, int]:
        """Asset id to index."""
        return {id: i for i, id in enumerate(self.ids)}

    def of_kind(self, kind: str) -> np.ndarray:
        """Indexes (u32, ascending) of all assets of ``kind``; empty where the city has none."""
        if kind not in self._of_kind:
            code = self.kinds.index(kind) if kind in self.kinds else -1
            found = np.flatnonzero(self.kind == code).astype(np.uint32)
            found.setflags(write=False)
            self._of_kind[kind] = found
        return self._of_kind[kind]

    def attribute(self, kind: str, name: str, dtype: Any = None) -> np.ndarray:
        """The attribute column ``name`` of ``kind``, in the order of ``of_kind(kind)``."""
        return np.asarray(self.attributes[kind][name], dtype=dtype)

    def in_service(self) -> np.ndarray:
        """bool[n]: the asset is not retired."""
        return np.asarray(self.until == 0)

    def of_gateway(self, gateway: str) -> np.ndarray:
        """Indexes (u32, ascending) of the assets behind ``gateway``; the position is the wire index."""
        starts, order = self._by_gateway
        if gateway not in self._gateway_index:
            return np.empty(0, np.uint32)
        g = self._gateway_index[gateway]
        return order[starts[g] : starts[g + 1]]

    @cached_property
    def _gateway_index(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.gateways)}

    @cached_property
    def _by_gateway(self) -> tuple[np.ndarray, np.ndarray]:
        behind = np.flatnonzero(self.gateway != NONE)
        order = behind[np.argsort(self.gateway[behind], kind="stable")].astype(np.uint32)
        starts = np.searchsorted(self.gateway[order], np.arange(len(self.gateways) + 1))
        return starts, order

    @cached_property
    def wire_index(self) -> np.ndarray:
        """u32[n]: each asset's index within its gateway (NONE without gateway)."""
        starts, order = self._by_gateway
        out = np.full(len(self), NONE, np.uint32)
        out[order] = np.arange(len(order)) - np.repeat(starts[:-1], np.diff(starts))
        return out

    def validate(self, kinds: Mapping[str, type[msgspec.Struct]]) -> list[str]:
        """Check the attribute columns of the declared ``kinds``; return the kinds that no trade declares.

        Raises CityError at the first column or value that does not fit, naming kind, column and type.
        """
        for kind, struct in kinds.items():
            if kind in self.kinds:
                _validate_kind(kind, struct, self.attributes.get(kind, {}), len(self.of_kind(kind)))
        return [kind for kind in self.kinds if kind not in kinds and len(self.of_kind(kind))]

    def knowing(self, kinds: Mapping[str, AssetKind]) -> Assets:
        """The same register, with room for each of ``kinds`` of which there is nothing yet."""
        new = {name: kind for name, kind in kinds.items() if name not in self.kinds}
        if not new:
            return self
        empty: dict[str, dict[str, Sequence[Any]]] = {
            name: {field.encode_name: [] for field in msgspec.structs.fields(kind.attributes)}
            for name, kind in new.items()
        }
        return Assets(
            ids=self.ids,
            names=self.names,
            kinds=(*self.kinds, *new),
            gateways=self.gateways,
            columns={name: getattr(self, name) for name in self.COLUMNS},
            attributes=self.attributes | empty,
            revision=self.revision,
        )

    def _check(self) -> None:
        n = len(self.ids)
        lengths = {name: len(getattr(self, name)) for name in self.COLUMNS} | {"names": len(self.names)}
        wrong = [name for name, length in lengths.items() if length != n]
        if wrong:
            raise CityError(f"columns {wrong} do not have {n} rows.", where="assets")
        if len(set(self.ids)) != n:
            raise CityError(
                "two assets share an id.", where="assets", next="Make ids unique in the inventory."
            )
        for name, limit in (("kind", len(self.kinds)), ("gateway", len(self.gateways)), ("parent", n)):
            column = getattr(self, name)
            if len(column) and np.any((column >= limit) & (column != NONE)):
                raise CityError(f"column {name!r} points outside the register.", where="assets")


def _column(columns: Mapping[str, np.ndarray], name: str, dtype: Any) -> np.ndarray:
    column = np.array(columns[name], dtype=dtype)
    column.setflags(write=False)
    return column


def _validate_kind(
    kind: str, struct: type[msgspec.Struct], columns: Mapping[str, Sequence[Any]], n: int
) -> None:
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(struct)}
    missing, unknown = sorted(set(fields) - set(columns)), sorted(set(columns) - set(fields))
    if missing or unknown:
        raise CityError(
            f"attributes of kind {kind!r} do not fit: missing {missing}, unknown {unknown}.",
            where="assets",
            next=f"The trade expects {sorted(fields)}.",
        )
    for name, type_ in fields.items():
        if len(columns[name]) != n:
            raise CityError(
                f"attribute {name!r} has {len(columns[name])} rows, not {n}.", where=f"kind {kind!r}"
            )
        try:
            msgspec.convert(list(columns[name]), list[type_])  # type: ignore[valid-type]
        except msgspec.ValidationError as error:
            raise CityError(f"attribute {name!r}: {error}.", where=f"kind {kind!r}") from error
