"""A sheet of paper as what stands on it; html.py and plain.py bring it to paper and to a terminal."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Row(msgspec.Struct, frozen=True):
    """Cells of a table, ``below`` them lines of small print. ``strong`` is what must not be overlooked."""

    cells: tuple[str, ...]
    below: tuple[str, ...] = ()
    strong: bool = False


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A heading with rows under their ``columns``. ``note`` stands above them, ``empty`` in their place.

    ``boxes``: each row begins with one to tick. ``wide`` is the column that takes what room is left. ``lines`` are
    empty ones, to write on; ``breaks``: it begins a new page.
    """

    heading: str
    note: str = ""
    columns: tuple[str, ...] = ()
    rows: Sequence[Row] = ()
    empty: str = ""
    boxes: bool = False
    wide: int = -1
    lines: int = 0
    breaks: bool = False


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """All of one sheet: ``warnings`` stand above everything, ``facts`` in small print say what it was made from."""

    language: str
    title: str
    subtitle: str = ""
    warnings: Sequence[str] = ()
    parts: Sequence[Part] = ()
    facts: Sequence[str] = ()
