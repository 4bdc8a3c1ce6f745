"""The allow-list: what a key may, until when; and that a door always has a list that once was whole."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from zmq.utils import z85

from core import allowlist, keys
from core.allowlist import AllowList, Key
from core.errors import KeyFileError
from core.person import ANY, Role

A, B = (keys.pair()[0] for _ in range(2))


def gateway(name: str, public: str = A, **fields: object) -> Key:
    return Key(name, "gateway", public, created=1, speaks_for=(name,), **fields)  # type: ignore[arg-type]


def test_a_gateways_key_speaks_for_its_own_names_only() -> None:
    assert gateway("gw-1").may_speak_for("gw-1")
    assert not gateway("gw-1").may_speak_for("gw-2")
    every = Key("simulator-0", "gateway", A, created=1, speaks_for=(ANY,))
    assert every.may_speak_for("gw-2")
    assert not Key("history", "partner", A, created=1, speaks_for=(ANY,)).may_speak_for("gw-2")


def test_a_partners_rights_are_those_of_its_roles() -> None:
    rights = (Role("lighting", "Dijon", ("see",)), Role(ANY, "Talant", (ANY,)))
    partner = Key("history", "partner", A, created=1, rights=rights)
    assert partner.communes("lighting", "see") == {"Dijon", "Talant"}
    assert partner.communes("snow", "see") == {"Talant"}
    assert gateway("gw-1").communes("lighting", "see") == frozenset()


def test_a_key_ends_by_its_date_or_by_hand() -> None:
    assert gateway("a").state(1 << 61) == "valid"
    assert [gateway("a", expires=10).state(utc) for utc in (9, 10)] == ["valid", "expired"]
    assert gateway("a", expires=10, revoked=5).state(11) == "revoked"


def test_a_key_is_found_by_its_public_half_alone() -> None:
    found = AllowList(keys=(gateway("a"),))
    assert found.of_public(z85.decode(A)) == found.keys[0]
    assert found.of_public(z85.decode(B)) is None


def test_changes_are_written_whole_and_read_back(tmp_path: Path) -> None:
    with allowlist.changing(tmp_path) as each:
        each.append(gateway("a"))
    file = allowlist.path(tmp_path)
    assert allowlist.load(file).named("a") == [gateway("a")]
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ZeroDivisionError), allowlist.changing(tmp_path) as each:
        each.append(each.pop() if 1 / 0 else each[0])
    assert len(allowlist.load(file).keys) == 1


def test_nothing_is_written_that_a_door_would_refuse(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError), allowlist.changing(tmp_path) as each:
        each.append(gateway("a", public="short"))
    with pytest.raises(KeyFileError, match="two entries"), allowlist.changing(tmp_path) as each:
        each += [gateway("a"), gateway("b")]
    assert not allowlist.path(tmp_path).exists()


def test_two_who_change_at_once_lose_nothing(tmp_path: Path) -> None:
    def add(n: int) -> None:
        for i in range(5):
            with allowlist.changing(tmp_path) as each:
                each.append(gateway(f"gw-{n}-{i}", keys.pair()[0]))

    threads = [threading.Thread(target=add, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(allowlist.load(allowlist.path(tmp_path)).keys) == 20


def test_a_door_keeps_the_last_list_that_was_whole(tmp_path: Path) -> None:
    file = allowlist.path(tmp_path)
    watch = allowlist.watch(tmp_path)
    assert watch.look() == AllowList()
    assert "allow-list" in watch.trouble
    with allowlist.changing(tmp_path) as each:
        each.append(gateway("a"))
    first = watch.look()
    assert first.named("a")
    assert watch.look() is first
    whole = file.read_bytes()
    for broken in (b"", whole[:-9], b'{"version": 2}', b"[" * 100_000):
        file.write_bytes(broken)
        assert watch.look() is first
        assert "from the backup" in watch.trouble
    file.unlink()
    assert watch.look() is watch.held is first
    with allowlist.changing(tmp_path) as each:
        each.append(gateway("b", B))
    assert [key.name for key in watch.look().keys] == ["b"]
    assert not watch.trouble


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.mktemp("list") / allowlist.FILE
    file.write_bytes(data)
    with contextlib.suppress(KeyFileError):
        assert isinstance(allowlist.load(file), AllowList)


def test_a_list_is_what_its_json_says() -> None:
    written = AllowList(keys=(gateway("a", expires=7, rights=(Role("x", "y", ("z",)),)),))
    assert msgspec.json.decode(msgspec.json.encode(written), type=AllowList) == written
