"""The group of commands for authors of trades."""

from __future__ import annotations

import click

from adapters.cli.plugin.check import plugin_check
from adapters.cli.plugin.dev import dev
from adapters.cli.plugin.new import new


@click.group()
def plugin() -> None:
    """Write a trade: begin one, check it, run it in the living city.

    \b
    Example:
      ondijon plugin new footfall        footfall.py and test_footfall.py, a trade that works
      python -m pytest -q                its tests
      ondijon plugin check footfall.py   everything the kernel and its operators ask of it, and a grade
      ondijon plugin dev footfall.py     in the demo city; each save is taken over while it runs

    docs/writing-a-plugin.md is the way in, docs/hooks.md the reference.
    """


for command in (new, plugin_check, dev):
    plugin.add_command(command)
