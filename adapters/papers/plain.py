"""A sheet as plain text, for a terminal or a line printer."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from adapters.papers.sheet import Part, Row, Sheet
from adapters.papers.tongue import clean

WIDTH = 100

#: A column that is not the wide one takes at most so much; that one at least so much, if there is room.
COLUMN_MAX, WIDE_MIN = 32, 24


def text(sheet: Sheet) -> str:
    """All of it, with a line's end at its end."""
    return "\n".join(_lines(sheet)) + "\n"


def _lines(sheet: Sheet) -> Iterator[str]:
    yield clean(sheet.title).upper()
    if sheet.subtitle:
        yield from _wrapped(sheet.subtitle)
    for warning in sheet.warnings:
        yield ""
        yield from _wrapped(f"!!! {warning}")
    for part in sheet.parts:
        yield ""
        yield from _part(part)
    if sheet.facts:
        yield ""
        yield "-" * WIDTH
        for fact in sheet.facts:
            yield from _wrapped(fact)


def _part(part: Part) -> Iterator[str]:
    if part.heading:
        yield f"== {clean(part.heading)}"
    if part.note:
        yield from _wrapped(part.note)
    for _ in range(part.lines):
        yield ""
        yield "_" * WIDTH
    if not part.rows:
        yield from _wrapped(part.empty) if part.empty else ()
        return
    columns = max(len(row.cells) for row in part.rows)
    wide = part.wide % columns
    rows = [Row(part.columns), *part.rows] if part.columns else list(part.rows)
    widths = _widths(rows, columns, wide, WIDTH - (4 if part.boxes else 0) - 2 * (columns - 1))
    for number, row in enumerate(rows):
        head = bool(part.columns) and number == 0
        yield from _row(row, widths, "    " if part.boxes and head else "[ ] " if part.boxes else "")


def _widths(rows: list[Row], columns: int, wide: int, room: int) -> list[int]:
    """How wide each column is: as its longest cell, but for the wide one, which takes and gives what is over."""
    widths = [max(len(clean(row.cells[i])) for row in rows if i < len(row.cells)) for i in range(columns)]
    widths = [max(1, width if i == wide else min(COLUMN_MAX, width)) for i, width in enumerate(widths)]
    widths[wide] = WIDE_MIN
    while sum(widths) > room:
        widths[widths.index(max(widths))] -= 1
    widths[wide] += room - sum(widths)
    return widths


def _row(row: Row, widths: list[int], box: str) -> Iterator[str]:
    cells = [
        textwrap.wrap(clean(cell), width) or [""] for cell, width in zip(row.cells, widths, strict=False)
    ]
    for line in range(max((len(cell) for cell in cells), default=0)):
        parts = [
            (cell[line] if line < len(cell) else "").ljust(width)
            for cell, width in zip(cells, widths, strict=False)
        ]
        yield ((box if line == 0 else " " * len(box)) + "  ".join(parts)).rstrip()
    for below in row.below:
        yield from textwrap.wrap(clean(below), WIDTH, initial_indent="      ", subsequent_indent="        ")


def _wrapped(value: str) -> list[str]:
    return textwrap.wrap(clean(value), WIDTH)
