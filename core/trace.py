"""The trace of one plugin, for its author: each call of its hooks and what became of it, told beside the status.

A run has it where it was asked for (``Run.trace``). It is told on the status socket, and dropped where nobody listens.
"""

from __future__ import annotations

import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from core import proposals
from core.batch import Batch
from core.clock import Now
from core.plugins import PROPOSALS_MAX, Call, Plugin
from core.step import Outputs

TOPIC = b"trace"

#: Calls, refusals and kinds of proposals of a step that are told at most; and the letters of a sentence.
CALLS_MAX, REFUSED_MAX, KINDS_MAX, TEXT_MAX = 64, 20, 20, 400


class Called(msgspec.Struct, frozen=True):
    """One call: what the hook was ``given`` in short, its µs, how often it ``proposed`` what, and how it failed.

    ``error`` ends with the file and line of the plugin; it is empty where all went well.
    """

    hook: str
    given: str
    us: float
    proposed: dict[str, int]
    error: str


class Traced(msgspec.Struct, frozen=True):
    """A step in which the plugin was called, at ``utc`` µs; ``refused`` says what was and why."""

    utc: int
    step: int
    calls: list[Called]
    refused: list[str]


decode = msgspec.msgpack.Decoder(Traced).decode
encode = msgspec.msgpack.Encoder().encode


class Trace:
    """Watches a plugin in the kernel."""

    def __init__(self, plugin: Plugin) -> None:
        self._plugin = plugin
        self._homes = {name: _home(hook) for name, (hook, _) in plugin.hooks.items()}
        self._calls: list[Called] = []
        self._dropped = plugin.dropped
        plugin.watch = self._take

    def _take(self, call: Call) -> None:
        if len(self._calls) >= CALLS_MAX:
            return
        kinds = Counter(map(label, call.proposals)).most_common(KINDS_MAX)
        error = ""
        if call.error is not None:
            error = f"{call.error!r}"[:TEXT_MAX] + line_of(call.error, self._homes[call.hook])
        self._calls.append(Called(call.hook, given(call.arguments), call.us, dict(kinds), error))

    def step(self, now: Now, outputs: Outputs) -> bytes | None:
        """What is to be told of a step; None where the plugin was not called."""
        refused = [what[:TEXT_MAX] for what, _ in refusals(self._plugin.name, outputs)][:REFUSED_MAX]
        if dropped := self._plugin.dropped - self._dropped:
            refused.append(f"{dropped:,} proposals were dropped: at most {PROPOSALS_MAX:,} a step are taken")
            self._dropped = self._plugin.dropped
        calls, self._calls = self._calls, []
        return encode(Traced(now.utc, now.step, calls, refused)) if calls or refused else None


def _home(hook: Callable[..., Any]) -> str:
    module = sys.modules.get(hook.__module__)
    return str(Path(getattr(module, "__file__", None) or "?").parent)


def refusals(plugin: str, outputs: Outputs) -> Iterator[tuple[str, str]]:
    """What a step refused of a plugin, each as a sentence and, where it was the gate, the refusal's code."""
    for fault in outputs.faults:
        whose, _, what = fault.partition(": ")
        if whose == f"plugin {plugin}" and " raised " not in what:
            yield what, ""
        elif fault.startswith("event ") and f" what {plugin} reads" in fault:
            yield fault, ""
    for event in outputs.events:
        if event.kind == "post.command.ended" and event.data.by == plugin and event.data.state == "refused":
            yield f"{event.data.verb} was refused by the gate: {event.data.reason}", event.data.reason


def line_of(error: BaseException, home: str) -> str:
    """`` at FILE:LINE`` of the last frame in a plugin's own folder; empty where there is none."""
    frames = [each for each in traceback.extract_tb(error.__traceback__) if each.filename.startswith(home)]
    return f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


def given(arguments: Mapping[str, Any]) -> str:
    """What a hook was handed, in short."""
    if (batch := arguments.get("batch")) is not None:
        return ", ".join(_columns(batch))
    if (events := arguments.get("events")) is not None:
        kinds = Counter(event.kind for event in events)
        return ", ".join(f"{kind} ×{n}" for kind, n in kinds.most_common(3))
    return str(arguments.get("name", ""))


def _columns(batch: Batch) -> Iterator[str]:
    for name, number in batch.metrics.items():
        value = batch.value[batch.metric == number]
        if len(value):
            yield f"{name} ×{len(value)} ({np.min(value):g} to {np.max(value):g})"


def label(proposal: proposals.Proposal) -> str:
    """A proposal in two words: what kind, and of which name."""
    match proposal:
        case proposals.Command() | proposals.Release():
            name = proposal.verb
        case proposals.Emit():
            name = proposal.kind
        case proposals.Raise() | proposals.Clear():
            name = proposal.code
        case proposals.Publish():
            name = proposal.view
        case proposals.Serves() | proposals.Clock():
            name = proposal.state
    return f"{type(proposal).__name__} {name}"[:80]
