"""What stands behind what: each asset behind its parent, and behind the asset that is its gateway."""

from __future__ import annotations

import numpy as np

from core.assets import NONE, Assets
from core.vocabulary import GATEWAY

#: Assets in a row, from a thing up to what explains it; beyond, the register is not a city but a ring.
DEPTH_MAX = 16


class Topology:
    """The ways up from each asset. Arrays have one place more than there are assets: the last is "nobody"."""

    def __init__(self, assets: Assets) -> None:
        n = self.nobody = len(assets)
        gateways = np.full(len(assets.gateways) + 1, n)
        for number, name in enumerate(assets.gateways):
            index = assets.index.get(name, n)
            if index < n and assets.kinds[assets.kind[index]] == GATEWAY:
                gateways[number] = index
        behind = gateways[np.minimum(assets.gateway, len(assets.gateways))]
        # A gateway that reports of itself is not behind itself.
        behind[behind == np.arange(n)] = n
        self._parent, self._gateway = (np.append(up, n).astype(np.int32) for up in (assets.parent, behind))
        self._parent[self._parent > n] = n
        self._parent[np.append(assets.parent == NONE, True)] = n
        self._commune = np.append(assets.commune.astype(np.int32), -1)

    def covers(self, on: np.ndarray) -> np.ndarray:
        """i32[assets + 1]: the ancestor where ``on`` bool[assets + 1] holds, nearest by parents, then by gateways."""
        nobody = self.nobody
        above = np.full(nobody + 1, nobody, np.int32)
        if not on.any():
            return above
        for _ in range(DEPTH_MAX):
            near, far = (np.where(on[up], up, above[up]) for up in (self._parent, self._gateway))
            found = np.where(near == nobody, far, near)
            if np.array_equal(found, above):
                break
            above = found
        return above

    def places(self, assets: np.ndarray) -> np.ndarray:
        """i64[n]: the places of asset indexes u32[n] in arrays of this topology; the post itself is nobody."""
        return np.minimum(assets.astype(np.int64), self.nobody)

    def parents(self, assets: np.ndarray) -> np.ndarray:
        """i64[n]: the parent of each asset u32[n], itself where it has none."""
        parent = self._parent[self.places(assets)]
        return np.where(parent == self.nobody, assets, parent).astype(np.int64)

    def communes(self, assets: np.ndarray) -> np.ndarray:
        """i32[n]: the commune of each asset u32[n]; -1 for the post itself."""
        found: np.ndarray = self._commune[self.places(assets)]
        return found
