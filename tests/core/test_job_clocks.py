"""Clocks of jobs: computed from the journal alone, over restarts, and from nothing else."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import job_clocks
from core.availability import Interval
from core.errors import PluginError
from core.job_clocks import ClockChanged, JobClocks
from ondijon import Clock


def test_a_clock_is_read_back_from_the_journal(scripted) -> None:
    script = [
        Clock(job="J-1", state="running"),
        Clock(job="J-1", state="running"),
        Clock(job="J-1", state="stopped", reason="parts are missing"),
    ]
    post = scripted(script)
    begin = post.utc
    post.run(3)
    post.save()
    post.jump(3600)
    post.crash()
    # After the restart: what is known changes nothing; it goes on, and ends.
    script += [
        Clock(job="J-1", state="stopped", reason="parts are missing"),
        Clock(job="J-2", state="running"),
        Clock(job="J-1", state="running"),
        Clock(job="J-1", state="ended"),
        Clock(job="J-1", state="ended"),
    ]
    again = post.utc
    post.run(6)
    records = [record for _, record in post.journal.read()]
    assert [record.kind for record in records].count("job") == 5
    first, stopped, on = job_clocks.intervals(records, "trial", "J-1")
    assert (first.begin, first.state) == (begin, "running")
    assert (stopped.state, stopped.reason) == ("stopped", "parts are missing")
    assert stopped.end == on.begin > again, "a post that is down stops no clock, and starts none"
    assert on.end > on.begin
    (other,) = job_clocks.intervals(records, "trial", "J-2")
    assert other.end == 0
    assert post.kernel.clocks.stored() == {"trial": {"J-2": "running"}}
    post.crash()
    assert post.kernel.clocks.stored() == {"trial": {"J-2": "running"}}
    assert post.faults == []


def test_what_makes_no_sense_is_refused(scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_clocks, "CLOCKS_MAX", 1)
    script = [
        Clock(job="J-1", state="paused"),
        Clock(job="", state="running"),
        Clock(job="J-1", state="running"),
        Clock(job="J-2", state="running"),
    ]
    post = scripted(script)
    post.run(5)
    assert ["no state 'paused'" in post.faults[0], "J-1" in str(post.kernel.clocks.stored())] == [True, True]
    assert "1 clocks of jobs have not ended" in post.faults[-1]
    assert len(post.faults) == 3


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(job_clocks.STATES)), max_size=40))
def test_intervals_are_what_a_stop_watch_says(changes) -> None:
    clocks, records, spent = JobClocks(), [], {"a": 0, "b": 0}
    now: dict[str, str] = {}
    for utc, (job, state) in enumerate(changes, 1):
        for each, going in now.items():
            spent[each] += going == "running"
        now[job] = state
        changed = ClockChanged("roads", job, state)
        if clocks.set(changed):
            records.append(job_clocks.record(1, utc, changed))
    for job in "ab":
        found = list(job_clocks.intervals(records, "roads", job))
        assert all(one.end <= two.begin for one, two in pairwise(found))
        ran = sum((each.end or len(changes)) - each.begin for each in found if each.state == "running")
        assert ran == spent[job]
    assert clocks.stored().get("roads", {}) == {job: state for job, state in now.items() if state != "ended"}


def test_a_trade_has_its_own_names() -> None:
    clocks = JobClocks()
    for by in ("roads", "snow"):
        assert clocks.set(ClockChanged(by, "1", "running"))
    assert clocks.set(ClockChanged("snow", "1", "ended"))
    assert clocks.stored() == {"roads": {"1": "running"}}
    with pytest.raises(PluginError, match="no state 'x'"):
        clocks.set(ClockChanged("roads", "1", "x"))
    record = job_clocks.record(1, 5, ClockChanged("roads", "1", "running"))
    assert list(job_clocks.intervals([record], "roads", "1")) == [Interval(5, 0, "running", "")]
