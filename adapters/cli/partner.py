"""``ondijon partner``: let a partner follow the city, and give it a folder to begin with."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import get_args

import click

import ondijon
from adapters.cli import options
from core import keyring
from core import run as runs
from core.errors import ConfigError, KeyFileError
from core.partner_wire import Topic
from core.person import ANY, Role

#: What a sandbox holds beside key and page.
SANDBOX = Path(ondijon.__file__).with_name("sandbox")

README = """# {name}, partner of an ondijon post

This folder is yours: the key `{name}.key` speaks for you, keep it to yourself.
It sees: {rights}.

In Python, where `ondijon` is installed:

```sh
python partner.py {endpoint} {name}.key
```

In JavaScript, with Node 18 or newer:

```sh
npm install
node partner.mjs {endpoint} {name}.key
```

Both take topics after the key: {topics}. The wire is told in docs/protocol.md of ondijon, part "Partners".
"""


@click.group()
def partner() -> None:
    """Let partners follow what stands in the city.

    A partner has a key file that `ondijon keys` lists, rotates and revokes like any other.

    \b
    Example:
      ondijon partner new transit --trade lighting --commune Dijon --topic view --topic alarm --data data
    """


@partner.command()
@click.argument("name")
@options.data
@click.option("--trade", "trades", multiple=True, help="A trade that it may see; all where none is named.")
@click.option(
    "--commune", "communes", multiple=True, help="A commune that it may see; all where none is named."
)
@click.option(
    "--topic",
    "topics",
    multiple=True,
    type=click.Choice(get_args(Topic)),
    help="What it may see of them; all by default.",
)
@options.days
@click.option("--out", type=click.Path(path_type=Path), help="The folder to make; NAME by default.")
def new(
    name: str,
    data: Path,
    trades: tuple[str, ...],
    communes: tuple[str, ...],
    topics: tuple[str, ...],
    days: float | None,
    out: Path | None,
) -> None:
    """Make a partner's key and rights, in a folder to begin from."""
    folder = out or Path(name)
    rights = [
        Role(trade, commune, topics or (ANY,)) for trade in trades or (ANY,) for commune in communes or (ANY,)
    ]
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise KeyFileError(
            f"no new folder can be made: {error.strerror}.",
            where=str(folder),
            next="Name another with --out.",
        ) from error
    try:
        key = keyring.new(data, folder / f"{name}.key", name, "partner", rights=rights, days=days)
    except BaseException:
        folder.rmdir()
        raise
    for file in sorted(SANDBOX.iterdir()):
        if file.is_file():
            shutil.copyfile(file, folder / file.name)
    page = README.format(
        name=name,
        endpoint=_endpoint(data),
        rights="; ".join(f"{', '.join(role.verbs)} of {role.trade} in {role.commune}" for role in rights),
        topics=", ".join(get_args(Topic)),
    ).replace(" *", " all")
    (folder / "README.md").write_text(page, "utf-8")
    click.echo(
        f"{folder}: key {key.fingerprint} of {name}. Give the whole folder to the partner; it holds the only copy."
    )


def _endpoint(data: Path) -> str:
    try:
        return runs.load(data / "run").endpoints.partners
    except ConfigError:
        return "tcp://HOST:PORT"
