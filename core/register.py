"""The numbering that kernel, edges and gateways share: kinds, metrics, verbs, and every asset's slots.

A slot is an asset x metric. Slots are numbered asset by asset, in the order of the register of assets,
so those of one street lie side by side; added assets come after, and no slot is used twice in a
generation. The kernel writes the numbering to a file that the edges load.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np

from core.assets import NONE, Assets
from core.declaration import Declaration, Merge, Metric, Verb
from core.errors import CityError, ConfigError, PluginError, WireError
from core.wire import MESSAGE_MAX, Welcome, encode

#: How much room a table keeps for assets that are added while it lives.
HEADROOM = 1024


class GatewayEntry(msgspec.Struct, frozen=True):
    """The assets behind one gateway, by wire index: ids, first slots (u32[n] bytes), kinds (u16[n] bytes)."""

    assets: list[str]
    first_slot: bytes
    kind: bytes

    def begins(self, with_: GatewayEntry) -> bool:
        """Whether the first assets are those of another entry."""
        return (
            self.assets[: len(with_.assets)] == with_.assets
            and self.first_slot.startswith(with_.first_slot)
            and self.kind.startswith(with_.kind)
        )


class MetricEntry(msgspec.Struct, frozen=True):
    """A metric as the edges need it."""

    name: str
    deadband: Annotated[float, msgspec.Meta(ge=0)]
    low: float
    high: float
    merge: Merge
    refresh_s: Annotated[float, msgspec.Meta(ge=0, le=1e9)]


class Register(msgspec.Struct, frozen=True, dict=True):
    """What an edge needs to know of the city; ``metric`` u16[slots] and ``offsets`` i16[kinds, metrics] as bytes."""

    generation: int
    revision: int
    kinds: list[str]
    metrics: list[MetricEntry]
    verbs: list[str]
    gateways: dict[str, GatewayEntry]
    metric: bytes
    offsets: bytes

    @cached_property
    def slot_metric(self) -> np.ndarray:
        """u16[slots]: the metric of each slot."""
        return np.frombuffer(self.metric, np.uint16)

    @cached_property
    def kind_offsets(self) -> np.ndarray:
        """i16[kinds, metrics]: a metric's place among an asset's slots, -1 where it has none."""
        return np.frombuffer(self.offsets, np.int16).reshape(len(self.kinds), len(self.metrics))

    @property
    def slots(self) -> int:
        """Number of slots."""
        return len(self.slot_metric)

    def check_room(self, slots: int) -> None:
        """Raise ConfigError where an edge with room for so many ``slots`` cannot hold these and some more."""
        if self.slots + HEADROOM > slots:
            raise ConfigError(
                f"the city has {self.slots} slots, and {HEADROOM} are kept for assets that are added; "
                f"an edge has room for {slots}.",
                where="[edges] slots",
                next=f"Give {self.slots + HEADROOM} or more.",
            )

    def continues(self, other: Register) -> bool:
        """Whether this numbering is ``other``'s, with at most some assets more: its slots and indexes all hold."""
        return (
            (self.kinds, self.metrics, self.verbs, self.offsets)
            == (other.kinds, other.metrics, other.verbs, other.offsets)
            and self.metric.startswith(other.metric)
            and all(
                name in self.gateways and self.gateways[name].begins(of)
                for name, of in other.gateways.items()
            )
        )

    def welcome(self, gateway: str, session: int, boot: int) -> Welcome:
        """What the edge of ``boot`` tells a gateway of its numbering."""
        return Welcome(
            session,
            boot,
            self.generation,
            self.gateways[gateway].assets,
            [metric.name for metric in self.metrics],
            self.verbs,
        )

    def rules(self) -> dict[str, np.ndarray]:
        """The metrics' rules as the columns that ``Slots`` takes."""
        return _rules(self.metrics)

    def check(self) -> None:
        """Raise ValueError where the parts contradict one another: native code indexes by them."""
        reach = self.kind_offsets.max(axis=1, initial=-1).astype(np.int64)
        if any(not metric.low <= metric.high for metric in self.metrics):
            raise ValueError("a metric's low is not below its high")
        if np.any(self.slot_metric >= len(self.metrics)):
            raise ValueError("a slot has a metric that is not there")
        for name, entry in self.gateways.items():
            first = np.frombuffer(entry.first_slot, np.uint32).astype(np.int64)
            kind = np.frombuffer(entry.kind, np.uint16)
            if not len(entry.assets) == len(first) == len(kind) <= 0xFFFF:
                raise ValueError(f"the columns of gateway {name!r} differ in length, or are over 65,535 long")
            if np.any(kind >= len(self.kinds)) or np.any(
                (first + reach[kind] >= self.slots) & (reach[kind] >= 0)
            ):
                raise ValueError(f"an asset behind gateway {name!r} has a kind or slot that is not there")

    def save(self, path: Path) -> None:
        """Write the file whole or not at all."""
        temporary = path.with_suffix(".new")
        temporary.write_bytes(msgspec.msgpack.encode(self))
        temporary.replace(path)


def _check_welcome(register: Register, gateway: str) -> None:
    size = len(encode(register.welcome(gateway, 0xFFFFFFFF, (1 << 63) - 1)))
    if size > MESSAGE_MAX:
        raise CityError(
            f"{len(register.gateways[gateway].assets)} assets stand behind it: its welcome would have {size} "
            f"bytes, a message has at most {MESSAGE_MAX}.",
            where=f"gateway {gateway!r}",
            next="Divide them among several gateways.",
        )


