"""Programmes as the post follows them: levels, floors, events."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ondijon.testing import Post

MakePost = Callable[..., Post]

TWO = [
    {"rules": [{"start": "22:00", "end": "05:00", "level_pct": 70}]},
    {"communes": ["Voisine"], "rules": [{"start": "23:00", "end": "05:00", "level_pct": 20}]},
]


def base(post: Post) -> np.ndarray:
    return post.plugins[0].state.schedule.base_pct


def test_each_commune_has_its_calendar_and_no_street_goes_below_its_class(make_post: MakePost) -> None:
    post = make_post(calendars=TWO)
    assert base(post)[:20].tolist() == [70] * 20
    assert base(post)[20:].tolist() == [40] * 10, "P3 may be dimmed to P5, not to 20 %"


def test_a_change_is_an_event_and_moves_only_its_communes(make_post: MakePost) -> None:
    post = make_post(calendars=TWO, start="2026-01-15T22:59:50+01:00")
    assert base(post)[20:].tolist() == [100] * 10
    post.run(20)
    assert base(post)[20:].tolist() == [40] * 10
    said = [event.data for event in post.events_of("lighting.calendar.changed")]
    assert [(each.communes, each.level_pct) for each in said] == [
        (["Petite-Ville"], 70),
        (["Voisine"], 100),
        (["Voisine"], 20),
    ]
    assert post.orders == [], "programmes are in the devices: nothing is sent"


def test_dusk_and_dawn(make_post: MakePost) -> None:
    post = make_post(start="2026-01-15T16:00:00+01:00")
    assert base(post).tolist() == [0] * 30
    post.jump(3600 * 2.5)
    post.run(1)
    assert base(post).tolist() == [100] * 30
    assert post.views["lighting.summary"]["city"].dusk_utc < post.utc
