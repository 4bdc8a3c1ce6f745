"""The trade in a post of its own: the real kernel, with a fake clock, disk and wire."""

import pytest
from ondijon_crowds import hooks, vocabulary

from ondijon.testing import City, Post


@pytest.fixture
def post():
    # reload: every state is stored and restored after each step, and must come back the same.
    post = Post(
        City.small(), ["lighting", hooks], config={"crowds": {"limit": 10, "half_life_s": 20}}, reload=True
    )
    post.step()  # in the first step every period is due
    return post


def seen(post, people, seconds=5):
    post.sample("S0001", "presence_sensor.alive", 1)
    post.sample("S0001", "presence_sensor.presence", people)
    post.run(seconds)


def test_a_crowd_is_an_alarm_and_an_event(post):
    seen(post, 14)
    assert post.alarms["S0001", "crowds_full"].state == "unacked_active"
    assert post.events_of("crowds.place.filled")[0].data == vocabulary.Filled("Petite-Ville", places=1)


def test_a_few_people_are_none(post):
    seen(post, 9)
    assert ("S0001", "crowds_full") not in post.alarms


def test_it_is_over_when_half_of_them_have_gone(post):
    seen(post, 14, seconds=20)
    assert post.events_of("crowds.place.emptied") == []
    post.run(20)
    assert post.events_of("crowds.place.emptied")[0].data.places == 1
    assert post.alarms["S0001", "crowds_full"].state == "returned_unacked"


def test_a_silent_sensor_is_not_nobody(post):
    assert post.views["crowds.communes"]["Petite-Ville"].people is None
    seen(post, 8)
    assert 6 < post.views["crowds.communes"]["Petite-Ville"].people < 8
    post.jump(seconds=300)
    post.run(5)
    assert post.views["crowds.communes"]["Petite-Ville"].people is None
