"""Commands under way: what was asked, of whom, how far it came.

proposed → checked → [awaiting a second person] → committed → sent → accepted → executed → verified; ends:
refused, expired, failed, unknown, superseded, reverted. A command is one journal record however many targets
it has, and a gateway gets at most one order of a verb in a step. docs/commands.md tells the rules.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np

from core.assets import NONE, Assets
from core.clock import SECOND
from core.declaration import Verb
from core.errors import WireError
from core.holds import Held, Holds, counted
from core.journal import Record
from core.refusal import Refusal
from core.table import Table
from core.wire import Order, Reports

#: Orders one gateway may owe an answer to; beyond it the oldest is given up as unknown.
OWED_MAX = 1000

#: How long after its deadline (µs) a command without an answer is called unknown.
SILENCE = 5 * SECOND

#: The fault of an order that came too late to be carried out: it speaks for the whole order.
EXPIRED = "expired"

#: The kinds of record: a command, and where its targets do not show what was asked.
COMMAND, DIFFERENCES = "command", "differences"

#: Why a target's read-back differs, beside the codes that gateways give.
NO_ANSWER, NOT_FOLLOWED, NO_READ_BACK = "no_answer", "not_followed", "no_read_back"


class Approval(msgspec.Struct, frozen=True):
    """A second person agreed, to exactly the command with this hash, at ``utc`` µs."""

    person: str
    utc: int
    hash: bytes


class TrackedCommand(msgspec.Struct, kw_only=True):
    """A command as the kernel keeps it. ``id`` is (epoch, number) as text; times in µs of city time.

    ``targets`` u32[n], ``values`` f64[n]. ``open`` counts the targets whose outcome is not known, ``holding``
    those whose lease is its own, ``parts`` the orders it lies in; ``tally`` the outcomes so far.
    ``person``: a person asked, no rule; ``left_out`` counts the targets that a rule must leave to a person.
    ``differences`` maps a code to columns of assets and values (NaN: none was read).
    """

    id: str
    verb: int
    verb_name: str
    trade: str = ""
    communes: list[int] = []
    targets: np.ndarray
    values: np.ndarray
    by: str
    person: bool = False
    authorisation: str = ""
    left_out: int = 0
    reason: str
    incident: str = ""
    created_utc: int
    deadline: int
    lease_s: float
    releases: bool = False
    override: bool = False
    since: int = 0
    state: str = "checked"
    hash: bytes = b""
    approvals: list[Approval] = []
    refusal: Refusal | None = None
    mono: int = 0
    open: int = 0
    holding: int = 0
    parts: int = 0
    accepted: int = 0
    executed: int = 0
    tally: dict[str, int] = {}
    differences: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}

    def record(self) -> bytes:
        """The journal's form."""
        return _encode(
            {
                "id": self.id,
                "verb": self.verb_name,
                "trade": self.trade,
                "communes": self.communes,
                "targets": self.targets.astype("<u4").tobytes(),
                "values": self.values.astype("<f8").tobytes(),
                "by": self.by,
                "person": self.person,
                "authorisation": self.authorisation,
                "left_out": self.left_out,
                "reason": self.reason,
                "incident": self.incident,
                "created_utc": self.created_utc,
                "deadline": self.deadline,
                "lease_s": self.lease_s,
                "override": self.override,
                "state": self.state,
                "hash": self.hash,
                "approvals": self.approvals,
                "refusal": self.refusal,
            }
        )

    def differs(self, code: str, assets: np.ndarray, values: np.ndarray) -> None:
        """Note that ``assets`` u32[n] do not show what was asked, but ``values`` f64[n]."""
        self.differences.setdefault(code, []).append((assets, values))

    @property
    def failed(self) -> int:
        """How many targets did not do it, or nobody knows whether they did."""
        return sum(len(assets) for parts in self.differences.values() for assets, _ in parts)

    def outcome(self) -> str:
        """The state when the last target's outcome is known: the worst of theirs."""
        tally = self.tally
        if set(tally) <= {"superseded"}:
            return "superseded"
        if set(tally) <= {"expired", "superseded"}:
            return "expired"
        if "failed" in tally or "expired" in tally:
            return "failed"
        return next(state for state in ("unknown", "verified", "executed") if state in tally)


