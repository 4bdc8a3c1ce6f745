"""Which jobs are done in one visit, and which are not."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.coordination import sites
from plugins.coordination.sites import NEAR_M, NO_END, VISIT_MAX_S, Job, Site, Sites, fits, merged

HOUR = 3600 * 1_000_000
ALL = frozenset({"lamp", "road", "green"})


def job(key: str, x: float = 0.0, **given: object) -> Job:
    fields = {"key": key, "x": x, "y": 0.0, "skills": ("lamp",), "duration_s": 1200} | given
    return Job(**fields)


def site(*jobs: Job) -> Site:
    return Site(key=jobs[0].key, jobs=jobs, setup_s=600)


def test_two_trades_at_one_place_are_one_visit() -> None:
    (both,) = merged([job("a"), job("b", 40.0, skills=("road",))], 600, [ALL])
    assert both.skills == {"lamp", "road"}
    assert both.service_s == 600 + 1200 + 1200


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (job("b", NEAR_M + 1), "too far"),
        (job("b", skills=("road", "crane")), "no team has both"),
        (job("b", duration_s=VISIT_MAX_S), "too long"),
        (job("b", crews=2), "needs two teams"),
        (job("b", earliest=2 * HOUR), "begins much later"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_would_not_fit_stays_a_visit_of_its_own(other: Job, why: str) -> None:
    assert len(merged([job("a"), other], 600, [ALL])) == 2, why


def test_an_urgent_job_waits_for_nobody() -> None:
    later = job("b", earliest=HOUR // 2)
    assert len(merged([job("a"), later], 600, [ALL])) == 1
    assert len(merged([job("a", priority=1), later], 600, [ALL])) == 2


def test_no_job_comes_too_late_for_the_sake_of_another() -> None:
    soon = job("a", latest=HOUR)
    both = merged([soon, job("b", duration_s=3000, latest=HOUR)], 600, [ALL])
    assert len(both) == 2, "one after the other, the second would be late"
    assert len(merged([soon, job("b", duration_s=3000)], 600, [ALL])) == 1, "the one that is due goes first"


def test_one_that_is_late_already_is_not_kept_apart() -> None:
    late = job("a", latest=600 * 1_000_000)
    assert len(merged([late, job("b")], 600, [ALL])) == 1


def test_a_site_is_in_time_when_each_of_its_jobs_is() -> None:
    both = site(job("a", latest=2 * HOUR)).with_job(job("b", duration_s=1800, latest=3 * HOUR))
    assert [each.key for each in both.jobs] == ["a", "b"]
    assert both.latest == min(2 * HOUR - 1800 * 1_000_000, 3 * HOUR - 3600 * 1_000_000)
    assert site(job("a")).latest == NO_END - 1800 * 1_000_000


def test_a_job_that_is_taken_back_leaves_the_others() -> None:
    both = site(job("a"), job("b"))
    left = both.without("a")
    assert left is not None
    assert [each.key for each in left.jobs] == ["b"]
    assert left.without("b") is None


JOBS = st.builds(
    Job,
    key=st.uuids().map(str),
    x=st.floats(0, 300),
    y=st.floats(0, 300),
    skills=st.lists(st.sampled_from(sorted(ALL)), max_size=2, unique=True).map(tuple),
    duration_s=st.integers(60, 9000),
    priority=st.integers(1, 3),
    crews=st.sampled_from([1, 1, 1, 2]),
    earliest=st.sampled_from([0, HOUR]),
    latest=st.sampled_from([NO_END, 2 * HOUR, 8 * HOUR]),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(JOBS, max_size=20, unique_by=lambda each: each.key))
def test_every_job_is_in_one_site_and_every_site_can_be_done(jobs: list[Job]) -> None:
    teams = [frozenset({"lamp", "road"}), frozenset({"green"})]
    found = merged(jobs, 600, teams)
    assert sorted(each.key for one in found for each in one.jobs) == sorted(each.key for each in jobs)
    for one in found:
        if len(one.jobs) > 1:
            assert any(one.skills <= skills for skills in teams)
            assert one.service_s <= VISIT_MAX_S
            assert all(
                math.dist((a.x, a.y), (b.x, b.y)) <= NEAR_M for a, b in itertools.combinations(one.jobs, 2)
            )


@settings(max_examples=50, deadline=None)
@given(st.lists(JOBS, max_size=12, unique_by=lambda each: each.key))
def test_sites_that_are_taken_up_again_go_on_as_they_were(jobs: list[Job]) -> None:
    straight, again = Sites(600, [ALL]), Sites(600, [ALL])
    for each in jobs:
        straight.add(each)
        again = Sites(600, [ALL], again.sites)
        again.add(each)
    assert straight.sites == again.sites


def test_a_grid_of_cells_misses_no_neighbour(monkeypatch: pytest.MonkeyPatch) -> None:
    corner = job("a", NEAR_M - 0.1)
    assert fits(site(corner), job("b", NEAR_M + 0.1), [ALL])
    assert len(merged([corner, job("b", NEAR_M + 0.1)], 600, [ALL])) == 1
    monkeypatch.setattr(sites, "NEAR_M", 0.1)
    assert len(merged([corner, job("b", NEAR_M + 0.1)], 600, [ALL])) == 2
