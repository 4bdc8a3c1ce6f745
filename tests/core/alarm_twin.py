"""The plain twin of the alarm register: one alarm at a time, as docs/alarms.md tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

S = 1_000_000


@dataclass
class One:
    """One alarm of the twin; times are mono µs."""

    holds: bool = False
    active: bool = False
    acked: bool = False
    told: bool = False
    out: bool = False
    chatters: bool = False
    due: int = 0
    hold: int = 0
    quiet: int = 0
    shelf: int | None = None
    parent: tuple[int, str] | None = None
    came: tuple[int, ...] = ()
    count: int = 0

    @property
    def state(self) -> str:
        """Its state of ISA-18.2."""
        if self.out:
            return "out_of_service"
        if self.shelf is not None:
            return "shelved"
        if self.active and self.parent:
            return "suppressed"
        if self.active:
            return "acked_active" if self.acked else "unacked_active"
        return "returned_unacked" if self.told and not self.acked else "normal"


class Twin:
    """``kinds`` code → (delay on, delay off, correlate s, suppressed by); ``ways`` asset → what it is behind."""

    def __init__(
        self, kinds: Mapping[str, tuple[int, int, int, tuple[str, ...]]], ways: Mapping[int, list[int]]
    ) -> None:
        self.kinds = kinds
        self.ways = ways
        self.alarms: dict[tuple[int, str], One] = {}
        self.told: list[tuple[int, int, str]] = []

    def one(self, asset: int, code: str) -> One:
        """The alarm."""
        return self.alarms.setdefault((asset, code), One())

    def say(self, asset: int, code: str, holds: bool, mono: int) -> None:
        """A trade says whether the condition holds; called once a turn and alarm."""
        one, (on, off, _, _) = self.one(asset, code), self.kinds[code]
        if one.holds == holds:
            return
        one.holds, one.due = holds, mono + (on if holds else off) * S
        if one.chatters:
            one.quiet = mono + 60 * S
            one.count += holds

    def acknowledge(self, asset: int, code: str) -> None:
        """A person has seen it."""
        one = self.one(asset, code)
        if one.state in ("unacked_active", "returned_unacked"):
            one.acked = True

    def shelve(self, asset: int, code: str, seconds: int, mono: int) -> None:
        """A person puts it aside."""
        one = self.one(asset, code)
        if not one.out:
            one.shelf = mono + seconds * S

    def unshelve(self, asset: int, code: str, mono: int) -> None:
        """A person takes it back."""
        one = self.one(asset, code)
        if one.shelf is not None:
            one.shelf = None
            self._back(one, mono)

    def out(self, asset: int, code: str) -> None:
        """A person takes it out of service."""
        one = self.one(asset, code)
        one.out, one.shelf = True, None

    def into(self, asset: int, code: str, mono: int) -> None:
        """A person puts it into service."""
        one = self.one(asset, code)
        if one.out:
            one.out = False
            self._back(one, mono)

    def _back(self, one: One, hold: int) -> None:
        if one.active and not one.acked:
            one.told, one.hold = False, hold

    def turn(self, mono: int) -> None:
        """Time passes."""
        for (_, code), one in self.alarms.items():
            self._pass(one, self.kinds[code][2] if self.kinds[code][3] else 0, mono)
        for (asset, code), one in self.alarms.items():
            parent = self._parent(asset, code) if one.active else None
            if one.active and one.parent and not parent:
                self._back(one, mono + self.kinds[code][2] * S)
            one.parent = parent
        for (asset, code), one in self.alarms.items():
            open_ = one.active and not one.told and not one.acked
            if open_ and not one.parent and not one.out and one.shelf is None and one.hold <= mono:
                one.told = True
                self.told.append((mono, asset, code))

    def _pass(self, one: One, correlate: int, mono: int) -> None:
        if one.holds != one.active and not one.chatters and one.due <= mono:
            one.active = one.holds
            if one.active:
                one.came = (*one.came[-2:], mono)
                one.count += 1
                if len(one.came) == 3 and mono - one.came[0] <= 60 * S:
                    one.chatters, one.quiet = True, mono + 60 * S
                else:
                    one.acked = one.told = False
                one.hold = mono + correlate * S
        elif one.chatters and one.quiet <= mono:
            one.chatters = False
            one.active = one.holds
        if one.shelf is not None and one.shelf <= mono:
            one.shelf = None
            self._back(one, mono)

    def _parent(self, asset: int, code: str) -> tuple[int, str] | None:
        for explaining in self.kinds[code][3]:
            found = self._above(asset, explaining)
            if found is not None:
                return found, explaining
        return None

    def _above(self, asset: int, code: str) -> int | None:
        """Depth first: a parent, then what it is behind, then the gateway."""
        for up in self.ways.get(asset, []):
            there = self.alarms.get((up, code))
            if there and there.active:
                return up
            further = self._above(up, code)
            if further is not None:
                return further
        return None
