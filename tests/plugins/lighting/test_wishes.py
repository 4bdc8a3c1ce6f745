"""Light that other trades want: more of it, for a while, and never less."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ondijon import requests
from ondijon.testing import Post

MakePost = Callable[..., Post]


def wants(post: Post, level_pct: float = 100, radius_m: float = 50, seconds: float = 60, **place) -> None:
    data = requests.LightWanted(level_pct=level_pct, radius_m=radius_m, seconds=seconds)
    post.event("post.light.wanted", data, **(place or {"asset": "L0015"}))
    post.run(0.1)


def answers(post: Post) -> list[tuple[str, tuple[str, ...]]]:
    return [(event.data.answer, event.data.by) for event in post.events_of("post.request.answered")]


def levels(post: Post) -> list[int]:
    return (post.plugins[0].state.people.level // 256).tolist()


def test_the_lamps_around_are_raised_and_fall_back_afterwards(post: Post) -> None:
    wants(post)
    assert answers(post) == [("taken", ("L0015", "L0014", "L0016"))]
    post.run(5)
    assert levels(post)[12:17] == [70, 100, 100, 100, 70]
    assert post.commanded("L0015") == [100.0]
    post.run(54)
    assert levels(post)[14] == 100
    post.run(100)
    assert levels(post) == [70] * 30
    assert post.plugins[0].state.wishes == {}


def test_it_is_never_darker_for_a_wish(post: Post) -> None:
    wants(post, level_pct=20)
    post.run(30)
    assert levels(post) == [70] * 30


def test_two_wishes_are_both_fulfilled(post: Post) -> None:
    wants(post, level_pct=80, seconds=300)
    wants(post, level_pct=100, seconds=30, radius_m=5)
    post.run(10)
    assert levels(post)[13:16] == [80, 100, 80]


def test_by_day_it_waits_for_the_night(make_post: MakePost) -> None:
    post = make_post(start="2026-01-15T12:00:00+01:00")
    wants(post)
    post.run(30)
    assert answers(post)[0][0] == "taken"
    assert post.orders == []


@pytest.mark.parametrize(
    "place", [{"lon": 6.0, "lat": 47.0}, {"asset": None}], ids=["far from any lamp", "nowhere"]
)
def test_what_cannot_be_is_refused(post: Post, place: dict) -> None:
    wants(post, **place)
    assert answers(post) == [("refused", ())]


def test_there_is_an_end_to_wishes(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plugins.lighting.wishes.WISHES_MAX", 1)
    wants(post)
    wants(post)
    assert [answer for answer, _ in answers(post)] == ["taken", "refused"]


def test_a_wish_outlives_a_restart(post: Post) -> None:
    wants(post, seconds=600)
    post.save()
    post.crash()
    post.run(20)
    assert levels(post)[14] == 100
