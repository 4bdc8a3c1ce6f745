"""The page that leads to the sheets of a pack, and to the packs that are kept."""

from __future__ import annotations

import html
from collections.abc import Sequence

from adapters.papers.tongue import Tongue, clean

STYLE = """
body { font: 13pt/1.5 "Liberation Sans", Arial, Helvetica, sans-serif; color: #000; background: #fff;
  max-width: 186mm; margin: 8mm auto; padding: 0 4mm; }
a { color: #000; } h1 { font-size: 20pt; } .warning { border: .8mm solid #000; padding: 2mm; font-weight: bold; }
"""


def page(
    t: Tongue,
    title: str,
    links: Sequence[tuple[str, str]],
    missing: Sequence[str],
    older: Sequence[tuple[str, str]],
) -> str:
    """``links`` and ``older`` are (file, text); ``missing`` says in sentences what could not be written, and why."""
    text = [
        f'<!doctype html>\n<html lang="{t.language}">\n<head>\n<meta charset="utf-8">',
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        f"<title>{_text(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{_text(title)}</h1>",
        *(f'<p class="warning">{_text(each)}</p>' for each in missing),
        _list(links),
    ]
    if older:
        text += [f"<h2>{_text(t('Les précédentes', 'Those before'))}</h2>", _list(older)]
    return "\n".join([*text, "</body>\n</html>\n"])


def _list(links: Sequence[tuple[str, str]]) -> str:
    items = "\n".join(f'<li><a href="{_text(file)}">{_text(text)}</a></li>' for file, text in links)
    return f"<ul>\n{items}\n</ul>"


def _text(value: str) -> str:
    return html.escape(clean(value))
