"""What persons ask, and their tokens: nothing goes out unless a token holds, and all of it can be journaled."""

from __future__ import annotations

from functools import cache

import msgspec

from core import operators
from core.clock import Now
from core.errors import WireError
from core.operators import Approve, ErasePersonal, Propose, ProposeProgramme, ReadPersonal, ReleaseAll
from core.wire import Refused
from ondijon.testing import City, Post
from tests.fuzz.target import Target

#: Stands in a request for a token that holds.
LOGGED_IN = b"anna"

#: A post in memory forgets nothing: after so many records another one begins.
ENOUGH = 2000


@cache
def _post() -> Post:
    return Post(City.small(), ["lighting"], start="2026-01-15T12:00:00+01:00")


def check(data: bytes) -> None:
    """As a request; where its token is the word LOGGED_IN, as one of somebody who is."""
    try:
        asked = operators.decode_request(data)
    except WireError as error:
        assert error.reason == "request"
        return
    if isinstance(asked, operators.ChangeAssets):
        return
    post = _post()
    if isinstance(asked, operators.AskedPersonal):
        # Without a token it is the machine's user; one that is not signed is nobody's.
        signed = asked.token in (LOGGED_IN, b"")
        if asked.token == LOGGED_IN:
            asked = msgspec.structs.replace(asked, token=post.person("anna"))
        said = post.privacy.take(b"", asked, Now(1, post.utc, post.mono))
        assert said is None or isinstance(said[0], Refused) is not signed
        return
    logged_in = asked.token == LOGGED_IN
    if logged_in:
        asked = msgspec.structs.replace(asked, token=post.person("anna"), epoch=1, asked_utc=post.utc)
    before = len(post.orders), dict(post.kernel.programmes.in_force)
    answer = post.ask(asked)
    assert operators.decode_answer(operators.encode(answer)) == answer
    if isinstance(answer, Refused):
        assert (len(post.orders), post.kernel.programmes.in_force) == before
    else:
        assert logged_in
    if len(post.journal.records) > ENOUGH:
        _post.cache_clear()


def seeds() -> list[bytes]:
    """Requests that are taken, refused, or nobody's."""
    given = {"request": "1", "epoch": 1, "asked_utc": 1}
    return [
        operators.encode(request)
        for token in (LOGGED_IN, b"", b"x" * 200)
        for request in (
            Propose(
                token=token,
                verb="lamp.dim",
                targets=("L0001", "L0011"),
                values=(1.0, 2.0),
                lease_s=3.0,
                reason="r",
                **given,
            ),
            Propose(token=token, verb="lamp.dim", targets=("L0001",), lease_s=0.0, reason="r", **given),
            Approve(token=token, command="1-1", hash=bytes(32), **given),
            ReleaseAll(token=token, zone="Voisine", **given),
            *(
                ProposeProgramme(
                    token=token,
                    kind="lighting.calendar",
                    zone="Voisine",
                    content=msgspec.Raw(msgspec.msgpack.encode(content)),
                    reason="r",
                    **given,
                )
                for content in (
                    {"level_pct": 50, "rules": [{"start": "22:00", "end": "05:00", "level_pct": 10}]},
                    {"level_pct": 0, "order": "2026-1"},
                    {"level_pct": 0},
                )
            ),
            ReadPersonal(token=token, by="root", subject="112", why="w"),
            ErasePersonal(token=token, by="root", subject="112", why="w"),
        )
    ]


TARGET = Target("desk", check, seeds, longest=2048)