class Differences(msgspec.Struct, frozen=True):
    """What the journal keeps of a command's targets that differ: code to (assets u32[n], values f64[n]) as bytes."""

    command: str
    targets: dict[str, tuple[bytes, bytes]]


class OpenCommand(msgspec.Struct, frozen=True):
    """A command that has not come to its end: enough to say so after a restart."""

    id: str
    verb: str
    by: str
    state: str = "sent"


class Leased(OpenCommand, frozen=True):
    """What the journal's record tells of a command, and of the leases that it gave: ``targets`` u32[n], µs utc."""

    targets: bytes = b""
    person: bool = False
    deadline: int = 0
    lease_s: float = 0.0


class Stored(msgspec.Struct, frozen=True):
    """The commands in a snapshot: those not at their end, and by verb the leases that are out.

    ``waiting`` for a second person are others, whole: approved later, they give leases.
    """

    open: list[OpenCommand] = []
    held: dict[str, Held] = {}
    waiting: list[Leased] = []


class _Owed(msgspec.Struct):
    """An order without its answer: ``targets`` u32[k], each with its command's ``number`` and its lease, i64[k] µs.

    ``commands``: the numbers that are in it.
    """

    n: int
    verb: int
    commands: list[int]
    targets: np.ndarray
    number: np.ndarray
    lease: np.ndarray
    accepted: bool = False


_encode = msgspec.msgpack.Encoder().encode


