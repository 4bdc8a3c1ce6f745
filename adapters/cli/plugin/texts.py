"""The texts of a declaration, which people read in two languages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from core.declaration import Declaration, Text


def lacking(declaration: Declaration) -> list[str]:
    """The texts of a declaration that one of the two languages lacks."""
    wrong = []
    for where, text in _texts(declaration, declaration.name):
        missing = [language for language in ("fr", "en") if not str(getattr(text, language, "")).strip()]
        if not isinstance(text, Text) or missing:
            wrong.append(f"{where} has no text in {' and '.join(missing) or 'two languages'}")
        elif text.fr == text.en and " " in text.fr.strip():
            wrong.append(f"{where} says {text.fr!r} in both languages")
    return wrong


def _texts(value: Any, where: str) -> Iterator[tuple[str, Any]]:
    """Every text below a declaration, with what it is of."""
    if isinstance(value, msgspec.Struct) and not isinstance(value, Text):
        where = getattr(value, "code", None) or getattr(value, "name", None) or where
        for field in value.__struct_fields__:
            inner = getattr(value, field)
            if field == "text":
                yield where, inner
            else:
                yield from _texts(inner, where)
    elif isinstance(value, tuple):
        for each in value:
            if isinstance(each, Text):
                yield where, each
            else:
                yield from _texts(each, where)
