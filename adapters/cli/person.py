"""``ondijon person``: who may log in at a post, and what they may. A running login process sees each change at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec
from rich.table import Table

from adapters.cli import options, screen
from adapters.cli.role import RoleType, written
from adapters.login import people
from adapters.login.passwords import Passwords
from adapters.login.people import Account
from adapters.login.signing import PUBLIC_FILE, signing_key
from core.errors import ConfigError
from core.person import Role

_roles = click.option(
    "--role", "roles", multiple=True, type=RoleType(), help="What they may; * is every one. Again for more."
)
_password = click.option(
    "--password-file",
    type=click.File("r"),
    help="Take the password from the first line of a file (- is standard input); by default it is asked for.",
)


@click.group()
def person() -> None:
    """Name the people who may log in.

    The first command makes DATA/login/login.pub too: name it in the configuration as `[gate] login_key`, and
    add a table `[adapters.login]`. Without both nobody is a person to the post.

    \b
    Examples:
      ondijon person new anne --name "Anne Martin" --role 'lighting:*:*' --data data
      ondijon person role anne --role 'lighting:Dijon:lamp.dim' --data data
      ondijon person disable anne --data data
      ondijon person list --data data
    """


@person.command()
@click.argument("id")
@click.option("--name", required=True, help="The name that others see.")
@_roles
@_password
@options.data
def new(id: str, name: str, roles: tuple[Role, ...], password_file: Any, data: Path) -> None:
    """Let somebody log in as ID.

    An id is given once: the journal says who did what, for good.

    \b
    Example:
      ondijon person new anne --name "Anne Martin" --role 'lighting:*:*' --data data
    """
    signing_key(data)
    kept = Passwords().hash(_ask(password_file))
    with people.changing(data) as accounts:
        if id in accounts:
            raise ConfigError(
                f"{id!r} was given to {accounts[id].name}.",
                where=str(people.path(data)),
                next="Take another id, or enable this one.",
            )
        accounts[id] = Account(id, name, kept, roles)
    click.echo(f"{id} may log in. `[gate] login_key` is {data / people.FOLDER / PUBLIC_FILE}.")


@person.command("list")
@options.data
def show(data: Path) -> None:
    """Show who may log in, and what they may.

    \b
    Example:
      ondijon person list --data data
    """
    table = Table("id", "name", "roles", "state")
    for account in people.load(people.path(data)).accounts:
        roles = written(account.roles) or "none"
        table.add_row(account.id, account.name, roles, "disabled" if account.disabled else "")
    screen.show(table)


@person.command()
@click.argument("id")
@_password
@options.data
def password(id: str, password_file: Any, data: Path) -> None:
    """Give ID another password.

    \b
    Example:
      ondijon person password anne --data data
    """
    _change(data, id, password=Passwords().hash(_ask(password_file)))
    click.echo(f"{id} has another password.")


@person.command()
@click.argument("id")
@_roles
@options.data
def role(id: str, roles: tuple[Role, ...], data: Path) -> None:
    """Give ID these roles, and no others.

    They hold from the next token on, at most `token_minutes` later.

    \b
    Example:
      ondijon person role anne --role 'lighting:Dijon:lamp.dim' --role 'police:*:*' --data data
    """
    _change(data, id, roles=roles)
    click.echo(f"{id} has {len(roles)} roles.")


@person.command()
@click.argument("id")
@options.data
def disable(id: str, data: Path) -> None:
    """Let ID log in no more.

    Who is logged in gets no further token: the last one ends at most `token_minutes` later.

    \b
    Example:
      ondijon person disable anne --data data
    """
    _change(data, id, disabled=True)
    click.echo(f"{id} may not log in any more.")


@person.command()
@click.argument("id")
@options.data
def enable(id: str, data: Path) -> None:
    """Let ID log in again.

    \b
    Example:
      ondijon person enable anne --data data
    """
    _change(data, id, disabled=False)
    click.echo(f"{id} may log in.")


def _change(data: Path, id: str, **changes: Any) -> None:
    with people.changing(data) as accounts:
        if id not in accounts:
            raise ConfigError(
                f"there is nobody {id!r}.", where=str(people.path(data)), next="See `ondijon person list`."
            )
        accounts[id] = msgspec.structs.replace(accounts[id], **changes)


def _ask(password_file: Any) -> str:
    if password_file is not None:
        return str(password_file.readline().rstrip("\n"))
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
