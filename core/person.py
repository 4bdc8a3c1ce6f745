"""Persons, proven to the kernel by a token that the login process signed.

A token is 64 bytes of Ed25519 signature over CONTEXT and what follows, then a Person as msgpack. The kernel
holds the public key alone: a broken page can act only as people who are logged in through it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from core.errors import ConfigError
from core.refusal import Refusal
from core.wire import Name

#: What is signed is a session of this post's persons and nothing else that the same key may sign one day.
CONTEXT = b"ondijon session 1\n"

#: Bytes of a token at most.
TOKEN_MAX = 16_384

#: In a role: every trade, every commune, every verb.
ANY = "*"

_SIGNATURE = 64


class Role(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one may do: these verbs of one trade in one commune; each may be ANY."""

    trade: Name
    commune: Name
    verbs: Annotated[tuple[Name, ...], msgspec.Meta(max_length=100)]


def communes(roles: Iterable[Role], trade: str, verb: str) -> frozenset[str]:
    """Where ``roles`` together allow ``verb`` of ``trade``; ANY among them is everywhere."""
    return frozenset(
        role.commune
        for role in roles
        if role.trade in (trade, ANY) and (verb in role.verbs or ANY in role.verbs)
    )


class Person(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody who is logged in: ``session`` differs at each login, ``expires`` is µs of city time (utc)."""

    id: Name
    name: Name
    roles: Annotated[tuple[Role, ...], msgspec.Meta(max_length=200)]
    session: Name
    expires: Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]

    def communes(self, trade: str, verb: str) -> frozenset[str]:
        """Where this person may ask for ``verb`` of ``trade``; ANY among them is everywhere."""
        return communes(self.roles, trade, verb)


_decode = msgspec.msgpack.Decoder(Person).decode


def token(person: Person, key: Ed25519PrivateKey) -> bytes:
    """A person's session token, as the login process makes it."""
    body = msgspec.msgpack.encode(person)
    return key.sign(CONTEXT + body) + body


class Login:
    """Knows whose tokens hold. Without a key nobody's does."""

    def __init__(self, keys: Sequence[Ed25519PublicKey] = ()) -> None:
        """``keys``: the login process's public key, and beside it the next one while it is being changed."""
        self._keys = keys

    def public_keys(self) -> list[bytes]:
        """The keys, 32 bytes each."""
        return [key.public_bytes_raw() for key in self._keys]

    def person(self, token: bytes, utc: int) -> Person | Refusal:
        """Who holds ``token`` at ``utc`` µs, or why nobody does."""
        if not self._keys:
            return Refusal(
                "no_login", "the post knows no login process.", "Name its public key: `[gate] login_key`."
            )
        if not any(_signed(token, key) for key in self._keys):
            return Refusal("token", "the session token is not signed by the login process.", "Log in again.")
        try:
            person = _decode(token[_SIGNATURE:])
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return Refusal(
                "token", "the session token is of another version.", "Update login process and post together."
            )
        if utc >= person.expires:
            return Refusal("session_expired", f"the session of {person.id} has expired.", "Log in again.")
        return person


def load_login(path: Path | None) -> Login:
    """The login process's public keys from a file: one a line, 32 bytes in base64. Raises ConfigError."""
    if path is None:
        return Login()
    try:
        lines = [line for line in path.read_text("utf-8").split("\n") if line.strip()]
        keys = [Ed25519PublicKey.from_public_bytes(base64.b64decode(line, validate=True)) for line in lines]
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"no public key: {error}.",
            where=f"[gate] login_key, {path}",
            next="It holds a line a key: 32 bytes in base64, from the login process.",
        ) from error
    return Login(keys)


def _signed(token: bytes, key: Ed25519PublicKey) -> bool:
    if not _SIGNATURE < len(token) <= TOKEN_MAX:
        return False
    try:
        key.verify(token[:_SIGNATURE], CONTEXT + token[_SIGNATURE:])
    except InvalidSignature:
        return False
    return True
