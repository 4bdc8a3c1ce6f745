"""The vault on a disk: what is erased is in no file, what is locked says so, and a crash leaves nothing half done."""

from __future__ import annotations

import base64
import os
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import sealed
from core.errors import VaultError
from core.sealed import Closed, Sealed
from core.vault import EXPIRE_MAX, HOUR, MASTER, PERIODS, Vault
from ondijon import Retention, Text
from tests.dying import Dying

DAY = 24 * HOUR
NOW = 20_000 * DAY
CLASSES = [
    Retention(name=name, days=days, basis="a law", text=Text(name, name))
    for name, days in (("a", 30), ("b", 1))
]
SUBJECT, WORDS = "+33 3 80 74 51 51", "quelqu'un crie rue Musette"


def vault(folder: Path) -> Vault:
    return Vault(folder, CLASSES)


def put(
    into: Vault, subject: str = SUBJECT, value: Any = WORDS, kept: str = "a", utc: int = NOW
) -> Sealed[Any]:
    return into.seal(value, into.person(subject), kept, utc, "x.y.z words")


def in_files(folder: Path, *wanted: bytes) -> list[str]:
    """The files in which one of the byte strings stands."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path.name for path in files if any(each in path.read_bytes() for each in wanted)]


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 63) - 1)
    | st.text()
    | st.binary()
    | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=200)
@given(VALUES, st.binary(min_size=32, max_size=32), st.binary(min_size=12, max_size=12), st.data())
def test_what_is_sealed_comes_back_and_no_byte_of_it_can_be_changed(value, key, nonce, data) -> None:
    one = sealed.seal(value, key, nonce, "p", "a", 5, "k f")
    assert sealed.unseal(one, key) == value
    i = data.draw(st.integers(0, len(one.data) - 1))
    changed = bytearray(one.data)
    changed[i] ^= data.draw(st.integers(1, 255))
    assert sealed.unseal(Sealed("p", "a", 5, "k f", bytes(changed)), key) is Closed.DAMAGED
    assert sealed.unseal(Sealed("p", "a", 5, "k f", one.data[:i]), key) is Closed.DAMAGED
    assert sealed.unseal(one, bytes(32) if any(key) else bytes([1]) * 32) is Closed.DAMAGED


def test_what_was_sealed_is_opened_after_a_restart(tmp_path: Path) -> None:
    first = vault(tmp_path)
    one = put(first)
    first.close()
    second = vault(tmp_path)
    assert second.open(one) == WORDS
    assert second.person(SUBJECT) == one.person
    second.close()
    assert oct(tmp_path.joinpath(MASTER).stat().st_mode)[-3:] == "600"
    assert oct(tmp_path.joinpath("vault.sqlite").stat().st_mode)[-3:] == "600"


def test_no_file_holds_a_clear_text_a_key_or_what_was_erased(tmp_path: Path) -> None:
    keys: list[bytes] = []

    def draw(n: int) -> bytes:
        keys.append(os.urandom(n))
        return keys[-1]

    into = Vault(tmp_path, CLASSES, draw)
    one = put(into)
    (master, *drawn) = [key for key in keys if len(key) == 32]
    wrapped, digest = (
        into._db.execute(f"SELECT {column} FROM {table}").fetchone()[0]
        for column, table in (("wrapped", "key"), ("digest", "subject"))
    )
    assert len(drawn) == 1
    assert in_files(tmp_path, SUBJECT.encode(), WORDS.encode(), master, *drawn) == []
    assert in_files(tmp_path, wrapped[:16]), "the control: what is there is found"
    # Beside many others, so that whole pages are left and others are only changed.
    others = [put(into, f"somebody {i}") for i in range(300)]
    gone = into.erase([one.person], NOW, "anna", "asked")
    assert gone is not None
    assert gone.keys == ((one.person, "a", one.since),)
    assert into.wipe()
    into.told([gone])
    assert into.wipe()
    assert (
        in_files(tmp_path, wrapped[:16], wrapped[-16:], digest[:16], digest[-16:], one.person.encode()) == []
    )
    assert into.open(one) is Closed.ERASED
    assert [into.open(other) for other in others] == [WORDS] * 300
    into.close()


def test_a_class_goes_when_its_time_has_passed_and_not_before(tmp_path: Path) -> None:
    into = vault(tmp_path)
    ones = [put(into, utc=NOW + i * HOUR, kept=kept) for kept in "ab" for i in range(0, 240, 7)]
    for one, at in zip(ones, [NOW + i * HOUR for _ in "ab" for i in range(0, 240, 7)], strict=True):
        days = {"a": 30, "b": 1}[one.kept]
        assert at + days * DAY * (PERIODS - 1) // PERIODS - HOUR < into.expires(one) <= at + days * DAY
    until = NOW + 30 * DAY
    into.expire(until)
    for one in ones:
        assert (into.open(one) is Closed.ERASED) == (into.expires(one) <= until)
    into.close()


def test_a_long_list_goes_in_parts(tmp_path: Path) -> None:
    into = Vault(None, CLASSES)
    for i in range(EXPIRE_MAX + 1):
        put(into, f"{i}")
    parts = [into.expire(NOW + 40 * DAY) for _ in range(3)]
    assert [len(part.keys) if part else 0 for part in parts] == [EXPIRE_MAX, 1, 0]
    assert into._db.execute("SELECT count(*) FROM subject").fetchone() == (0,)


def test_without_its_master_key_all_is_locked_and_the_post_goes_on(tmp_path: Path) -> None:
    first = vault(tmp_path)
    one = put(first)
    first.close()
    kept = tmp_path.joinpath(MASTER).rename(tmp_path / "elsewhere").read_bytes()

    second = vault(tmp_path)
    assert "are locked. Put their lines back into master.key" in second.faults[0]
    assert second.open(one) is Closed.LOCKED
    two = put(second)
    assert second.open(two) == WORDS
    assert two.person != one.person, "who it was cannot be known without the key"
    second.close()

    both = kept + tmp_path.joinpath(MASTER).read_bytes()
    tmp_path.joinpath(MASTER).write_bytes(both)
    third = vault(tmp_path)
    assert third.faults == []
    assert [third.open(each) for each in (one, two)] == [WORDS, WORDS]
    assert third.persons(SUBJECT) == [one.person, two.person]
    third.close()


def test_a_locked_key_of_the_same_period_does_not_stop_new_values() -> None:
    into = Vault(None, CLASSES)
    one = put(into)
    into._db.execute("UPDATE key SET master = x'00'")
    two = into.seal(WORDS, one.person, "a", NOW, "x.y.z words")
    assert (into.open(one), into.open(two)) == (Closed.LOCKED, WORDS)
    assert into.expires(two) < into.expires(one)


def test_a_damaged_master_key_is_named_and_left_alone(tmp_path: Path) -> None:
    tmp_path.joinpath(MASTER).write_bytes(b"not a key\n" + base64.b64encode(bytes(31)) + b"\n\xff")
    into = vault(tmp_path)
    assert f"{MASTER}: 3 lines are no keys" in into.faults[0]
    assert into.open(put(into)) == WORDS
    assert tmp_path.joinpath(MASTER).read_bytes().startswith(b"not a key\n")
    into.close()
    again = vault(tmp_path)
    assert again.persons(SUBJECT)
    again.close()


def test_a_newer_format_and_no_database_are_refused(tmp_path: Path) -> None:
    vault(tmp_path).close()
    with sqlite3.connect(tmp_path / "vault.sqlite") as db:
        db.execute("UPDATE about SET value = 99")
    db.close()
    with pytest.raises(VaultError, match="written in format 99, this version reads up to 1"):
        vault(tmp_path)
    (tmp_path / "vault.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(VaultError, match=r"file is not a database"):
        vault(tmp_path)


def test_a_full_disk_seals_nothing_and_erases_nothing(tmp_path: Path) -> None:
    into = vault(tmp_path)
    one = put(into)
    into._db.execute("PRAGMA max_page_count = 1")
    with pytest.raises(VaultError, match="nothing is taken that cannot be sealed"):
        [put(into, f"{i}") for i in range(1000)]
    assert into.open(one) == WORDS
    into.close()


_ERASES = """
import os, signal
from pathlib import Path
from tests.core.test_vault import NOW, vault

