"""The gate: what it lets through, and what it refuses with which code."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.clock import Now
from core.proposals import Command, Release
from ondijon.testing import City, Post

LAMP, CABINET, JUNCTION = 3, 0, 43
NOW = Now(1, 1_000_000, 50_000)


def check(post: Post, by: str = "trial", **changes):
    proposal = Command(
        **{
            "verb": "lamp.dim",
            "targets": np.array([LAMP]),
            "values": np.array([50.0]),
            "lease_s": 10.0,
            "reason": "",
        }
        | changes
    )
    return post.kernel.gate.check(proposal, by, NOW, "1-1")


@pytest.fixture
def post(make_trial) -> Post:
    return Post(City.small(), [make_trial()])


def test_a_good_command_is_checked(post: Post) -> None:
    command = check(post)
    assert command.state == "checked"
    assert command.deadline == NOW.utc + 10_000_000


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"verb": "lamp.toggle"}, "unknown_verb"),
        ({"by": "snow"}, "foreign_verb"),
        ({"verb": "lamp.kill"}, "needs_two_persons"),
        ({"lease_s": 0.0}, "lease"),
        ({"lease_s": 901.0}, "lease"),
        ({"lease_s": float("nan")}, "lease"),
        ({"deadline_s": 0.0}, "deadline"),
        ({"targets": np.array([], np.uint32), "values": np.array([])}, "targets"),
        ({"values": np.array([1.0, 2.0])}, "targets"),
        ({"targets": np.array([99_999])}, "unknown_asset"),
        ({"targets": np.array([CABINET])}, "kind"),
        ({"targets": np.array([JUNCTION])}, "kind"),
        ({"values": np.array([100.1])}, "value"),
        ({"values": np.array([np.nan])}, "value"),
    ],
)
def test_what_the_gate_refuses(post: Post, changes: dict, code: str) -> None:
    command = check(post, **changes)
    assert command.state == "refused"
    assert command.refusal.code == code
    assert command.refusal.what


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.integers(0, 60), max_size=5),
    st.lists(st.floats(-10, 110), max_size=5),
    st.floats(-1, 1000),
    st.sampled_from(["lamp.dim", "lamp.kill", "other"]),
    st.sampled_from(["trial", "other"]),
)
def test_nothing_unlawful_passes(make_trial, targets, values, lease_s, verb, by) -> None:
    post = Post(City.small(), [make_trial()])
    command = check(
        post, by, verb=verb, targets=np.array(targets, np.uint32), values=np.array(values), lease_s=lease_s
    )
    lawful = (
        verb == "lamp.dim"
        and by == "trial"
        and 0 < len(targets) == len(values)
        and all(3 <= t < 33 for t in targets)
        and len(set(targets)) == len(targets)
        and all(0 <= v <= 100 for v in values)
        and 0 < lease_s <= 900
    )
    assert (command.state == "checked") == lawful


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, ""),
        ({"verb": "lamp.kill"}, ""),
        ({"verb": "lamp.toggle"}, "unknown_verb"),
        ({"deadline_s": 0.0}, "deadline"),
        ({"targets": np.array([CABINET])}, "kind"),
        ({"targets": np.array([], np.uint32)}, "targets"),
    ],
)
def test_a_release_needs_a_target_and_no_second_person(post: Post, changes, code: str) -> None:
    proposal = Release(**{"verb": "lamp.dim", "targets": np.array([LAMP]), "reason": ""} | changes)
    command = post.kernel.gate.check(proposal, "trial", NOW, "1-1")
    assert (command.refusal.code if command.refusal else "") == code
    assert command.lease_s == 0


def test_nobody_releases_anothers_verb(post: Post) -> None:
    proposal = Release(verb="lamp.dim", targets=np.array([LAMP]), reason="")
    assert post.kernel.gate.check(proposal, "snow", NOW, "1-1").refusal.code == "foreign_verb"
