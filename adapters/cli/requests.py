"""``ondijon desk``: what a person asks of a running post, where there is no page."""

from __future__ import annotations

import datetime
import secrets
import tomllib
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from adapters.cli.desk import ask, exchange
from adapters.cli.follow import Follower, last_run
from core import run as runs
from core import session, whole
from core.clock import SECOND
from core.errors import OndijonError, RefusedError
from core.operators import (
    ActOnAlarms,
    AlarmsActedOn,
    Approve,
    Asked,
    CommandTaken,
    Propose,
    ProposeProgramme,
    ReleaseAll,
    Released,
    ReleaseWorker,
    Tell,
    Told,
    WorkerLetGo,
)
from core.run import Run
from core.session import LogIn, Session
from core.wire import Refused

_PATH = click.Path(path_type=Path)

#: A post that says nothing for so long (s) is not there.
SILENT_S = 5.0

_folder = click.option(
    "--run", "folder", type=_PATH, help="The run's folder; by default that of the post started last."
)
_token = click.option(
    "--token",
    required=True,
    envvar="ONDIJON_TOKEN",
    type=_PATH,
    help="The file that `ondijon desk login` wrote; or ONDIJON_TOKEN names it.",
)
_reason = click.option("--reason", required=True, help="Why; it is journaled.")

Answer = TypeVar("Answer")


@click.group()
def desk() -> None:
    """Ask a running post as a person: log in, tell, command, approve, release, act on alarms.

    Everything passes the same gate as from any screen, within the rights of who is logged in, and is answered
    when it is on disk. What is refused exits with 77 and says why.

    \b
    Examples:
      ondijon desk login anne
      export ONDIJON_TOKEN=anne.token
      ondijon desk release --zone Dijon
      ondijon desk command lamp.dim L0001=60 L0002=60 --lease 600 --reason 'works in the street'
      ondijon desk approve 3-17 5f2c...
      ondijon desk alarm acknowledge L0001:lamp_fault
      ondijon desk tell police.call.taken "category = 'crowd', callers = 3" --at 5.041 47.322
    """


@desk.command()
@click.argument("person")
@click.option(
    "--password-file",
    type=click.File("r"),
    help="Its first line (- is standard input); else it is asked for.",
)
@click.option("--out", type=_PATH, help="Where the token goes; by default PERSON.token here.")
@_folder
def login(person: str, password_file: Any, out: Path | None, folder: Path | None) -> None:
    """Log PERSON in, for a quarter of an hour.

    The token is written to a file for you alone. The post needs `[adapters.login]` and `[gate] login_key`.
    """
    run = runs.load(folder or last_run())
    password = (
        password_file.readline().rstrip("\n") if password_file else click.prompt("Password", hide_input=True)
    )
    asked = session.encode(LogIn(person, password))
    answer = session.decode_answer(exchange(run, run.login_ipc, asked, "nobody was logged in"))
    if isinstance(answer, Refused):
        raise RefusedError(answer.what, where=answer.reason, next=answer.next)
    assert isinstance(answer, Session)
    file = out or Path(f"{person}.token")
    whole.write(file, answer.token, 0o600)
    until = datetime.datetime.fromtimestamp(answer.expires / SECOND, datetime.UTC)
    click.echo(f"{answer.name} is logged in until {until:%H:%M:%S}Z of the city's time: {file}")


@desk.command()
@click.option("--zone", default="", help="A commune; by default the whole city.")
@_token
@_folder
def release(zone: str, token: Path, folder: Path | None) -> None:
    """Release all overrides: every device goes back to its own programme.

    One person may, alone and at any time: it is the safe case.
    """
    run = runs.load(folder or last_run())
    answer = _ask(run, ReleaseAll(**_request(run, token), zone=zone), Released)
    click.echo(f"{answer.targets} devices are told to go back to their programmes.")


@desk.command()
@click.argument("verb")
@click.argument("targets", nargs=-1, required=True, metavar="ASSET=VALUE...")
@click.option("--lease", type=click.FloatRange(min=0), required=True, help="Seconds it holds; 0 releases.")
@click.option(
    "--deadline",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    help="Seconds; not done within them, never done.",
)
@click.option("--override", is_flag=True, help="Interlocks shall not hold it: needs a second person.")
@_reason
@_token
@_folder
def command(
    verb: str,
    targets: tuple[str, ...],
    lease: float,
    deadline: float,
    override: bool,
    reason: str,
    token: Path,
    folder: Path | None,
) -> None:
    """Ask that assets take a state.

    VERB is what they shall do, as lamp.dim; each ASSET takes its VALUE, or stands alone where a lease of 0 releases.
    """
    run = runs.load(folder or last_run())
    named = [each.partition("=") for each in targets]
    try:
        values = tuple(float(value) for _, equals, value in named if equals)
    except ValueError as error:
        raise click.BadParameter(f"{error}: write L0001=60.", param_hint="ASSET=VALUE") from error
    proposal = Propose(
        **_request(run, token),
        verb=verb,
        targets=tuple(asset for asset, _, _ in named),
        values=values,
        lease_s=lease,
        deadline_s=deadline,
        override=override,
        reason=reason,
    )
    _tell(_ask(run, proposal, CommandTaken))


