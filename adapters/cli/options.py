"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path

import click

#: Of commands that change a post's own files, whether it runs or not.
data = click.option(
    "--data", required=True, type=click.Path(path_type=Path), help="The `data` folder of the post."
)

#: Of commands that make a key.
days = click.option(
    "--days",
    type=click.FloatRange(min=0, min_open=True),
    help="The new key ends by itself after so many days; by default never.",
)
