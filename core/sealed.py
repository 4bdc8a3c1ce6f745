"""A personal value as the post keeps it: sealed under a key that can be erased. No plugin sees another form of it.

It is sealed before its event is journaled, and opened only for a person who asks (core.privacy). Journal, snapshot
and states hold this form alone, so erasing the key erases the value from all of them, and changes no byte of any.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Generic, TypeVar, get_args, get_origin

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.errors import PluginError

T = TypeVar("T")

#: Bytes of a key (AES-256), and of the random nonce before each ciphertext (NIST SP 800-38D).
KEY, NONCE = 32, 12


class Closed(enum.Enum):
    """Why a sealed value is not read: its key was erased, or is locked in the vault; it was touched; it may not be."""

    ERASED = "erased"
    LOCKED = "locked"
    DAMAGED = "damaged"
    NO_RIGHT = "no right"


class Sealed(msgspec.Struct, Generic[T], frozen=True, tag="sealed", tag_field="type"):
    """A value of type T about ``person``, a pseudonym: equal for the same person as long as the post knows them.

    ``kept`` is its retention class, ``since`` the hour (of 1970) its key's period began, ``place`` the event kind and
    field that it was sealed for; ``data`` the nonce and the ciphertext.
    """

    person: str
    kept: str
    since: int
    place: str
    data: bytes


def seal(value: Any, key: bytes, nonce: bytes, person: str, kept: str, since: int, place: str) -> Sealed[Any]:
    """Seal a value under ``key``; ``nonce`` is never used twice with it."""
    bound = Sealed[Any](person, kept, since, place, b"")
    box = AESGCM(key).encrypt(nonce, msgspec.msgpack.encode(value), _place(bound))
    return msgspec.structs.replace(bound, data=nonce + box)


def unseal(sealed: Sealed[Any], key: bytes) -> Any:
    """The value, or Closed.DAMAGED where ``sealed`` is not what was sealed under ``key``, or stands elsewhere."""
    try:
        clear = AESGCM(key).decrypt(sealed.data[:NONCE], sealed.data[NONCE:], _place(sealed))
        return msgspec.msgpack.decode(clear)
    except (InvalidTag, ValueError):
        # Of ValueError too: too short a nonce.
        return Closed.DAMAGED


def _place(sealed: Sealed[Any]) -> bytes:
    return msgspec.msgpack.encode((sealed.person, sealed.kept, sealed.since, sealed.place))


@lru_cache
def clear_types(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """The sealed fields of a Struct (by the name they have on the wire), each with the type of its clear value."""
    return {
        field.encode_name: clear
        for field in msgspec.structs.fields(struct)
        for clear in (_clear(field.type),)
        if clear is not None
    }


def _clear(declared: Any) -> Any:
    """T of a ``Sealed[T]``, also where None is allowed beside it; None for any other type."""
    if declared is Sealed:
        return Any
    if get_origin(declared) is Sealed:
        return get_args(declared)[0]
    return next((clear for each in get_args(declared) if (clear := _clear(each)) is not None), None)


def check(data: msgspec.Struct, what: str) -> None:
    """Raise PluginError where a field that must be sealed holds something else: it would be stored for ever."""
    for name in clear_types(type(data)):
        value = getattr(data, name, None)
        if value is not None and not isinstance(value, Sealed):
            raise PluginError(
                f"{what}: its field {name!r} is not sealed.", next="Hand on what an event gave."
            )


def found(value: Any) -> Iterator[tuple[str, Sealed[Any]]]:
    """The sealed values within decoded msgpack, each with the path to it."""
    waiting = [("", value)]
    while waiting:
        path, each = waiting.pop()
        if isinstance(each, dict):
            if each.get("type") == "sealed":
                try:
                    yield path, msgspec.convert(each, Sealed)
                    continue
                except msgspec.ValidationError:
                    pass
            waiting += [(f"{path}.{key}" if path else str(key), inner) for key, inner in each.items()]
        elif isinstance(each, (list, tuple)):
            waiting += [(f"{path}[{i}]", inner) for i, inner in enumerate(each)]
