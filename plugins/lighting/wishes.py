"""Light that other trades want: at an accident, for a search. It only ever adds to what the programmes do."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ondijon import Emit, Event, Now, requests
from plugins.lighting.park import Park
from plugins.lighting.state import State, Wish

#: Each look holds the light until the next one, and a little longer (0.1 s).
HOLD_DS = 150

#: Wishes at the same time; beyond them none is taken.
WISHES_MAX = 100


def hear(park: Park, state: State, now: Now, event: Event) -> Iterator[Emit]:
    """Take a wish, where a lamp is near and there is room for it; the answer."""
    wanted: requests.LightWanted = event.data
    place = park.city.place_of(event.asset, event.lon, event.lat)
    if place is None:
        yield requests.answered(event.seq, "refused", "the request names no place")
        return
    at = park.city.metres(*place)
    lamps = _lamps(park, *at, wanted.radius_m)
    if not len(lamps):
        yield requests.answered(event.seq, "refused", f"no lamp within {wanted.radius_m:g} m")
    elif len(state.wishes) >= WISHES_MAX:
        yield requests.answered(event.seq, "refused", f"{WISHES_MAX} such wishes are held already")
    else:
        until = now.mono + int(wanted.seconds * 1e6)
        state.wishes[str(event.seq)] = Wish(*at, wanted.radius_m, math.ceil(wanted.level_pct), until)
        ids = park.city.assets.ids
        yield requests.answered(
            event.seq, "taken", by=tuple(ids[i] for i in park.lamps.asset[lamps[:20]].tolist())
        )


def follow(park: Park, state: State, now: Now) -> None:
    """Hold the light that is wanted, by night; forget the wishes that are over."""
    for seq, wish in list(state.wishes.items()):
        if now.mono >= wish.until:
            del state.wishes[seq]
        elif state.schedule.night:
            lamps = _lamps(park, wish.x, wish.y, wish.radius_m)
            left_ds = min(math.ceil((wish.until - now.mono) / 1e5), HOLD_DS)
            people = state.people
            people.want[lamps] = np.maximum(people.want[lamps], wish.level_pct)
            people.hold[lamps] = np.maximum(people.hold[lamps], left_ds)


def _lamps(park: Park, x: float, y: float, radius_m: float) -> np.ndarray:
    """The lamps in service within ``radius_m``, the nearest first."""
    distance = np.hypot(park.lamps.x - x, park.lamps.y - y)
    near = np.flatnonzero((distance <= radius_m) & park.lamps.in_service)
    found: np.ndarray = near[np.argsort(distance[near], kind="stable")]
    return found
