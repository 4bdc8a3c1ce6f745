"""Events wait in order, and what does not fit is said, not dropped."""

from __future__ import annotations

import pytest

from ondijon.spool import Kept, MemorySpool, SpoolFullError


def kept(n: int) -> Kept:
    return Kept("a.b.c", n, "", b"\x80")


def test_they_are_numbered_kept_and_forgotten_in_order() -> None:
    spool = MemorySpool(5)
    assert [spool.put(kept(n)) for n in range(1, 6)] == [1, 2, 3, 4, 5]
    assert [(seq, event.at) for seq, event in spool.after(2)] == [(3, 3), (4, 4), (5, 5)]
    spool.forget(3)
    spool.forget(2)
    assert [seq for seq, _ in spool.after(0)] == [4, 5]
    spool.forget(1 << 62)
    assert (spool.acked, spool.last) == (5, 5)
    assert spool.put(kept(6)) == 6


def test_a_full_spool_takes_nothing_and_loses_nothing() -> None:
    spool = MemorySpool(5, limit=2)
    spool.put(kept(1))
    spool.put(kept(2))
    with pytest.raises(SpoolFullError, match=r"event a.b.c: 2 events wait for the post. It was not taken"):
        spool.put(kept(3))
    assert [event.at for _, event in spool.after(0)] == [1, 2]
    spool.forget(1)
    assert spool.put(kept(4)) == 3
