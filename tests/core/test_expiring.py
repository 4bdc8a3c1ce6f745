"""Keys that expire soon are told while there is time."""

from __future__ import annotations

from pathlib import Path

from core import allowlist, keyring, keys
from core.allowlist import AllowList, Key
from core.config import SecurityConfig
from core.expiring import Expiring, soon
from core.person import ANY, Role


def key(name: str, expires: int, **fields: int) -> Key:
    return Key(name, "gateway", keys.pair()[0], created=0, expires=expires, **fields)


def test_only_the_last_key_of_a_name_counts_and_the_soonest_comes_first() -> None:
    known = AllowList(
        keys=(
            key("rotated", 110),
            key("rotated", 0),
            key("late", 119),
            key("early", 101),
            key("far", 121),
            key("over", 100),
            key("revoked", 105, revoked=1),
        )
    )
    assert [each.name for each in soon(known, 100, 20)] == ["early", "late"]


def test_it_is_an_alarm_with_names_and_the_first_date(tmp_path: Path) -> None:
    keyring.new(tmp_path, tmp_path / "a.key", "gw-a", days=100)
    assert Expiring(tmp_path, SecurityConfig(warn_days=30)).troubles() == []
    for n in range(7):
        keyring.new(tmp_path, tmp_path / f"{n}.key", f"gw-{n}", days=20 + n)
    ((code, said),) = Expiring(tmp_path, SecurityConfig(warn_days=30)).troubles()
    assert code == "key_expires"
    assert said["keys"] == "gw-0, gw-1, gw-2, gw-3, gw-4 and 2 more"
    assert len(said["first"]) == len("2026-01-01")
    assert Expiring(tmp_path, SecurityConfig(curve=False)).troubles() == []


def test_the_posts_own_adapters_key_is_made_once_and_stays_ended(tmp_path: Path) -> None:
    keyring.own(tmp_path, "simulator-0", ("*",))
    keyring.own(tmp_path, "simulator-0", ("*",))
    (row,) = allowlist.load(allowlist.path(tmp_path)).named("simulator-0")
    keyring.revoke(tmp_path, "simulator-0")
    keyring.own(tmp_path, "simulator-0", ("*",))
    assert [each.state(allowlist.now()) for each in allowlist.load(allowlist.path(tmp_path)).keys] == [
        "revoked"
    ]
    (tmp_path / keys.FOLDER / "simulator-0.key").unlink()
    keyring.own(tmp_path, "simulator-0", ("*",))
    assert len(allowlist.load(allowlist.path(tmp_path)).named("simulator-0")) == 2
    assert row.may_speak_for("any")


def test_an_adapter_that_follows_has_a_partners_key(tmp_path: Path) -> None:
    keyring.own(tmp_path, "history-0", rights=(Role(ANY, ANY, (ANY,)),))
    (row,) = allowlist.load(allowlist.path(tmp_path)).named("history-0")
    assert (row.role, row.speaks_for) == ("partner", ())
    assert row.communes("lighting", "minute") == {ANY}
    assert not row.may_speak_for("any")
