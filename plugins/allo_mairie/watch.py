"""What nobody said and is seen all the same: what is late, what no agent judged, what is to be shown again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from ondijon import NONE, Clear, Emit, Now, Proposal, Publish, Raise
from plugins.allo_mairie import rows, work
from plugins.allo_mairie.desk import Desk
from plugins.allo_mairie.hearing import WAITING_MAX
from plugins.allo_mairie.place import Place
from plugins.allo_mairie.request import Request
from plugins.allo_mairie.state import State
from plugins.allo_mairie.vocabulary import RequestsAged

#: All requests are looked at, and their rows shown again, within so many seconds: a share of them each second.
TURNS = 120

#: Requests of one kind that one event tells of: what comes of it has to fit into a step. The others come two
#: minutes later.
AGED_MAX = 30


def watch(place: Place, state: State, now: Now) -> Iterator[Proposal]:
    """One second of looking after requests. It changes none: what time brings is told as an event, and done then."""
    share = list(state.requests.share(state.turn, TURNS))
    aged = _aged(place, state, now, share)
    if aged != RequestsAged():
        yield Emit(kind="allo_mairie.requests.aged", data=aged)
    desk = Desk(place, state, now)
    yield from (desk.shown(each.key) for each in share)
    yield from desk.finish()
    if state.turn == 0:
        yield from (desk.commune(name) for name in sorted(state.communes) if name)
    yield Publish(view="allo_mairie.summary", key="city", row=rows.summary(state))
    yield _alarm("requests_late", rows.late(state))
    yield _alarm("requests_full", _beyond(place, state))
    state.turn = (state.turn + 1) % TURNS


def _aged(place: Place, state: State, now: Now, share: list[Request]) -> RequestsAged:
    settings, utc = place.settings, now.utc
    return RequestsAged(
        unjudged=_first(each.key for each in share if work.unjudged(settings, each, utc)),
        late=_first(each.key for each in share if work.late(each, utc)),
        confirmed=_first(each.key for each in share if work.confirmed(settings, each, utc)),
        old=_first(each.key for each in share if work.old(settings, each, utc)),
        waiting=len(state.waiting.said),
    )


def _first(keys: Iterable[str]) -> tuple[str, ...]:
    return tuple(islice(keys, AGED_MAX))


def _beyond(place: Place, state: State) -> int:
    """How many requests there are, where no other can be taken on or heard."""
    full = state.requests.count >= place.settings.open_max and not state.requests.over
    return state.requests.count if full or len(state.waiting.said) >= WAITING_MAX else 0


def _alarm(code: str, count: int) -> Raise | Clear:
    return Raise(asset=NONE, code=code, data={"count": count}) if count else Clear(asset=NONE, code=code)
