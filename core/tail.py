"""What the journal holds since a snapshot: with it the post goes on where it stood, and not where the snapshot was.

A step journals which events it consumed, in one commit with all that came of them. So every event is known
to be one of three: in the snapshot; consumed since, so that its consequences are journaled and only the trades'
states must see it again; or consumed by nobody yet, so that the first step takes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from core import availability, job_clocks, programmes
from core.availability import ServiceChanged
from core.commands import COMMAND, Leased, OpenCommand
from core.desk import APPROVAL, AUTHORISED, Approved, Authorised
from core.errors import JournalError
from core.event import Again, Event, Source
from core.field import Place
from core.inventory import STARTED, ran_in_workers
from core.job_clocks import ClockChanged
from core.journal import Journal, Record
from core.programmes import PROGRAMME, Programme
from core.snapshot import Snapshot
from core.vocabulary import AlarmChanged, CommandEnded

#: The journal's kind of record for the events that a step consumed.
CONSUMED = "step"


class Tail(msgspec.Struct):
    """Since the snapshot: steps to be seen again, events for the first step, and where alarms and commands stand.

    ``alarms`` holds all their changes in order, each with its utc µs; ``leased`` what persons were given, by command,
    in the order in which it was given; ``programmes`` those that came in force, in order; ``in_workers`` trades that
    ran so.
    """

    again: list[Again] = []
    fresh: list[Event] = []
    alarms: list[tuple[int, AlarmChanged]] = []
    commands: dict[str, OpenCommand] = {}
    leased: dict[str, Leased] = {}
    places: dict[str, Place] = {}
    serving: list[ServiceChanged] = []
    clocks: list[ClockChanged] = []
    authorised: list[Authorised] = []
    programmes: list[Programme] = []
    in_workers: set[str] = set()


class _Head(msgspec.Struct):
    kind: str
    source: Source


class _Alarm(msgspec.Struct):
    data: AlarmChanged


class _Ended(msgspec.Struct):
    data: CommandEnded


_head = msgspec.msgpack.Decoder(_Head)
_event = msgspec.msgpack.Decoder(Event)
_alarm = msgspec.msgpack.Decoder(_Alarm)
_ended = msgspec.msgpack.Decoder(_Ended)
_command = msgspec.msgpack.Decoder(Leased)
_approved = msgspec.msgpack.Decoder(Approved)
_authorised = msgspec.msgpack.Decoder(Authorised)
_ranges = msgspec.msgpack.Decoder(list[tuple[int, int]])


def consumed(events: Iterable[Event], step: int, utc: int) -> Record:
    """The record of the events that a step consumed."""
    return Record(CONSUMED, step, utc, msgspec.msgpack.encode(ranges(events)))


def ranges(events: Iterable[Event]) -> list[list[int]]:
    """The places of events in the journal, as [first, last]."""
    ranges: list[list[int]] = []
    for seq in sorted(event.seq for event in events):
        if ranges and seq == ranges[-1][1] + 1:
            ranges[-1][1] = seq
        else:
            ranges.append([seq, seq])
    return ranges


def read(journal: Journal, snapshot: Snapshot | None, wanted: frozenset[str]) -> Tail:
    """The tail after ``snapshot`` (None: the whole journal). Only events of the ``wanted`` kinds are decoded whole."""
    after, step = (snapshot.after, snapshot.step) if snapshot else (0, -1)
    tail = Tail()
    if snapshot:
        stored = snapshot.commanding
        tail.commands = {command.id: command for command in (*stored.open, *stored.waiting)}
        tail.places = dict(snapshot.places)
    waiting: dict[int, bytes] = {}
    for seq, record in journal.read(after):
        try:
            _take(seq, record, step, wanted, waiting, tail)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
            raise JournalError(
                f"its record {seq} of kind {record.kind!r} cannot be read: {error}.",
                where="journal",
                next="`ondijon audit verify` tells whether it is what was written. Restore the backup, or the version "
                "that wrote it.",
            ) from error
    tail.fresh = [numbered(seq, data) for seq, data in waiting.items() if data]
    return tail


def _take_command(record: Record, tail: Tail) -> None:
    if record.kind == COMMAND:
        command = _command.decode(record.data)
        if command.state != "refused":
            tail.commands[command.id] = command
            if command.person:
                tail.leased[command.id] = command
    elif record.kind == AUTHORISED:
        tail.authorised.append(_authorised.decode(record.data))
    else:
        approved = _approved.decode(record.data)
        if approved.refusal is None and approved.command in tail.commands:
            sent = msgspec.structs.replace(tail.commands[approved.command], state="sent")
            tail.commands[approved.command] = sent
            if isinstance(sent, Leased):
                # It was given now, not when it was asked.
                tail.leased.pop(sent.id, None)
                tail.leased[sent.id] = sent


def _take(
    seq: int, record: Record, step: int, wanted: frozenset[str], waiting: dict[int, bytes], tail: Tail
) -> None:
    if record.kind == "event":
        _take_event(seq, record, step, wanted, waiting, tail)
    elif record.kind in (COMMAND, APPROVAL, AUTHORISED) and record.step > step:
        _take_command(record, tail)
    elif record.kind == PROGRAMME and record.step > step:
        programme = programmes.decode(record.data)
        if programme.state == "in_force":
            tail.programmes.append(programme)
    elif record.kind == availability.SERVICE and record.step > step:
        tail.serving.append(availability.decode(record.data))
    elif record.kind == job_clocks.JOB and record.step > step:
        tail.clocks.append(job_clocks.decode(record.data))
    elif record.kind == STARTED and record.step > step:
        tail.in_workers.update(ran_in_workers(record.data))
    elif record.kind == CONSUMED:
        data = _of_ranges(_ranges.decode(record.data), waiting)
        if record.step > step and data:
            tail.again.append(Again(record.step, record.utc, [numbered(*each) for each in data]))


def _take_event(
    seq: int, record: Record, step: int, wanted: frozenset[str], waiting: dict[int, bytes], tail: Tail
) -> None:
    head = _head.decode(record.data)
    if head.source.gateway:
        tail.places[head.source.gateway] = Place(head.source.boot, head.source.seq, head.source.seq)
    elif record.step > step and head.kind == "post.command.ended":
        tail.commands.pop(_ended.decode(record.data).data.command, None)
    elif record.step > step and head.kind == "post.alarm.changed":
        tail.alarms.append((record.utc, _alarm.decode(record.data).data))
    # A kind that nobody reads need not be seen again.
    waiting[seq] = record.data if head.kind in wanted else b""


def _of_ranges(ranges: Sequence[tuple[int, int]], waiting: dict[int, bytes]) -> list[tuple[int, bytes]]:
    found = []
    for first, last in ranges:
        for seq in range(first, last + 1):
            data = waiting.pop(seq, b"")
            if data:
                found.append((seq, data))
    return found


def numbered(seq: int, data: bytes) -> Event:
    """The event of a record that is number ``seq`` of the journal."""
    return msgspec.structs.replace(_event.decode(data), seq=seq)
