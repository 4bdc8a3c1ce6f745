"""What is asked of the login process: whatever comes is answered, and only the right password or a token renews."""

from __future__ import annotations

from functools import cache

import argon2
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.login.passwords import Passwords
from adapters.login.people import Account, People
from adapters.login.reception import Reception
from core import session
from core.errors import WireError
from core.session import LogIn, LogOut, Renew, Session
from tests.fuzz.target import Target

#: Stands in a request for a token that holds.
LOGGED_IN = b"anna"

RIGHT = "four words in a row"


@cache
def _known() -> tuple[Passwords, People]:
    passwords = Passwords(argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    return passwords, People(accounts=(Account("anna", "Anna", passwords.hash(RIGHT)),))


def _reception() -> Reception:
    """A fresh one: after some wrong passwords of earlier inputs it would make Anna wait."""
    passwords, people = _known()
    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    return Reception(lambda: people, key, 900, 3600, passwords)


def check(data: bytes) -> None:
    """As a request; where its token is the word LOGGED_IN, with one that holds."""
    try:
        asked = session.decode_asked(data)
    except WireError as error:
        assert error.reason == "request"
        return
    reception, may = (
        _reception(),
        isinstance(asked, LogIn) and (asked.person, asked.password) == ("anna", RIGHT),
    )
    if not isinstance(asked, LogIn) and asked.token == LOGGED_IN:
        given = reception.take(LogIn("anna", RIGHT), 1, 1 << 60)
        assert isinstance(given, Session)
        asked, may = msgspec.structs.replace(asked, token=given.token), isinstance(asked, Renew)
    answer = reception.take(asked, 1, 1 << 60)
    assert session.decode_answer(session.encode(answer)) == answer
    assert isinstance(answer, Session) <= may


def seeds() -> list[bytes]:
    """Requests that are taken, refused, or nobody's."""
    asked = [LogIn("anna", RIGHT), LogIn("anna", "wrong"), LogIn("bea", RIGHT)]
    asked += [kind(token) for kind in (Renew, LogOut) for token in (LOGGED_IN, b"", b"x" * 200)]
    return [session.encode(each) for each in asked]


TARGET = Target("logins", check, seeds, longest=1024)
