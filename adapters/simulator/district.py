"""The part of the city that one process holds: a block of gateways and what stands behind them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.assets import NONE, Assets


@dataclass(frozen=True)
class Members:
    """Assets of one kind behind own gateways: ``asset`` u32, ``gateway`` i64 (own number), ``wire`` u16, all [n]."""

    asset: np.ndarray
    gateway: np.ndarray
    wire: np.ndarray

    def __len__(self) -> int:
        return len(self.asset)

    def position(self, assets: int) -> np.ndarray:
        """i64[assets + 1]: where each asset stands here; ``len(self)`` for the others, and for NONE at the end."""
        out = np.full(assets + 1, len(self), np.int64)
        out[self.asset] = np.arange(len(self))
        return out


class District:
    """Gateways ``first`` to ``last`` (excluded) of the city's, and their lamps, sensors and cabinets."""

    def __init__(self, assets: Assets, part: int, parts: int) -> None:
        n = len(assets.gateways)
        self.first, self.last = n * part // parts, n * (part + 1) // parts
        self.gateways = assets.gateways[self.first : self.last]
        self._assets = assets
        self.lamps = self._members("lamp")
        self.sensors = self._members("presence_sensor")
        self.cabinets = self._members("cabinet")

    def parents(self, of: Members, among: Members) -> np.ndarray:
        """i64[n]: the position of each one's parent ``among`` others; their number where it is not there."""
        parent = self._assets.parent[of.asset].astype(np.int64)
        return among.position(len(self._assets))[np.where(parent == NONE, len(self._assets), parent)]

    def attribute(self, of: Members, kind: str, name: str) -> np.ndarray:
        """f64[n]: an attribute of the members."""
        if not len(of):
            return np.empty(0)
        column = self._assets.attribute(kind, name, np.float64)
        return column[np.searchsorted(self._assets.of_kind(kind), of.asset)]

    def _members(self, kind: str) -> Members:
        assets = self._assets
        asset = assets.of_kind(kind)
        gateway = assets.gateway[asset].astype(np.int64)
        mine = (gateway >= self.first) & (gateway < self.last) & assets.in_service()[asset]
        asset = asset[mine]
        return Members(asset, gateway[mine] - self.first, assets.wire_index[asset].astype(np.uint16))
