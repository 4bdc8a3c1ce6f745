"""Personal data on their way: sealed before they are journaled, read and erased only by a word in the journal.

The kernel's step takes no part in it. It sees sealed values alone, the same before and after an erasure, so that
hashes and replays do not change.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from core.clock import SECOND, Now
from core.declaration import EventKind
from core.errors import VaultError
from core.journal import Journal, Record
from core.operators import (
    Answer,
    AskedPersonal,
    ErasePersonal,
    OpenPersonal,
    Personal,
    PersonalErased,
    PersonalOpened,
    PersonalRead,
    ReadPersonal,
)
from core.person import ANY, Login, Person
from core.refusal import Refusal
from core.sealed import Closed, Sealed, clear_types, found
from core.vault import ERASED, EXPIRED, Gone, Vault
from core.wire import TEXT_MAX, Refused

#: Verbs that a role may name, for persons who read or erase what is kept of somebody.
READ, ERASE = "personal.read", "personal.erase"

#: The journal's kind of record of a reading.
READING = "read"

#: How often (µs) it is looked for keys whose time has passed.
EXPIRE = 60 * SECOND

#: Whether what an event of a trade and some communes holds may be opened.
May = Callable[[str, tuple[int, ...]], bool]

_BLANK: Sealed[Any] = Sealed("", "", 0, "", b"")


class Reading(msgspec.Struct, frozen=True):
    """What the journal keeps of a reading: by whom, of whom (pseudonyms), why; or why it was refused."""

    by: str
    persons: list[str]
    why: str
    refusal: Refusal | None = None


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One value that is kept of a person: record and field, when it came, its class, until when (µs), what it says."""

    record: int
    person: str
    kind: str
    field: str
    trade: str
    communes: tuple[int, ...]
    at_utc: int
    kept: str
    expires_utc: int
    value: Any


def sealed(kind: EventKind, fields: Mapping[str, Any], vault: Vault | None, utc: int) -> Any:
    """The data of an event from the field, its personal fields sealed at ``utc`` µs.

    Raises msgspec.ValidationError where they are not what the kind says, before anything is sealed.
    """
    clear = {
        # Bytes are bytes: a text is not taken for their base64.
        name: msgspec.convert(fields[name], type_, builtin_types=(bytes,))
        for name, type_ in clear_types(kind.data).items()
        if fields.get(name) is not None
    }
    msgspec.convert(dict(fields) | dict.fromkeys(clear, _BLANK), kind.data, builtin_types=(bytes,))
    assert vault is not None, f"{kind.name} is personal, and there is no vault"
    subject = clear.get(kind.subject)
    person = vault.nobody() if subject in (None, "") else vault.person(subject)
    boxes = {
        name: vault.seal(value, person, kind.personal[name], utc, f"{kind.name} {name}")
        for name, value in clear.items()
    }
    return msgspec.convert(dict(fields) | boxes, kind.data, builtin_types=(bytes,))


