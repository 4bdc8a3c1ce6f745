"""States outside their plugin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Generic, Literal, NamedTuple, TypeVar

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from core import state
from core.errors import StateError


class Inner(msgspec.Struct):
    name: str
    at: int


class Example(msgspec.Struct):
    levels: np.ndarray
    flags: np.ndarray
    inner: Inner
    by_id: dict[str, float] = {}
    items: list[Inner] = []


examples = st.builds(
    Example,
    levels=hnp.arrays(
        np.float64, hnp.array_shapes(max_dims=2, min_side=0), elements=st.floats(allow_nan=False)
    ),
    flags=hnp.arrays(np.uint8, st.integers(0, 20)),
    inner=st.builds(Inner, name=st.text(), at=st.integers(-(2**63), 2**63 - 1)),
    by_id=st.dictionaries(st.text(), st.floats(allow_nan=False)),
    items=st.lists(st.builds(Inner, name=st.text(), at=st.integers(0, 9)), max_size=3),
)


@given(examples)
def test_a_state_survives_storing(example: Example) -> None:
    back = state.decode(state.encode(example, 1), Example, 1)
    np.testing.assert_array_equal(back.levels, example.levels)
    assert back.levels.dtype == example.levels.dtype
    assert back.levels.flags.writeable or not back.levels.size
    assert (back.inner, back.by_id, back.items) == (example.inner, example.by_id, example.items)
    assert state.digest(back) == state.digest(example)


@given(examples)
def test_a_copy_is_deep(example: Example) -> None:
    copy = state.copy(example)
    before = state.digest(example)
    copy.levels[...] = -1
    copy.by_id["new"] = 1.0
    copy.items.append(Inner("x", 1))
    copy.inner.at = 5
    assert state.digest(example) == before


class Pair(NamedTuple):
    left: int
    right: list[int]


@dataclass
class Box:
    items: list[int]


class Odd(msgspec.Struct):
    pair: Pair
    box: Box


def test_a_copy_is_deep_for_what_is_no_plain_list_either() -> None:
    odd = Odd(Pair(1, [2]), Box([3]))
    copy = state.copy(odd)
    assert copy == odd
    copy.pair.right.append(4)
    copy.box.items.append(5)
    assert odd == Odd(Pair(1, [2]), Box([3]))


class Card(msgspec.Struct, frozen=True):
    name: str
    place: tuple[float, float] | None = None
    tags: tuple[Annotated[str, msgspec.Meta(max_length=9)], ...] = ()
    state: Literal["new", "done"] = "new"


T = TypeVar("T")


class Boxed(msgspec.Struct, Generic[T], frozen=True):
    held: T


class Kept(msgspec.Struct, Generic[T], frozen=True):
    about: str
    data: bytes


class Cards(msgspec.Struct, frozen=True):
    cards: tuple[Card, ...]
    kept: Kept[str] | None = None


class Unknown(msgspec.Struct, frozen=True):
    box: Boxed[list[int]]


class Listed(msgspec.Struct, frozen=True):
    tags: list[str]


class Open(msgspec.Struct):
    name: str


class Chain(msgspec.Struct, frozen=True):
    next: Chain | None = None


def test_what_nobody_can_change_is_not_copied() -> None:
    shared = {"a": Card("one"), "b": Cards((Card("two", (1.0, 2.0)),), Kept("x", b"y"))}
    copy = state.copy(shared)
    assert copy is not shared
    assert all(copy[key] is shared[key] for key in shared)
    for value in (Listed(["x"]), Open("y"), Chain(Chain()), Unknown(Boxed([1]))):
        again = state.copy(value)
        assert again == value
        assert again is not value


class Grown(msgspec.Struct):
    by_number: dict[int, str] = {}
    names: set[str] = set()


def test_maps_keep_their_order_and_the_hash_does_not_know_it() -> None:
    one, other = Grown(), Grown()
    for number in (10, 9, 200):
        one.by_number[number] = "x"
    for number in (200, 10, 9):
        other.by_number[number] = "x"
    one.names, other.names = {"a", "b", "c"}, {"c", "b", "a"}
    assert state.digest(one) == state.digest(other)
    back = state.decode(state.encode(one, 1), Grown, 1)
    assert list(back.by_number) == [10, 9, 200]
    assert state.digest(back) == state.digest(one)
    other.by_number[9] = "y"
    assert state.digest(one) != state.digest(other)


class Two(msgspec.Struct):
    total: int


def test_an_older_state_is_migrated() -> None:
    class One(msgspec.Struct):
        count: int

    stored = state.encode(One(7), 1)
    assert state.decode(stored, Two, 2, lambda raw, version: {"total": raw["count"] * version}) == Two(7)
    with pytest.raises(StateError, match="has no `migrate`"):
        state.decode(stored, Two, 2)
    with pytest.raises(StateError, match="stored by version 3 of the state, this plugin knows 2"):
        state.decode(state.encode(Two(1), 3), Two, 2)
    with pytest.raises(StateError, match="cannot be restored"):
        state.decode(stored, Two, 2, lambda raw, version: {"wrong": 1})
    with pytest.raises(StateError, match="cannot be restored"):
        state.decode(b"garbage", Two, 2)


@pytest.mark.parametrize(
    ("dtype", "shape", "data"),
    [
        ("O", [1], b"12345678"),
        ("(2,2)u1", [2], b"1234"),
        ("|u1", [2**63], b""),
        ("|u1", [-2], b"1"),
        ("<f8", [1], b"1"),
    ],
)
def test_an_array_that_is_none_is_refused(dtype: str, shape: list[int], data: bytes) -> None:
    array = {"dtype": dtype, "shape": shape, "data": data}
    raw = {"levels": array, "flags": array, "inner": {"name": "", "at": 0}}
    with pytest.raises(StateError, match="cannot be restored"):
        state.decode(msgspec.msgpack.encode({"version": 1, "state": raw}), Example, 1)


def test_what_cannot_be_stored_is_named() -> None:
    class Bad(msgspec.Struct):
        lock: object

    with pytest.raises(StateError, match=r"Bad: .*object"):
        state.encode(Bad(object()), 1)
