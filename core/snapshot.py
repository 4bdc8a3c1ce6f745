"""A snapshot: all that the kernel keeps between two steps, but for the table, which the edges fill anew."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from core import commands, rates
from core.alarm_rows import Note, StoredRows
from core.alarm_state import Data
from core.alarms import Stored as StoredAlarms
from core.commands import OpenCommand
from core.errors import JournalError
from core.field import Place
from core.journal import Journal
from core.programmes import Programme
from core.remote import StoredMail
from core.requests import Open

#: The format of a snapshot. N reads N-1 and refuses N+1.
FORMAT = 2


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The kernel after ``step``, at ``utc`` and ``mono`` µs.

    All records of the journal up to ``after`` are in it; of later ones, those of this step and before.
    ``plugins`` holds each state as it is stored, ``due`` the mono µs of each plugin's next ticks; ``places``
    how far each gateway's events came; ``commanding`` commands and leases; ``authorised`` until when
    approved authorisations hold (mono µs), ``asked`` what was asked in the last minute; ``serving`` u8[assets]
    each asset's service state; ``programmes`` those in force; ``clocks`` those of jobs that have not ended, trade to
    job to state; ``mail`` what each worker is owed; ``requests`` those that wait for an answer.
    """

    format: int = FORMAT
    after: int
    step: int
    utc: int
    mono: int
    plugins: dict[str, bytes]
    due: dict[str, dict[str, int]] = {}
    alarms: StoredAlarms = StoredAlarms()
    commanding: commands.Stored = commands.Stored()
    authorised: dict[str, int] = {}
    asked: rates.Stored = {}
    places: dict[str, Place] = {}
    serving: bytes = b""
    programmes: tuple[Programme, ...] = ()
    clocks: dict[str, dict[str, str]] = {}
    mail: dict[str, StoredMail] = {}
    requests: dict[int, Open] = {}


encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Snapshot).decode


def decode(data: bytes) -> Snapshot:
    """A snapshot. Raises JournalError where it is none, or of a newer version."""
    try:
        version = msgspec.msgpack.decode(data, type=_Format).format
        if version > FORMAT:
            raise JournalError(
                f"a snapshot of format {version}, this version reads up to {FORMAT}.",
                next="Start the newer version again; nothing was touched.",
            )
        snapshot = _decode(data)
        return msgspec.msgpack.decode(data, type=_First).today(snapshot) if version == 1 else snapshot
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise JournalError(f"a snapshot cannot be read: {error}.") from error


def newest(journal: Journal) -> Snapshot | None:
    """The newest snapshot that is whole; a damaged one is passed over, for the one before it and a longer tail."""
    for _, data in journal.snapshots():
        return decode(data)
    states = journal.old_states()
    if not states:
        return None
    utc = max((record.utc for _, record in journal.read(journal.last() - 1)), default=0)
    return Snapshot(after=journal.last(), step=0, utc=utc, mono=0, plugins=states)


class _Format(msgspec.Struct):
    format: int


class _FirstAlarms(msgspec.Struct, frozen=True):
    columns: dict[str, bytes] = {}
    data: dict[int, Data] = {}
    acked_by: dict[int, str] = {}
    shelved: dict[int, tuple[str, str]] = {}

    def rows(self) -> StoredRows:
        notes = {place: Note() for place in {*self.data, *self.acked_by, *self.shelved}}
        for place, note in notes.items():
            note.data = self.data.get(place, {})
            note.acked_by = self.acked_by.get(place, "")
            note.aside_by, note.aside_why = self.shelved.get(place, ("", ""))
        return StoredRows(self.columns, notes)


class _First(msgspec.Struct, frozen=True):
    """What a snapshot of format 1 stores otherwise: the alarms' rows, and of commands only which were open."""

    alarms: _FirstAlarms = _FirstAlarms()
    commands: list[OpenCommand] = []

    def today(self, snapshot: Snapshot) -> Snapshot:
        """The rest of it, with these as they are stored today."""
        return replace(
            snapshot,
            format=FORMAT,
            alarms=replace(snapshot.alarms, rows=self.alarms.rows()),
            commanding=commands.Stored(self.commands),
        )
