"""The trace of a plugin: what its author is told of each call, and how much at most."""

from __future__ import annotations

from types import ModuleType

import msgspec
import numpy as np
import pytest

from core import plugins, trace
from core.clock import Now
from core.trace import CALLS_MAX, KINDS_MAX, REFUSED_MAX, TEXT_MAX, Trace, Traced
from ondijon import Clear, Command, Declaration, Emit, Publish, Raise, Text, hookimpl
from ondijon.testing import City, Post


class Row(msgspec.Struct):
    seen: float = 0.0


def traced(post: Post, watched: Trace) -> Traced | None:
    outputs = post.step()
    told = watched.step(Now(post.mono // 50_000, post.utc, post.mono), outputs)
    return None if told is None else trace.decode(told)


def test_a_call_is_told_with_what_it_was_given_and_proposed(make_trial) -> None:
    post = Post(City.small(), [make_trial()])
    watched = Trace(post.plugins[0])
    first = traced(post, watched)
    assert first is not None
    assert [(call.hook, call.given) for call in first.calls] == [("on_tick", "beat")]
    assert traced(post, watched) is None, "of a step without a call nothing is told"
    post.samples(["S0001", "S0002"], "presence_sensor.presence", [1, 4])
    second = traced(post, watched)
    assert second is not None
    (call,) = second.calls
    assert (call.hook, call.given) == ("on_batch", "presence_sensor.presence ×2 (1 to 4)")
    proposed = {"Command lamp.dim": 1, "Emit trial.seen": 1, "Publish trial.row": 1, "Clear crowd": 1}
    assert call.proposed == proposed
    assert call.us > 0
    third = traced(post, watched)
    assert third is not None
    assert third.calls[0].given == "trial.seen ×1"


def test_what_raises_is_told_with_its_line(make_trial) -> None:
    module = make_trial()
    module.on_tick = hookimpl(lambda: 1 / 0)
    post = Post(City.small(), [module])
    told = traced(post, Trace(post.plugins[0]))
    assert told is not None
    line = told.calls[0].error
    assert line.startswith("ZeroDivisionError('division by zero') at test_trace.py:")
    assert told.refused == []


def test_what_is_refused_is_told_with_its_reason(make_trial) -> None:
    module = make_trial()
    targets = np.array([3], np.uint32)
    module.on_tick = hookimpl(
        lambda: [
            Raise(asset=10_000, code="crowd"),
            Command(verb="lamp.kill", targets=targets, values=np.ones(1), lease_s=1, reason="x"),
        ]
    )
    post = Post(City.small(), [module, make_other()])
    told = traced(post, Trace(post.plugins[0]))
    assert told is not None
    assert "Raise refused: PluginError('asset 10000 is not in the register.')." in told.refused
    assert "lamp.kill was refused by the gate: needs_two_persons" in told.refused
    assert len(told.refused) == 2, "another plugin's are none of its own"


def make_other():
    """A plugin whose proposals are refused too."""
    module = ModuleType("other")
    declaration = Declaration(
        name="other", text=Text("autre", "other"), config=Row, state=Row, ticks={"beat": 1.0}
    )
    module.declare = hookimpl(lambda: declaration)
    module.start = hookimpl(lambda: Row(0.0))
    module.on_tick = hookimpl(lambda: [Publish(view="none", key="x", row=None)])
    return module


def test_what_is_dropped_is_told_once(make_trial) -> None:
    module = make_trial()
    module.on_tick = hookimpl(lambda: [Clear(asset=3, code="crowd")] * 1200)
    post = Post(City.small(), [module])
    watched = Trace(post.plugins[0])
    told = traced(post, watched)
    assert told is not None
    assert told.calls[0].proposed == {"Clear crowd": 1000}
    assert told.refused == ["200 proposals were dropped: at most 1,000 a step are taken"]
    assert traced(post, watched) is None


def test_what_is_told_of_a_step_is_bounded(make_trial) -> None:
    (plugin,) = plugins.load(["trial"], modules={"trial": make_trial()})
    watched = Trace(plugin)
    many = [Emit(kind=f"trial.kind.n{i}", data=Row(1.0)) for i in range(1000)]
    for _ in range(CALLS_MAX + 10):
        plugin.watch(plugins.Call("on_tick", {"name": "beat"}, 1.0, many, ValueError("x" * 10_000)))
    outputs = Post(City.small(), []).step()
    outputs.faults = [f"plugin trial: Emit refused: {i} {'x' * 1000}" for i in range(100)]
    data = watched.step(Now(1, 0, 0), outputs)
    assert data is not None
    told = trace.decode(data)
    assert len(told.calls) == CALLS_MAX
    assert len(told.calls[0].proposed) == KINDS_MAX
    assert len(told.calls[0].error) == TEXT_MAX
    assert (len(told.refused), len(told.refused[0])) == (REFUSED_MAX, TEXT_MAX)
    assert watched.step(Now(2, 0, 0), Post(City.small(), []).step()) is None


@pytest.mark.parametrize(
    ("proposal", "label"),
    [
        (Clear(asset=0, code="crowd"), "Clear crowd"),
        (Publish(view="trial.row", key="x", row=None), "Publish trial.row"),
        (Emit(kind="trial.seen", data=Row(1.0)), "Emit trial.seen"),
    ],
)
def test_a_proposal_in_two_words(proposal, label: str) -> None:
    assert trace.label(proposal) == label
