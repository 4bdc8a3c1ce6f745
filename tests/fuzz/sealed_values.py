"""Sealed values: no bytes open but those that the vault sealed, and what a gateway says is sealed or not taken."""

from __future__ import annotations

from functools import cache

import msgspec

from core import privacy, sealed
from core.sealed import Closed, Sealed
from core.vault import Vault
from tests.fuzz.target import Target
from tests.live.plugins import calls

_sealed = msgspec.msgpack.Decoder(Sealed)
DECLARATION = calls.declare()
KIND = DECLARATION.events[0]

#: Somebody whose words must never stand in what is journaled.
MARK = "Mme Dupont"


@cache
def _vault() -> Vault:
    return Vault(None, DECLARATION.retention)


def check(data: bytes) -> None:
    """As a sealed value, and as what a gateway says of a call."""
    vault = _vault()
    try:
        value = _sealed.decode(data)
        assert isinstance(vault.open(value), Closed), "nobody can seal but the vault"
        assert sealed.unseal(value, b"\1" * 32) is Closed.DAMAGED
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        pass
    try:
        fields = msgspec.msgpack.decode(data)
        list(sealed.found(fields))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, ValueError):
        return
    if not isinstance(fields, dict) or not all(isinstance(key, str) for key in fields):
        return
    try:
        taken = privacy.sealed(KIND, fields, vault, 1 << 50)
    except (ValueError, TypeError):
        return
    written = msgspec.msgpack.encode(taken)
    for name in KIND.personal:
        box = getattr(taken, name)
        assert box is None or vault.open(box) == fields[name]
    assert MARK.encode() not in written or MARK in str(fields.get("about"))


def seeds() -> list[bytes]:
    """A sealed value, and calls of all sorts."""
    value = sealed.seal("x", bytes(32), bytes(12), "p", "calls.case", 5, "calls.call.received words")
    said = [
        {"caller": "+33 3 80 74 51 51", "words": MARK, "photo": b"\x89PNG", "about": "noise"},
        {"words": MARK},
        {"caller": "", "words": None},
        {"caller": msgspec.to_builtins(value, builtin_types=(bytes,))},
        {"caller": "x" * 41},
    ]
    return [msgspec.msgpack.encode(each) for each in (value, *said)]


TARGET = Target("sealed", check, seeds, longest=2048)
