"""The gate: the one place where a proposed command becomes a command. It checks, or says why not.

Trades pass by their authorisations, persons by their rights. A release always passes: back to its own
programme a device may always go, that is the safe case.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from core import proposals
from core._fast.slots import FLAG_VALID
from core.assets import NONE
from core.clock import SECOND, Now
from core.commands import TrackedCommand
from core.config import GateConfig
from core.declaration import Authorisation, Declaration, Verb
from core.errors import CityError
from core.operators import TARGETS_MAX
from core.person import ANY, Person
from core.rates import Rates, Stored
from core.refusal import Refusal
from core.table import Table

#: A verb that nobody declares.
NO_VERB = 0xFFFF

#: The longest deadline of a command (s).
DEADLINE_MAX_S = 3600.0

_COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    ">": operator.gt,
}


class Grant(msgspec.Struct):
    """An authorisation, worked out for the register: ``zone`` bool[assets] may be asked, ``limit`` of them a minute.

    ``until`` µs of city time (mono): where it must be approved, it holds until then.
    """

    rule: Authorisation
    key: str
    danger: bool
    zone: np.ndarray
    limit: int
    until: int = 0


class Lock(msgspec.Struct, frozen=True):
    """An interlock, worked out: ``slot`` u32[assets] holds the value that decides (NONE: there is none)."""

    metric: str
    slot: np.ndarray
    compare: Callable[[Any, Any], Any]
    value: float
    stale_after: int
    reason: str


class Gate:
    """Knows the verbs, who declared each, what is authorised, and the register of assets."""

    def __init__(
        self,
        declarations: Sequence[Declaration],
        table: Table,
        communes: Sequence[str],
        config: GateConfig | None = None,
    ) -> None:
        self.config = config or GateConfig()
        self.rates = Rates()
        self.grants: dict[str, Grant] = {}
        self._declarations = declarations
        self._table = table
        self._communes = {name: i for i, name in enumerate(communes)}
        self._owners = {verb.name: d.name for d in declarations for verb in d.verbs}
        self.renumber()

    def renumber(self) -> None:
        """Take the table's register, after assets changed."""
        numbering = self._table.numbering
        self.assets = assets = numbering.assets
        self.verbs: Sequence[Verb] = numbering.verbs
        self._index = {verb.name: i for i, verb in enumerate(self.verbs)}
        reachable = assets.in_service() & (assets.gateway != NONE)
        self.reach = [reachable & self._of_kind(verb.targets) for verb in self.verbs]
        until = {key: grant.until for key, grant in self.grants.items()}
        self.grants = {
            grant.key: grant
            for declaration in self._declarations
            for rule in declaration.authorisations
            for grant in (self._grant(declaration.name, rule),)
        }
        for key, grant in self.grants.items():
            grant.until = until.get(key, 0)
        self._rules: dict[tuple[str, str], list[Grant]] = {}
        for key, grant in self.grants.items():
            self._rules.setdefault((key.partition("/")[0], grant.rule.verb), []).append(grant)
        self._locks = [self._locks_of(verb) for verb in self.verbs]

    def authorise(self, key: str, until: int) -> None:
        """The authorisation ``key`` of a dangerous verb holds until ``until`` mono µs, where it still exists."""
        if key in self.grants:
            self.grants[key].until = until

    def authorised(self) -> dict[str, int]:
        """The approved authorisations and until when (mono µs), for a snapshot."""
        return {key: grant.until for key, grant in self.grants.items() if grant.until}

    def restore(self, authorised: Mapping[str, int], rates: Stored) -> None:
        """Put back what a snapshot holds."""
        for key, until in authorised.items():
            self.authorise(key, until)
        self.rates.restore(rates)

    def _of_kind(self, kind: str) -> np.ndarray:
        mask = np.zeros(len(self.assets), bool)
        mask[self.assets.of_kind(kind)] = True
        return mask

    def _grant(self, plugin: str, rule: Authorisation) -> Grant:
        verb = self.verbs[self._index[rule.verb]]
        zone = self.reach[self._index[rule.verb]].copy()
        if rule.communes:
            zone &= np.isin(self.assets.commune, [self._communes.get(name, -1) for name in rule.communes])
        if rule.assets:
            known = [self.assets.index[id] for id in rule.assets if id in self.assets.index]
            zone &= np.isin(np.arange(len(zone)), known)
        limit = int(np.ceil(rule.rate * np.count_nonzero(zone)))
        return Grant(rule, f"{plugin}/{rule.name}", verb.danger, zone, limit)

    def _locks_of(self, verb: Verb) -> list[Lock]:
        return [
            Lock(
                interlock.metric,
                self._deciding(verb, interlock.metric),
                _COMPARISONS[interlock.comparison],
                interlock.value,
                int((metric.stale_after_s or 0) * SECOND),
                interlock.text.en,
            )
            for declaration in self._declarations
            for interlock in declaration.interlocks
            if interlock.verb == verb.name
            for metric in (
                self._table.numbering.metrics[self._table.numbering.metric_index[interlock.metric]],
            )
        ]

    def _deciding(self, verb: Verb, metric: str) -> np.ndarray:
        numbering, assets = self._table.numbering, self.assets
        own = np.full(len(assets), NONE, np.uint32)
        of, slots = numbering.slots_of(metric)
        own[of] = slots
        if numbering.metrics[numbering.metric_index[metric]].kind == verb.targets:
            return own
        hangs = assets.parent != NONE
        above = np.full(len(assets), NONE, np.uint32)
        above[hangs] = own[assets.parent[hangs]]
        return above

    # -- commands

    def check(
        self, proposal: proposals.Command | proposals.Release, plugin: str, now: Now, id: str
    ) -> TrackedCommand:
        """The command that ``plugin`` proposed: state ``checked``, or ``refused`` with its refusal.

        A release becomes a command with a lease of 0 s.
        """
        command = self._draft(proposal, plugin, now, id)
        command.refusal = self._refuse_form(command, proposal.deadline_s)
        if command.refusal is None and self._owners[command.verb_name] != plugin:
            command.refusal = Refusal(
                "foreign_verb",
                f"{command.verb_name} belongs to {self._owners[command.verb_name]}.",
                "Emit a request event.",
            )
        if command.refusal is None and isinstance(proposal, proposals.Command):
            command.refusal = self._authorise(command, plugin, now)
        elif command.refusal is None:
            command.refusal = self._refuse_unreachable(command)
        return self._judged(command)

    def check_person(
        self,
        proposal: proposals.Command | proposals.Release,
        person: Person,
        now: Now,
        id: str,
        override: bool = False,
    ) -> TrackedCommand:
        """The command that ``person`` asks for: ``checked``, ``awaiting`` a second person, or ``refused``.

        With ``override`` interlocks do not hold it, but a second person must.
        """
        command = self._draft(proposal, person.id, now, id)
        command.override, command.person = override, True
        command.refusal = self._refuse_form(command, proposal.deadline_s) or self.refuse_person(
            command, person, now
        )
        if command.refusal is None and not command.releases and self._dangerous(command):
            command.state = "awaiting"
        return self._judged(command)

    def leave_out(self, command: TrackedCommand, by_person: np.ndarray) -> None:
        """Leave out the targets that obey a person (bool[n]); refuse a rule's command of which nothing is left."""
        command.left_out = int(np.count_nonzero(by_person))
        if not command.left_out:
            return
        if command.left_out == len(command.targets):
            command.refusal = Refusal(
                "person_holds",
                f"its {command.left_out} targets obey a person.",
                "Ask again when post.command.reverted tells that they are free.",
            )
        else:
            command.targets, command.values = command.targets[~by_person], command.values[~by_person]
        self._judged(command)

    def release(self, proposal: proposals.Release, by: str, now: Now, id: str) -> TrackedCommand:
        """A release of targets that the gate itself has named: nothing can speak against it."""
        command = self._draft(proposal, by, now, id)
        command.person = True
        return self._judged(command)

    def knows(self, commune: str) -> bool:
        """Whether a zone is one; the empty text is everywhere."""
        return not commune or commune in self._communes

    def zone(self, commune: str) -> np.ndarray:
        """bool[assets]: what lies in a commune; empty text: everywhere. Raises CityError for an unknown one."""
        if not commune:
            return np.ones(len(self.assets), bool)
        if commune not in self._communes:
            raise CityError(f"no commune {commune!r}.", next=f"The city has {', '.join(self._communes)}.")
        return np.asarray(self.assets.commune == self._communes[commune])

    def refuse_person(self, command: TrackedCommand, person: Person, now: Now) -> Refusal | None:
        """Why ``person`` may not have this command now, whoever asked for it; asked again at each approval."""
        refusal = self._refuse_unreachable(command) or self.refuse_right(command, person)
        if refusal is not None or command.releases:
            return refusal
        refusal = self._refuse_values(command)
        if refusal is None and not command.override:
            refusal = self._refuse_locked(command, now)
        if refusal is None:
            refusal = self._refuse_rate(f"person {command.by}", self.config.person_targets, command, now)
        return refusal

    def count(self, command: TrackedCommand, now: Now) -> None:
        """A person's command goes out: it counts as so many deviations."""
        if not command.releases:
            self.rates.count(f"person {command.by}", len(command.targets), now.mono)

    def _dangerous(self, command: TrackedCommand) -> bool:
        return (
            self.verbs[command.verb].danger
            or len(command.targets) > self.config.danger_targets
            or command.override
        )

    def _judged(self, command: TrackedCommand) -> TrackedCommand:
        if command.refusal is not None:
            command.state = "refused"
        elif command.targets.size:
            communes = np.unique(self.assets.commune[command.targets])
            command.communes = communes.tolist()
        return command

    def _draft(
        self, proposal: proposals.Command | proposals.Release, by: str, now: Now, id: str
    ) -> TrackedCommand:
        targets = np.ascontiguousarray(proposal.targets, np.uint32)
        lease_s, since = 0.0, 0
        values = np.zeros(targets.shape)
        if isinstance(proposal, proposals.Command):
            lease_s, since = proposal.lease_s, proposal.since
            values = np.ascontiguousarray(proposal.values, np.float64)
        return TrackedCommand(
            id=id,
            verb=self._index.get(proposal.verb, NO_VERB),
            verb_name=proposal.verb,
            trade=self._owners.get(proposal.verb, ""),
            targets=targets,
            values=values,
            by=by,
            reason=proposal.reason,
            created_utc=now.utc,
            deadline=now.utc + int(proposal.deadline_s * SECOND),
            lease_s=lease_s,
            releases=isinstance(proposal, proposals.Release),
            since=since,
            mono=now.mono,
        )

    # -- why not

    def _refuse_form(self, command: TrackedCommand, deadline_s: float) -> Refusal | None:
        if command.verb == NO_VERB:
            return Refusal(
                "unknown_verb",
                f"nobody declares {command.verb_name!r}.",
                "Declare the verb, or check its name.",
            )
        if not 0 < deadline_s <= DEADLINE_MAX_S:
            return Refusal(
                "deadline", f"a deadline in {deadline_s} s.", f"Above 0, and at most {DEADLINE_MAX_S:.0f} s."
            )
        targets, values = command.targets, command.values
        if not 0 < len(targets) <= TARGETS_MAX or targets.shape != values.shape or targets.ndim != 1:
            return Refusal(
                "targets", f"{targets.shape} targets with {values.shape} values.", "One value a target."
            )
        if targets.max() >= len(self.assets):
            return Refusal("unknown_asset", f"asset {targets.max()} is not in the register.")
        if not np.all(targets[1:] > targets[:-1]) and len(np.unique(targets)) < len(targets):
            return Refusal("twice", "a target stands in it twice.", "One value a target.")
        return None

    def _refuse_unreachable(self, command: TrackedCommand) -> Refusal | None:
        if np.all(self.reach[command.verb][command.targets]):
            return None
        verb, assets = self.verbs[command.verb], self.assets
        if not np.all(self._of_kind(verb.targets)[command.targets]):
            return Refusal("kind", f"{verb.name} is for {verb.targets}.", "Leave out the other assets.")
        wrong = command.targets[~self.reach[command.verb][command.targets]]
        return Refusal(
            "unreachable", f"{assets.ids[wrong[0]]} has no gateway, or is retired.", "Leave it out."
        )

    def _refuse_values(self, command: TrackedCommand) -> Refusal | None:
        verb, values = self.verbs[command.verb], command.values
        if not 0 < command.lease_s <= verb.lease_max_s:
            return Refusal(
                "lease", f"a lease of {command.lease_s} s.", f"At most {verb.lease_max_s} s, then renew."
            )
        if not np.all((values >= verb.low) & (values <= verb.high)):
            return Refusal("value", f"values outside {verb.low}..{verb.high} {verb.unit}.", "Clip them.")
        return None

    def _authorise(self, command: TrackedCommand, plugin: str, now: Now) -> Refusal | None:
        rules = self._rules.get((plugin, command.verb_name), ())
        verb = self.verbs[command.verb]
        refusal: Refusal | None = (
            Refusal("needs_two_persons", f"{verb.name} is dangerous.", "Two persons approve it at the post.")
            if verb.danger
            else Refusal(
                "no_authorisation",
                f"{plugin} is not authorised to ask for {verb.name} by itself.",
                "Declare an authorisation.",
            )
        )
        for grant in rules:
            refusal = self._refuse_by(grant, command, now)
            if refusal is None:
                command.authorisation = grant.rule.name
                refusal = self._refuse_locked(command, now)
                if refusal is None:
                    self.rates.count(grant.key, len(command.targets), now.mono)
                return refusal
        return refusal if rules else self._refuse_unreachable(command) or refusal

    def _refuse_by(self, grant: Grant, command: TrackedCommand, now: Now) -> Refusal | None:
        rule, values = grant.rule, command.values
        if grant.danger and now.mono >= grant.until:
            return Refusal(
                "not_approved",
                f"authorisation {grant.key} of a dangerous verb is not approved.",
                "Two persons approve it at the post.",
            )
        if not np.all(grant.zone[command.targets]):
            return self._refuse_unreachable(command) or Refusal(
                "zone", f"a target is outside the zone of authorisation {grant.key}.", "Leave it out."
            )
        if not 0 < command.lease_s <= rule.lease_max_s:
            return Refusal(
                "lease", f"a lease of {command.lease_s} s.", f"{grant.key} has {rule.lease_max_s} s at most."
            )
        if not np.all((values >= rule.low) & (values <= rule.high)):
            return Refusal("value", f"values outside {rule.low}..{rule.high} of {grant.key}.", "Clip them.")
        return self._refuse_rate(grant.key, grant.limit, command, now)

    def _refuse_rate(self, asker: str, limit: int, command: TrackedCommand, now: Now) -> Refusal | None:
        asked = self.rates.of(asker, now.mono)
        if asked + len(command.targets) <= limit:
            return None
        return Refusal(
            "rate",
            f"{asker} has asked {asked} targets in the last minute, {len(command.targets)} more are over {limit}.",
            "Wait a moment, or ask for less.",
        )

    def refuse_right(self, command: TrackedCommand, person: Person) -> Refusal | None:
        """Why ``person`` may not have this command, whatever it asks for."""
        may = person.communes(command.trade, command.verb_name)
        if ANY in may:
            return None
        numbers = [self._communes[name] for name in may if name in self._communes]
        if np.all(np.isin(self.assets.commune[command.targets], numbers)):
            return None
        return Refusal(
            "right",
            f"{person.id} may ask for {command.verb_name} in {', '.join(sorted(may)) or 'no commune'}.",
            "Leave out what lies elsewhere, or ask somebody who may.",
        )

    def _refuse_locked(self, command: TrackedCommand, now: Now) -> Refusal | None:
        for lock in self._locks[command.verb]:
            slot = lock.slot[command.targets]
            known = slot != NONE
            # Where there is no slot any will do: it does not count.
            records = self._table.slots.records_array()[np.where(known, slot, 0)]
            known &= (records["flags"] & FLAG_VALID) != 0
            known &= records["time"] >= now.utc - lock.stale_after
            if not np.all(known):
                id = self.assets.ids[command.targets[int(np.argmin(known))]]
                return Refusal(
                    "interlock_unknown",
                    f"{lock.reason}: {lock.metric} is unknown or stale for {id}.",
                    "Find out what is there; two persons may override.",
                )
            holds = lock.compare(records["value"], lock.value)
            if not np.all(holds):
                id = self.assets.ids[command.targets[int(np.argmin(holds))]]
                return Refusal(
                    "interlock",
                    f"{lock.reason}: {lock.metric} forbids it for {id}.",
                    "Wait until it allows it; two persons may override.",
                )
        return None
