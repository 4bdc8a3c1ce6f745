"""``ondijon example``: a configuration to begin with."""

from __future__ import annotations

from pathlib import Path

import click

EXAMPLE = Path(__file__).with_suffix(".toml")


@click.command()
def example() -> None:
    """Print a configuration to begin with.

    All keys of the post are in it, each with its default; docs/operations.md explains them.

    \b
    Example:
      ondijon city generate --lamps 3000 --out city
      ondijon example > ondijon.toml
      ondijon check ondijon.toml
    """
    click.echo(EXAMPLE.read_text("utf-8"), nl=False)
