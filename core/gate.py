"""The gate: the one place where a proposed command becomes a command. It checks, or says why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from core import proposals
from core.assets import NONE
from core.clock import SECOND, Now
from core.commands import Refusal, TrackedCommand
from core.declaration import Verb
from core.register import Numbering

#: Targets one command may have.
TARGETS_MAX = 100_000


class Gate:
    """Knows the verbs, who declared each, and the register of assets."""

    def __init__(self, numbering: Numbering, owners: Mapping[str, str]) -> None:
        self._verbs: Sequence[Verb] = numbering.verbs
        self._index = {verb.name: i for i, verb in enumerate(self._verbs)}
        self._owners = owners
        self.renumber(numbering)

    def renumber(self, numbering: Numbering) -> None:
        """Take the register after assets changed."""
        self._assets = numbering.assets

    def check(
        self, proposal: proposals.Command | proposals.Release, plugin: str, now: Now, id: str
    ) -> TrackedCommand:
        """The command that ``plugin`` proposed: state ``checked``, or ``refused`` with its refusal.

        A release becomes a command with a lease of 0 s.
        """
        targets = np.ascontiguousarray(proposal.targets, np.uint32)
        lease_s, since = 0.0, 0
        values = np.zeros(targets.shape)
        if isinstance(proposal, proposals.Command):
            lease_s, since = proposal.lease_s, proposal.since
            values = np.ascontiguousarray(proposal.values, np.float64)
        command = TrackedCommand(
            id=id,
            verb=self._index.get(proposal.verb, 0xFFFF),
            verb_name=proposal.verb,
            targets=targets,
            values=values,
            by=plugin,
            reason=proposal.reason,
            created_utc=now.utc,
            deadline=now.utc + int(proposal.deadline_s * SECOND),
            lease_s=lease_s,
            since=since,
            mono=now.mono,
        )
        command.refusal = self._refuse(command, proposal, plugin)
        if command.refusal is not None:
            command.state = "refused"
        return command

    def _refuse(
        self, command: TrackedCommand, proposal: proposals.Command | proposals.Release, plugin: str
    ) -> Refusal | None:
        if command.verb == 0xFFFF:
            return Refusal(
                "unknown_verb", f"nobody declares {proposal.verb!r}.", "Declare the verb, or check its name."
            )
        verb = self._verbs[command.verb]
        if self._owners[verb.name] != plugin:
            return Refusal(
                "foreign_verb", f"{verb.name} belongs to {self._owners[verb.name]}.", "Emit a request event."
            )
        if not proposal.deadline_s > 0:
            return Refusal("deadline", "the deadline has passed.", "Give a deadline in the future.")
        refusal = self._refuse_targets(command, verb)
        if refusal is not None or isinstance(proposal, proposals.Release):
            # Back to its own programme a device may always go: that is the safe case.
            return refusal
        return self._refuse_state(command, verb)

    def _refuse_state(self, command: TrackedCommand, verb: Verb) -> Refusal | None:
        values = command.values
        if verb.danger:
            return Refusal(
                "needs_two_persons", f"{verb.name} is dangerous.", "Two persons approve it at the post."
            )
        if not 0 < command.lease_s <= verb.lease_max_s:
            return Refusal(
                "lease", f"a lease of {command.lease_s} s.", f"At most {verb.lease_max_s} s, then renew."
            )
        if not np.all((values >= verb.low) & (values <= verb.high)):
            return Refusal("value", f"values outside {verb.low}..{verb.high} {verb.unit}.", "Clip them.")
        return None

    def _refuse_targets(self, command: TrackedCommand, verb: Verb) -> Refusal | None:
        targets, values, assets = command.targets, command.values, self._assets
        if not 0 < len(targets) <= TARGETS_MAX or targets.shape != values.shape or targets.ndim != 1:
            return Refusal(
                "targets", f"{targets.shape} targets with {values.shape} values.", "One value a target."
            )
        if targets.max() >= len(assets):
            return Refusal("unknown_asset", f"asset {targets.max()} is not in the register.")
        kind = assets.kinds.index(verb.targets) if verb.targets in assets.kinds else -1
        if not np.all(assets.kind[targets] == kind):
            return Refusal("kind", f"{verb.name} is for {verb.targets}.", "Leave out the other assets.")
        if np.any(assets.gateway[targets] == NONE) or not np.all(assets.in_service()[targets]):
            return Refusal("unreachable", "a target has no gateway, or is retired.")
        return None
