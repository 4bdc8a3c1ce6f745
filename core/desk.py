"""The desk: what persons ask. It knows who asks, whether it was asked before, and what waits for a second person."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import numpy as np

from core import programmes, proposals
from core.alarm_desk import AlarmDesk
from core.clock import SECOND, Now
from core.commands import COMMAND, Approval, Commands, Leased, TrackedCommand
from core.errors import CityError
from core.gate import Gate, Grant
from core.mailbox import Mailbox
from core.operators import (
    TARGETS_MAX,
    ActOnAlarms,
    Answer,
    Approve,
    Asked,
    CommandTaken,
    Propose,
    ProposeProgramme,
    ReleaseAll,
    Released,
    ReleaseWorker,
    Tell,
    Told,
    WorkerLetGo,
)
from core.person import ANY, Login, Person
from core.programmes import PROGRAMME, Programme, Programmes
from core.refusal import Refusal
from core.statements import Statement, Statements
from core.vocabulary import WorkerReleased
from core.wire import TEXT_MAX, Refused

#: The right to release a worker: the verb of a role, of the plugin's trade.
RELEASE_WORKER = "worker.release"

#: A request is taken within this (µs) of when it was asked.
FRESH = 30 * SECOND

#: Requests that are known again; the oldest is forgotten. More than can be asked while one is fresh.
REMEMBERED = 100_000

#: A request may be this far (µs) ahead of the step: the clocks of one host.
AHEAD = 3 * SECOND

#: Commands and programmes that wait for a second person.
WAITING_MAX = 1000

#: A release of everything gives each device so long (s) to hear of it.
RELEASE_S = 60.0

#: The kinds of record beside the command itself: somebody agreed, and an authorisation is in force.
APPROVAL, AUTHORISED = "approval", "authorised"


class Approved(msgspec.Struct, frozen=True):
    """What the journal keeps of an approval: whose, of what, and what became of it.

    ``command`` is the id of a command or programme, or an authorisation's key.
    """

    person: str
    session: str
    command: str
    hash: bytes
    refusal: Refusal | None = None


class Authorised(msgspec.Struct, frozen=True):
    """What the journal keeps of an authorisation that two persons approved: it holds until ``until_utc`` µs."""

    authorisation: str
    hash: bytes
    persons: tuple[str, str]
    until_utc: int


class Decision(msgspec.Struct):
    """What comes of a request: its answer, what is journaled, which commands go out, and which are at their end.

    ``programme``: it is in force from now on; ``released``: a worker begins again; ``told``: an event will say it.
    """

    answer: Answer
    records: list[tuple[str, bytes]] = []
    commit: list[TrackedCommand] = []
    ended: list[TrackedCommand] = []
    programme: Programme | None = None
    released: WorkerReleased | None = None
    told: Statement | None = None


class _Waiting(msgspec.Struct):
    """A command, an authorisation or a programme that waits for a second person until ``until`` (mono µs)."""

    first: Person
    until: int
    hash: bytes
    command: TrackedCommand | None = None
    grant: Grant | None = None
    programme: Programme | None = None


class Desk:
    """Takes one request at a time. Not thread-safe."""

    def __init__(
        self,
        gate: Gate,
        commands: Commands,
        programmes: Programmes,
        alarms: AlarmDesk,
        mailboxes: Mapping[str, Mailbox],
        statements: Statements,
        login: Login,
    ) -> None:
        self._gate = gate
        self._alarms = alarms
        self._commands = commands
        self._programmes = programmes
        self._mailboxes = mailboxes
        self._statements = statements
        self._login = login
        self._seen: dict[tuple[str, str], None] = {}
        self._waiting: dict[str, _Waiting] = {}

    def take(self, asked: Asked, now: Now) -> Decision:
        """Decide."""
        person = self._login.person(asked.token, now.utc)
        if isinstance(person, Refusal):
            return _refused(asked, "", "", person)
        # Nothing speaks against a release, not even a wrong clock or a second time.
        refusal = None if isinstance(asked, ReleaseAll) else self._refuse_time(asked, person, now)
        if refusal is not None:
            return _refused(asked, person.id, person.session, refusal)
        match asked:
            case Propose():
                return self._busy(asked, person) or self._propose(asked, person, now)
            case ProposeProgramme():
                return self._busy(asked, person) or self._propose_programme(asked, person, now)
            case Approve():
                return self._approve(asked, person, now)
            case ReleaseAll():
                return self._release_all(asked, person, now)
            case ActOnAlarms():
                answer = self._alarms.take(asked, person, self._gate.assets, now)
                if isinstance(answer, Refusal):
                    return _refused(asked, person.id, person.session, answer)
                # What was done is told by the alarms' own events, with who did it and why.
                return Decision(answer)
            case ReleaseWorker():
                return self._release_worker(asked, person)
            case Tell():
                said = self._statements.take(asked, person, now)
                if isinstance(said, Refusal):
                    return _refused(asked, person.id, person.session, said)
                return Decision(Told(said.kind), told=said)

    def _release_worker(self, asked: ReleaseWorker, person: Person) -> Decision:
        mailbox = self._mailboxes.get(asked.plugin)
        refusal = None
        if ANY not in person.communes(asked.plugin, RELEASE_WORKER):
            refusal = Refusal(
                "right",
                f"{person.id} may not {RELEASE_WORKER} of {asked.plugin} in the whole city.",
                "Ask somebody who may.",
            )
        elif mailbox is None or not mailbox.release():
            refusal = Refusal(
                "worker", f"no worker of {asked.plugin!r} is stopped.", "Look at `ondijon top`."
            )
        if refusal is not None:
            return _refused(asked, person.id, person.session, refusal)
        return Decision(
            WorkerLetGo(asked.plugin), released=WorkerReleased(asked.plugin, person.id, asked.reason)
        )

    def _refuse_time(self, asked: Asked, person: Person, now: Now) -> Refusal | None:
        key = person.session, asked.request
        if key in self._seen:
            return Refusal("replayed", "this request came before.", "Give each request its own text.")
        # Refused or taken: who was told no must not find it done later.
        self._seen[key] = None
        if len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        age_s = (now.utc - asked.asked_utc) / SECOND
        if asked.epoch == self._commands.epoch and now.utc - FRESH <= asked.asked_utc <= now.utc + AHEAD:
            return None
        return Refusal(
            "stale_request",
            f"it was asked of start {asked.epoch} of the post, {age_s:.1f} s ago by its own clock.",
            "Look at the city as it is now, and ask again.",
        )

    # -- asking

    def _busy(self, asked: Asked, person: Person) -> Decision | None:
        if len(self._waiting) < WAITING_MAX:
            return None
        busy = Refusal("busy", f"{WAITING_MAX} requests wait for a second person.", "Approve some, or wait.")
        return _refused(asked, person.id, person.session, busy)

    def _propose(self, asked: Propose, person: Person, now: Now) -> Decision:
        index = self._gate.assets.index
        missing = next((id for id in asked.targets if id not in index), None)
        if missing is not None:
            unknown = Refusal("unknown_asset", f"no asset {missing!r}.", "Look it up in the inventory.")
            return _refused(asked, person.id, person.session, unknown)
        targets = np.array([index[id] for id in asked.targets], np.uint32)
        late_s = max(0, now.utc - asked.asked_utc) / SECOND
        given: dict[str, Any] = {
            "verb": asked.verb,
            "targets": targets,
            "reason": asked.reason,
            "deadline_s": asked.deadline_s - late_s,
        }
        proposal: proposals.Command | proposals.Release = (
            proposals.Command(**given, values=np.array(asked.values), lease_s=asked.lease_s)
            if asked.lease_s
            else proposals.Release(**given)
        )
        id = self._commands.number()
        command = self._gate.check_person(proposal, person, now, id, asked.override)
        command.incident, command.hash = asked.incident, fingerprint(command, self._gate)
        records = [(COMMAND, command.record())]
        if command.refusal is not None:
            return Decision(_refusal(command.refusal), records, ended=[command])
        answer = CommandTaken(command.id, "committed", command.hash)
        if command.state == "awaiting":
            until = now.mono + int(self._gate.config.approve_s * SECOND)
            self._waiting[command.id] = _Waiting(person, until, command.hash, command)
            return Decision(msgspec.structs.replace(answer, state="awaiting"), records)
        self._gate.count(command, now)
        return Decision(answer, records, commit=[command])

    def _propose_programme(self, asked: ProposeProgramme, person: Person, now: Now) -> Decision:
        programme = self._programmes.check(asked, person, now, self._commands.number())
        records = [(PROGRAMME, programmes.encode(programme))]
        if programme.refusal is not None:
            return Decision(_refusal(programme.refusal), records)
        answer = CommandTaken(programme.id, programme.state, programme.hash)
        if programme.state == "awaiting":
            until = now.mono + int(self._gate.config.approve_s * SECOND)
            self._waiting[programme.id] = _Waiting(person, until, programme.hash, programme=programme)
            return Decision(answer, records)
        return Decision(answer, records, programme=programme)

    # -- agreeing

    def _approve(self, asked: Approve, person: Person, now: Now) -> Decision:
        said = Approved(person.id, person.session, asked.command, asked.hash)
        waiting = self._waiting.get(asked.command)
        if waiting is None and asked.command in self._gate.grants:
            return self._approve_first(asked, person, said, now)
        refusal = self._refuse_approval(waiting, asked, person, now)
        if refusal is not None or waiting is None:
            assert refusal is not None
            return Decision(_refusal(refusal), [_record(said, refusal)])
        del self._waiting[asked.command]
        if waiting.grant is not None:
            return self._authorise(waiting, person, said, now)
        if waiting.programme is not None:
            return self._in_force(waiting.programme, waiting.first, person, said, now)
        command = waiting.command
        assert command is not None
        # Things may have changed since it was asked: it passes the gate again.
        command.refusal = self._refuse_now(command, waiting.first, now)
        if command.refusal is not None:
            command.state = "expired" if command.refusal.code == "deadline" else "refused"
            return Decision(_refusal(command.refusal), [_record(said, command.refusal)], ended=[command])
        command.approvals = [Approval(person.id, now.utc, asked.hash)]
        self._gate.count(command, now)
        return Decision(
            CommandTaken(command.id, "committed", command.hash), [_record(said)], commit=[command]
        )

    def _refuse_approval(
        self, waiting: _Waiting | None, asked: Approve, person: Person, now: Now
    ) -> Refusal | None:
        if waiting is None or now.mono >= waiting.until:
            return Refusal(
                "not_awaiting", f"{asked.command} waits for nobody, or no more.", "Ask for it anew."
            )
        if asked.hash != waiting.hash:
            return Refusal(
                "hash", f"{asked.command} is another command than the one agreed to.", "Look at it again."
            )
        if person.id == waiting.first.id:
            return Refusal("same_person", f"{person.id} has asked for it.", "Another person must agree.")
        if waiting.grant is not None:
            return None if ANY in self._may(person, waiting.grant) else _no_right(person)
        if waiting.programme is not None:
            return self._programmes.refuse_right(waiting.programme, person)
        assert waiting.command is not None
        return self._gate.refuse_right(waiting.command, person)

    def _refuse_now(self, command: TrackedCommand, first: Person, now: Now) -> Refusal | None:
        if now.utc >= command.deadline:
            return Refusal("deadline", "its deadline has passed.", "Ask for it anew, with a later one.")
        return _refuse_expired(first, now) or self._gate.refuse_person(command, first, now)

    def _in_force(
        self, programme: Programme, first: Person, person: Person, said: Approved, now: Now
    ) -> Decision:
        refusal = _refuse_expired(first, now) or self._programmes.refuse_overtaken(programme)
        approval = Approval(person.id, now.utc, said.hash)
        ended = msgspec.structs.replace(
            programme,
            state="in_force" if refusal is None else "refused",
            approvals=(approval,) if refusal is None else (),
            refusal=refusal,
        )
        records = [_record(said, refusal), (PROGRAMME, programmes.encode(ended))]
        if refusal is not None:
            return Decision(_refusal(refusal), records)
        return Decision(CommandTaken(ended.id, ended.state, ended.hash), records, programme=ended)

    # -- authorisations of dangerous verbs

    def _approve_first(self, asked: Approve, person: Person, said: Approved, now: Now) -> Decision:
        grant = self._gate.grants[asked.command]
        refusal = None
        if not grant.danger:
            refusal = Refusal("not_awaiting", f"{grant.key} needs nobody's approval.")
        elif asked.hash != grant_hash(grant):
            refusal = Refusal("hash", f"{grant.key} is declared otherwise.", "Look at it again.")
        elif ANY not in self._may(person, grant):
            refusal = _no_right(person)
        if refusal is not None:
            return Decision(_refusal(refusal), [_record(said, refusal)])
        until = now.mono + int(self._gate.config.approve_s * SECOND)
        self._waiting[grant.key] = _Waiting(person, until, asked.hash, grant=grant)
        return Decision(CommandTaken(grant.key, "awaiting", asked.hash), [_record(said)])

    def _authorise(self, waiting: _Waiting, person: Person, said: Approved, now: Now) -> Decision:
        assert waiting.grant is not None
        # The register may have changed since the first agreed: the gate has worked it out anew.
        grant = self._gate.grants[waiting.grant.key]
        for_us = int(grant.rule.approved_s * SECOND)
        grant.until = now.mono + for_us
        authorised = Authorised(grant.key, waiting.hash, (waiting.first.id, person.id), now.utc + for_us)
        records = [_record(said), (AUTHORISED, msgspec.msgpack.encode(authorised))]
        return Decision(CommandTaken(grant.key, "authorised", waiting.hash), records)

    def _may(self, person: Person, grant: Grant) -> frozenset[str]:
        return person.communes(grant.key.partition("/")[0], grant.rule.verb)

    # -- releasing

    def _release_all(self, asked: ReleaseAll, person: Person, now: Now) -> Decision:
        try:
            zone = self._gate.zone(asked.zone)
        except CityError as error:
            return _refused(asked, person.id, person.session, Refusal("zone_unknown", error.what, error.next))
        released = []
        for verb, reach in zip(self._gate.verbs, self._gate.reach, strict=True):
            targets = np.flatnonzero(reach & zone).astype(np.uint32)
            for start in range(0, len(targets), TARGETS_MAX):
                proposal = proposals.Release(
                    verb=verb.name,
                    targets=targets[start : start + TARGETS_MAX],
                    deadline_s=RELEASE_S,
                    reason=f"all overrides released: {asked.zone or 'everywhere'}",
                )
                released.append(self._gate.release(proposal, person.id, now, self._commands.number()))
        answer = Released([command.id for command in released], sum(len(c.targets) for c in released))
        return Decision(answer, [(COMMAND, command.record()) for command in released], commit=released)

    # -- time

    def turn(self, now: Now) -> Iterator[TrackedCommand | Programme]:
        """The commands and programmes for which no second person came: they are expired."""
        missing = Refusal("second_person_missing", "no second person agreed in time.", "Ask for it anew.")
        for id in [id for id, waiting in self._waiting.items() if waiting.until <= now.mono]:
            waiting = self._waiting.pop(id)
            if waiting.command is not None:
                waiting.command.state, waiting.command.refusal = "expired", missing
                yield waiting.command
            elif waiting.programme is not None:
                yield msgspec.structs.replace(waiting.programme, state="expired", refusal=missing)

    def waiting(self) -> list[Leased]:
        """The commands that wait for a second person, as their records tell them."""
        return [
            Leased(
                c.id,
                c.verb_name,
                c.by,
                c.state,
                c.targets.astype("<u4").tobytes(),
                c.person,
                c.deadline,
                c.lease_s,
            )
            for c in (waiting.command for waiting in self._waiting.values())
            if c is not None
        ]


def fingerprint(command: TrackedCommand, gate: Gate) -> bytes:
    """SHA-256 over what is agreed to: id, verb, target ids, values (f64 little endian), lease, deadline, override."""
    known = command.targets[command.targets < len(gate.assets)]
    exact = (
        command.id,
        command.verb_name,
        [gate.assets.ids[i] for i in known.tolist()],
        command.values.astype("<f8").tobytes(),
        int(command.lease_s * 1000) if np.isfinite(command.lease_s) else -1,
        command.deadline,
        command.override,
    )
    return hashlib.sha256(msgspec.msgpack.encode(exact)).digest()


def grant_hash(grant: Grant) -> bytes:
    """SHA-256 over an authorisation as it is declared."""
    return hashlib.sha256(msgspec.msgpack.encode((grant.key, grant.rule))).digest()


def _record(said: Approved, refusal: Refusal | None = None) -> tuple[str, bytes]:
    return APPROVAL, msgspec.msgpack.encode(msgspec.structs.replace(said, refusal=refusal))


def _refusal(refusal: Refusal) -> Refused:
    return Refused(refusal.code, refusal.what[:TEXT_MAX], refusal.next[:TEXT_MAX])


def _refuse_expired(first: Person, now: Now) -> Refusal | None:
    if now.utc < first.expires:
        return None
    return Refusal("session_expired", f"the session of {first.id} has expired.", "Ask for it anew.")


def _no_right(person: Person) -> Refusal:
    return Refusal("right", f"{person.id} may not agree to it.", "Ask somebody who may, in the whole city.")


class _Turned(msgspec.Struct, frozen=True):
    """What the journal keeps of a request that did not reach the gate."""

    type: str
    request: str
    person: str
    session: str
    refusal: Refusal


#: The kind of record of a request that did not reach the gate.
REQUEST = "request"


def _refused(asked: Asked, person: str, session: str, refusal: Refusal) -> Decision:
    kind = type(asked).__struct_config__.tag
    record = _Turned(str(kind), asked.request, person, session, refusal)
    return Decision(_refusal(refusal), [(REQUEST, msgspec.msgpack.encode(record))])