class Commands:
    """The commands that are not at their end, and the leases that are out."""

    def __init__(self, epoch: int, verbs: Sequence[Verb] = (), assets: int = 0) -> None:
        self.epoch = epoch
        self.given_up = self.stale_reports = 0
        #: Came to their outcome since they were last taken.
        self.ended: list[TrackedCommand] = []
        self._verbs = verbs
        self._holds = [Holds(assets) for _ in verbs]
        self._live: dict[int, TrackedCommand] = {}
        self._leaving: list[TrackedCommand] = []
        self._unsent: deque[tuple[int, list[TrackedCommand]]] = deque()
        self._next = 1
        self._order: dict[str, int] = {}
        self._owed: dict[str, deque[_Owed]] = {}
        self._answered: list[_Owed] = []

    def grow(self, assets: int) -> None:
        """Make room for added assets."""
        for holds in self._holds:
            holds.grow(assets)

    def number(self) -> str:
        """The id of the next command."""
        id = f"{self.epoch}-{self._next}"
        self._next += 1
        return id

    @property
    def open(self) -> dict[str, TrackedCommand]:
        """The commands whose outcome is not known, by id, as they were asked."""
        return {command.id: command for command in self._live.values() if command.open}

    def by_person(self, command: TrackedCommand, mono: int) -> np.ndarray:
        """bool[n]: the targets of ``command`` that obey a person at ``mono`` µs, under its verb."""
        return self._holds[command.verb].by_person(command.targets, mono)

    # -- out

    def commit(self, command: TrackedCommand, mono: int) -> None:
        """Take a checked command: it goes out with this step's orders. A newer one supersedes older ones."""
        number = _number(command)
        command.state = "committed"
        command.open = command.holding = len(command.targets)
        self._live[number] = command
        answer_by = mono + (command.deadline - command.created_utc) + SILENCE
        until = 0 if command.releases else answer_by + int(command.lease_s * SECOND)
        holds = self._holds[command.verb]
        opened, held = holds.take(
            command.targets, number, command.values, command.created_utc, answer_by, until, command.person
        )
        self._outcome(opened, "superseded")
        self._lose(held)
        self._leaving.append(command)

    def send(self, step: int, assets: Assets) -> list[tuple[str, Order]]:
        """The orders of all commands of this step: one a gateway and verb."""
        leaving, self._leaving = self._leaving, []
        if leaving:
            self._unsent.append((step, leaving))
        return [order for verb, commands in _by_verb(leaving) for order in self._send(verb, commands, assets)]

    def obey(self, mono: int) -> list[tuple[Verb, np.ndarray, np.ndarray]]:
        """Have the commands of this step carried out at once, without orders: by devices that are imagined.

        Return by verb the targets under a lease, u32[n], and what they were told, f64[n].
        """
        leaving, self._leaving = self._leaving, []
        told = []
        for verb, commands in _by_verb(leaving):
            for command in commands:
                command.state = "executed"
            targets, values, which = self._kept(verb, commands)
            lease = np.array([int(command.lease_s * SECOND) for command in commands])[which]
            self._executed(verb, targets, lease, mono)
            leased = lease > 0
            told.append((self._verbs[verb], targets[leased], values[leased]))
        return told

    def sent(self, step: int) -> None:
        """What the steps up to ``step`` ordered is durable and on its way."""
        while self._unsent and self._unsent[0][0] <= step:
            for command in self._unsent.popleft()[1]:
                if command.state == "committed":
                    command.state = "sent"

    def _send(self, verb: int, commands: Sequence[TrackedCommand], assets: Assets) -> list[tuple[str, Order]]:
        numbers = np.array([_number(command) for command in commands])
        # Up: 0 would release.
        leases_ms = np.array([math.ceil(command.lease_s * 1000) for command in commands])
        targets, values, which = self._kept(verb, commands)
        order = np.argsort(assets.gateway[targets], kind="stable")
        targets, which = targets[order], which[order]
        gateway, indexes = assets.gateway[targets], assets.wire_index[targets].astype("<u2")
        values, lease_ms = values[order].astype("<f8"), leases_ms[which].astype("<u4")
        number, lease = numbers[which], lease_ms.astype(np.int64) * 1000
        bounds = np.flatnonzero(np.diff(gateway, prepend=NONE, append=NONE)).tolist()
        orders = []
        for start, end in pairwise(bounds):
            part = slice(start, end)
            # The sort is stable: within a gateway the commands stand in their order.
            alike = which[start] == which[end - 1]
            there = [commands[i] for i in ([which[start]] if alike else np.unique(which[part]).tolist())]
            name = assets.gateways[gateway[start]]
            n = self._owe(name, verb, there, targets[part], number[part], lease[part])
            one = self._order_of(n, there, indexes[part].tobytes(), values[part].tobytes(), lease_ms[part])
            orders.append((name, one))
        return orders

    def _kept(
        self, verb: int, commands: Sequence[TrackedCommand]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(targets u32[n], values f64[n], which of ``commands`` i64[n]), each target once."""
        targets = np.concatenate([command.targets for command in commands])
        values = np.concatenate([command.values for command in commands])
        which = np.repeat(np.arange(len(commands)), [len(command.targets) for command in commands])
        # Of two commands of one step the later one holds the target: only that is ordered.
        numbers = np.array([_number(command) for command in commands])
        kept = self._holds[verb].holder[targets] == numbers[which]
        return targets[kept], values[kept], which[kept]

    def _owe(
        self,
        gateway: str,
        verb: int,
        commands: Sequence[TrackedCommand],
        targets: np.ndarray,
        number: np.ndarray,
        lease: np.ndarray,
    ) -> int:
        """Number the next order of a gateway, and expect its answer."""
        for command in commands:
            command.parts += 1
        n = self._order[gateway] = self._order.get(gateway, 0) + 1
        owed = self._owed.setdefault(gateway, deque())
        if len(owed) == OWED_MAX:
            self.given_up += 1
            owed.popleft()
        owed.append(_Owed(n, verb, [_number(command) for command in commands], targets, number, lease))
        return n

    def _order_of(
        self,
        n: int,
        commands: Sequence[TrackedCommand],
        indexes: bytes,
        values: bytes,
        lease_ms: np.ndarray,
    ) -> Order:
        longest = int(lease_ms.max())
        return Order(
            n=n,
            epoch=self.epoch,
            command=commands[-1].id,
            verb=commands[0].verb,
            indexes=indexes,
            values=values,
            lease_ms=longest,
            leases=b"" if longest == lease_ms.min() else lease_ms.tobytes(),
            deadline=min(command.deadline for command in commands),
            since=min((command.since for command in commands if command.since), default=0),
        )

    # -- back

    def hear(self, gateway: str, reports: Reports, assets: Assets) -> None:
        """Take a gateway's cumulative answer; ``take_answers`` when all of a step were heard.

        Raises WireError for an answer to orders that were never given.
        """
        if reports.epoch < self.epoch:
            # On its way while the kernel started again: it answers another kernel's orders.
            self.stale_reports += 1
            return
        last = max(reports.accepted, reports.executed)
        if reports.epoch > self.epoch or last > self._order.get(gateway, 0):
            raise WireError(
                f"order {reports.epoch}/{last} was never given.", reason="reports", where=f"gateway {gateway}"
            )
        owed = self._owed.get(gateway)
        if not owed:
            return
        for each in owed:
            if each.n > last:
                break
            if not each.accepted:
                each.accepted = True
                self._progress(each, "accepted")
        faults: dict[int, dict[int, str]] = {}
        for n, fault in reports.failed:
            faults.setdefault(n, {})[fault.index] = fault.code
        while owed and owed[0].n <= reports.executed:
            each = owed.popleft()
            self._progress(each, "executed")
            wrong = faults.get(each.n)
            self._answered.append(self._without(each, wrong, assets) if wrong else each)

    def _progress(self, owed: _Owed, step: str) -> None:
        for number in owed.commands:
            command = self._live.get(number)
            if command is None:
                continue
            done = getattr(command, step) + 1
            setattr(command, step, done)
            if done == command.parts and command.open:
                command.state = step

    def _without(self, owed: _Owed, faults: Mapping[int, str], assets: Assets) -> _Owed:
        """What is left of an answered order when its faults are noted."""
        holds = self._holds[owed.verb]
        index = assets.wire_index[owed.targets]
        mine = holds.waits(owed.targets, owed.number)
        if EXPIRED in faults.values():
            self._give_up(holds, owed.targets[mine], "expired", EXPIRED)
            faults, good = {}, np.zeros(len(index), bool)
        else:
            good = ~np.isin(index, list(faults))
        for code in sorted(set(faults.values())):
            wrong = mine & np.isin(index, [i for i, c in faults.items() if c == code])
            self._give_up(holds, owed.targets[wrong], "failed", code)
        return _Owed(
            owed.n, owed.verb, owed.commands, owed.targets[good], owed.number[good], owed.lease[good]
        )

    def take_answers(self, mono: int) -> None:
        """What the answered orders ordered is executed: leases run, and the read-back begins."""
        answered, self._answered = self._answered, []
        for verb in {owed.verb for owed in answered}:
            of = [owed for owed in answered if owed.verb == verb]
            columns = ([o.targets for o in of], [o.number for o in of], [o.lease for o in of])
            targets, number, lease = (np.concatenate(column) for column in columns)
            mine = self._holds[verb].waits(targets, number)
            self._executed(verb, targets[mine], lease[mine], mono)

    def _executed(self, verb: int, targets: np.ndarray, lease: np.ndarray, mono: int) -> None:
        holds, declared = self._holds[verb], self._verbs[verb]
        released, targets, lease = targets[lease == 0], targets[lease > 0], lease[lease > 0]
        self._settle(holds, released, "executed")
        self._lose(holds.end(released))
        holds.executed(targets, mono + int(declared.verify_s * SECOND), mono + lease)
        if declared.verify_metric is None:
            self._settle(holds, targets, "executed")

    def compare(self, mono: int, table: Table) -> None:
        """Compare what was executed with what the table shows; give up what nobody answered."""
        for verb, holds in zip(self._verbs, self._holds, strict=True):
            if verb.verify_metric is not None:
                self._compare(holds, verb.verify_metric, verb.tolerance, mono, table)
            self._give_up(holds, holds.unanswered(mono), "unknown", NO_ANSWER)

    def end_leases(self, mono: int) -> list[TrackedCommand]:
        """The leases that are over end, as the devices do it by themselves; return the commands that hold none now."""
        reverted = []
        for holds in self._holds:
            reverted += [c for c in self._lose(holds.end(holds.over(mono))) if not c.releases]
        for command in reverted:
            command.state = "reverted"
        return reverted

    def _compare(self, holds: Holds, metric: str, tolerance: float, mono: int, table: Table) -> None:
        watched = holds.watched()
        if not len(watched):
            return
        value, time, known = table.latest(metric, watched)
        follows = known & (np.abs(value - holds.wanted[watched]) <= tolerance)
        self._settle(holds, watched[follows], "verified")
        late = ~follows & (holds.due[watched] <= mono)
        if not late.any():
            return
        # A device that said nothing since it was asked may have done it or not: nobody guesses.
        heard = late & known & (time > holds.asked[watched])
        self._give_up(holds, watched[heard], "failed", NOT_FOLLOWED, value[heard])
        self._give_up(holds, watched[late & ~heard], "unknown", NO_READ_BACK)

    def _give_up(
        self, holds: Holds, targets: np.ndarray, outcome: str, code: str, values: np.ndarray | None = None
    ) -> None:
        if not len(targets):
            return
        numbers = holds.holder[targets]
        values = np.full(len(targets), np.nan) if values is None else values
        for number, _ in counted(numbers):
            if number in self._live:
                mine = numbers == number
                self._live[number].differs(code, targets[mine], values[mine])
        self._settle(holds, targets, outcome)
        if outcome == "unknown" or code == NOT_FOLLOWED:
            # Its lease may run.
            targets = targets[holds.until[targets] == 0]
        self._lose(holds.end(targets))

    def _settle(self, holds: Holds, targets: np.ndarray, outcome: str) -> None:
        self._outcome(holds.settle(targets), outcome)

    def _outcome(self, numbers: np.ndarray, outcome: str) -> None:
        for number, n in counted(numbers):
            command = self._live.get(number)
            if command is None:
                continue
            command.tally[outcome] = command.tally.get(outcome, 0) + n
            command.open -= n
            if not command.open:
                command.state = command.outcome()
                self.ended.append(command)

    def _lose(self, numbers: np.ndarray) -> list[TrackedCommand]:
        """These commands hold so many leases less; return those that hold none any more."""
        lost = []
        for number, n in counted(numbers):
            command = self._live.get(number)
            if command is None:
                continue
            command.holding -= n
            if not command.holding:
                del self._live[number]
                lost.append(command)
        return lost

    # -- over a restart

    def stored(self, waiting: Iterable[Leased] = ()) -> Stored:
        """All of it, for a snapshot, and what is ``waiting`` for a second person."""
        return Stored(
            [OpenCommand(c.id, c.verb_name, c.by) for c in self.open.values()],
            {verb.name: holds.stored() for verb, holds in zip(self._verbs, self._holds, strict=True)},
            list(waiting),
        )

    def restore(self, stored: Stored, shift: int = 0) -> None:
        """Put back the leases that are out; ``shift`` µs is how much further mono is now than where it was stored.

        What was open is nobody's any more: the kernel says that it is unknown.
        """
        for verb, holds in zip(self._verbs, self._holds, strict=True):
            if verb.name in stored.held:
                holds.restore(stored.held[verb.name], shift)

    def again(self, leased: Iterable[Leased], mono: int, utc: int) -> None:
        """Put back what persons were given after the snapshot, in order; now it is ``mono`` and ``utc`` µs.

        The leases of rules are not put back: what they ask anew stands in nobody's way.
        """
        of = {verb.name: holds for verb, holds in zip(self._verbs, self._holds, strict=True)}
        for each in leased:
            if each.verb not in of or each.state == "awaiting":
                continue
            lease = int(each.lease_s * SECOND)
            until = mono + each.deadline - utc + SILENCE + lease if lease else 0
            targets = np.frombuffer(each.targets, "<u4")
            if not lease or until > mono:
                of[each.verb].again(targets, until)


def differences(command: TrackedCommand, step: int, utc: int) -> Record:
    """The record of a command's targets that do not show what was asked."""
    targets: dict[str, Any] = {
        code: (
            np.concatenate([assets for assets, _ in parts]).astype("<u4").tobytes(),
            np.concatenate([values for _, values in parts]).astype("<f8").tobytes(),
        )
        for code, parts in command.differences.items()
    }
    return Record(DIFFERENCES, step, utc, _encode(Differences(command.id, targets)))


def _by_verb(commands: Sequence[TrackedCommand]) -> list[tuple[int, list[TrackedCommand]]]:
    return [
        (verb, [command for command in commands if command.verb == verb])
        for verb in sorted({command.verb for command in commands})
    ]


def _number(command: TrackedCommand) -> int:
    return int(command.id.partition("-")[2])