@desk.command()
@click.argument("kind")
@click.argument("content", type=click.File("r"))
@click.option("--zone", default="", help="A commune; by default all that have none of their own.")
@_reason
@_token
@_folder
def programme(kind: str, content: Any, zone: str, reason: str, token: Path, folder: Path | None) -> None:
    """Ask that devices run another programme.

    CONTENT is a TOML file of a programme of KIND (- is standard input).
    """
    run = runs.load(folder or last_run())
    try:
        table = tomllib.loads(content.read())
    except tomllib.TOMLDecodeError as error:
        raise click.BadParameter(f"no TOML: {error}.", param_hint="CONTENT") from error
    raw = msgspec.Raw(msgspec.msgpack.encode(table))
    asked = ProposeProgramme(**_request(run, token), kind=kind, zone=zone, content=raw, reason=reason)
    _tell(_ask(run, asked, CommandTaken))


@desk.command()
@click.argument("kind")
@click.argument("data", default="", metavar="[DATA]")
@click.option("--asset", default="", help="What it is about.")
@click.option("--at", nargs=2, type=float, default=None, metavar="LON LAT", help="Or where, in degrees.")
@_token
@_folder
def tell(
    kind: str, data: str, asset: str, at: tuple[float, float] | None, token: Path, folder: Path | None
) -> None:
    """Tell the trades that something happened, or what is wanted.

    KIND is an event that a trade takes from persons, and DATA its fields as TOML; the docs of each trade name them.
    """
    run = runs.load(folder or last_run())
    raw = msgspec.Raw(msgspec.msgpack.encode(_toml(data)))
    lon, lat = at or (None, None)
    told = Tell(**_request(run, token), kind=kind, data=raw, asset=asset, lon=lon, lat=lat)
    click.echo(f"{_ask(run, told, Told).kind}: it is in the journal.")


def _toml(data: str) -> dict[str, Any]:
    """Fields on one line, as TOML writes the inside of an inline table."""
    try:
        table: dict[str, Any] = tomllib.loads(f"data = {{{data}}}")["data"]
    except tomllib.TOMLDecodeError as error:
        raise click.BadParameter(
            f"no TOML: {error}; write: code = 7, note = 'open'.", param_hint="DATA"
        ) from error
    return table


@desk.command()
@click.argument("id")
@click.argument("hash")
@_token
@_folder
def approve(id: str, hash: str, token: Path, folder: Path | None) -> None:
    """Agree to what waits, as the second person.

    The hash binds: it agrees to exactly the command that waits as ID with this HASH (hexadecimal), and to no other.
    """
    run = runs.load(folder or last_run())
    try:
        exact = bytes.fromhex(hash)
    except ValueError as error:
        raise click.BadParameter("it is not hexadecimal.", param_hint="HASH") from error
    _tell(_ask(run, Approve(**_request(run, token), command=id, hash=exact), CommandTaken))


@desk.command()
@click.argument(
    "act", type=click.Choice(["acknowledge", "shelve", "unshelve", "take_out_of_service", "put_into_service"])
)
@click.argument("alarms", nargs=-1, metavar="ASSET:CODE...")
@click.option("--group", type=click.IntRange(min=1), default=None, help="Acknowledge a whole group.")
@click.option("--seconds", type=click.FloatRange(min=0), default=0.0, help="How long to shelve.")
@click.option("--reason", default="", help="Why; shelving and taking out of service need one.")
@_token
@_folder
def alarm(
    act: Any,
    alarms: tuple[str, ...],
    group: int | None,
    seconds: float,
    reason: str,
    token: Path,
    folder: Path | None,
) -> None:
    """Acknowledge alarms, shelve them, take them out of service.

    Each alarm is ASSET:CODE, or :CODE for one of the post itself.
    """
    run = runs.load(folder or last_run())
    named = tuple(each.rpartition(":")[::2] for each in alarms)
    asked = ActOnAlarms(
        **_request(run, token), act=act, alarms=named, group=group or 0, seconds=seconds, reason=reason
    )
    click.echo(f"{_ask(run, asked, AlarmsActedOn).alarms} alarms.")


@desk.command()
@click.argument("plugin")
@_reason
@_token
@_folder
def worker(plugin: str, reason: str, token: Path, folder: Path | None) -> None:
    """Let the stopped worker of a plugin begin again.

    The post stopped PLUGIN's process because it ended again and again; `ondijon top` says which it is.
    """
    run = runs.load(folder or last_run())
    asked = ReleaseWorker(**_request(run, token), plugin=plugin, reason=reason)
    click.echo(f"{_ask(run, asked, WorkerLetGo).plugin} begins again.")


def _request(run: Run, token: Path) -> dict[str, Any]:
    """What every request bears. Raises OndijonError."""
    try:
        secret = token.read_bytes()
    except OSError as error:
        raise OndijonError(
            f"no token: {error.strerror}.", where=str(token), next="ondijon desk login PERSON"
        ) from error
    follower = Follower(run.status_ipc)
    try:
        status = follower.update(SILENT_S)
    finally:
        follower.close()
    if status is None:
        raise OndijonError(
            "the post says nothing.", where=str(run.folder), next="Is it running? `ondijon top`."
        )
    return {
        "token": secret,
        "request": secrets.token_hex(16),
        "epoch": status.generation,
        "asked_utc": run.clock().utc(),
    }


def _ask(run: Run, asked: Asked, expected: type[Answer]) -> Answer:
    answer = ask(run, asked)
    if isinstance(answer, Refused):
        raise RefusedError(answer.what, where=answer.reason, next=answer.next)
    assert isinstance(answer, expected)
    return answer


def _tell(taken: CommandTaken) -> None:
    click.echo(f"{taken.command}: {taken.state}.")
    if taken.state == "awaiting":
        click.echo(f"A second person agrees with: ondijon desk approve {taken.command} {taken.hash.hex()}")
