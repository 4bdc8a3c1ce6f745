"""What trades ask of one another: who may, who answers, and what becomes of what nobody answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import ModuleType

import msgspec
import pytest

from core import requests
from core.clock import SECOND, Now
from core.errors import WireError
from core.event import Event, Source
from core.field import FieldEvents
from core.requests import ANSWERED, EXPIRED, LATE, LightWanted, LookWanted, RequestAnswered, Requests
from core.wire import FieldEvent
from ondijon import Emit, hookimpl
from ondijon.testing import City, Post

LIGHT = LightWanted(level_pct=80, radius_m=60, seconds=900)
WANTED = "post.light.wanted"


class Asks:
    """A post whose trade proposes what the test puts into ``next``, once."""

    def __init__(self, make_trial: Callable[..., ModuleType], reload: bool = True) -> None:
        self.next: list[object] = []
        module = make_trial(ticks={"beat": 0.05})

        @hookimpl
        def on_tick() -> Iterable[object]:
            said, self.next = self.next, []
            return said

        module.on_tick = on_tick
        self.post = Post(City.small(), [module], reload=reload)

    def __call__(self, *proposals: object, seconds: float = 0.1) -> None:
        self.next = list(proposals)
        self.post.run(seconds)

    def expired(self) -> list[requests.RequestExpired]:
        return [event.data for event in self.post.events_of(EXPIRED)]

    def unanswered(self) -> bool:
        known = self.post.alarms.get(("", "request_unanswered"))
        return known is not None and known.state == "unacked_active"


@pytest.fixture
def asks(make_trial) -> Asks:
    return Asks(make_trial)


def test_a_request_names_who_asks_and_where(asks: Asks) -> None:
    place = asks.post.kernel.city.assets
    lon, lat = float(place.lon[0]), float(place.lat[0])
    asks(Emit(kind=WANTED, data=LIGHT, lon=lon, lat=lat))
    (wanted,) = asks.post.events_of(WANTED)
    assert (wanted.trade, wanted.lon, wanted.lat) == ("trial", lon, lat)
    assert wanted.communes == asks.post.kernel.city.communes_of(None, lon, lat) != ()
    assert list(asks.post.kernel.requests.open) == [wanted.seq]
    assert asks.post.faults == []


@pytest.mark.parametrize(
    ("kind", "data"),
    [(WANTED, LookWanted(radius_m=50)), (EXPIRED, requests.RequestExpired(request=1, kind=WANTED))],
    ids=["another kind's data", "the kernel's own kind"],
)
def test_a_trade_says_no_more_than_a_request_may(asks: Asks, kind: str, data: msgspec.Struct) -> None:
    asks(Emit(kind=kind, data=data))
    assert asks.post.events_of(kind) == []
    assert kind in asks.post.faults[0]


def test_an_answer_ends_it(asks: Asks) -> None:
    asks(Emit(kind=WANTED, data=LIGHT))
    (wanted,) = asks.post.events_of(WANTED)
    asks(Emit(kind=ANSWERED, data=RequestAnswered(request=wanted.seq, answer="taken", by=("L0001",))))
    asks.post.run(20)
    assert (asks.post.kernel.requests.open, asks.expired(), asks.unanswered()) == ({}, [], False)


def test_what_nobody_answers_is_told_once_and_is_an_alarm(asks: Asks) -> None:
    asks(Emit(kind=WANTED, data=LIGHT, asset=asks.post.kernel.city.assets.index["L0021"]))
    (wanted,) = asks.post.events_of(WANTED)
    asks.post.run(14)
    assert (asks.expired(), asks.unanswered()) == ([], False)
    asks.post.run(30)
    assert asks.expired() == [requests.RequestExpired(request=wanted.seq, kind=WANTED)]
    (told,) = asks.post.events_of(EXPIRED)
    assert (told.trade, told.asset, told.communes) == ("trial", wanted.asset, wanted.communes)
    assert asks.unanswered()


def test_a_late_answer_is_one_too(asks: Asks) -> None:
    asks(Emit(kind=WANTED, data=LIGHT))
    asks.post.run(20)
    assert asks.unanswered()
    (wanted,) = asks.post.events_of(WANTED)
    asks.post.event(ANSWERED, RequestAnswered(request=wanted.seq, answer="refused", reason="no lamp there"))
    asks.post.run(120)
    assert asks.post.kernel.requests.open == {}
    assert not asks.unanswered()


@pytest.mark.parametrize("saved", [True, False])
def test_a_crash_forgets_no_request(make_trial, saved: bool) -> None:
    asks = Asks(make_trial, reload=False)
    asks(Emit(kind=WANTED, data=LIGHT), Emit(kind="post.look.wanted", data=LookWanted(radius_m=50)))
    light, look = asks.post.events_of(WANTED)[0].seq, asks.post.events_of("post.look.wanted")[0].seq
    if saved:
        asks.post.save()
    asks.post.event(ANSWERED, RequestAnswered(request=look, answer="done"))
    asks.post.step()
    asks.post.crash()
    assert list(asks.post.kernel.requests.open) == [light]
    asks.post.run(16)
    assert [each.request for each in asks.expired()] == [light]


def test_a_gateway_may_answer(make_trial) -> None:
    field = FieldEvents([make_trial().declare()], City.small())
    data = msgspec.msgpack.encode({"request": 7, "answer": "done"})
    answered = field.event("gw-A0001", 1, FieldEvent(1, 0, ANSWERED, 5, data=msgspec.Raw(data)), 9, 9)
    assert (answered.trade, answered.data) == ("post", RequestAnswered(request=7, answer="done"))


def test_an_event_from_the_field_has_a_whole_place_or_none(make_trial) -> None:
    city = City.small()
    field = FieldEvents([make_trial().declare()], city)
    data = msgspec.Raw(msgspec.msgpack.encode({"request": 7, "answer": "done"}))
    lon, lat = float(city.assets.lon[0]), float(city.assets.lat[0])
    told = field.event("gw-A0001", 1, FieldEvent(1, 0, ANSWERED, 5, None, data, lon, lat), 9, 9)
    assert (told.lon, told.lat, told.communes) == (lon, lat, (0,))
    with pytest.raises(WireError, match="half a place"):
        field.event("gw-A0001", 1, FieldEvent(1, 0, ANSWERED, 5, None, data, lon), 9, 9)


def wanted(seq: int, kind: str = WANTED) -> Event:
    data = LIGHT if kind == WANTED else LookWanted(radius_m=50)
    source = Source(plugin="trial")
    return Event(
        seq=seq, kind=kind, at_utc=0, received_utc=0, mono=0, source=source, trade="trial", data=data
    )


def test_of_too_many_the_oldest_expire_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "OPEN_MAX", 10)
    waiting = Requests()
    waiting.hear([wanted(seq) for seq in range(1, 14)], 0)
    assert [seq for seq, _ in waiting.expire(Now(1, 0, 1))] == [1, 2, 3]
    assert [seq for seq, _ in waiting.expire(Now(2, 0, 2))] == []
    assert list(waiting.open) == list(range(4, 14)), "and are forgotten then"


def test_one_that_expired_is_an_alarm_for_a_while_only() -> None:
    waiting = Requests()
    waiting.hear([wanted(1)], 0)
    due = int(requests.WITHIN_S[WANTED] * SECOND)
    assert list(waiting.expire(Now(1, 0, due - 1))) == []
    assert [seq for seq, _ in waiting.expire(Now(2, 0, due))] == [1]
    assert waiting.unanswered() is not None
    assert list(waiting.expire(Now(3, 0, due + LATE))) == []
    assert (waiting.open, waiting.unanswered()) == ({}, None)
