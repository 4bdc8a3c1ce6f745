"""Programmes: what devices do by themselves, as persons approved it. Here is what is in force, and what may be.

A programme is of a kind, for a zone: one commune, or all that have none of their own (""). Its version counts up by
kind and zone, and never back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec
import numpy as np

from core.assets import NONE
from core.clock import Now
from core.commands import Approval
from core.declaration import Declaration, ProgrammeKind
from core.errors import CityError
from core.gate import Gate
from core.operators import ProposeProgramme
from core.person import ANY, Person
from core.refusal import Refusal
from core.wire import CONTENT_MAX

#: The kind of record: a programme as it was asked for, and again as it came in force or did not.
PROGRAMME = "programme"

#: How far a programme came; docs/programmes.md tells.
State = Literal["awaiting", "in_force", "refused", "expired"]

#: A kind and a zone.
Key = tuple[str, str]


class Programme(msgspec.Struct, frozen=True, kw_only=True):
    """A programme as the journal keeps it. ``content`` is the kind's Struct as msgpack, exactly as it goes out.

    ``targets`` counts the assets it reached when it was asked for;
    ``hash`` is what persons agree to.
    """

    id: str
    kind: str
    trade: str = ""
    zone: str
    version: int = 0
    content: bytes = b""
    targets: int = 0
    by: str
    reason: str
    created_utc: int
    state: State = "in_force"
    hash: bytes = b""
    approvals: tuple[Approval, ...] = ()
    refusal: Refusal | None = None

    @property
    def key(self) -> Key:
        """Its kind and zone."""
        return self.kind, self.zone

    def plain(self) -> dict[str, Any]:
        """The content as plain data."""
        return msgspec.msgpack.decode(self.content, type=dict[str, Any])


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Programme).decode


class Programmes:
    """The programmes in force, by kind and zone; at most one each."""

    def __init__(self, declarations: Sequence[Declaration], gate: Gate) -> None:
        self._gate = gate
        self._kinds = {kind.name: (kind, d.name) for d in declarations for kind in d.programmes}
        self._in_force: dict[Key, Programme] = {}

    @property
    def in_force(self) -> Mapping[Key, Programme]:
        """What every device of the zone should run."""
        return self._in_force

    def put(self, programme: Programme) -> None:
        """It is in force from now on."""
        self._in_force[programme.key] = programme

    def restore(self, programmes: Iterable[Programme]) -> None:
        """Put back what a snapshot or the journal holds, in its order.

        Also what no trade declares now: its trade may come back, and devices know its version.
        """
        for programme in programmes:
            self.put(programme)

    def known(self) -> list[Key]:
        """The programmes in force whose kind is declared, and whose zone is one of the city's."""
        return [key for key in self._in_force if key[0] in self._kinds and self._gate.knows(key[1])]

    def targets(self, kind: str, zone: str) -> np.ndarray:
        """bool[assets]: all of the kind's assets in the zone; "" is everywhere. Raises CityError for no commune."""
        assets = self._gate.assets
        mask = np.zeros(len(assets), bool)
        mask[assets.of_kind(self._kinds[kind][0].targets)] = True
        return np.asarray(mask & self._gate.zone(zone) & assets.in_service() & (assets.gateway != NONE))

    def _reached(self, kind: str, zone: str) -> int:
        """How many assets a programme of this zone would rule: "" leaves out communes with one of their own."""
        mask = self.targets(kind, zone)
        if not zone:
            for other, commune in self.known():
                if other == kind and commune:
                    mask &= ~self._gate.zone(commune)
        return int(np.count_nonzero(mask))

    # -- what is asked

    def check(self, asked: ProposeProgramme, person: Person, now: Now, id: str) -> Programme:
        """The programme that ``person`` asks for: ``in_force``, ``awaiting`` a second person, or ``refused``."""
        draft = Programme(
            id=id, kind=asked.kind, zone=asked.zone, by=person.id, reason=asked.reason, created_utc=now.utc
        )
        whole = self._worked_out(draft, asked.content)
        if isinstance(whole, Refusal):
            return _refused(draft, whole)
        kind, _ = self._kinds[whole.kind]
        refusal = self.refuse_right(whole, person)
        if refusal is None and not whole.targets:
            refusal = Refusal("targets", f"no {kind.targets} would follow it.", "Name another zone.")
        if refusal is not None:
            return _refused(whole, refusal)
        if kind.danger or whole.targets > self._gate.config.danger_targets:
            return msgspec.structs.replace(whole, state="awaiting")
        return whole

    def _worked_out(self, draft: Programme, content: bytes) -> Programme | Refusal:
        """The draft with what follows from its kind, zone and content; or why it is none."""
        if draft.kind not in self._kinds:
            known = ", ".join(sorted(self._kinds)) or "none"
            return Refusal("unknown_programme", f"nobody declares {draft.kind!r}.", f"Known: {known}.")
        kind, trade = self._kinds[draft.kind]
        try:
            targets = self._reached(draft.kind, draft.zone)
        except CityError as error:
            return Refusal("zone_unknown", error.what, error.next)
        exact = _content(kind, content)
        if isinstance(exact, Refusal):
            return exact
        version = self._version(draft.key) + 1
        whole = msgspec.structs.replace(draft, trade=trade, version=version, content=exact, targets=targets)
        return msgspec.structs.replace(whole, hash=fingerprint(whole))

    def imagined(self, draft: Programme) -> Programme:
        """What nobody asked for, worked out all the same: for a fork. Raises CityError where it is no programme."""
        whole = self._worked_out(draft, draft.content)
        if isinstance(whole, Refusal):
            raise CityError(whole.what, where=f"programme {draft.kind}", next=whole.next)
        return whole

    def refuse_right(self, programme: Programme, person: Person) -> Refusal | None:
        """Why ``person`` may not ask for, or agree to, a programme of this kind there."""
        may = person.communes(programme.trade, programme.kind)
        if ANY in may or (programme.zone and programme.zone in may):
            return None
        return Refusal(
            "right",
            f"{person.id} may set {programme.kind} in {', '.join(sorted(may)) or 'no commune'}.",
            "Ask somebody who may; for all other communes that is who may everywhere.",
        )

    def refuse_overtaken(self, programme: Programme) -> Refusal | None:
        """Why a programme that waited cannot come in force any more: it was asked for in view of another."""
        if programme.version == self._version(programme.key) + 1:
            return None
        return Refusal(
            "overtaken",
            f"version {self._version(programme.key)} came in force since it was asked for.",
            "Look at that one, and ask anew.",
        )

    def _version(self, key: Key) -> int:
        return self._in_force[key].version if key in self._in_force else 0


def fingerprint(programme: Programme) -> bytes:
    """SHA-256 over what is agreed to: id, kind, zone, version, content."""
    exact = (programme.id, programme.kind, programme.zone, programme.version, programme.content)
    return hashlib.sha256(msgspec.msgpack.encode(exact)).digest()


def _content(kind: ProgrammeKind, raw: bytes) -> bytes | Refusal:
    """What the kind's Struct makes of a content: the bytes that go out say all of it, and nothing else."""
    try:
        content = msgspec.msgpack.encode(msgspec.msgpack.decode(raw, type=kind.content))
    except Exception as error:
        # Of any kind: a Struct may run the plugin's own code to check itself.
        return Refusal("content", f"it is no {kind.name}: {error}.", "Say what its trade's page describes.")
    if len(content) > CONTENT_MAX:
        return Refusal(
            "content", f"it has {len(content)} bytes, at most {CONTENT_MAX} are stored.", "Say less."
        )
    return content


def _refused(programme: Programme, refusal: Refusal) -> Programme:
    return msgspec.structs.replace(programme, state="refused", refusal=refusal)
