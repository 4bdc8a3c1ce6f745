"""``ondijon keys``: who may connect to a post. Every change holds at once, in the running post too."""

from __future__ import annotations

import datetime
from pathlib import Path

import click
from rich.table import Table

from adapters.cli import options, screen
from adapters.cli.role import RoleType, written
from core import allowlist, keyring
from core.allowlist import Key
from core.clock import SECOND
from core.person import Role

_PATH = click.Path(path_type=Path)


@click.group()
def keys() -> None:
    """Let gateways and partners in, and shut them out.

    Each holds a key file that this command makes; the post knows its public half alone. A running post sees
    each change within a second: a key that is revoked loses its live connection too.

    \b
    Examples:
      ondijon keys new gw-U0001 --data data       writes gw-U0001.key: bring it to the gateway
      ondijon keys list --data data
      ondijon keys rotate gw-U0001 --data data    a second key; the first one ends in a week
      ondijon keys revoke gw-U0001 --data data    at once
    """


@keys.command()
@click.argument("name")
@options.data
@click.option(
    "--role",
    type=click.Choice(["gateway", "partner"]),
    default="gateway",
    show_default=True,
    help="Whose it is.",
)
@click.option(
    "--for",
    "speaks_for",
    multiple=True,
    metavar="GATEWAY",
    help="A gateway it speaks for, by default NAME; again for more, * for all.",
)
@click.option(
    "--right",
    "rights",
    multiple=True,
    type=RoleType(),
    help="What a partner may see and ask for; * is every one. Again for more.",
)
@options.days
@click.option("--out", type=_PATH, help="Where the key file goes; by default NAME.key here.")
def new(
    name: str,
    data: Path,
    role: str,
    speaks_for: tuple[str, ...],
    rights: tuple[Role, ...],
    days: float | None,
    out: Path | None,
) -> None:
    """Make the key NAME and let it in.

    The file belongs to you alone (mode 600) and holds the secret: bring it to the gateway by a way that
    nobody listens to, then delete it here.

    \b
    Examples:
      ondijon keys new gw-U0001 --data data
      ondijon keys new concentrator-7 --for gw-1 --for gw-2 --days 365 --data data
      ondijon keys new history --role partner --right 'lighting:*:view,alarm' --data data
    """
    if role == "partner" and speaks_for:
        raise click.UsageError("a partner speaks for no gateway: leave --for out.")
    if role == "gateway" and rights:
        raise click.UsageError("rights are for partners: leave --right out, or write --role partner.")
    file = out or Path(f"{name}.key")
    key = keyring.new(
        data,
        file,
        name,
        "partner" if role == "partner" else "gateway",
        speaks_for=speaks_for,
        rights=rights,
        days=days,
    )
    click.echo(f"{file}: the key of {name}, {key.fingerprint}{_until(key)}.")


@keys.command("list")
@options.data
@click.option("--all", "everything", is_flag=True, help="Those that ended, too.")
def show(data: Path, everything: bool) -> None:
    """Show who may connect.

    \b
    Example:
      ondijon keys list --all --data data | grep gw-U0001
    """
    now = allowlist.now()
    table = Table("name", "role", "fingerprint", "may", "made", "ends", "state")
    for key in allowlist.load(allowlist.path(data)).keys:
        state = key.state(now)
        if everything or state == "valid":
            table.add_row(
                key.name, key.role, key.fingerprint, _may(key), _date(key.created), _end(key), state
            )
    screen.show(table)


@keys.command()
@click.argument("name")
@options.data
def revoke(name: str, data: Path) -> None:
    """End the keys of NAME at once, live connections too.

    NAME is a name, or the fingerprint of one key of several. There is no way back: make a new key.

    \b
    Example:
      ondijon keys revoke gw-U0001 --data data
    """
    for key in keyring.revoke(data, name):
        click.echo(f"{key.name}, {key.fingerprint}: revoked.")


@keys.command()
@click.argument("name")
@options.data
@click.option(
    "--grace-days",
    type=click.FloatRange(min=0),
    default=7.0,
    show_default=True,
    help="How long the old key holds beside the new one.",
)
@options.days
@click.option("--out", type=_PATH, help="Where the new key file goes; by default NAME.key here.")
def rotate(name: str, data: Path, grace_days: float, days: float | None, out: Path | None) -> None:
    """Make a new key for NAME; for a time both hold.

    It may what the old one may. Bring the file to the gateway and start it anew with it: nothing is lost,
    because the old key holds until then.

    \b
    Example:
      ondijon keys rotate gw-U0001 --grace-days 2 --out new/gw-U0001.key --data data
    """
    file = out or Path(f"{name}.key")
    key = keyring.rotate(data, file, name, days=days, grace_days=grace_days)
    click.echo(f"{file}: the new key of {name}, {key.fingerprint}{_until(key)}.")
    click.echo(f"The old one ends in {grace_days:g} days.")


def _may(key: Key) -> str:
    if key.role == allowlist.GATEWAY:
        return ", ".join(key.speaks_for)
    return written(key.rights) or "nothing"


def _until(key: Key) -> str:
    return f", until {_end(key)}" if key.expires else ""


def _end(key: Key) -> str:
    return _date(key.revoked or key.expires) if key.revoked or key.expires else "never"


def _date(utc: int) -> str:
    return f"{datetime.datetime.fromtimestamp(utc / SECOND):%Y-%m-%d %H:%M}"
