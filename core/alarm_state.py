"""The states of an alarm, in bits and in words, and what is told of one."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np

#: An alarm that comes for the third time within CHATTER_S (s) chatters, until it was quiet for as long.
CHATTER_S = 60

#: The states, by number: the first three overlays win over what the condition and persons make of it.
STATES = (
    "normal",
    "unacked_active",
    "acked_active",
    "returned_unacked",
    "suppressed",
    "shelved",
    "out_of_service",
)

#: The state in bits. HOLDS: the trade says so; ACTIVE: after its delays. TOLD: a person was told of this occurrence.
HOLDS, ACTIVE, ACKED, TOLD, SUPPRESSED, SHELVED, OUT, CHATTERS = (1 << bit for bit in range(8))
HIDDEN = SUPPRESSED | SHELVED | OUT

#: Among AlarmRows: nothing suppresses it.
NO_PARENT = 0xFFFF

Data = dict[str, float | int | str]


def state_of(flags: int) -> str:
    """The state that the bits make."""
    if flags & OUT:
        return "out_of_service"
    if flags & SHELVED:
        return "shelved"
    if flags & ACTIVE:
        if flags & SUPPRESSED:
            return "suppressed"
        return "acked_active" if flags & ACKED else "unacked_active"
    # What nobody was told of, nobody needs to acknowledge.
    return "returned_unacked" if flags & TOLD and not flags & ACKED else "normal"


#: The number of the state that each combination of bits makes.
STATE = np.array([STATES.index(state_of(flags)) for flags in range(256)], np.uint8)


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """One alarm, as it is. Times in µs of city time, 0: not.

    ``announced`` says when a person was told of this occurrence, in the ``group`` of that number (0: alone).
    ``parent`` is the (asset, code) that suppresses it. ``shelved_by`` and ``shelved_reason`` also tell who took
    it out of service, and why. ``count``: how often it came since it was last gone for a day.
    """

    asset: int
    code: str
    priority: int
    trade: str
    commune: int | None
    state: str
    raised_at: int
    returned_at: int
    acked_at: int
    acked_by: str
    shelved_until: int
    shelved_by: str
    shelved_reason: str
    parent: tuple[int, str] | None
    count: int
    announced: int
    group: int
    chattering: bool
    data: Data
    revision: int


class AlarmRows(msgspec.Struct, frozen=True):
    """Alarms as they are now, as columns [n]: ``code`` u16 and ``parent`` u16 index ``codes``; ``asset`` u32.

    ``state`` u8 indexes STATES; ``count`` u32; ``raised_at``, ``returned_at``, ``acked_at`` i64 µs.
    """

    codes: tuple[str, ...]
    code: bytes
    asset: bytes
    state: bytes
    parent: bytes
    count: bytes
    raised_at: bytes
    returned_at: bytes
    acked_at: bytes


class Change(NamedTuple):
    """Alarms of one ``code`` that changed alike. ``assets`` u32[n] ascending; ``flags`` their state in bits.

    ``announced``: how often a person was told by it. ``parent`` is the code that suppresses them, ``causes``
    u32[n] the asset on which that stands for each. ``by``, ``reason`` and ``until`` (µs): the person's act. ``data``
    is what the trade said of it, where it is only one.
    """

    code: str
    flags: int
    assets: np.ndarray
    announced: int
    group: int
    parent: str
    causes: np.ndarray
    by: str
    reason: str
    until: int
    data: Data

    @property
    def state(self) -> str:
        """The state they are in now."""
        return state_of(self.flags)
