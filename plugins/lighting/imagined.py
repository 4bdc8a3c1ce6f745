"""What lamps and meters would tell if they did as they were told: for forks of the past."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ondijon import Imagined
from plugins.lighting.energy import Account, by_cabinet, modelled_w
from plugins.lighting.park import Park
from plugins.lighting.state import State


def answers(park: Park, state: State) -> Iterator[Imagined]:
    """Levels and powers as they are modelled; meters go on from what was read last."""
    lamps, cabinets = park.lamps, park.cabinets
    works = lamps.in_service
    level = state.people.level / 256
    watts = modelled_w(park, state)
    yield Imagined("lamp.level", lamps.asset[works], level[works])
    yield Imagined("lamp.power", lamps.asset[works], watts[works])
    yield Imagined("cabinet.power", cabinets.asset, by_cabinet(lamps, watts, len(cabinets))[:-1])
    ledger = state.ledger
    since = ledger.account_kwh[Account.MODELLED, :-1] - ledger.read_kwh[Account.MODELLED]
    yield Imagined("cabinet.energy", cabinets.asset, np.maximum(ledger.register_kwh, 0.0) + since)
