"""A sheet as one HTML file for A4: black on white, no script, nothing from any other place."""

from __future__ import annotations

import html
from collections.abc import Iterator

from adapters.papers.sheet import Part, Row, Sheet
from adapters.papers.tongue import clean

#: Black on white, and nothing that a cheap printer without colour, or a photocopier, would lose.
STYLE = """
@page { size: A4; margin: 11mm 12mm 14mm;
  @bottom-right { content: counter(page) " / " counter(pages); font: 9pt sans-serif; }
  @bottom-left { content: "TITLE"; font: 9pt sans-serif; } }
* { box-sizing: border-box; }
body { font: 10pt/1.22 "Liberation Sans", Arial, Helvetica, sans-serif; color: #000; background: #fff;
  max-width: 186mm; margin: 0 auto; padding: 4mm; }
@media print { body { padding: 0; max-width: none; } }
h1 { font-size: 18pt; line-height: 1.1; margin: 0 0 1mm; }
h2 { font-size: 11.5pt; margin: 3.4mm 0 .6mm; padding-bottom: .5mm; border-bottom: .6mm solid #000;
  break-after: avoid; }
p { margin: 0 0 1.5mm; }
.subtitle { font-size: 11.5pt; }
.warning { border: .8mm solid #000; padding: 1.5mm 2mm; font-weight: bold; margin: 2mm 0; }
.breaks, section + section { break-before: page; }
table { width: 100%; border-collapse: collapse; }
thead { display: table-header-group; }
th { text-align: left; font-size: 8.5pt; font-weight: bold; padding: .5mm 2mm .5mm 0; vertical-align: bottom; }
td { padding: .6mm 2mm .6mm 0; vertical-align: top; border-top: .2mm solid #000; overflow-wrap: anywhere; }
td.narrow, th.narrow { width: 1%; white-space: nowrap; overflow-wrap: normal; }
td.middling { overflow-wrap: break-word; }
tr { break-inside: avoid; }
tr.below td { border-top: 0; padding: 0 2mm .6mm 6mm; font-size: 9pt; }
tr.strong td { font-weight: bold; }
.line { height: 7mm; border-bottom: .2mm solid #000; }
tr.write td { height: 11mm; border-right: .2mm solid #000; } tr.write td:last-child { border-right: 0; }
td.box { width: 8mm; } td.box::before { content: ""; display: block; width: 4.2mm; height: 4.2mm;
  border: .4mm solid #000; margin-top: .3mm; }
.boxes tr.below td { font-size: 10pt; padding-left: 15mm; }
.facts { margin-top: 3mm; border-top: .2mm solid #000; padding-top: 1mm; font-size: 8pt; }
a { color: #000; }
"""

#: A subtitle up to so many characters stands at the foot of each page too.
FOOT_MAX = 80

#: A cell up to so many characters stays in one line.
NARROW = 16


def page(*sheets: Sheet, title: str = "") -> str:
    """The whole file: one sheet, or several, each from a new page on. ``title`` stands at the foot of each page."""
    first = sheets[0]
    foot = title or (f"{first.title} — {first.subtitle}" if len(first.subtitle) <= FOOT_MAX else first.title)
    # In a CSS string: no quote, no backslash, no end of the style element.
    foot = "".join(each for each in clean(foot) if each.isalnum() or each in " .,:/-—")
    head = f"<title>{_text(title or first.title)}</title>\n<style>{STYLE.replace('TITLE', foot)}</style>"
    bodies = "\n".join(f"<section>\n{chr(10).join(_body(sheet))}\n</section>" for sheet in sheets)
    return (
        f'<!doctype html>\n<html lang="{_text(first.language)}">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"{head}\n</head>\n<body>\n{bodies}\n</body>\n</html>\n"
    )


def _body(sheet: Sheet) -> Iterator[str]:
    yield f"<h1>{_text(sheet.title)}</h1>"
    if sheet.subtitle:
        yield f'<p class="subtitle">{_text(sheet.subtitle)}</p>'
    yield from (f'<p class="warning">{_text(each)}</p>' for each in sheet.warnings)
    for part in sheet.parts:
        yield from _part(part)
    if sheet.facts:
        yield '<div class="facts">' + " ".join(map(_text, sheet.facts)) + "</div>"


def _part(part: Part) -> Iterator[str]:
    if part.heading:
        yield f"<h2{' class=breaks' if part.breaks else ''}>{_text(part.heading)}</h2>"
    if part.note:
        yield f"<p>{_text(part.note)}</p>"
    yield from ['<div class="line"></div>'] * part.lines
    if not part.rows:
        if part.empty:
            yield f"<p>{_text(part.empty)}</p>"
        return
    columns = max(len(row.cells) for row in part.rows)
    wide = part.wide % columns
    longest = [
        max((len(row.cells[i]) for row in part.rows if i < len(row.cells)), default=0) for i in range(columns)
    ]
    # Where all is empty somebody is to write: all columns are wide.
    narrow = [i != wide and max(longest) > 0 and longest[i] <= NARROW for i in range(columns)]
    yield '<table class="boxes">' if part.boxes else "<table>"
    if part.columns:
        heads = (f"<th{_kind(i, narrow)}>{_text(each)}</th>" for i, each in enumerate(part.columns))
        yield "<thead><tr>" + ("<th></th>" if part.boxes else "") + "".join(heads) + "</tr></thead>"
    yield "<tbody>"
    for row in part.rows:
        yield from _row(row, part.boxes, narrow)
    yield "</tbody></table>"


def _row(row: Row, boxes: bool, narrow: list[bool]) -> Iterator[str]:
    cells = "".join(f"<td{_kind(i, narrow)}>{_text(each)}</td>" for i, each in enumerate(row.cells))
    strong = ' class="strong"' if row.strong else "" if any(row.cells) else ' class="write"'
    yield f"<tr{strong}>" + ('<td class="box"></td>' if boxes else "") + cells + "</tr>"
    if row.below:
        lines = "<br>".join(map(_text, row.below))
        yield f'<tr class="below"><td colspan="{len(narrow) + boxes}">{lines}</td></tr>'


def _kind(column: int, narrow: list[bool]) -> str:
    return ' class="narrow"' if column < len(narrow) and narrow[column] else ' class="middling"'


def _text(value: str) -> str:
    return html.escape(clean(value))