def work(folder, steps):
    into, left = vault(Path(folder)), int(steps)

    def count():
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return 0

    into._db.set_progress_handler(count, 1)
    into.erase(into.persons("x"), NOW, "anna", "asked")
    into.wipe()
"""


@pytest.fixture
def erases() -> Iterator[Dying]:
    """Erases the person x of a folder's vault, and is killed after so many instructions of SQLite's machine."""
    with Dying(_ERASES) as made:
        yield made


def test_a_kill_in_the_middle_of_an_erasure_leaves_it_whole_or_undone(tmp_path: Path, erases: Dying) -> None:
    ends: set[str] = set()
    # At each so many-th instruction of SQLite's machine, until it gets through.
    for steps in range(0, 4000, 25):
        folder = tmp_path / str(steps)
        into = vault(folder)
        ones = [put(into, "x", kept=kept, utc=NOW + i * DAY) for kept in "ab" for i in range(3)]
        into.close()
        ended = erases(folder, steps)
        assert ended in (0, -signal.SIGKILL)
        again = vault(folder)
        values = {again.open(one) for one in ones}
        words = again.words()
        assert (values, len(words), len(again.persons("x"))) in (({WORDS}, 0, 1), ({Closed.ERASED}, 1, 0))
        assert (folder / "vault.sqlite-wal").stat().st_size == 0
        again.close()
        ends.add(f"{ended} {len(words)}")
        if ended == 0:
            break
    assert {"-9 0", "0 1"} <= ends
