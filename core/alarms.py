"""Alarms: conditions that ask a person to act, each (asset, code) in one state of ISA-18.2."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from core.assets import NONE
from core.declaration import AlarmKind
from core.vocabulary import AlarmChanged

#: Alarms kept at most; a further one is counted and announced as a limit of the post.
ALARMS_MAX = 200_000

#: The asset of an alarm about the post itself.
POST_ASSET = NONE

Key = tuple[int, str]
Data = dict[str, float | int | str]


class Alarm(msgspec.Struct, kw_only=True):
    """One alarm. States: unacked_active, acked_active, returned_unacked, normal. Times in µs of city time."""

    asset: int
    code: str
    priority: int
    trade: str
    state: str
    raised_at: int
    returned_at: int = 0
    acked_at: int = 0
    acked_by: str = ""
    count: int = 1
    data: Data = {}
    revision: int = 1


class Stored(msgspec.Struct, frozen=True):
    """Alarms in a snapshot: the known ones, and which conditions are coming and going, until when (mono µs)."""

    known: list[Alarm]
    coming: list[tuple[int, str, int, Data]]
    going: list[tuple[int, str, int]]


class Alarms:
    """The register of alarms. A condition counts after the kind's ``delay_on_s``, and is over after ``delay_off_s``."""

    def __init__(self, kinds: Mapping[str, tuple[AlarmKind, str]]) -> None:
        self._kinds = kinds
        self.known: dict[Key, Alarm] = {}
        self.refused = 0
        self._coming: dict[Key, tuple[int, Data]] = {}
        self._going: dict[Key, tuple[int, Data]] = {}

    def raise_(self, asset: int, code: str, mono: int, data: Data) -> None:
        """The condition holds. Raises KeyError for a code nobody declared."""
        kind, _ = self._kinds[code]
        key = (asset, code)
        self._going.pop(key, None)
        if self._active(key) or key in self._coming:
            return
        if len(self.known) + len(self._coming) >= ALARMS_MAX:
            self.refused += 1
            return
        self._coming[key] = (mono + int(kind.delay_on_s * 1e6), data)

    def clear(self, asset: int, code: str, mono: int) -> None:
        """The condition holds no more. Raises KeyError for a code nobody declared."""
        kind, _ = self._kinds[code]
        key = (asset, code)
        self._coming.pop(key, None)
        if self._active(key) and key not in self._going:
            self._going[key] = (mono + int(kind.delay_off_s * 1e6), {})

    def acknowledge(self, asset: int, code: str, person: str, utc: int) -> Alarm | None:
        """A person has seen it; that is not the same as handled. None where there is nothing to acknowledge."""
        alarm = self.known.get((asset, code))
        if alarm is None or alarm.state == "acked_active":
            return None
        alarm.acked_at, alarm.acked_by = utc, person
        self._set(alarm, "acked_active" if alarm.state == "unacked_active" else "normal")
        return alarm

    def turn(self, mono: int, utc: int) -> list[Alarm]:
        """Let the delays run out; return the alarms that took another state."""
        changed = [self._activate(key, utc, data) for key, data in _due(self._coming, mono)]
        changed += [self._return(key, utc) for key, _ in _due(self._going, mono)]
        return changed

    def stored(self) -> Stored:
        """All of it, for a snapshot."""
        return Stored(
            list(self.known.values()),
            [(*key, at, data) for key, (at, data) in self._coming.items()],
            [(*key, at) for key, (at, _) in self._going.items()],
        )

    def restore(self, stored: Stored) -> None:
        """Put back what was stored; alarms that nobody declares any more are left out."""
        self.known = {(a.asset, a.code): a for a in stored.known if a.code in self._kinds}
        self._coming = {
            (asset, code): (at, data) for asset, code, at, data in stored.coming if code in self._kinds
        }
        self._going = {(asset, code): (at, {}) for asset, code, at in stored.going if code in self._kinds}

    def again(self, asset: int, changed: AlarmChanged, utc: int) -> None:
        """A transition that was journaled after the snapshot."""
        key = (asset, changed.code)
        if changed.code not in self._kinds:
            return
        self._coming.pop(key, None)
        self._going.pop(key, None)
        if changed.state == "normal":
            self.known.pop(key, None)
            return
        alarm = self.known.get(key)
        if alarm is None:
            alarm = self.known[key] = self._new(key, utc, {})
        alarm.state = changed.state

    def active(self) -> Iterable[Alarm]:
        """The alarms whose condition holds."""
        return (alarm for alarm in self.known.values() if alarm.state in ("unacked_active", "acked_active"))

    def _active(self, key: Key) -> bool:
        alarm = self.known.get(key)
        return alarm is not None and alarm.state in ("unacked_active", "acked_active")

    def _activate(self, key: Key, utc: int, data: Data) -> Alarm:
        alarm = self.known.get(key)
        if alarm is None:
            alarm = self.known[key] = self._new(key, utc, data)
            return alarm
        alarm.raised_at, alarm.data = utc, data
        alarm.count += 1
        self._set(alarm, "unacked_active")
        return alarm

    def _new(self, key: Key, utc: int, data: Data) -> Alarm:
        kind, trade = self._kinds[key[1]]
        return Alarm(
            asset=key[0],
            code=key[1],
            priority=kind.priority,
            trade=trade,
            state="unacked_active",
            raised_at=utc,
            data=data,
        )

    def _return(self, key: Key, utc: int) -> Alarm:
        alarm = self.known[key]
        alarm.returned_at = utc
        self._set(alarm, "normal" if alarm.state == "acked_active" else "returned_unacked")
        return alarm

    def _set(self, alarm: Alarm, state: str) -> None:
        alarm.state = state
        alarm.revision += 1
        if state == "normal":
            del self.known[(alarm.asset, alarm.code)]


def _due(waiting: dict[Key, tuple[int, Data]], mono: int) -> list[tuple[Key, Data]]:
    due = [(key, data) for key, (at, data) in waiting.items() if at <= mono]
    for key, _ in due:
        del waiting[key]
    return due
