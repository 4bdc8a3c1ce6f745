"""What a short French sentence says: its subject, the address in it, and how much two sentences are alike.

Thumbs lose accents and swap letters, so a word counts as known where at most one letter was lost, doubled,
changed or swapped with the next.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

import msgspec

from plugins.allo_mairie.categories import CATEGORIES


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Words that every report may hold.
STOP = _set(
    "a ai au aux avec bonjour bonsoir c ce cela ces cet cette chez cordialement d dans de depuis des deux devant "
    "du elle en encore est et fait fois il j je l la le les leur ma merci mon n ne ou par pas plus pour qu que "
    "qui s sa se signale deja son sur svp tout toute toutes tous tres un une urgent avance y"
)

#: What the name of a street begins with.
WAYS = _set(
    "allee avenue boulevard bd av chemin cite clos cours esplanade impasse mail montee passage place "
    "pont promenade quai rond route rue ruelle sentier square villa voie"
)

_TOKEN = re.compile(r"[a-z]+|\d+|[.,:;!?()]")
_LIGATURES = str.maketrans({"œ": "oe", "æ": "ae", "Œ": "oe", "Æ": "ae", "ß": "ss"})
#: Shorter words are compared letter by letter: too many of them differ by one.
_FUZZY_FROM = 5
#: So many words of a street's name are read; what follows may be the sentence.
_NAME_WORDS = 4
_LITTLE = _set("de du des d la le les l")
_WAYS_ALWAYS = frozenset(("rue", "avenue", "boulevard"))
#: Without a number these are as often no part of an address ("la voie est bloquée").
_ALSO_WORDS = _set("bd clos cours mail passage pont route sentier voie")


class Address(msgspec.Struct, frozen=True):
    """``house``: the number, 0 if none; ``street``: normalised name, "" if none."""

    house: int = 0
    street: str = ""


def normalise(text: str) -> str:
    """Small letters without accents, one space between words, no marks."""
    return " ".join(token for token in _split(text) if token.isalnum())


def tokens(text: str) -> tuple[str, ...]:
    """The words that carry meaning, in the singular, each once, in their order."""
    said = (_singular(token) for token in _split(text) if token.isalpha())
    return tuple(dict.fromkeys(word for word in said if word not in STOP and len(word) > 1))


def alike(a: str, b: str) -> float:
    """How much two texts are alike, 0 to 1: Dice's coefficient of their letter trigrams."""
    if a == b:
        return 1.0 if a else 0.0
    left, right = _grams(a), _grams(b)
    both = len(left) + len(right)
    return 2 * len(left & right) / both if both else 0.0


def subject(words: Iterable[str]) -> str:
    """The category that the words (see ``tokens``) speak of, or "" where none or two speak as loudly.

    A word that several categories share counts for each of them by its part.
    """
    loud: dict[str, float] = {}
    for word in words:
        names = _known(word)
        for name in names:
            loud[name] = loud.get(name, 0.0) + 1 / len(names)
    best = sorted(loud.items(), key=lambda item: (-item[1], item[0]))[:2]
    if not best or (len(best) == 2 and best[0][1] - best[1][1] < 0.25):
        return ""
    return best[0][0]


def spoken(word: str) -> str:
    """The word of the list of subjects that ``word`` is, with at most one slip of the thumb, or ""."""
    if word in _SPEAKS or len(word) < _FUZZY_FROM:
        return word if word in _SPEAKS else ""
    maybe = {known for form in _shorter(word) for known in _SPOKEN_FORMS.get(form, ())}
    near = [known for known in sorted(maybe) if slip(word, known)]
    return near[0] if len(near) == 1 else ""


def address(text: str) -> Address:
    """The street, and the house's number before it, that a text names; a numbered one rather than another."""
    said = _split(text)
    found = Address()
    for k, token in enumerate(said):
        house = _house(said[:k])
        if token.isalpha() and _is_way(token, after_number=house > 0):
            name = _name(said[k + 1 :])
            if house:
                return Address(house, name)
            if name and token not in _ALSO_WORDS:
                found = Address(0, name)
    return found


def slip(a: str, b: str) -> bool:
    """Whether two words are the same but for one letter lost, added, changed or swapped with the next."""
    if abs(len(a) - len(b)) > 1:
        return False
    while a and b and a[0] == b[0]:
        a, b = a[1:], b[1:]
    while a and b and a[-1] == b[-1]:
        a, b = a[:-1], b[:-1]
    return max(len(a), len(b)) <= 1 or (len(a) == 2 and a == b[::-1])


def _name(after: list[str]) -> str:
    """The words up to a mark or to the next word of a sentence, without the little ones."""
    name: list[str] = []
    for token in after:
        little = token in _LITTLE
        if not token.isalpha() or token in _WAYS_ALWAYS or (token in STOP and not little):
            break
        if not little:
            name.append(token)
        if len(name) == _NAME_WORDS:
            break
    return " ".join(name)


def _house(before: list[str]) -> int:
    back = [token for token in before[-3:] if token not in ("bis", "ter", ",")]
    return int(back[-1]) if back and back[-1].isdigit() and len(back[-1]) <= 4 else 0


def _is_way(token: str, after_number: bool) -> bool:
    """After a number even a short word with a slip is one: nothing else stands there ("12 reu Monge")."""
    if token in WAYS:
        return True
    return (after_number or len(token) >= _FUZZY_FROM) and any(
        slip(token, way) for way in WAYS if after_number or way not in _ALSO_WORDS
    )


def _split(text: str) -> list[str]:
    flat = unicodedata.normalize("NFKD", text.translate(_LIGATURES).lower())
    return _TOKEN.findall("".join(letter for letter in flat if not unicodedata.combining(letter)))


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word[-1] in "sx" else word


@lru_cache(maxsize=4096)
def _grams(text: str) -> frozenset[str]:
    padded = f" {text} "
    return frozenset(padded[k : k + 3] for k in range(len(padded) - 2)) if text else frozenset()


def _shorter(word: str) -> set[str]:
    """The word and what is left of it with one letter less."""
    return {word, *(word[:k] + word[k + 1 :] for k in range(len(word)))}


def _by_form(words: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """From each form with one letter less to the words that it may come from."""
    forms: dict[str, tuple[str, ...]] = {}
    for word in words:
        for form in _shorter(word) if len(word) >= _FUZZY_FROM else {word}:
            forms[form] = (*forms.get(form, ()), word)
    return forms


_SPEAKS: dict[str, tuple[str, ...]] = {}
for _name_, _category in CATEGORIES.items():
    for _word in _category.words:
        _SPEAKS[_singular(_word)] = (*_SPEAKS.get(_singular(_word), ()), _name_)
_SPOKEN_FORMS = _by_form(_SPEAKS)


@lru_cache(maxsize=4096)
def _known(word: str) -> tuple[str, ...]:
    """The categories that a word speaks of, with at most one slip of the thumb."""
    return _SPEAKS.get(spoken(word), ())
