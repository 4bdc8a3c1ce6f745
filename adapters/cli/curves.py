"""Figures over time as a picture: one small chart a figure, two lines each."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from xml.sax.saxutils import escape

from core.clock import SECOND
from core.declaration import Kpi
from core.fork import Figures

WIDTH, HEIGHT, LEFT, TOP = 720, 150, 90, 34

#: Okabe-Ito: told apart by everyone.
RECORDED, FORK = "#0072B2", "#D55E00"

Line = Sequence[tuple[int, float]]


def svg(recorded: Figures, fork: Figures) -> str:
    """The growth of each figure in both lives, as an SVG document."""
    charts = [
        (kpi, recorded.series.get(kpi.name, []), fork.series.get(kpi.name, []))
        for kpi in fork.judged
        if len(fork.series.get(kpi.name, [])) > 1
    ]
    height = TOP + len(charts) * HEIGHT
    parts = [_chart(i, *chart) for i, chart in enumerate(charts)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        f'font-size="11">\n<rect width="{WIDTH}" height="{height}" fill="white"/>\n'
        f'<text x="{LEFT}" y="20" fill="{RECORDED}">as it was set</text>'
        f'<text x="{LEFT + 100}" y="20" fill="{FORK}">in the fork</text>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _chart(place: int, kpi: Kpi, recorded: Line, fork: Line) -> str:
    top, low, right = TOP + place * HEIGHT + 20, TOP + (place + 1) * HEIGHT - 22, WIDTH - 16
    first, last = fork[0][0], max(fork[-1][0], fork[0][0] + 1)
    most = max(max(value for _, value in (*recorded, *fork)), 1e-9)

    def points(line: Line) -> str:
        return " ".join(
            f"{LEFT + (utc - first) / (last - first) * (right - LEFT):.1f},{low - value / most * (low - top):.1f}"
            for utc, value in line
        )

    drawn = "".join(
        f'<polyline points="{points(line)}" fill="none" stroke="{colour}" stroke-width="2"/>'
        for line, colour in ((recorded, RECORDED), (fork, FORK))
    )
    name = escape(f"{kpi.text.en}{f', {kpi.unit}' if kpi.unit else ''}")
    return (
        f'<text x="{LEFT}" y="{top - 6}" font-weight="bold">{name}</text>'
        f'<path d="M{LEFT} {top}V{low}H{right}" fill="none" stroke="#888"/>'
        f'<text x="{LEFT - 6}" y="{top + 4}" text-anchor="end">{most:,.4g}</text>'
        f'<text x="{LEFT - 6}" y="{low}" text-anchor="end">0</text>'
        f'<text x="{LEFT}" y="{low + 14}">{_clock(first)}</text>'
        f'<text x="{right}" y="{low + 14}" text-anchor="end">{_clock(last)}</text>{drawn}'
    )


def _clock(utc: int) -> str:
    return f"{datetime.datetime.fromtimestamp(utc / SECOND, datetime.UTC):%d %b %H:%M}Z"
