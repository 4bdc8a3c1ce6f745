"""Persons, their tokens and rights; and the keys that prove them."""

from __future__ import annotations

import base64
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigError
from core.person import CONTEXT, TOKEN_MAX, Login, Person, Role, load_login, token
from core.refusal import Refusal

KEY, NEXT = Ed25519PrivateKey.from_private_bytes(b"1" * 32), Ed25519PrivateKey.from_private_bytes(b"2" * 32)
ANNA = Person("anna", "Anna", (Role("lighting", "Dijon", ("lamp.dim",)),), "s1", 1000)


def test_a_token_holds_until_it_expires() -> None:
    login = Login([KEY.public_key()])
    assert login.person(token(ANNA, KEY), 999) == ANNA
    late = login.person(token(ANNA, KEY), 1000)
    assert isinstance(late, Refusal)
    assert late.code == "session_expired"


def test_while_the_key_is_changed_both_hold() -> None:
    login = Login([KEY.public_key(), NEXT.public_key()])
    assert login.person(token(ANNA, KEY), 0) == login.person(token(ANNA, NEXT), 0) == ANNA


@given(st.integers(0, 63), st.integers(1, 255), st.binary(max_size=40))
def test_no_other_bytes_are_a_token(at: int, flip: int, other: bytes) -> None:
    login, good = Login([KEY.public_key()]), bytearray(token(ANNA, KEY))
    good[at] ^= flip
    for bad in (bytes(good), other, bytes(good[:64]), bytes(TOKEN_MAX + 1)):
        assert isinstance(login.person(bad, 0), Refusal)


@pytest.mark.parametrize(
    "body",
    [
        b"\x80",
        b"\xc1",
        msgspec.msgpack.encode({**msgspec.to_builtins(ANNA), "rank": 1}),
        msgspec.msgpack.encode({**msgspec.to_builtins(ANNA), "id": ""}),
        msgspec.msgpack.encode({**msgspec.to_builtins(ANNA), "expires": -1}),
    ],
)
def test_what_is_signed_must_be_a_person(body: bytes) -> None:
    answer = Login([KEY.public_key()]).person(KEY.sign(CONTEXT + body) + body, 0)
    assert isinstance(answer, Refusal)
    assert answer.code == "token"


def test_a_signature_of_something_else_is_no_session() -> None:
    body = msgspec.msgpack.encode(ANNA)
    assert isinstance(Login([KEY.public_key()]).person(KEY.sign(body) + body, 0), Refusal)


@pytest.mark.parametrize(
    ("role", "communes"),
    [
        (Role("lighting", "Dijon", ("lamp.dim",)), {"Dijon"}),
        (Role("*", "Dijon", ("*",)), {"Dijon"}),
        (Role("lighting", "*", ("lamp.kill", "lamp.dim")), {"*"}),
        (Role("snow", "Dijon", ("lamp.dim",)), set()),
        (Role("lighting", "Dijon", ("lamp.kill",)), set()),
        (Role("lighting", "Dijon", ()), set()),
    ],
)
def test_where_a_role_reaches(role: Role, communes: set[str]) -> None:
    person = msgspec.structs.replace(ANNA, roles=(role,))
    assert person.communes("lighting", "lamp.dim") == communes


def test_the_keys_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "login.pub"
    lines = [base64.b64encode(key.public_key().public_bytes_raw()).decode() for key in (KEY, NEXT)]
    path.write_text("\n".join(lines) + "\n")
    assert load_login(path).person(token(ANNA, NEXT), 0) == ANNA
    assert isinstance(load_login(None).person(token(ANNA, KEY), 0), Refusal)
    for bad in ("nothing of the kind", lines[0][:-4]):
        path.write_text(bad)
        with pytest.raises(ConfigError, match=r"login\.pub"):
            load_login(path)
    with pytest.raises(ConfigError, match="No such file"):
        load_login(tmp_path / "other.pub")
