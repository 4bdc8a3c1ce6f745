"""Where pictures and tables are printed: a screen, a pipe or a file."""

from __future__ import annotations

import sys

from rich.console import Console, RenderableType

#: Columns where there is no screen.
PIPE_WIDTH = 200


def show(picture: RenderableType) -> None:
    """Print as wide as the screen is."""
    # A pipe has no width of its own, and a wrapped line is of no use to grep.
    Console(width=None if sys.stdout.isatty() else PIPE_WIDTH).print(picture)
