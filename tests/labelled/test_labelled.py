"""The labelled sets are what they say they are, and the scores agree with counting by hand."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.labelled import baseline, score
from tests.labelled.city import distance_m, metres
from tests.labelled.incidents import (
    CATEGORIES,
    SPAN_S,
    TOPICS,
    Incident,
    Sign,
    feeder_storm,
    incident_set,
    signs,
    supply,
)
from tests.labelled.requests import CATEGORIES as REQUESTS
from tests.labelled.requests import Problem, Report, reports
from tests.labelled.stories import NOISE, STORIES

Set = tuple[list[Sign], list[Incident]]
Requests = tuple[list[Report], list[Problem]]

SEEDS = (1, 2, 3)


@pytest.fixture(scope="module", params=SEEDS)
def evening(request: pytest.FixtureRequest) -> Set:
    return incident_set(request.param)


@pytest.fixture(scope="module", params=SEEDS)
def fortnight(request: pytest.FixtureRequest) -> Requests:
    return reports(request.param)


def apart_m(a: Incident | Problem, b: Incident | Problem) -> float:
    return float(distance_m(metres((a.lon, a.lat)), metres((b.lon, b.lat))))


# --- incidents ---


def test_the_counts_are_exact(evening: Set) -> None:
    said, incidents = evening
    assert len(said) == 10_000
    assert sum(sign.truth < 0 for sign in said) == 3_000
    assert {sign.truth for sign in said} == set(range(-1, 40))
    assert [incident.number for incident in incidents] == list(range(40))


@pytest.mark.parametrize(
    ("events", "incidents", "noise"),
    [(600, 40, 0.3), (3, 1, 0.0), (50, 1, 0.9), (2_000, 7, 0.0), (60_000, 300, 0.6)],
)
def test_any_size_is_exact(events: int, incidents: int, noise: float) -> None:
    said = signs(4, events, incidents, noise)
    assert len(said) == events
    assert sum(sign.truth < 0 for sign in said) == round(noise * events)
    assert {sign.truth for sign in said} - {-1} == set(range(incidents))


def test_too_few_signs_are_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        signs(1, events=100, incidents=40)


def test_one_seed_one_set() -> None:
    assert signs(5) == signs(5)
    assert signs(5) != signs(6)
    assert feeder_storm(5, lamps=500) == feeder_storm(5, lamps=500)
    assert reports(5, problems=200) == reports(5, problems=200)


def test_signs_are_by_time_within_the_city(evening: Set) -> None:
    said, _ = evening
    at = [sign.at_s for sign in said]
    assert at == sorted(at)
    assert at[0] >= 0
    assert at[-1] <= SPAN_S
    xy = np.abs(metres([(sign.lon, sign.lat) for sign in said]))
    assert xy[:, 0].max() < 10_500
    assert xy[:, 1].max() < 6_500


def test_topics_and_categories_are_the_listed_ones(evening: Set) -> None:
    said, _ = evening
    assert {sign.topic for sign in said} <= set(TOPICS)
    assert {sign.category for sign in said} <= {"", *CATEGORIES}
    spoken = {e.topic for story in STORIES.values() for e in story.says} | {u.topic for u in NOISE}
    assert spoken == set(TOPICS)


def test_each_incident_has_several_topics_of_several_trades(evening: Set) -> None:
    said, incidents = evening
    topics: dict[int, set[str]] = defaultdict(set)
    for sign in said:
        topics[sign.truth].add(sign.topic)
    assert {incident.story for incident in incidents} == set(STORIES)
    for incident in incidents:
        trades = {topic.split(".")[0] for topic in topics[incident.number]}
        assert len(trades) >= 2
        assert len(topics[incident.number]) >= 3


def test_sizes_are_heavy_tailed(evening: Set) -> None:
    said, incidents = evening
    sizes = Counter(sign.truth for sign in said)
    dark = [sizes[i.number] for i in incidents if i.story == "feeder_down"]
    child = [sizes[i.number] for i in incidents if i.story == "lost_child"]
    assert min(dark) > 150
    assert max(dark) > 800
    assert max(child) < 40
    assert np.median([sizes[i.number] for i in incidents]) < 80


def test_no_sign_comes_before_its_incident_nor_long_after(evening: Set) -> None:
    said, incidents = evening
    after = [sign.at_s - incidents[sign.truth].at_s for sign in said if sign.truth >= 0]
    assert min(after) >= -0.001
    assert max(after) <= 5_400.001
    late = [
        sign.at_s - incidents[sign.truth].at_s > 300
        for sign in said
        if sign.truth >= 0 and sign.topic in ("police.call", "citizens.report")
    ]
    assert 0.3 < np.mean(late) < 0.9


def test_callers_are_sometimes_wrong_or_say_nothing(evening: Set) -> None:
    said, incidents = evening
    calls = [
        s
        for s in said
        if s.truth >= 0 and s.topic in ("police.call", "emergency.call_112", "citizens.report")
    ]
    right = [s.category == STORIES[incidents[s.truth].story].category for s in calls]
    assert 0.68 < np.mean(right) < 0.82
    assert 0.1 < np.mean([s.category == "" for s in calls]) < 0.2


def test_overlaps_of_different_causes_exist(evening: Set) -> None:
    _, incidents = evening
    pairs = [
        (a.story, b.story)
        for a, b in combinations(incidents, 2)
        if a.story != b.story and apart_m(a, b) < 300 and abs(a.at_s - b.at_s) < 600
    ]
    assert len(pairs) >= 8
    assert any("feeder_down" in pair for pair in pairs)


def test_twins_and_repetitions_exist(evening: Set) -> None:
    _, incidents = evening
    same = [(a, b) for a, b in combinations(incidents, 2) if a.story == b.story]
    twins = [(a, b) for a, b in same if apart_m(a, b) > 2_000 and abs(a.at_s - b.at_s) < 600]
    again = [(a, b) for a, b in same if apart_m(a, b) < 60 and abs(a.at_s - b.at_s) > 5_400]
    assert len(twins) >= 3
    assert len(again) >= 2


def test_noise_lies_where_the_incidents_are_and_everywhere(evening: Set) -> None:
    said, incidents = evening
    noise = metres([(sign.lon, sign.lat) for sign in said if sign.truth < 0])
    spots = metres([(incident.lon, incident.lat) for incident in incidents])
    nearest = distance_m(noise[:, None], spots[None]).min(axis=1)
    assert 0.15 < (nearest < 300).mean() < 0.6
    assert (nearest > 1_000).mean() > 0.15
    assert (distance_m(noise, np.zeros(2)) < 2_500).mean() > 0.3


def test_what_lies_behind_is_in_the_register() -> None:
    register = supply(1)
    for sign in signs(1):
        if sign.asset in register:
            assert register[sign.asset] == sign.behind
    assert sum(sign.asset in register for sign in signs(1)) > 5_000


def test_a_feeder_takes_down_its_own_cabinets_only(evening: Set) -> None:
    said, incidents = evening
    for incident in incidents:
        if incident.story == "feeder_down":
            own = [sign for sign in said if sign.truth == incident.number]
            assert len({sign.behind for sign in own if sign.topic == "lighting.cabinet_fault"}) == 1


def test_the_storm_is_one_failure() -> None:
    storm = feeder_storm(1)
    lamps = [sign for sign in storm if sign.topic == "lighting.lamp_silent"]
    assert len(lamps) == len({sign.asset for sign in lamps}) == 34_000
    assert len(storm) == 34_020
    assert max(sign.at_s for sign in lamps) <= 10
    assert {sign.truth for sign in storm} == {0}
    calls = [sign.at_s for sign in storm if not sign.asset]
    assert len(calls) == 20
    assert max(calls) <= 900
    register = supply(1)
    cabinets = {sign.behind for sign in lamps}
    assert 550 < len(cabinets) < 650
    assert {register[register[cabinet]] for cabinet in cabinets} == {"substation/1"}


def test_sets_are_made_fast() -> None:
    begin = time.process_time()
    signs(9)
    feeder_storm(9)
    assert time.process_time() - begin < 4


# --- requests ---


def test_reports_are_by_time_and_of_real_problems(fortnight: Requests) -> None:
    told, problems = fortnight
    assert [problem.number for problem in problems] == list(range(2_000))
    assert {report.truth for report in told} == set(range(2_000))
    assert [report.at_s for report in told] == sorted(report.at_s for report in told)
    for report in told:
        assert problems[report.truth].opened_s - 0.1 <= report.at_s <= problems[report.truth].fixed_s + 0.1
    assert max(report.at_s for report in told) <= 14 * 86_400
    assert {report.category for report in told} == set(REQUESTS)
    assert len(REQUESTS) == 20


def test_three_of_ten_problems_are_reported_again(fortnight: Requests) -> None:
    told, _ = fortnight
    often = np.array(list(Counter(report.truth for report in told).values()))
    assert 0.26 < (often > 1).mean() < 0.34
    assert often.max() in (11, 12)
    assert (often == 2).sum() > 3 * (often == 5).sum()


def test_one_category_of_twenty_is_wrong(fortnight: Requests) -> None:
    told, problems = fortnight
    wrong = np.mean([report.category != problems[report.truth].category for report in told])
    assert 0.03 < wrong < 0.07


def test_places_are_a_little_or_a_street_off(fortnight: Requests) -> None:
    told, problems = fortnight
    at = metres([(report.lon, report.lat) for report in told])
    real = metres([(problems[report.truth].lon, problems[report.truth].lat) for report in told])
    off = distance_m(at, real)[[not report.asset for report in told]]
    assert 0.85 < (off <= 41).mean() < 0.98
    assert 100 < np.quantile(off, 0.995) <= 151


def test_different_problems_of_a_category_lie_close_and_open_together(fortnight: Requests) -> None:
    _, problems = fortnight
    by_category: dict[str, list[Problem]] = defaultdict(list)
    for problem in problems:
        by_category[problem.category].append(problem)
    close = {
        p.number
        for alike in by_category.values()
        for a, b in combinations(alike, 2)
        if a.opened_s < b.fixed_s and b.opened_s < a.fixed_s and 14 < apart_m(a, b) < 121
        for p in (a, b)
    }
    assert 0.3 < len(close) / len(problems) < 0.7


def test_a_problem_that_comes_again_is_a_new_one(fortnight: Requests) -> None:
    _, problems = fortnight
    again = [problem for problem in problems if problem.again_of >= 0]
    assert 100 < len(again) < 260
    for problem in again:
        first = problems[problem.again_of]
        assert first.fixed_s < problem.opened_s
        assert (first.lon, first.lat, first.asset) == (problem.lon, problem.lat, problem.asset)


def test_one_thing_has_one_open_problem(fortnight: Requests) -> None:
    _, problems = fortnight
    by_asset: dict[str, list[Problem]] = defaultdict(list)
    for problem in problems:
        if problem.asset:
            by_asset[problem.asset].append(problem)
    for same in by_asset.values():
        assert all(a.fixed_s < b.opened_s or b.fixed_s < a.opened_s for a, b in combinations(same, 2))


def test_numbers_are_often_given_and_seldom_wrong(fortnight: Requests) -> None:
    told, problems = fortnight
    lamps = [report for report in told if problems[report.truth].category == "lamp_out"]
    given_number = [report for report in lamps if report.asset]
    assert 0.5 < len(given_number) / len(lamps) < 0.7
    assert np.mean([report.asset == problems[report.truth].asset for report in given_number]) > 0.92


def test_words_are_short_and_differ(fortnight: Requests) -> None:
    told, _ = fortnight
    assert all(5 < len(report.words) < 180 for report in told)
    assert len({report.words for report in told}) > 0.9 * len(told)


# --- scores ---

LABELS = st.integers(0, 40).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(-1, 5), min_size=n, max_size=n) for _ in range(2)])
)


def alike(labels: list[int], i: int, j: int) -> bool:
    return i == j or (labels[i] >= 0 and labels[i] == labels[j])


@given(LABELS)
def test_pairwise_counts_pairs(labels: tuple[list[int], list[int]]) -> None:
    truth, found = labels
    pairs = list(combinations(range(len(truth)), 2))
    real = {pair for pair in pairs if alike(truth, *pair)}
    said = {pair for pair in pairs if alike(found, *pair)}
    got = score.pairwise(truth, found)
    assert got.precision == pytest.approx(len(real & said) / len(said) if said else 1.0)
    assert got.recall == pytest.approx(len(real & said) / len(real) if real else 1.0)


def share(labels: list[int], other: list[int], i: int) -> float:
    """Of the items alike to `i` by `labels`, the share that is alike to it by `other` as well."""
    mine = [j for j in range(len(labels)) if alike(labels, i, j)]
    return sum(alike(other, i, j) for j in mine) / len(mine)


@given(LABELS)
def test_bcubed_averages_the_items(labels: tuple[list[int], list[int]]) -> None:
    truth, found = labels
    got = score.bcubed(truth, found)
    items = range(len(truth))
    assert got.precision == pytest.approx(np.mean([share(found, truth, i) for i in items]) if truth else 1.0)
    assert got.recall == pytest.approx(np.mean([share(truth, found, i) for i in items]) if truth else 1.0)


@given(LABELS)
def test_per_incident_averages_the_items_of_each(labels: tuple[list[int], list[int]]) -> None:
    truth, found = labels
    got = score.per_incident(truth, found)
    assert set(got) == set(truth) - {-1}
    for number, figures in got.items():
        own = [i for i in range(len(truth)) if truth[i] == number]
        assert figures.precision == pytest.approx(np.mean([share(found, truth, i) for i in own]))
        assert figures.recall == pytest.approx(np.mean([share(truth, found, i) for i in own]))


@given(st.lists(st.tuples(st.integers(-1, 6), st.integers(-1, 40)), max_size=40))
def test_links_are_counted_one_by_one(rows: list[tuple[int, int]]) -> None:
    truth = [label for label, _ in rows]
    said = [to if to < i else -1 for i, (_, to) in enumerate(rows)]
    right = sum(to >= 0 and truth[i] == truth[to] >= 0 for i, to in enumerate(said))
    linked = sum(to >= 0 for to in said)
    due = sum(label >= 0 and label in truth[:i] for i, label in enumerate(truth))
    got = score.links(truth, said)
    assert got.precision == pytest.approx(right / linked if linked else 1.0)
    assert got.recall == pytest.approx(right / due if due else 1.0)


def test_scores_at_their_ends() -> None:
    truth = [0, 0, 1, 1, -1]
    assert score.bcubed(truth, truth) == score.pairwise(truth, truth) == score.Score(1.0, 1.0)
    assert score.pairwise(truth, [-1] * 5) == score.Score(1.0, 0.0)
    assert score.Score(0.0, 0.0).f1 == 0
    assert score.Score(0.5, 1.0).f1 == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: score.pairwise([0], [0, 1]),
        lambda: score.bcubed([-2], [0]),
        lambda: score.links([0, 0], [-1, 1]),
        lambda: score.links([0, 0], [-1]),
    ],
)
def test_senseless_labels_are_refused(wrong: Callable[[], score.Score]) -> None:
    with pytest.raises(ValueError):
        wrong()


# --- baselines ---


def test_near_in_time_links_to_the_newest_near_sign() -> None:
    said = signs(2, events=700, incidents=12)
    xy = metres([(sign.lon, sign.lat) for sign in said])
    label = np.arange(len(said))
    for i, sign in enumerate(said):
        for j in range(i - 1, -1, -1):
            if sign.at_s - said[j].at_s <= 600 and distance_m(xy[i], xy[j]) <= 200:
                label[i] = label[j]
                break
    assert score.pairwise(label, baseline.near_in_time(said)) == score.Score(1.0, 1.0)


def test_same_category_near_takes_the_nearest_earlier_one() -> None:
    told, _ = reports(2, problems=150)
    said = baseline.same_category_near(told, metres=80, days=3)
    xy = metres([(report.lon, report.lat) for report in told])
    for i, report in enumerate(told):
        near = [
            (float(distance_m(xy[i], xy[j])), j)
            for j in range(i)
            if told[j].category == report.category and report.at_s - told[j].at_s <= 3 * 86_400
        ]
        best = min(near, default=(np.inf, -1))
        assert said[i] == (best[1] if best[0] <= 80 else -1)


def test_the_naive_rule_for_incidents_is_neither_useless_nor_good(evening: Set) -> None:
    said, _ = evening
    begin = time.process_time()
    found = baseline.near_in_time(said)
    assert time.process_time() - begin < 3
    truth = [sign.truth for sign in said]
    assert 0.5 < score.bcubed(truth, found).f1 < 0.85
    assert 0.1 < score.pairwise(truth, found).f1 < 0.8


def test_who_knows_the_incidents_does_better_but_not_all(evening: Set) -> None:
    said, incidents = evening
    truth = [sign.truth for sign in said]
    knows = score.bcubed(truth, baseline.knowing_the_incidents(said, incidents)).f1
    assert score.bcubed(truth, baseline.near_in_time(said)).f1 < knows < 0.99


def test_the_naive_rule_for_reports_is_neither_useless_nor_good(fortnight: Requests) -> None:
    told, _ = fortnight
    truth = [report.truth for report in told]
    said = baseline.same_category_near(told)
    figures = score.links(truth, said)
    assert 0.5 < figures.precision < 0.9
    assert 0.5 < figures.recall < 0.92
    assert score.pairwise(truth, baseline.clusters(said)).precision < 0.8