class Privacy:
    """Reads and erases for persons, and erases what is past its time: one thread turns it, with the journal's steps."""

    def __init__(
        self, vault: Vault, journal: Journal, login: Login, communes: Callable[[], Sequence[str]] = tuple
    ) -> None:
        """``communes`` tells their names, by which rights are given."""
        self.vault = vault
        self._communes = communes
        self._journal = journal
        self._login = login
        self._swept = -EXPIRE
        self._askers: dict[str, bytes] = {}
        #: Words that are on their way to the journal's disk, with their record.
        self._leaving: deque[tuple[int, Gone]] = deque()
        self._waits = True
        self._begin()

    def _begin(self) -> None:
        """Words that were journaled and not crossed out, because somebody killed the post between the two."""
        waiting = {gone.id: gone for _, gone in self.vault.words()}
        if waiting:
            for kind in (ERASED, EXPIRED):
                for _, record in self._journal.read(0, kind):
                    id = msgspec.msgpack.decode(record.data, type=Gone).id
                    if id in waiting:
                        self.vault.told([waiting.pop(id)])

    def troubles(self) -> list[tuple[str, dict[str, str]]]:
        """Alarms of the post whose condition holds."""
        return [("vault_locked", {"what": self.vault.faults[0]})] if self.vault.faults else []

    def take(self, asker: bytes, asked: AskedPersonal, now: Now) -> tuple[Answer, int] | None:
        """Answer and the record after which it may be said; None: it comes with a later ``turn``."""
        verb = ERASE if isinstance(asked, ErasePersonal) else READ
        by = self._by(asked, verb, now.utc)
        if isinstance(by, Refusal):
            reading = Reading("", [], f"{verb}: {asked.why}", by)
            return Refused(by.code, by.what[:TEXT_MAX], by.next[:TEXT_MAX]), self._append(
                READING, now, reading
            )
        match asked:
            case ReadPersonal():
                persons = self.vault.persons(asked.subject)
                record = self._append(READING, now, Reading(_name(by), persons, asked.why))
                return PersonalRead(record, persons), record
            case OpenPersonal():
                return self._open(asked, by, now)
            case ErasePersonal():
                return self._erase(asker, asked, by, now)

    def _open(self, asked: OpenPersonal, by: Person | str, now: Now) -> tuple[Answer, int]:
        records = itertools.islice(self._journal.read(asked.record - 1), 1)
        lines = list(
            kept((each for each in records if each[0] == asked.record), None, self.vault, self._may(by))
        )
        persons = sorted({line.person for line in lines})
        reading = Reading(_name(by), persons, f"record {asked.record}: {asked.why}")
        closed = {line.field: line.value.value for line in lines if isinstance(line.value, Closed)}
        fields = {line.field: line.value for line in lines if line.field not in closed}
        return PersonalOpened(asked.record, fields, closed), self._append(READING, now, reading)

    def _may(self, by: Person | str) -> May:
        return everything if isinstance(by, str) else rights(by, self._communes())

    def _erase(
        self, asker: bytes, asked: ErasePersonal, by: Person | str, now: Now
    ) -> tuple[Answer, int] | None:
        try:
            gone = self.vault.erase(self.vault.persons(asked.subject), now.utc, _name(by), asked.why)
        except VaultError as error:
            return Refused("vault", str(error)[:TEXT_MAX], error.next[:TEXT_MAX]), 0
        if gone is None:
            return PersonalErased(0, [], 0), 0
        self._askers[gone.id], self._waits = asker, True
        return None

    def _by(self, asked: Personal, verb: str, utc: int) -> Person | str | Refusal:
        if not asked.token:
            return f"{asked.by} at the machine"
        person = self._login.person(asked.token, utc)
        if isinstance(person, Refusal):
            return person
        # Who erases erases in all trades and communes; who reads sees those of theirs.
        may = ANY in person.communes(ANY, verb) if verb == ERASE else bool(readable(person))
        if not may:
            return Refusal("right", f"{person.id} may not {verb}.", "Ask the data protection officer.")
        return person

    def turn(self, now: Now) -> Iterator[tuple[bytes, Answer, int]]:
        """Erase what is past its time, journal what was erased; whom to answer what after which record."""
        self.expire(now)
        yield from self.tell(now)

    def expire(self, now: Now) -> None:
        """Erase what is past its time."""
        if now.mono - self._swept >= EXPIRE:
            gone = self.vault.expire(now.utc)
            self._waits |= gone is not None
            # After a full pass there may be more.
            self._swept = now.mono if gone is None else self._swept

    def tell(self, now: Now) -> Iterator[tuple[bytes, Answer, int]]:
        """Journal what was erased; whom to answer what after which record."""
        durable = self._journal.durable().local
        while self._leaving and self._leaving[0][0] <= durable:
            self.vault.told([self._leaving.popleft()[1]])
        if self._waits and not self._leaving and self.vault.wipe():
            self._waits = False
            for kind, gone in self.vault.words():
                record = self._append(kind, now, gone)
                self._leaving.append((record, gone))
                if gone.id in self._askers:
                    persons = sorted({key[0] for key in gone.keys})
                    yield self._askers.pop(gone.id), PersonalErased(record, persons, len(gone.keys)), record

    def _append(self, kind: str, now: Now, data: msgspec.Struct) -> int:
        return self._journal.append([Record(kind, now.step, now.utc, msgspec.msgpack.encode(data))])


def _name(by: Person | str) -> str:
    return by if isinstance(by, str) else by.id


def everything(trade: str, communes: tuple[int, ...]) -> bool:
    """Who has the machine's right to the vault may open all."""
    return True


def rights(person: Person, names: Sequence[str]) -> May:
    """What a person may open today; ``names`` are the communes'. What is of no commune needs the right everywhere."""

    def may(trade: str, communes: tuple[int, ...]) -> bool:
        allowed = person.communes(trade, READ)
        return ANY in allowed or (bool(communes) and all(names[each] in allowed for each in communes))

    return may


def readable(person: Person) -> frozenset[str]:
    """The trades of which a person may read personal data somewhere; ANY among them is all."""
    return frozenset(role.trade for role in person.roles if READ in role.verbs or ANY in role.verbs)


class _Event(msgspec.Struct):
    kind: str
    trade: str
    received_utc: int
    communes: tuple[int, ...] = ()
    data: Any = None


_event = msgspec.msgpack.Decoder(_Event)


def kept(
    records: Iterable[tuple[int, Record]],
    persons: Sequence[str] | None,
    vault: Vault,
    may: May = everything,
) -> Iterator[Line]:
    """All values that records of the journal hold about ``persons`` (None: anybody), opened where ``may`` says so."""
    marks = [b"sealed"] if persons is None else [person.encode() for person in persons]
    for seq, record in records:
        if record.kind != "event" or not any(mark in record.data for mark in marks):
            continue
        event = _event.decode(record.data)
        for field, each in found(event.data):
            if persons is None or each.person in persons:
                yield Line(
                    record=seq,
                    person=each.person,
                    kind=event.kind,
                    field=field,
                    trade=event.trade,
                    communes=event.communes,
                    at_utc=event.received_utc,
                    kept=each.kept,
                    expires_utc=vault.expires(each),
                    value=vault.open(each) if may(event.trade, event.communes) else Closed.NO_RIGHT,
                )
