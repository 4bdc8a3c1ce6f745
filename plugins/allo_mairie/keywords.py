"""What may be told of a citizen's words without telling them: words of a closed list, and the address of the problem.

The words themselves are sealed before any trade sees them. Whoever has them in clear, an entry form or a gateway,
calls ``told`` and sends its result beside them; this trade reads no other word than those it knows.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from plugins.allo_mairie.words import Address, address, alike, spoken, tokens

#: So many are told, and read.
KEYS_MAX = 20
#: A street of the words is one of the city's from this likeness of their names (0 to 1) on.
SAME_STREET = 0.6


class Told(msgspec.Struct, frozen=True):
    """``keys``: words that speak of a subject, as the list spells them; ``address``: the problem's, or ""."""

    keys: tuple[str, ...] = ()
    address: str = ""


def told(words: str, streets: Iterable[str] = ()) -> Told:
    """What the words of a report say of its subject and of its address, and nothing else of them.

    ``streets`` are the names of the city's. What stands behind "rue" in a sentence may be a person's name, so only a
    street that there is is told; without the names only the house's number.
    """
    found = address(words)
    return Told(known(tokens(words)), written(Address(found.house, _street(found.street, streets))))


def known(keys: Iterable[str]) -> tuple[str, ...]:
    """Of these words those of the closed list, as it spells them: no name, no number, no sentence is among them."""
    found = (spoken(key) for key in keys)
    return tuple(dict.fromkeys(key for key in found if key))[:KEYS_MAX]


def written(of: Address) -> str:
    """An address in the form that ``words.address`` reads."""
    return (
        " ".join(part for part in (str(of.house or ""), "rue", of.street) if part) if of != Address() else ""
    )


def sentence(keys: Iterable[str], where: str) -> str:
    """Keys and address as the judgement of duplicates reads words: what is not known of them is left out."""
    return " . ".join(part for part in (" ".join(known(keys)), written(address(where))) if part)


def _street(said: str, streets: Iterable[str]) -> str:
    """The city's name of a street that a sentence names, or ""."""
    names = (address(f"1 {name}").street for name in streets) if said else ()
    likeness, name = max(((alike(said, name), name) for name in names if name), default=(0.0, ""))
    return name if likeness >= SAME_STREET else ""
