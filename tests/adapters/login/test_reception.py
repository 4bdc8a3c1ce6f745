"""Who gets a token: right ones do, wrong ones wait, and what was taken away is gone with the next token."""

from __future__ import annotations

import argon2
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.login.passwords import Passwords
from adapters.login.people import Account, People
from adapters.login.reception import FREE_TRIES, WAIT_MAX_S, Reception
from core.clock import SECOND
from core.person import Login, Person, Role
from core.session import LoggedOut, LogIn, LogOut, Renew, Session
from core.wire import Refused

#: Quick, and of no use for anything but tests.
QUICK = Passwords(argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
RIGHT = "four words in a row"
TOKEN_S, SESSION_S = 900.0, 3600.0
ROLE = Role("lighting", "Dijon", ("lamp.dim",))


class Post:
    """A reception, its people, and the kernel's view of its tokens."""

    def __init__(self) -> None:
        key = Ed25519PrivateKey.generate()
        anne = Account("anne", "Anne Martin", QUICK.hash(RIGHT), (ROLE,))
        self.people = People(accounts=(anne,))
        self.reception = Reception(lambda: self.people, key, TOKEN_S, SESSION_S, QUICK)
        self.kernel = Login([key.public_key()])
        self.now = 1_000 * SECOND

    def take(self, asked, after_s: float = 0.0):
        self.now += int(after_s * SECOND)
        return self.reception.take(asked, self.now, self.now)

    def change(self, **changes) -> None:
        self.people = People(accounts=(msgspec.structs.replace(self.people.accounts[0], **changes),))


@pytest.fixture
def post() -> Post:
    return Post()


def test_the_right_password_gives_a_token_that_the_kernel_believes(post: Post) -> None:
    session = post.take(LogIn("anne", RIGHT))
    assert isinstance(session, Session)
    person = post.kernel.person(session.token, post.now)
    assert isinstance(person, Person)
    assert (person.id, person.roles) == ("anne", (ROLE,))
    assert session.expires == person.expires == post.now + TOKEN_S * SECOND
    assert session.ends == post.now + SESSION_S * SECOND


@pytest.mark.parametrize("asked", [LogIn("anne", "four words in a ro"), LogIn("bea", RIGHT)])
def test_wrong_ones_are_told_the_same(post: Post, asked: LogIn) -> None:
    refused = post.take(asked)
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.what) == (
        "credentials",
        "this person and this password do not belong together.",
    )


def test_who_is_disabled_is_told_the_same(post: Post) -> None:
    post.change(disabled=True)
    assert post.take(LogIn("anne", RIGHT)).reason == "credentials"


def test_who_guesses_waits_longer_each_time_even_with_the_right_one(post: Post) -> None:
    for _ in range(FREE_TRIES):
        assert post.take(LogIn("anne", "wrong")).reason == "credentials"
    waited = []
    for _ in range(12):
        assert post.take(LogIn("anne", RIGHT)).reason == "wait"
        began = post.now
        while (answer := post.take(LogIn("anne", "wrong"), 1.0)).reason == "wait":
            pass
        assert answer.reason == "credentials"
        waited.append((post.now - began) / SECOND)
    assert waited == sorted(waited)
    assert waited[-1] == WAIT_MAX_S
    assert isinstance(post.take(LogIn("anne", RIGHT), WAIT_MAX_S), Session)
    assert post.take(LogIn("anne", "wrong")).reason == "credentials", "one begins anew"


def test_a_session_is_renewed_with_the_rights_of_today_until_it_ends(post: Post) -> None:
    session = post.take(LogIn("anne", RIGHT))
    ends = session.ends
    post.change(roles=())
    while post.now < ends - TOKEN_S * SECOND:
        session = post.take(Renew(session.token), TOKEN_S - 1)
        assert isinstance(session, Session)
        assert post.kernel.person(session.token, post.now).roles == ()
    assert session.expires == session.ends == ends
    assert post.take(Renew(session.token), TOKEN_S).reason == "session_expired"


def test_who_is_disabled_gets_no_further_token(post: Post) -> None:
    session = post.take(LogIn("anne", RIGHT))
    post.change(disabled=True)
    assert post.take(Renew(session.token)).reason == "session_expired"
    post.change(disabled=False)
    assert post.take(Renew(session.token)).reason == "session_expired", "the session is over, not asleep"


def test_who_logged_out_gets_no_further_token(post: Post) -> None:
    session = post.take(LogIn("anne", RIGHT))
    assert post.take(LogOut(session.token)) == LoggedOut()
    assert post.take(Renew(session.token)).reason == "session_expired"


def test_another_reception_does_not_renew(post: Post) -> None:
    assert Post().take(Renew(post.take(LogIn("anne", RIGHT)).token)).reason == "token"


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_changed_token_is_renewed(data: st.DataObject) -> None:
    post = Post()
    token = bytearray(post.take(LogIn("anne", RIGHT)).token)
    at = data.draw(st.integers(0, len(token) - 1))
    token[at] ^= data.draw(st.integers(1, 255))
    assert post.take(Renew(bytes(token))).reason == "token"
