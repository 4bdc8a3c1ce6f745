"""Signs that wait for others, and devices that chatter."""

from __future__ import annotations

import math
from collections.abc import Iterator

from plugins.coordination.clusters import SECOND, STEP_M, VOICES_MAX, WATCHES_MAX, Sign, State, Voice, Watch

#: A device that said the same so often (times) for so long (s), always alone, chatters: it is heard no more until it
#: has been quiet so long (s).
CHATTER_TIMES = 4
CHATTER_S = 3_000.0
QUIET_S = 5_400.0

#: The side of a square of the plane (m), and more squares than a plane has in a column.
_CELL_M = 500.0
_ROW = 1_000_003


def there(sign: Sign, x: float, y: float) -> bool:
    """Whether the sign is of this place (m), and not of where a vehicle went meanwhile."""
    return abs(sign.x - x) < STEP_M and abs(sign.y - y) < STEP_M


def chatters(voice: Voice | None, sign: Sign) -> bool:
    return (
        voice is not None
        and voice.times >= CHATTER_TIMES
        and voice.last - voice.first >= CHATTER_S * SECOND
        and sign.at - voice.last <= QUIET_S * SECOND
        and there(sign, voice.x, voice.y)
    )


def heard_alone(state: State, key: str, sign: Sign) -> None:
    voice = state.voices.get(key)
    if voice is None or sign.at - voice.last > QUIET_S * SECOND or not there(sign, voice.x, voice.y):
        state.voices.pop(key, None)
        state.voices[key] = Voice(sign.at, sign.at, 1, sign.x, sign.y)
        if len(state.voices) > VOICES_MAX:
            del state.voices[next(iter(state.voices))]
    else:
        state.voices[key] = Voice(voice.first, sign.at, voice.times + 1, voice.x, voice.y)


def wait(state: State, sign: Sign, key: str) -> None:
    if len(state.watches) >= WATCHES_MAX:
        forget(state, next(iter(state.watches)))
    number = sign.seq
    state.watches[number] = Watch(number=number, sign=sign, last=sign.at)
    if key:
        state.said[key] = number
        for asset in sign.chain:
            state.below[asset] = (*state.below.get(asset, ()), number)
    cell = _cell(sign.x, sign.y)
    state.cells[cell] = (*state.cells.get(cell, ()), number)


def forget(state: State, number: int) -> Sign:
    """Take a watch away, and give its sign."""
    sign = state.watches.pop(number).sign
    if sign.asset >= 0:
        del state.said[f"{sign.topic}@{sign.asset}"]
        for asset in sign.chain:
            drop(state.below, asset, number)
    drop(state.cells, _cell(sign.x, sign.y), number)
    return sign


def around(state: State, x: float, y: float, reach: float) -> Iterator[Watch]:
    """What waits in the squares around a place (m)."""
    rows = range(math.floor((y - reach) / _CELL_M), math.floor((y + reach) / _CELL_M) + 1)
    for column in range(math.floor((x - reach) / _CELL_M), math.floor((x + reach) / _CELL_M) + 1):
        for row in rows:
            for number in state.cells.get(column * _ROW + row, ()):
                yield state.watches[number]


def _cell(x: float, y: float) -> int:
    return math.floor(x / _CELL_M) * _ROW + math.floor(y / _CELL_M)


def drop(table: dict[int, tuple[int, ...]], key: int, number: int) -> None:
    left = tuple(n for n in table[key] if n != number)
    if left:
        table[key] = left
    else:
        del table[key]
