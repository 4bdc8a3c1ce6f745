"""Partners of a running post: they follow it, whatever happens to the edge, and nobody pays for another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ondijon.partner import Partner


@pytest.fixture
def partner_of(post: Any) -> Iterator[Callable[..., Partner]]:
    """Opens partners of the post; all are closed at the end."""
    opened: list[Partner] = []

    def open_(**wanted: Any) -> Partner:
        opened.append(Partner(post.run.endpoints.partners, context=post.context, **wanted))
        return opened[-1]

    yield open_
    for partner in opened:
        partner.close()


def levels(partner: Partner) -> Any:
    """The row of the view that shows all levels."""
    change = partner.rows.get(("view", "watch.levels", "all"))
    return change.row["level"] if change and change.row else None


def test_a_partner_sees_what_stands_and_what_changes(post: Any, partner_of: Any) -> None:
    post.start(gateways=3)
    partner = partner_of()
    seen: list[Any] = []

    def turn() -> bool:
        seen.extend(partner.turn())
        return partner.whole

    post.until(turn, "the snapshot has come")
    assert {key[2] for key in partner.rows if key[0] == "asset"} == set(post.city.assets.ids)
    post.levels(40)
    wanted = [40 + (i + 1) / 10 for i in range(30)]
    post.until(lambda: turn() and levels(partner) == pytest.approx(wanted), "the levels have come")
    assert partner.follower.statistics.gaps == 0