def load(path: Path) -> Register:
    """Read a register. Raises WireError where it is not one."""
    try:
        register = msgspec.msgpack.decode(path.read_bytes(), type=Register)
        register.check()
        return register
    except (OSError, msgspec.DecodeError, ValueError, RecursionError) as error:
        raise WireError(
            f"no register of this version: {error}.", reason="register", where=str(path)
        ) from error


class Numbering:
    """The slots of a city: arrays over slots and assets, for the kernel's side.

    ``first_slot`` u32[assets] (NONE for a kind without metrics); ``slot_asset`` u32[slots];
    ``slot_metric`` u16[slots]; ``offsets`` i16[kinds, metrics]; ``metric_index`` name → number.
    """

    def __init__(self, assets: Assets, metrics: Sequence[Metric], verbs: Sequence[Verb] = ()) -> None:
        self.assets = assets
        self.metrics = tuple(metrics)
        self.verbs = tuple(verbs)
        self.metric_index = {metric.name: i for i, metric in enumerate(self.metrics)}
        if len(self.metric_index) != len(self.metrics):
            raise PluginError("two plugins declare a metric of the same name.", next="Rename one of them.")
        self.offsets = self._offsets()
        per_kind = np.asarray(np.sum(self.offsets >= 0, axis=1, dtype=np.int64))
        per_asset = per_kind[assets.kind] if len(assets) else np.empty(0, np.int64)
        ends = np.cumsum(per_asset)
        self.first_slot = np.where(per_asset > 0, ends - per_asset, NONE).astype(np.uint32)
        self.slot_asset = np.repeat(np.arange(len(assets), dtype=np.uint32), per_asset)
        self.slot_metric = self._slot_metric(per_asset, ends)

    @classmethod
    def of(cls, assets: Assets, declarations: Sequence[Declaration]) -> Numbering:
        """The numbering of all that plugins declare."""
        return cls(
            assets, [m for d in declarations for m in d.metrics], [v for d in declarations for v in d.verbs]
        )

    @property
    def slots(self) -> int:
        """Number of slots."""
        return len(self.slot_asset)

    def rules(self) -> dict[str, np.ndarray]:
        """The metrics' rules as the columns that ``Slots`` takes."""
        return _rules([_entry(metric) for metric in self.metrics])

    def slots_of(self, metric: str) -> tuple[np.ndarray, np.ndarray]:
        """(asset u32[n], slot u32[n]) of all assets that have ``metric``, ascending. Raises KeyError."""
        number = self.metric_index[metric]
        asset = self.assets.of_kind(self.metrics[number].kind)
        if not len(asset):
            return asset, asset
        return asset, self.slot(metric, asset)

    def slot(self, metric: str, assets: np.ndarray) -> np.ndarray:
        """u32[n]: the slots of ``metric`` for ``assets`` u32[n], which all have it. Raises KeyError."""
        number = self.metric_index[metric]
        offset = self.offsets[self.assets.kinds.index(self.metrics[number].kind), number]
        slots: np.ndarray = (self.first_slot[assets] + np.uint32(offset)).astype(np.uint32)
        return slots

    def register(self, generation: int) -> Register:
        """The same numbering, as the edges read it. Raises CityError for a gateway that no message could welcome."""
        assets = self.assets
        gateways = {}
        for name in assets.gateways:
            behind = assets.of_gateway(name)
            gateways[name] = GatewayEntry(
                [assets.ids[i] for i in behind],
                self.first_slot[behind].tobytes(),
                assets.kind[behind].tobytes(),
            )
        register = Register(
            generation,
            assets.revision,
            list(assets.kinds),
            [_entry(metric) for metric in self.metrics],
            [verb.name for verb in self.verbs],
            gateways,
            self.slot_metric.tobytes(),
            self.offsets.tobytes(),
        )
        for name in gateways:
            _check_welcome(register, name)
        return register

    def _offsets(self) -> np.ndarray:
        offsets = np.full((len(self.assets.kinds), len(self.metrics)), -1, np.int16)
        for k, kind in enumerate(self.assets.kinds):
            own = [i for i, metric in enumerate(self.metrics) if metric.kind == kind]
            offsets[k, own] = np.arange(len(own))
        return offsets

    def _slot_metric(self, per_asset: np.ndarray, ends: np.ndarray) -> np.ndarray:
        if not self.slots:
            return np.empty(0, np.uint16)
        # Per kind, its metrics in order of their offsets; a slot's place within its asset picks one.
        order = np.argsort(
            np.where(self.offsets >= 0, self.offsets, np.iinfo(np.int16).max), axis=1, kind="stable"
        )
        within = np.arange(self.slots) - np.repeat(ends - per_asset, per_asset)
        metric: np.ndarray = order[self.assets.kind[self.slot_asset], within].astype(np.uint16)
        return metric


def _rules(metrics: Sequence[MetricEntry]) -> dict[str, np.ndarray]:
    return {
        "deadband": np.array([m.deadband for m in metrics], np.float64),
        "low": np.array([m.low for m in metrics], np.float64),
        "high": np.array([m.high for m in metrics], np.float64),
        "merge": np.array([m.merge for m in metrics], np.uint8),
        "refresh_s": np.array([m.refresh_s for m in metrics], np.float64),
    }


def _entry(metric: Metric) -> MetricEntry:
    # An unchanged value is told again in good time, or a steady device would look silent.
    refresh = metric.stale_after_s / 3 if metric.stale_after_s else 0.0
    return MetricEntry(metric.name, metric.deadband, metric.low, metric.high, metric.merge, refresh)
