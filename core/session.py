"""What may be asked of the login process over its local socket, and what it answers.

Whoever shows people a form speaks this: the page's process, a tool. It never sees a key; it gets a token that the
kernel believes for a short while, and renews it as long as the person is there.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from core import wire
from core.person import TOKEN_MAX
from core.wire import Name, Refused

#: Bytes of a message, and of a password, at most.
MESSAGE_MAX = 32_768
PASSWORD_MAX = 1024

Token = Annotated[bytes, msgspec.Meta(max_length=TOKEN_MAX)]


class LogIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="log_in", tag_field="type"):
    """Somebody says who they are."""

    person: Name
    password: Annotated[str, msgspec.Meta(min_length=1, max_length=PASSWORD_MAX)]


class Renew(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="renew", tag_field="type"):
    """The person is still there: another token of the same session, with the rights of today."""

    token: Token


class LogOut(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="log_out", tag_field="type"):
    """The session ends: its token is not renewed any more."""

    token: Token


class Session(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="session", tag_field="type"):
    """A token that holds until ``expires`` (µs of city time), and whose it is; it can be renewed until ``ends``."""

    token: Token
    person: Name
    name: Name
    expires: int
    ends: int


class LoggedOut(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="logged_out", tag_field="type"):
    """It is over."""


Asked = LogIn | Renew | LogOut
Answer = Session | LoggedOut | Refused

_asked = msgspec.msgpack.Decoder(Asked)
_answer = msgspec.msgpack.Decoder(Answer)
encode = msgspec.msgpack.Encoder().encode


def decode_asked(data: bytes) -> Asked:
    """What is asked. Raises WireError."""
    return wire.read(_asked, data, "request", "See core/session.py.")  # type: ignore[no-any-return]


def decode_answer(data: bytes) -> Answer:
    """What is answered. Raises WireError."""
    return wire.read(_answer, data, "answer")  # type: ignore[no-any-return]
