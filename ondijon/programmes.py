"""The programmes that one gateway holds: checked, stored, then run and told; whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from core.errors import OndijonError
from core.wire import PROGRAMMES_MAX, Programme, Programmed, Taken
from ondijon.spool import Spool

__all__ = ["Programmes"]

Check = Callable[[Programme], str]
Run = Callable[[Sequence[Programme]], None]


class Programmes:
    """One of a kind and zone each. What the ``spool`` has kept is held from the start."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._held = {(each.kind, each.zone): each for each in spool.programmes()}
        self._refused: dict[tuple[str, str], Taken] = {}
        self._devices: dict[str, tuple[Check, Run]] = {}

    def obey(self, kind: str, check: Check, run: Run) -> None:
        """Something behind this gateway knows ``kind``; see ``Gateway.obey``."""
        self._devices[kind] = check, run
        self._run(kind)

    def take(self, programme: Programme) -> str:
        """Hold a programme instead of the one of its kind and zone; else say why not, and go on with that one."""
        key = programme.kind, programme.zone
        code = self._wrong(programme)
        if not code and self._held.get(key) != programme:
            code = self._store(programme)
        self._refused.pop(key, None)
        if code:
            self._refused[key] = _taken(programme, code)
        return code

    def told(self) -> Programmed:
        """All of it, for the post; what was refused stands for what is held of the same kind and zone."""
        all_ = {key: _taken(each) for key, each in self._held.items()} | self._refused
        return Programmed(tuple(all_.values())[:PROGRAMMES_MAX])

    def _wrong(self, programme: Programme) -> str:
        held = self._held.get((programme.kind, programme.zone))
        if programme.kind not in self._devices:
            return "unknown_kind"
        if held is not None and programme.version < held.version:
            return "older"
        if held is None and len(self._held) >= PROGRAMMES_MAX:
            return "too_many"
        return self._devices[programme.kind][0](programme)

    def _store(self, programme: Programme) -> str:
        try:
            self._spool.put_programme(programme)
        except OndijonError:
            return "not_stored"
        self._held.pop((programme.kind, programme.zone), None)
        self._held[programme.kind, programme.zone] = programme
        self._run(programme.kind)
        return ""

    def _run(self, kind: str) -> None:
        self._devices[kind][1]([each for each in self._held.values() if each.kind == kind])


def _taken(programme: Programme, code: str = "") -> Taken:
    return Taken(programme.kind, programme.zone, programme.version, programme.hash, code)
