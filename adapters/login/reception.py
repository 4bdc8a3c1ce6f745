"""The reception: decides who somebody is, and gives them a token. No socket and no clock of its own."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.login.passwords import Passwords
from adapters.login.people import Account, People
from core.clock import SECOND
from core.person import Login, Person, token
from core.refusal import Refusal
from core.session import Answer, Asked, LoggedOut, LogIn, LogOut, Renew, Session
from core.wire import Refused

#: Wrong passwords in a row that cost nothing; after them one waits, twice as long each time, at most so long (s).
FREE_TRIES, WAIT_S, WAIT_MAX_S = 3, 2.0, 300.0

#: People whose wrong passwords, and whose sessions, are kept; beyond them the oldest is forgotten.
TRIES_MAX, SESSIONS_MAX = 10_000, 10_000


class Tries(msgspec.Struct):
    """Wrong passwords of one person in a row, and until when (mono µs) no further one is looked at."""

    wrong: int = 0
    until: int = 0


class Open(msgspec.Struct, frozen=True):
    """A session: whose, and when it ends whatever happens (µs of city time)."""

    person: str
    ends: int


class Reception:
    """Takes one request at a time. ``token_s`` a token holds, ``session_s`` it is renewed. Not thread-safe."""

    def __init__(
        self,
        people: Callable[[], People],
        key: Ed25519PrivateKey,
        token_s: float,
        session_s: float,
        passwords: Passwords | None = None,
    ) -> None:
        self._people = people
        self._key = key
        self._login = Login([key.public_key()])
        self._token, self._session = int(token_s * SECOND), int(session_s * SECOND)
        self._passwords = passwords or Passwords()
        self._tries: dict[str, Tries] = {}
        self._open: dict[str, Open] = {}

    def take(self, asked: Asked, utc: int, mono: int) -> Answer:
        """Answer, at ``utc`` and ``mono`` µs of city time."""
        match asked:
            case LogIn():
                return self._log_in(asked, utc, mono)
            case Renew():
                return self._renew(asked, utc)
            case LogOut():
                person = self._login.person(asked.token, utc)
                if isinstance(person, Person):
                    self._open.pop(person.session, None)
                return LoggedOut()

    def _log_in(self, asked: LogIn, utc: int, mono: int) -> Answer:
        tries = self._tries.get(asked.person, Tries())
        if mono < tries.until:
            wait_s = (tries.until - mono) / SECOND
            return Refused("wait", f"{tries.wrong} passwords were wrong.", f"Wait {wait_s:.0f} s.")
        account = self._people().by_id.get(asked.person)
        kept = account.password if account is not None and not account.disabled else None
        if not self._passwords.is_right(kept, asked.password) or account is None:
            self._wrong(asked.person, mono)
            # One sentence for all: who may log in here is nobody's business.
            return Refused(
                "credentials",
                "this person and this password do not belong together.",
                "Try again, or ask for a new one.",
            )
        self._tries.pop(asked.person, None)
        session = secrets.token_hex(16)
        self._open[session] = Open(account.id, utc + self._session)
        if len(self._open) > SESSIONS_MAX:
            del self._open[next(iter(self._open))]
        return self._give(account, session, utc)

    def _wrong(self, person: str, mono: int) -> None:
        tries = self._tries.pop(person, Tries())
        tries.wrong += 1
        if tries.wrong >= FREE_TRIES:
            wait_s = min(WAIT_S * 2.0 ** min(tries.wrong - FREE_TRIES, 30), WAIT_MAX_S)
            tries.until = mono + int(wait_s * SECOND)
        self._tries[person] = tries
        if len(self._tries) > TRIES_MAX:
            del self._tries[next(iter(self._tries))]

    def _renew(self, asked: Renew, utc: int) -> Answer:
        person = self._login.person(asked.token, utc)
        if isinstance(person, Refusal):
            return Refused(person.code, person.what, person.next)
        known = self._open.get(person.session)
        account = self._people().by_id.get(person.id)
        if known is None or utc >= known.ends or account is None or account.disabled:
            self._open.pop(person.session, None)
            return Refused("session_expired", f"the session of {person.id} is over.", "Log in again.")
        return self._give(account, person.session, utc)

    def _give(self, account: Account, session: str, utc: int) -> Session:
        ends = self._open[session].ends
        expires = min(utc + self._token, ends)
        person = Person(account.id, account.name, account.roles, session, expires)
        return Session(token(person, self._key), account.id, account.name, expires, ends)
