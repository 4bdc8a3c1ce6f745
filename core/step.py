"""What goes into a step and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from core import proposals, wire
from core.clock import Now
from core.commands import TrackedCommand, differences
from core.event import Event, Source
from core.inventory import AssetChange
from core.journal import Record
from core.minute_rows import MinuteRows
from core.operators import Answer, Asked
from core.remote import Said
from core.statements import Statement
from core.table import HandOver
from core.vocabulary import POST, CommandEnded, HandshakeRefused
from core.wire import Order, Reports
from core.worker_wire import Post


class Inputs(msgspec.Struct, frozen=True):
    """All that came in since the last step, in the order it was numbered. Events are committed already.

    ``changes``: who asks for which changes of the inventory; ``asked``: who asks what as a person; ``lies``: what
    an edge said that cannot be, and was refused at the door; ``knocks``: who was turned away at an edge;
    ``troubles``: alarms of the post whose condition holds, with what they say; ``sent``: the last step whose orders
    are on their way; ``programmed``: which programmes gateways say they hold; ``workers``: what they answered, and who
    came and went; ``closing``: the post stops, each worker is to tell its state.
    """

    hand_overs: Sequence[HandOver] = ()
    events: Sequence[Event] = ()
    reports: Sequence[tuple[str, Reports]] = ()
    changes: Sequence[tuple[bytes, Sequence[AssetChange]]] = ()
    asked: Sequence[tuple[bytes, Asked]] = ()
    lies: Sequence[tuple[str, str]] = ()
    knocks: Sequence[HandshakeRefused] = ()
    troubles: Sequence[tuple[str, dict[str, str]]] = ()
    sent: int = -1
    programmed: Mapping[str, wire.Programmed] = {}
    workers: Sequence[Said] = ()
    closing: bool = False


class Outputs(msgspec.Struct):
    """What a step wants done. Nothing of it leaves before ``records`` are durable.

    ``renumbered``: the kernel's city and register are new. ``answers`` go to those who asked; ``minutes`` to whoever
    keeps a history; ``post`` to
    workers, by plugin and generation, and does not wait: it asks for nothing but answers.
    """

    records: list[Record] = []
    events: list[Event] = []
    orders: list[tuple[str, Order]] = []
    programmes: list[tuple[str, wire.Programme]] = []
    views: list[proposals.Publish] = []
    faults: list[str] = []
    renumbered: bool = False
    answers: list[tuple[bytes, Answer]] = []
    post: list[tuple[str, int, Post]] = []
    minutes: list[MinuteRows] = []

    def emit(
        self,
        kind: str,
        data: msgspec.Struct,
        now: Now,
        *,
        by: str = POST,
        trade: str = "",
        communes: tuple[int, ...] = (),
        asset: int | None = None,
        lon: float | None = None,
        lat: float | None = None,
        cause: Event | None = None,
    ) -> None:
        """Tell an event, of the post or of the plugin ``by``; the journal numbers it. ``cause`` is what led to it."""
        event = Event(
            seq=0,
            kind=kind,
            at_utc=now.utc,
            received_utc=now.utc,
            mono=now.mono,
            source=Source(plugin=by),
            trade=trade or by,
            communes=communes,
            asset=asset,
            lon=lon,
            lat=lat,
            cause=cause.seq if cause else 0,
            chain=cause.chain + 1 if cause else 0,
            data=data,
        )
        self.events.append(event)

    def tell(self, said: Statement, now: Now) -> None:
        """Tell what a person told."""
        event = Event(
            seq=0,
            kind=said.kind,
            at_utc=now.utc,
            received_utc=now.utc,
            mono=now.mono,
            source=Source(person=said.person),
            trade=said.trade,
            communes=said.communes,
            asset=said.asset,
            lon=said.lon,
            lat=said.lat,
            data=said.data,
        )
        self.events.append(event)

    def ended(self, command: TrackedCommand, now: Now) -> None:
        """Tell that a command came to its end, and journal which targets do not show what was asked."""
        if command.differences:
            self.records.append(differences(command, now.step, now.utc))
        data = CommandEnded(
            command=command.id,
            verb=command.verb_name,
            by=command.by,
            state=command.state,
            reason=command.refusal.code if command.refusal else "",
            failed=command.failed,
        )
        self.emit("post.command.ended", data, now)
